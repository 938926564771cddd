"""How many planted faults a proposed contract catches, and how often it cries wolf.

A contract is proposed from a random half of a table and held against the other half: clean
(a false alarm when it fails) and with one fault planted in one column (caught when it fails).
It fails when an expectation of severity error fails or when more rows go to quarantine than
the gate lets through, as ``penstock train`` would refuse.

    python benchmarks/faults.py                                    # tables made here
    python benchmarks/faults.py --data data/adult/adult.parquet --target income
"""

from __future__ import annotations

import argparse
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from penstock.adapters.expectations import GreatExpectations
from penstock.adapters.store import LocalStore
from penstock.contract import read_contract, write_contract
from penstock.measure.judging import judged
from penstock.records import Column, Layout, Snapshot
from penstock.spec import Gates
from penstock.stages.validate import validate
from penstock.tables.proposal import propose

SIZES = (1_000, 5_000, 50_000)
NEW_LEVEL = "Zzz new"
Draw = Callable[[np.random.Generator], pa.Table]


def generated(n: int, rng: np.random.Generator) -> pa.Table:
    """Columns of many shapes: skewed, heavy-tailed, bounded, negative, discrete, with gaps."""
    zipf = rng.zipf(1.6, n) % 40
    towns = np.array([f"Town {k}" for k in range(40)])
    codes = [
        f"{letter}{k:04d}" for letter, k in zip(rng.choice(list("ABC"), n), range(n), strict=True)
    ]
    zeros = rng.random(n) < 0.9
    columns: dict[str, object] = {
        "normal": rng.normal(0, 1, n),
        "temperature": rng.normal(8, 9, n).round(1),
        "student": rng.standard_t(2, n) * 10,
        "balance": rng.normal(200, 900, n).round(2),
        "uniform": rng.random(n),
        "percent": rng.beta(2, 5, n) * 100,
        "price": rng.lognormal(3, 1, n).round(2),
        "wealth": rng.lognormal(8, 2, n),
        "extreme": rng.lognormal(0, 3, n),
        "pareto": rng.pareto(1.2, n) + 1,
        "amount_or_zero": np.where(zeros, 0.0, rng.lognormal(6, 1, n)),
        "count": rng.poisson(3, n),
        "rare_count": rng.poisson(0.05, n),
        "score": rng.integers(-10, 11, n),
        "year": rng.integers(1990, 2021, n),
        "minutes": rng.gamma(2, 15, n).astype(np.int64),
        "flag": (rng.random(n) < 0.3).astype(np.int64),
        "age_gaps": pa.array(rng.integers(18, 90, n).astype(float), mask=rng.random(n) < 0.15),
        "longitude": -rng.normal(100, 12, n).clip(60, 160),
        "colour": rng.choice(["red", "green", "blue"], n, p=[0.6, 0.3, 0.1]),
        "town": towns[zipf],
        "grade": pa.array(rng.choice(list("ABCDEF"), n), mask=rng.random(n) < 0.08),
        "street": [f"Street {k}" for k in rng.zipf(1.3, n) % 3000],
        "code": codes,
    }
    columns["label"] = np.where(rng.random(n) < 0.3, "yes", "no")
    return pa.table(columns)


def layout_of(table: pa.Table, target: str) -> Layout:
    """Numbers are numeric, strings are categories, all-distinct strings are identifiers."""
    columns = []
    for field in table.schema:
        modality, role = "category", "feature"
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            modality = "numeric"
        elif pc.count_distinct(table[field.name]).as_py() > 0.9 * table.num_rows:
            modality, role = "identifier", "left_out"
        role = "target" if field.name == target else role
        columns.append(
            Column(name=field.name, modality=modality, arrow_type=str(field.type), role=role)
        )
    return Layout(columns=columns, target=target, task="classification")


def faults(
    table: pa.Table, layout: Layout, rng: np.random.Generator
) -> Iterator[tuple[str, str, pa.Table]]:
    """Every fault in every column that can have it: (kind, column, faulty table)."""
    n = table.num_rows
    for about in layout.columns:
        if about.role == "left_out":
            continue
        column, name = table[about.name], about.name
        if about.modality == "numeric":
            for factor in (1.609, 12.0):
                yield f"unit x{factor:g}", name, _with(table, name, pc.multiply(column, factor))
            if column.type == pa.int64():
                rounded = pc.cast(pc.round(pc.multiply(column, 1.609)), pa.int64())
                yield "unit x1.609, rounded", name, _with(table, name, rounded)
            low = pc.min(column).as_py()
            for share in (0.02, 0.05):
                rows = pa.array(_some(n, share, rng))
                swapped = pc.if_else(rows, pa.scalar(-1, column.type), column)
                kind = "of a column >= 0" if low >= 0 else "of a column with negatives"
                yield f"-1 in {share:.0%} {kind}", name, _with(table, name, swapped)
        if about.modality == "category" and about.role != "target":
            rows = pa.array(_some(n, 0.02, rng))
            kind = "few levels" if pc.count_distinct(column).as_py() <= 100 else "many levels"
            # an ordinary word of the column's own look, so that no pattern gives it away
            word = NEW_LEVEL if kind == "few levels" else "Street 999999"
            swapped = pc.if_else(rows, pa.scalar(word, column.type), column)
            yield f"new category in 2%, {kind}", name, _with(table, name, swapped)
        if not column.null_count:
            rows = pa.array(_some(n, 0.05, rng))
            gaps = pc.if_else(rows, pa.scalar(None, column.type), column)
            yield "nulls in 5%", name, _with(table, name, gaps)


