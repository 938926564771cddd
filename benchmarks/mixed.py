"""A table alone against the same table with a text and an image beside it, on the same test rows.

    python benchmarks/mixed.py [--rows 5000] [--seeds 3] [--only text,noise]
    python benchmarks/mixed.py --rows 0 --seeds 1      all rows of Adult

Adult with its official test fold, everything at its default. ``text``: one sentence of all its
categories, which says nothing that the table does not say. ``noise``: an image of 16 x 16 pixels of
noise, which says nothing. ``bars``: an image whose bars tell age and hours, roughly. Printed are
ROC AUC, log-loss, and their differences from the table alone, each the mean over seeds, with 95%
intervals over test rows (paired bootstrap); and what is left of the AUC when all values of a column
are missing at prediction.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from sklearn.metrics import log_loss, roc_auc_score

from penstock import tasks
from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.measure.intervals import bootstrap
from penstock.model import Model
from penstock.spec import Compute, Data, ModelSpec, ObjectiveSpec, SplitSpec
from penstock.stages.fit import fit
from penstock.stages.ingest import ingest
from penstock.stages.split import split

ADULT = Path(__file__).parents[1] / "data" / "adult" / "adult.parquet"
TARGET, SIDE = "income", 16
CASES = {
    "table": [],
    "text": ["text"],
    "noise": ["noise"],
    "bars": ["bars"],
    "text+noise": ["text", "noise"],
    "text+bars": ["text", "bars"],
}


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000, help="of each fold; 0: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=",".join(list(CASES)[1:]), help="cases beside the table")
    asked = parser.parse_args()
    cases = ["table", *(name for name in asked.only.split(",") if name)]
    if unknown := [name for name in cases if name not in CASES]:
        parser.error(f"--only: no case {unknown}; there are {list(CASES)[1:]}")
    table = widened(pd.read_parquet(ADULT), asked.rows, np.random.default_rng(0))
    found: dict[str, list[np.ndarray]] = {}
    print(
        f"{'case':12} {'AUC':>8} {'log-loss':>9} {'seconds':>8}   difference from the table alone"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in cases:
            runs = [
                run(table, CASES[name], seed, Path(folder) / name) for seed in range(asked.seeds)
            ]
            truth, found[name] = runs[0][0], [scores for _, scores, _ in runs]
            tell(name, truth, found, float(np.mean([seconds for *_, seconds in runs])))


def widened(table: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """So many rows of each fold, with a column a kind."""
    if rows:
        table = table.groupby("fold").sample(rows, random_state=0).reset_index(drop=True)
    names = [n for n in table.select_dtypes(exclude="number").columns if n not in (TARGET, "fold")]
    words = [table[name].astype("string").fillna("unknown").str.replace("-", " ") for name in names]
    sentence = "A person of "
    text = sentence + words[0]
    for name, word in zip(names[1:], words[1:], strict=True):
        text = text + ", " + name.replace("-", " ").replace("_", " ") + " " + word
    noise = [png(rng.integers(0, 256, (SIDE, SIDE))) for _ in range(len(table))]
    ages = table["age"].to_numpy() / 90
    hours = table.filter(like="hours").iloc[:, 0].to_numpy() / 99
    bars = [png(drawn(age, hour, rng)) for age, hour in zip(ages, hours, strict=True)]
    return table.assign(text=text + ".", noise=noise, bars=bars)


def drawn(age: float, hour: float, rng: np.random.Generator) -> np.ndarray:
    """Two bars, as long as the numbers say, in noise."""
    pixels = rng.integers(0, 120, (SIDE, SIDE))
    pixels[2:6, : round(age * SIDE)] += 120
    pixels[9:13, : round(hour * SIDE)] += 120
    return pixels


def png(pixels: np.ndarray) -> bytes:
    """A grey image."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def run(
    table: pd.DataFrame, extra: list[str], seed: int, folder: Path
) -> tuple[np.ndarray, np.ndarray, float]:
    """Truth and scores of the test rows, and the seconds of training."""
    folder.mkdir(parents=True, exist_ok=True)
    left = [name for name in ("text", "noise", "bars") if name not in extra]
    pq.write_table(pa.Table.from_pandas(table.drop(columns=left)), folder / "rows.parquet")
    store = LocalStore(folder / "store")
    data = Data(source="rows.parquet", target=TARGET)
    parts = SplitSpec(strategy="column", column="fold", seed=seed)
    divided = split(ingest(open_source(data, folder), data, parts, store), parts, store)
    goal = tasks.objective_of(ObjectiveSpec(), divided.layout)
    started = time.perf_counter()
    fitted = fit(
        divided.train, divided.valid, divided.layout, goal, ModelSpec(seed=seed), Compute(),
        store, lambda done, total, note="": None, f"mixed-{seed}",
    )  # fmt: skip
    seconds = time.perf_counter() - started
    model = Model.read(store.path(fitted.weights), store.path(fitted.state))
    test = store.table(divided.test)
    truth = model.task.encode_target(test[TARGET], divided.layout)
    whole = model.scores(test)[:, 1]
    for name in extra:
        empty = pa.chunked_array([pa.nulls(test.num_rows, test.schema.field(name).type)])
        without = test.set_column(test.column_names.index(name), name, empty)
        auc = roc_auc_score(truth, model.scores(without)[:, 1])
        print(f"  {name} missing at prediction: AUC {roc_auc_score(truth, whole):.4f} -> {auc:.4f}")
    return truth, whole, seconds


def tell(name: str, truth: np.ndarray, found: dict[str, list[np.ndarray]], seconds: float) -> None:
    """A line: means over seeds, and the paired differences with their intervals."""

    def measure(rows: np.ndarray) -> np.ndarray:
        both = [
            np.mean([[roc_auc_score(truth[rows], s[rows]), log_loss(truth[rows], s[rows])]
                     for s in found[case]], axis=0)
            for case in (name, "table")
        ]  # fmt: skip
        return np.concatenate([both[0], both[0] - both[1]])

    values = measure(np.arange(len(truth)))
    line = f"{name:12} {values[0]:8.4f} {values[1]:9.4f} {seconds:8.1f}"
    if name != "table":
        low, high = bootstrap(measure, len(truth), 0, 200)
        line += f"   AUC {values[2]:+.4f} ({low[2]:+.4f}, {high[2]:+.4f})"
        line += f"   log-loss {values[3]:+.4f} ({low[3]:+.4f}, {high[3]:+.4f})"
    print(line, flush=True)


if __name__ == "__main__":
    main()
