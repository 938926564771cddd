"""How often the monitor cries wolf, and what it catches: on the census data, by the champion there.

    penstock train data/adult-mitigated
    python benchmarks/monitor.py data/adult-mitigated --windows 1000 --rows 1000

Clean windows are drawn with replacement from the test fold, which nothing was fitted on. Each is
given to the stage as a person would, twice: without labels, and with them. Rows are scored once;
windows bring their scores along, as those of the prediction log do. ``--together`` says in how
many clean windows the classifier takes part too: it is what costs time, and it bears on the drift
rate only. Groups are left out: they decide nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from penstock import pipeline_file, spec
from penstock.adapters.monitoring import champion_of, reference_of
from penstock.adapters.scoring import PackagedScorer
from penstock.services import Services
from penstock.stages.monitor import Watch, monitor

SEED = 0
STATE: dict[str, Any] = {}


class Window:
    """Rows in memory, as a source."""

    description = "window"
    kinds: dict[str, str] = {}
    unreadable: list[tuple[str, str]] = []
    roots: tuple[Path, ...] = ()

    def __init__(self, table: pa.Table):
        self.table, self.schema = table.combine_chunks(), table.schema

    def fingerprint(self) -> str:
        return "window"

    def batches(self, progress: Any = None) -> Any:
        return iter(self.table.to_batches())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline")
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--together", type=int, default=1000)
    parser.add_argument("--shifted", type=int, default=20, help="windows of each shift")
    parser.add_argument("--processes", type=int, default=1)
    asked = parser.parse_args()
    services = Services(pipeline_file.locate(asked.pipeline))
    version = champion_of(services.spec.registered_name, services.registry)
    with tempfile.TemporaryDirectory() as scratch:
        package = services.registry.fetch(version, Path(scratch))
        table = pa.Table.from_batches(list(services.source.batches()))
        table = table.filter(pc.equal(table["fold"], "test")).drop_columns(["fold"])
        scorer = PackagedScorer(package, 1)
        said = next(scorer.predict([(0, table.select([c.name for c in scorer.reads]))]))[1]
        table = table.append_column("model_version", pa.array([version.number] * len(table)))
        for name in said.column_names:
            table = table.append_column(name, said[name])
        made = spec.MonitorSpec(budget=services.spec.monitor.budget)
        known = replace(reference_of(package), groups={})
        watch = Watch(version, known, services.spec.data, made)
        state = {"table": table, "watch": watch, "package": package, "rows": asked.rows}
        with ProcessPoolExecutor(
            asked.processes, initializer=STATE.update, initargs=(state,)
        ) as pool:
            for num, together in ((asked.windows, False), (asked.together, True)):
                clean = list(pool.map(clean_window, range(num), [together] * num, chunksize=5))
                for kind in ("without labels", "with labels"):
                    if clean:
                        report(kind, together, [one[kind] for one in clean], watch.spec.budget)
            for name in SHIFTS:
                found = list(pool.map(shifted_window, [name] * asked.shifted, range(asked.shifted)))
                for kind in ("without labels", "with labels") if found else ():
                    rates = {
                        what: float(np.mean([one[kind][what] for one in found]))
                        for what in ("drift", "alarm")
                    }
                    print(json.dumps({"shift": name, "labels": kind} | rates), flush=True)


def report(kind: str, together: bool, found: list[dict[str, Any]], budget: float) -> None:
    num = len(found)
    low, high = stats.binom.interval(0.95, num, budget)
    for what in ("alarm", "drift"):
        count = int(sum(one[what] for one in found))
        line = {
            "clean windows": num,
            "classifier": together,
            "labels": kind,
            what: count,
            "expected": budget * num,
        }
        print(json.dumps(line | {"binomial 95%": [int(low), int(high)]}), flush=True)
    p_values = [one["p"] for one in found]
    uniform = stats.kstest(p_values, "uniform").pvalue
    print(
        json.dumps({"labels": kind, "p-values uniform (Kolmogorov-Smirnov)": uniform}), flush=True
    )


def clean_window(number: int, together: bool) -> dict[str, Any]:
    rng = np.random.default_rng([SEED, number])
    table = STATE["table"].take(rng.integers(STATE["table"].num_rows, size=STATE["rows"]))
    return both(table, together=together)


def shifted_window(name: str, number: int) -> dict[str, Any]:
    rng = np.random.default_rng([SEED, 1_000_000 + number])
    return both(*SHIFTS[name](STATE["table"], STATE["rows"], rng))


def both(table: pa.Table, scored: bool = True, together: bool = True) -> dict[str, Any]:
    """The window without and with its labels; changed inputs are scored again."""
    if not scored:
        known = [
            n for n in table.column_names if n.startswith(("probability", "prediction", "model_"))
        ]
        table = table.drop_columns([*known, "abstain"])
    watch = STATE["watch"]
    if not together:
        watch = replace(watch, reference=replace(watch.reference, sample=None))
    target, found = watch.data.target, {}
    for kind, rows in (("without labels", table.drop_columns([target])), ("with labels", table)):
        drift = monitor(watch, PackagedScorer(STATE["package"], 1), Window(rows))
        found[kind] = {
            "alarm": drift.outcome == "alarm",
            "drift": bool(drift.drifted),
            "p": drift.harm_p_value,
        }
    return found


def drawn(table: pa.Table, rows: int, rng: Any, weight: Any = None) -> pa.Table:
    chance = None if weight is None else weight / weight.sum()
    return table.take(rng.choice(table.num_rows, rows, p=chance))


def more(column: str, holds: Any, times: float = 5.0) -> Any:
    """A benign shift: such rows come more often, and are what they were."""

    def shift(table: pa.Table, rows: int, rng: Any) -> tuple[pa.Table]:
        weight = np.where(holds(table[column].to_numpy(zero_copy_only=False)), times, 1.0)
        return (drawn(table, rows, rng, weight),)

    return shift


def changed(column: str, change: Any) -> Any:
    """A broken input."""

    def shift(table: pa.Table, rows: int, rng: Any) -> tuple[pa.Table, bool]:
        table = drawn(table, rows, rng)
        values = change(table[column], rng)
        if values is None:
            return table.drop_columns([column]), False
        return table.set_column(table.column_names.index(column), column, values), False

    return shift


def flipped(table: pa.Table, rows: int, rng: Any) -> tuple[pa.Table]:
    """The world changed where the inputs did not: labels of the forties are turned round."""
    table = drawn(table, rows, rng)
    said = table["income"].to_numpy(zero_copy_only=False)
    names = np.unique(said)
    age = table["age"].to_numpy()
    turned = np.where(
        (age >= 40) & (age < 50), np.where(said == names[0], names[1], names[0]), said
    )
    return (table.set_column(table.column_names.index("income"), "income", pa.array(turned)),)


SHIFTS = {
    "benign: more under 30": more("age", lambda v: v < 30),
    "benign: more over 50": more("age", lambda v: v > 50),
    "benign: more women": more("sex", lambda v: v == "Female"),
    "benign: more graduates": more("education_num", lambda v: v >= 13),
    "harmful: labels turned round, ages 40 to 49": flipped,
    "broken: age in months": changed("age", lambda v, rng: pc.multiply(v, 12)),
    "broken: hours in minutes": changed("hours_per_week", lambda v, rng: pc.multiply(v, 60)),
    "broken: age is absent": changed("age", lambda v, rng: None),
    "broken: unknown marital status": changed(
        "marital_status", lambda v, rng: pa.array(["?"] * len(v))
    ),
    "broken: education shuffled": changed(
        "education", lambda v, rng: v.take(pa.array(rng.permutation(len(v))))
    ),
}

if __name__ == "__main__":
    main()
