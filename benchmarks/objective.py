"""How often the objective stage calls a loss wrong, where it is wrong and where it is right.

Each generated set has a true best loss for a metric. One trial a set and seed gives the check of
every pair of a loss and a metric. Prints one line a pair: how often another loss was shown to be
better (the gate warns), how often the metric itself hung on too few rows (``insufficient``), and
the mean gain with the mean of its interval's ends.

    python benchmarks/objective.py --seeds 20 --rows 3000

``--only`` takes set names; ``--first`` is the first seed.

Measured with 3000 rows (2625 are tried), seeds from 0; "warned" is how often the gate warned:

====================  =======================  ==============  =========
set                   metric                   loss            warned
====================  =======================  ==============  =========
is wrong
outliers              mae                      squared_error   20 of 20
student t 2           mae                      squared_error   16 of 20
lognormal             mae                      squared_error   7 of 7
one in 14             accuracy                 class_weighted  20 of 20
one in 14             log_loss                 class_weighted  20 of 20
four classes          accuracy                 class_weighted  7 of 7
four classes          log_loss                 class_weighted  7 of 7
is right
outliers              mae                      absolute_error  0 of 20
student t 2           mae                      absolute_error  0 of 20
lognormal             mae                      absolute_error  0 of 7
normal                rmse                     squared_error   0 of 20
linear, little noise  rmse                     squared_error   0 of 20
one in 14             accuracy                 cross_entropy   0 of 20
one in 14             log_loss, roc_auc        cross_entropy   0 of 20
half                  accuracy, log_loss, auc  cross_entropy   0 of 20
half                  accuracy, log_loss, auc  class_weighted  0 of 20
four classes          accuracy, log_loss, auc  cross_entropy   0 of 7
====================  =======================  ==============  =========

Squared error costs 2% of the absolute error on Student's t of 2 degrees; the four seeds that were
missed (4, 9, 11, 16) are found with ``--rows 6858``, the 6000 rows that a run tries by default.
By rmse, whose expectation is infinite there, squared error is warned of in 5 seeds, said to hang
on too few rows in 11 and passes in 4. "linear, little noise" is why there is a second trial: in
20 of 20 seeds another loss learns faster there, and in none is it better once squared error is
trained twice as long. The rule was settled after 13 seeds; the last 7 are new to it.
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

from penstock import tasks
from penstock.adapters.store import LocalStore
from penstock.evidence import Check
from penstock.measure.comparison import Tried
from penstock.measure.judging import judged
from penstock.measure.loss_choice import is_shown, loss_choice
from penstock.records import Column, Layout, Objective
from penstock.spec import Gates, ModelSpec
from penstock.stages.objective import Trial, prepare, second_chance
from penstock.tables.weighing import Weighing

ENDS = ("value", "low", "high")
Pair = tuple[str, str]
Make = Callable[[np.random.Generator, int], pd.DataFrame]


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--only", nargs="*", default=list(SETS), choices=list(SETS), metavar="SET")
    options = parser.parse_args()
    print(f"{'set':20} {'metric':10} {'loss':15} {'':9} {'warned':>7} {'unsure':>8} gain")
    for name in options.only:
        make, wrong, right = SETS[name]
        began = time.perf_counter()
        seeds = range(options.first, options.first + options.seeds)
        trials = [tried(make(np.random.default_rng(seed), options.rows), seed) for seed in seeds]
        for label, pairs in (("is wrong", wrong), ("is right", right)):
            for metric, loss in pairs:
                goal = Objective(loss=loss, metric=metric)
                show(name, goal, label, [check(goal, *trial) for trial in trials])
        print(f"{name:20} {(time.perf_counter() - began) / len(seeds):.1f} s a trial", flush=True)


def check(goal: Objective, trial: Trial, found: Tried) -> Check:
    """As the stage makes it."""
    first = loss_choice(goal, found)
    return second_chance(goal, found, trial, silent) if is_shown(first) else first


def silent(done: int, total: int, note: str = "") -> None:
    """Nobody is told."""


def show(name: str, goal: Objective, label: str, checks: list[Check]) -> None:
    """One line."""
    outcomes = [judged(check, Gates().loss_choice).outcome for check in checks]
    mean = [float(np.mean([getattr(one, end) for one in checks])) for end in ENDS]
    warned, unsure, count = outcomes.count("warn"), outcomes.count("insufficient"), len(checks)
    print(
        f"{name:20} {goal.metric:10} {goal.loss:15} {label:9} {warned:3}/{count:<3}"
        f" {unsure:4}/{count:<3} {mean[0]:+.4f} ({mean[1]:+.4f}, {mean[2]:+.4f})",
        flush=True,
    )


def tried(frame: pd.DataFrame, seed: int) -> tuple[Trial, Tried]:
    """One trial on a frame with the target ``y``."""
    layout = layout_of(frame)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        cut = len(frame) // 8
        parts = {
            "train": store.keep_table(table.slice(cut)),
            "valid": store.keep_table(table.slice(0, cut)),
        }
        tables = {name: store.table(rows, ["y"]) for name, rows in parts.items()}
        names = list(tasks.load(layout.task).LOSSES)
        weighing = Weighing.of(tables, layout, "")
        spec = ModelSpec(seed=seed)
        trial = prepare(names, weighing, parts, layout, len(frame), spec, store)
    if isinstance(trial, str):
        raise ValueError(trial)
    return trial, trial.run(names, silent)


def layout_of(frame: pd.DataFrame) -> Layout:
    """Text is categories, and a target of text is classes."""
    words = {name for name in frame if frame[name].dtype.kind not in "fi"}
    columns = [
        Column(
            name=name,
            modality="category" if name in words else "numeric",
            arrow_type="string" if name in words else "double",
            role="target" if name == "y" else "feature",
        )
        for name in frame
    ]
    classes = sorted(frame["y"].unique()) if "y" in words else []
    task = "classification" if classes else "regression"
    return Layout(columns=columns, target="y", task=task, classes=classes)


def features(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Three numbers and a category; a signal with waves, an interaction and a step."""
    numbers = rng.normal(size=(n, 3))
    town = rng.choice(list("abcd"), n)
    signal = numbers[:, 0] + np.sin(2 * numbers[:, 1]) + 0.5 * numbers[:, 2] * (town == "a")
    frame = pd.DataFrame({f"x{i}": numbers[:, i] for i in range(3)} | {"town": town})
    return frame, signal + (town == "b")


