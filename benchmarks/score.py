"""Score millions of Adult-shaped rows: memory of the process tree, and rows per second.

    python benchmarks/score.py                  5 million rows, model trained for two epochs
    python benchmarks/score.py --rows 500000    a shorter look

The rows are the bundled sample's, drawn with replacement, numbers moved by one unit or so. They
are written to Parquet, scored through ``penstock score`` and deleted. The yardstick is the bare
network: ``Model.scores`` on typed rows in memory, on the same machine, with the same number of
threads, before and after. Exit status 1 when the tree holds 1.5 GiB or more (sum of resident
memory, shared pages counted in each process), or less than half of the rows per second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "adult" / "adult.parquet"
PIPELINE = ROOT / "data" / "adult-mitigated"
MOST_GIB, LEAST_RATIO = 1.5, 0.5
CHUNK = 250_000
BARE_ROWS = 400_000
NOISY = {"age": 1, "fnlwgt": 500, "hours_per_week": 1}


def write_rows(path: Path, num_rows: int) -> None:
    """Resampled rows with a little noise, never held at once."""
    sample = pq.read_table(SAMPLE)
    rng = np.random.default_rng(0)
    with pq.ParquetWriter(path, sample.schema, compression="zstd") as writer:
        for start in range(0, num_rows, CHUNK):
            count = min(CHUNK, num_rows - start)
            drawn = sample.take(pa.array(rng.integers(0, sample.num_rows, count)))
            writer.write_table(noisy(drawn, rng))


def noisy(rows: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Some numbers moved, within what the sample has."""
    for name, step in NOISY.items():
        values = rows[name].to_numpy()
        moved = values + rng.integers(-step, step + 1, len(values))
        moved = np.clip(moved, values.min(), values.max())
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(moved))
    return rows


def resident(root: int) -> int:
    """Bytes of a process and all below it."""
    page = os.sysconf("SC_PAGE_SIZE")
    children: dict[int, list[int]] = {}
    held: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                held[int(folder.name)] = int((folder / "statm").read_text().split()[1]) * page
            except OSError:  # it has ended
                continue
            children.setdefault(parent, []).append(int(folder.name))
    waiting, total = [root], 0
    while waiting:
        process = waiting.pop()
        total += held.get(process, 0)
        waiting += children.get(process, [])
    return total


def penstock(environment: dict[str, str], *arguments: str) -> tuple[dict[str, Any], int]:
    """Run a command; its JSON, and the most that its processes held at once, in bytes."""
    command = [sys.executable, "-m", "penstock.cli", *arguments, "--json"]
    running = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    most = 0

    def watch() -> None:
        nonlocal most
        while running.poll() is None:
            most = max(most, resident(running.pid))
            time.sleep(0.1)

    watching = threading.Thread(target=watch)
    watching.start()
    assert running.stdout
    answer = running.stdout.read()
    watching.join()
    if running.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {running.returncode}")
    return json.loads(answer.splitlines()[-1]), most


BARE = """
import sys, time
from pathlib import Path
import pyarrow.parquet as pq
import torch
package, rows, count, threads = sys.argv[1:]
sys.path.insert(0, str(Path(package) / "code"))
from penstock.model import Model
from penstock.tables.typed import typed_as
if int(threads):
    torch.set_num_threads(int(threads))
model = Model.load(Path(package) / "artifacts")
columns = [column.name for column in model.layout.features]
with pq.ParquetFile(rows) as file:
    table = next(file.iter_batches(batch_size=int(count), columns=columns))
import pyarrow as pa
typed = typed_as(pa.Table.from_batches([table]), model.layout.features)
model.scores(typed.slice(0, 20_000))
started = time.perf_counter()
model.scores(typed)
print(typed.num_rows / (time.perf_counter() - started))
"""


def bare(package: Path, rows: Path, count: int, threads: int, environment: dict[str, str]) -> float:
    """Rows per second of the network on typed rows in memory, in a process of its own."""
    command = [sys.executable, "-I", "-c", BARE, str(package), str(rows), str(count), str(threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def fetched(environment: dict[str, str], folder: Path) -> Path:
    """The champion's package."""
    code = (
        "import sys; from pathlib import Path; from penstock.pipeline_file import locate;"
        "from penstock.services import Services; s = Services(locate(sys.argv[1]));"
        "print(s.registry.fetch(s.registry.champion(s.spec.registered_name), Path(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, str(PIPELINE), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return Path(done.stdout.splitlines()[-1])


def main() -> int:
    """Print both numbers; 0 when both hold."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--rows", type=int, default=5_000_000)
    asked.add_argument("--home", default="", help="a PENSTOCK_HOME with a champion already")
    said = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="penstock-score-") as scratch:
        folder = Path(scratch)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK")}
        environment |= {"OMP_WAIT_POLICY": "PASSIVE"}
        environment |= {"PENSTOCK_HOME": said.home or str(folder / "home")}
        if not said.home:
            quick = ("--set", "model.epochs=2", "--set", "objective.trial_rows=0")
            penstock(environment, "train", str(PIPELINE), *quick)
        package = fetched(environment, folder / "package")
        rows = folder / "rows.parquet"
        write_rows(rows, said.rows)
        count = min(said.rows, BARE_ROWS)
        before = bare(package, rows, count, 0, environment)
        output = ("--input", str(rows), "--output", str(folder / "scores.parquet"))
        answer, most = penstock(environment, "score", str(PIPELINE), *output)
        after = bare(package, rows, count, 0, environment)
        written = pq.read_metadata(folder / "scores.parquet").num_rows
    network = (before + after) / 2
    ratio = answer["rows_per_second"] / network
    gib = most / 2**30
    print(f"rows scored            {written:>12,} of {said.rows:,}")
    print(f"peak resident memory   {gib:>12.2f} GiB (limit {MOST_GIB})")
    print(f"penstock score         {answer['rows_per_second']:>12,.0f} rows/s")
    print(f"bare network           {network:>12,.0f} rows/s ({before:,.0f} and {after:,.0f})")
    print(f"ratio                  {ratio:>12.2f} (at least {LEAST_RATIO})")
    whole = written + answer["quarantined"] == said.rows
    return 0 if whole and gib < MOST_GIB and ratio >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
