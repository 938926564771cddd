"""How often the search for telltale columns catches a planted leak, and how often it cries wolf.

Plants every kind of leak of benchmarks/leakage_tables.py in generated tables, and with
``--data FILE --target COLUMN`` in a Parquet file of yours; searches the clean tables too. Prints
one line for each kind of leak and each kind of clean table.

    python benchmarks/leakage.py --repeats 3 --data data/adult/adult.parquet --target income

Every seed is a round over all kinds in an order of its own, so that a run that ends after
``--minutes`` has seen a fair draw; with ``--state FILE`` the next run goes on where it ended.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from leakage_tables import (
    BUNDLED,
    CLASS_LEAKS,
    CLEAN,
    HOSTS,
    VALUE_HOSTS,
    VALUE_LEAKS,
    Generator,
    Problem,
    noisy_label,
)

from penstock.measure.leaks.leakage import telltales
from penstock.measure.matrix import Matrix, as_text
from penstock.records import Column, Layout

LABEL_NOISE = "noise in the label"


@dataclass(frozen=True)
class Case:
    """One search: a kind of table, and the kind of leak in it (none: a clean table)."""

    host: str
    leak: str
    rows: int
    seed: int


@dataclass
class Result:
    """A case, whether a leak was caught (a clean table: accused), and what was found."""

    case: Case
    hit: bool
    found: list[str]


def search(problem: Problem, seed: int) -> list[str]:
    """What was found, one text each, which begins with the column's name."""
    arrays = {name: pa.array(list(column)) for name, column in problem.table.items()}
    table = pa.table(arrays)
    columns = [
        Column(
            name=name,
            modality="numeric" if pa.types.is_floating(c.type) or pa.types.is_integer(c.type)
            else "category",
            arrow_type=str(c.type),
        )
        for name, c in zip(table.column_names, table.columns, strict=True)
    ]  # fmt: skip
    layout = Layout(columns=columns, target="", task="classification")
    matrix = Matrix.learn(table, layout)
    found = telltales(
        matrix.apply(table), matrix.names, matrix.categorical, problem.label,
        problem.is_classification, seed,
    )  # fmt: skip
    return [f"{t.name} ({t.signature}, alone {t.alone:.3f}, rest {t.rest:.3f},"
            f" given label {t.given_label:+.3f}, given column {t.given_column:+.3f})"
            for t in found.telltales]  # fmt: skip


def run(case: Case, hosts: dict[str, Generator]) -> Result:
    """Make the table, plant the leak, search."""
    # a clean table and its leaks come from one seed, each leak from a draw of its own
    draw = [case.seed, case.rows, *case.leak.encode()]
    problem = hosts[case.host](np.random.default_rng([case.seed, case.rows]), case.rows)
    rng = np.random.default_rng(draw)
    if not case.leak:
        found = search(problem, case.seed)
        return Result(case, bool(found), found)
    if case.leak == LABEL_NOISE:
        problem, planted = noisy_label(rng, problem), {"z"}
    else:
        plant = (CLASS_LEAKS if problem.is_classification else VALUE_LEAKS)[case.leak]
        extra = plant(rng, problem.label)
        problem, planted = replace(problem, table={**problem.table, **extra}), set(extra)
    found = search(problem, case.seed)
    named = {part for text in found for part in text.split(" (")[0].split(" + ")}
    return Result(case, named == planted, found)


def cases(args: argparse.Namespace, own: list[str]) -> Iterator[Case]:
    """Round after round, each in an order of its own, so that any part of it is a fair draw."""
    for seed in range(args.first_seed, args.first_seed + args.repeats):
        todo = list(_round(args, own, seed))
        for position in np.random.default_rng(seed).permutation(len(todo)):
            yield todo[position]


def _round(args: argparse.Namespace, own: list[str], seed: int) -> Iterator[Case]:
    if args.only != "leaks":
        for host, rows in itertools.product([*CLEAN, *own], args.rows):
            # a table of its own size is searched once a round
            if args.kind in host and (host not in BUNDLED or rows == args.rows[0]):
                yield Case(host, "", rows, seed)
    if args.only != "clean":
        for host, rows in itertools.product([*HOSTS, *own], args.rows):
            leaks = VALUE_LEAKS if host in VALUE_HOSTS else CLASS_LEAKS
            for leak in [*leaks, LABEL_NOISE]:
                if args.kind in leak:
                    yield Case(host, leak, rows, seed)


def read(path: str, target: str) -> Generator:
    """Draws of rows of a Parquet file of classes; a column named ``fold`` is left out."""
    table = pq.read_table(path)
    table = table.drop_columns([n for n in table.column_names if n == "fold"])

    def draw(rng: np.random.Generator, n: int) -> Problem:
        rows = table.take(np.sort(rng.permutation(table.num_rows)[:n]))
        columns = {
            name: np.array(rows[name].to_pylist(), dtype=object)
            for name in rows.column_names
            if name != target
        }
        label = as_text(rows[target]).to_numpy()
        return Problem(columns, np.unique(label, return_inverse=True)[1])

    return draw


def remembered(state: str) -> dict[Case, Result]:
    """What earlier runs wrote."""
    if not state or not Path(state).exists():
        return {}
    lines = [json.loads(line) for line in Path(state).read_text().splitlines()]
    results = [Result(Case(**line.pop("case")), **line) for line in lines]
    return {result.case: result for result in results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 5_000])
    parser.add_argument("--data", default="")
    parser.add_argument("--target", default="")
    parser.add_argument("--only", default="", choices=["", "clean", "leaks"])
    parser.add_argument("--kind", default="", help="part of the name of a leak or a clean table")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--state", default="", help="file of results, to go on from")
    args = parser.parse_args()
    hosts = dict(CLEAN)
    if args.data:
        hosts[args.data] = read(args.data, args.target)
    began = time.perf_counter()
    known, results = remembered(args.state), []
    todo = list(cases(args, [args.data] if args.data else []))
    for case in todo:
        result = known.get(case)
        if result is None:
            if time.perf_counter() - began > 60 * args.minutes:
                continue
            result = run(case, hosts)
            if args.state:
                with Path(args.state).open("a") as file:
                    line = {"case": vars(case), "hit": result.hit, "found": result.found}
                    file.write(json.dumps(line) + "\n")
        results.append(result)
    _report("clean table", "accused", [r for r in results if not r.case.leak])
    _report("planted leak", "caught", [r for r in results if r.case.leak])
    seconds = time.perf_counter() - began
    print(f"{len(results)} of {len(todo)} searches; {seconds:.0f} s")


def _report(what: str, rate: str, results: list[Result]) -> None:
    if not results:
        return
    print(f"{what:40s} {rate}")
    for kind in dict.fromkeys(r.case.leak or r.case.host for r in results):
        _line(kind, [r for r in results if kind == (r.case.leak or r.case.host)])
    for rows in sorted({r.case.rows for r in results}):
        _line(f"{rows} rows", [r for r in results if r.case.rows == rows])
    _line("all", results)
    for r in results:
        if r.hit == (not r.case.leak):
            found = "; ".join(r.found) or "nothing"
            where = f"{r.case.leak} in {r.case.host}" if r.case.leak else r.case.host
            print(f"  {where}, {r.case.rows} rows, seed {r.case.seed}: {found}")


def _line(kind: str, results: list[Result]) -> None:
    hits = [r.hit for r in results]
    print(f"{kind[-40:]:40s} {sum(hits):4d} of {len(hits):4d} = {np.mean(hits):.1%}", flush=True)


if __name__ == "__main__":
    main()