def _some(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    rows = np.zeros(n, bool)
    rows[rng.choice(n, round(share * n), replace=False)] = True
    return rows


def _with(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)


class Bench:
    """Contracts are written and read back, as ``penstock init`` and ``train`` do."""

    def __init__(self, folder: Path):
        self.store = LocalStore(folder / "store")
        self.file = folder / "contract.yaml"
        self.judge = GreatExpectations()
        self.gates = Gates()

    def contract(self, table: pa.Table, layout: Layout) -> list[dict]:
        write_contract(self.file, propose(table, layout))
        return read_contract(self.file)

    def refused(self, table: pa.Table, layout: Layout, contract: list[dict]) -> str:
        """Why it would be refused; empty when it passes."""
        snapshot = Snapshot(rows=self.store.keep_table(table), layout=layout, source="benchmark")
        checks = {
            c.name: c for c in validate(snapshot, contract, self.judge, self.store).evidence.checks
        }
        for name in ("failed_expectations", "quarantined_rows"):
            check = judged(checks[name], getattr(self.gates, name))
            if check.blocks:
                return check.why
        return ""


def about(contract: list[dict], name: str) -> list[dict]:
    """The part that a fault in one column can break: it saves most of the time."""
    return [one for one in contract if one["kwargs"].get("column", name) == name]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="a Parquet file")
    parser.add_argument("--target")
    parser.add_argument("--rows", type=int, default=0, help="of a half; 0: all, or 1k 5k 50k")
    parser.add_argument("--halves", type=int, default=20, help="clean halves for false alarms")
    parser.add_argument("--planted", type=int, default=2, help="halves with planted faults")
    parser.add_argument("--verbose", action="store_true", help="print every miss and false alarm")
    options = parser.parse_args()
    caught: dict[tuple[str, str], list[bool]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for title, rows in tables(options):
            rng = np.random.default_rng(zlib.crc32(title.encode()))
            for turn in range(options.halves):
                table = rows(rng)
                order = pa.array(rng.permutation(table.num_rows))
                half = min(options.rows or table.num_rows, table.num_rows // 2)
                seen, new = table.take(order[:half]), table.take(order[half : 2 * half])
                layout = layout_of(table, options.target or "label")
                contract = bench.contract(seen, layout)
                alarm = bench.refused(new, layout, contract)
                caught["clean half (false alarm)", title].append(bool(alarm))
                if alarm and options.verbose:
                    print("false alarm:", title, alarm)
                if turn >= options.planted:
                    continue
                for kind, name, faulty in faults(new, layout, rng):
                    why = bench.refused(faulty, layout, about(contract, name))
                    caught[kind, title].append(bool(why))
                    if not why and options.verbose:
                        print("missed:", title, kind, name)
    show(caught)


def tables(options: argparse.Namespace) -> Iterator[tuple[str, Draw]]:
    """Titles, and what makes a fresh table, or hands over the one that was read."""
    if options.data:
        table = pq.read_table(options.data)
        num_rows = min(options.rows or table.num_rows, table.num_rows // 2)
        yield f"{options.data.stem}, {num_rows:,} rows", lambda rng: table
        return
    for n in [options.rows] if options.rows else SIZES:
        yield f"generated, {n:,} rows", partial(generated, 2 * n)


def show(caught: dict[tuple[str, str], list[bool]]) -> None:
    """One table: share refused by fault and data; and all planted faults together."""
    titles = list(dict.fromkeys(title for _, title in caught))
    kinds = sorted({kind for kind, _ in caught})
    total: dict[str, list[bool]] = {title: [] for title in titles}
    print("| refused | " + " | ".join(titles) + " |")
    print("|---|" + "---:|" * len(titles))
    for kind in kinds:
        cells = []
        for title in titles:
            found = caught.get((kind, title), [])
            cells.append(f"{sum(found)}/{len(found)} = {np.mean(found):.1%}" if found else "")
            if "clean" not in kind:
                total[title] += found
        print(f"| {kind} | " + " | ".join(cells) + " |")
    print(
        "| **all planted faults** | "
        + " | ".join(f"{np.mean(total[t]):.1%}" for t in titles)
        + " |"
    )


if __name__ == "__main__":
    main()