def linear(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Four numbers, a linear signal."""
    numbers = rng.normal(size=(n, 4))
    frame = pd.DataFrame({f"x{i}": numbers[:, i] for i in range(4)})
    return frame, numbers @ np.linspace(1, 0.25, 4)


def values(
    noise: Callable[[np.random.Generator, np.ndarray], np.ndarray],
    on: Callable[..., tuple[pd.DataFrame, np.ndarray]] = features,
) -> Make:
    """A regression with this noise about a signal."""

    def make(rng: np.random.Generator, n: int) -> pd.DataFrame:
        frame, signal = on(rng, n)
        return frame.assign(y=noise(rng, signal))

    return make


def classes(*shares: float, on: Callable[..., tuple[pd.DataFrame, np.ndarray]] = features) -> Make:
    """Ordered classes whose cumulated shares are these, by a noisy signal."""

    def make(rng: np.random.Generator, n: int) -> pd.DataFrame:
        frame, signal = on(rng, n)
        noisy = 1.3 * signal + rng.logistic(size=n)
        names = np.array(list("pqrstuv"))
        return frame.assign(y=names[np.searchsorted(np.quantile(noisy, shares), noisy)])

    return make


def contaminated(rng: np.random.Generator, signal: np.ndarray) -> np.ndarray:
    """A twentieth of the rows has forty times the noise of the others."""
    return signal + rng.normal(size=len(signal)) * np.where(rng.random(len(signal)) < 0.05, 20, 0.5)


def lognormal(rng: np.random.Generator, signal: np.ndarray) -> np.ndarray:
    """Multiplicative noise, as of prices and incomes."""
    return np.exp(0.5 * signal + 1.2 * rng.normal(size=len(signal)))


SQUARED_MAE: list[Pair] = [("mae", "squared_error")]
SQUARED_ANY: list[Pair] = [("mae", "squared_error"), ("rmse", "squared_error")]
ABSOLUTE_MAE: list[Pair] = [("mae", "absolute_error")]
SQUARED_RMSE: list[Pair] = [("rmse", "squared_error"), ("r2", "squared_error")]
WEIGHTED: list[Pair] = [("accuracy", "class_weighted"), ("log_loss", "class_weighted")]
PLAIN: list[Pair] = [(metric, "cross_entropy") for metric in ("accuracy", "log_loss", "roc_auc")]
EITHER: list[Pair] = [*PLAIN, *((metric, "class_weighted") for metric, _ in PLAIN)]
# by name: how it is made, pairs of a metric and a loss that are wrong, pairs that are right
SETS: dict[str, tuple[Make, list[Pair], list[Pair]]] = {
    "student t 1.5": (
        values(lambda rng, s: s + rng.standard_t(1.5, len(s))), SQUARED_ANY, ABSOLUTE_MAE,
    ),
    "student t 2": (
        values(lambda rng, s: s + rng.standard_t(2, len(s))), SQUARED_ANY, ABSOLUTE_MAE,
    ),
    "linear t 2": (
        values(lambda rng, s: s + rng.standard_t(2, len(s)), linear), SQUARED_ANY, ABSOLUTE_MAE,
    ),
    "lognormal": (values(lognormal), SQUARED_MAE, ABSOLUTE_MAE),
    "outliers": (values(contaminated), SQUARED_MAE, ABSOLUTE_MAE),
    "normal": (values(lambda rng, s: s + rng.normal(size=len(s))), [], SQUARED_RMSE),
    "linear, little noise": (
        values(lambda rng, s: s + 0.2 * rng.normal(size=len(s)), linear), [], SQUARED_RMSE,
    ),
    "noise by signal": (
        values(lambda rng, s: s + np.exp(0.5 * s) * rng.normal(size=len(s))), [], SQUARED_RMSE,
    ),
    "skewed": (
        values(lambda rng, s: np.exp(0.3 * s) * rng.gamma(2, size=len(s))), [], SQUARED_RMSE,
    ),
    "one in 14": (classes(0.93), WEIGHTED, PLAIN),
    "one in 5": (classes(0.8, on=linear), WEIGHTED, PLAIN),
    "half": (classes(0.5), [], EITHER),
    "four classes": (classes(0.6, 0.85, 0.95), WEIGHTED, PLAIN),
}  # fmt: skip


if __name__ == "__main__":
    main()
