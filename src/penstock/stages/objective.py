"""Choose what training optimises, and try whether another loss would serve the metric better.

A network becomes good at exactly what its loss rewards, so a loss that rewards something else
than what is wanted makes a model that does something else, and does it well.

train rows, valid rows -> Objective
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from penstock import tasks
from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.learning import losses
from penstock.learning import trial as trials
from penstock.learning.encoded import Encoded
from penstock.learning.sizing import schedule_of
from penstock.measure import labels, metrics
from penstock.measure.comparison import LEVEL, Tried, deciding_rows
from penstock.model import Learnt
from penstock.ports import Progress, Store
from penstock.records import Layout, Objective, Rows
from penstock.spec import ModelSpec, ObjectiveSpec
from penstock.tables.weighing import Weighing

STAGE, CHECK = "objective", "loss_choice"
FEWEST_ROWS = 100
"""Fewest training rows on which losses are tried (house choice)."""
VALID_ROWS = 2_000
"""Most validation rows that stop the trial's trainings (house choice)."""
ALONE = "the task offers no other loss"
SQUARED = ("rmse", "r2")
FEWEST_DECIDING = 30
"""Fewest rows that must make up a sum of squared errors for a trial to decide by it (house
choice: the usual size from which a mean is near normal)."""
WANTS = {
    "roc_auc": "the order of the rows", "average_precision": "the order of the rows",
    "accuracy": "the most probable class", "log_loss": "the probability of each class",
    "brier_score": "the probability of each class", "rmse": "the mean", "r2": "the mean",
    "mae": "the median", "f1": "few errors in the rarer class",
    "balanced_accuracy": "the class that is most over-represented beside its share",
}  # fmt: skip


def objective(
    train: Rows,
    valid: Rows,
    layout: Layout,
    spec: ObjectiveSpec,
    model: ModelSpec,
    reweighed: str,
    store: Store,
    progress: Progress,
) -> Objective:
    """Settle the loss, the metric and the row weights; try the losses that the task offers.

    Parameters
    ----------
    train, valid : Rows
        The only rows that are read.
    layout : Layout
        Columns and target.
    spec : ObjectiveSpec
        The loss, the declared metric, and the rows of the trial.
    model : ModelSpec
        The trial's networks are never larger than this one.
    reweighed : str
        The column whose groups and the label are made independent by weights; empty: none.
    store, progress
        Where rows are and weights go; told after each training of the trial.

    Raises
    ------
    BadInput
        When the task does not offer the loss or the metric.
    """
    began = time.perf_counter()
    goal = tasks.objective_of(spec, layout)
    parts = {"train": train, "valid": valid}
    columns = {name: _columns(rows, layout, reweighed, store) for name, rows in parts.items()}
    weighing = Weighing.of(columns, layout, reweighed)
    names = list(dict.fromkeys([goal.loss, *losses.of_task(layout.task, _task(layout).LOSSES)]))
    trial: Trial | str = "objective.trial_rows is 0"
    if spec.trial_rows:
        trial = prepare(names, weighing, parts, layout, spec.trial_rows, model, store)
    tried = trial if isinstance(trial, str) else trial.run(names, progress)
    check = loss_choice(goal, tried)
    if isinstance(trial, Trial) and isinstance(tried, Tried) and is_shown(check):
        check = second_chance(goal, tried, trial, progress)
    return Objective(
        loss=goal.loss,
        metric=goal.metric,
        weights=_keep(weighing.weights(goal.loss, "train"), store),
        valid_weights=_keep(weighing.weights(goal.loss, "valid"), store),
        evidence=_evidence(check, goal, names, tried, weighing, layout),
        seconds=time.perf_counter() - began,
    )


def _task(layout: Layout) -> tasks.Task:
    return tasks.load(layout.task)


def _columns(
    rows: Rows, layout: Layout, reweighed: str, store: Store
) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    names = list(dict.fromkeys([layout.target, *([reweighed] if reweighed else [])]))
    table = store.table(rows, names)
    return table[layout.target], table[reweighed] if reweighed else None


def _keep(weight: NDArray[np.float64] | None, store: Store) -> Rows | None:
    return None if weight is None else store.keep_table(pa.table({"weight": weight}))


# ---------------------------------------------------------------------------- the trial


@dataclass(frozen=True)
class Trial:
    """Losses, and the encoded rows on which they are tried.

    Attributes
    ----------
    learnt : Learnt
        Column states and the settings of the quick network.
    contenders : dict of str to Contender
        The losses by name.
    train, valid : Encoded
        Rows that are folded; rows that stop each training.
    target : array
        Of the former: ``int64[n]`` class codes or ``float64[n]`` values.
    """

    learnt: Learnt
    contenders: dict[str, trials.Contender]
    train: Encoded
    valid: Encoded
    target: NDArray[Any]

    def run(self, names: list[str], progress: Progress, longer: int = 1) -> Tried:
        """Every metric of these losses in each fold, trained ``longer`` times as long."""
        layout, task = self.learnt.layout, _task(self.learnt.layout)
        strata = self.target if layout.classes else np.zeros(len(self.target), np.int64)
        fold = trials.folds_of(strata, trials.FOLDS, self.learnt.spec.seed)
        schedule = schedule_of(self.learnt.spec)
        schedule = replace(
            schedule, epochs=schedule.epochs * longer, patience=schedule.patience * longer
        )
        values: dict[str, dict[str, list[float]]] = {
            name: {metric: [] for metric in task.metrics(layout)} for name in names
        }
        squares: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        contenders = {name: self.contenders[name] for name in names}
        runs = trials.trial(self.learnt.network, contenders, self.train, self.valid, fold, schedule)
        for done, (number, name, outputs) in enumerate(runs, start=1):
            scores, truth = task.decode(outputs, self.learnt.target), self.target[fold == number]
            for metric, each in values[name].items():
                each.append(metrics.of(metric).measure(truth, scores))
            if not layout.classes:
                squares[name].append(np.square(scores - truth))
            progress(done, trials.FOLDS * len(names), f"trial of {name}")
        return Tried(
            values={n: {m: np.array(v) for m, v in each.items()} for n, each in values.items()},
            num_rows=len(self.target),
            deciding={n: deciding_rows(np.concatenate(v)) for n, v in squares.items() if v},
        )


def prepare(
    names: list[str],
    weighing: Weighing,
    parts: dict[str, Rows],
    layout: Layout,
    num_rows: int,
    model: ModelSpec,
    store: Store,
) -> Trial | str:
    """Draw and encode up to ``num_rows`` training rows, and rows that stop the training.

    Fewer rows where each costs much, as images do. A sentence instead, where there is nothing
    to try or too little to try it on.
    """
    if len(names) < 2:
        return ALONE
    most = {"train": num_rows, "valid": VALID_ROWS}
    picked = {name: _picked(rows.num_rows, most[name], model.seed) for name, rows in parts.items()}
    count = len(picked["train"])
    if count < FEWEST_ROWS:
        return f"{count} rows are fewer than {FEWEST_ROWS}"
    tables = {name: _read(rows, picked[name], layout, store) for name, rows in parts.items()}
    spec, affordable = _affordable(tables["train"], layout, model, len(names))
    if affordable < FEWEST_ROWS:
        return f"a network that reads these columns is too slow to be tried on {FEWEST_ROWS} rows"
    kept = _picked(count, affordable, model.seed + 1)
    picked["train"], tables["train"] = picked["train"][kept], tables["train"].take(pa.array(kept))
    learnt = Learnt.of(tables["train"], layout, spec)
    encoded = {
        name: Encoded.of(learnt.encode(table), table.num_rows, learnt.encode_target(table))
        for name, table in tables.items()
    }
    return Trial(
        learnt=learnt,
        contenders={name: _contender(name, weighing, picked) for name in names},
        target=weighing.target["train"][picked["train"]],
        **encoded,
    )


def _affordable(
    train: pa.Table, layout: Layout, model: ModelSpec, num_losses: int
) -> tuple[ModelSpec, int]:
    """Settings and the rows that can be tried; of small images where theirs cost much."""
    found = []
    for spec in (model, model.model_copy(update={"image_size": trials.SMALL_SIDE})):
        learnt = Learnt.of(train, layout, trials.reduced(spec, train.num_rows))
        head = Encoded.of(learnt.encode(train.slice(0, 2)), 2)
        count = trials.affordable(learnt.network(), head, spec, train.num_rows, num_losses)
        found.append((trials.reduced(spec, count), count))
        if count == train.num_rows:
            break
    return max(found, key=lambda one: one[1])


def _picked(num_rows: int, most: int, seed: int) -> NDArray[np.int64]:
    """Numbers of up to ``most`` rows drawn at random, ascending."""
    if num_rows <= most:
        return np.arange(num_rows)
    drawn: NDArray[np.int64] = np.random.default_rng(seed).permutation(num_rows)[:most]
    return np.sort(drawn)


def _read(rows: Rows, picked: NDArray[np.int64], layout: Layout, store: Store) -> pa.Table:
    """These rows, without holding the others."""
    names = [column.name for column in layout.features] + [layout.target]
    parts, at = [], 0
    for batch in store.batches(rows, columns=names):
        here = picked[(picked >= at) & (picked < at + batch.num_rows)] - at
        parts.append(batch.take(pa.array(here)))
        at += batch.num_rows
    return pa.Table.from_batches(parts)


def _contender(name: str, weighing: Weighing, picked: dict[str, Any]) -> trials.Contender:
    each = {part: weighing.weights(name, part) for part in ("train", "valid")}
    tensors = [
        None if w is None else torch.from_numpy(w[picked[part]].astype(np.float32))
        for part, w in each.items()
    ]
    return trials.Contender(losses.of(name), *tensors)


# ---------------------------------------------------------------------------- what was found


def loss_choice(goal: Objective, tried: Tried | str) -> Check:
    """Gain of the best other loss over the chosen one in the declared metric.

    A share of the chosen one's error where less of the metric is better, else in the metric's
    units. It fails only where the gain is shown: the lower end of the interval is held.

    Parameters
    ----------
    goal : Objective
        The chosen loss and the declared metric.
    tried : Tried or str
        What the trial measured, or why there was none.
    """
    if isinstance(tried, str):
        return _not_tried(goal, tried)
    others = {n: tried.gain(goal.metric, goal.loss, n) for n in tried.values if n != goal.loss}
    best = max(others, key=lambda name: np.nan_to_num(others[name][1], nan=-np.inf))
    value, low, high = others[best]
    why, remedy, enough = _compared(goal, best, tried), f"set objective.loss: {best}", True
    deciding = tried.deciding.get(goal.loss, np.inf) if goal.metric in SQUARED else np.inf
    if not low > 0 and deciding < FEWEST_DECIDING:
        enough = False
        why += (
            f" But {goal.metric} hangs on about {deciding:.0f} of {tried.num_rows} rows, those"
            " with the largest errors: no loss can be shown to serve it."
        )
        remedy = (
            "look at the rows with the largest targets; where they are right, a metric that does"
            " not hang on them says more: set objective.metric: mae and"
            " objective.loss: absolute_error"
        )
    return Check(
        name=CHECK, stage=STAGE, value=value, low=low, high=high, better="lower",
        burden="disprove", level=LEVEL, enough=enough and bool(np.isfinite(value)),
        why=why, remedy=remedy,
    )  # fmt: skip


def is_shown(check: Check) -> bool:
    """Whether another loss was shown to be better."""
    return check.low is not None and check.low > 0


def second_chance(goal: Objective, tried: Tried, trial: Trial, progress: Progress) -> Check:
    """Hold the other losses against the chosen one trained longer.

    A loss that only learns more slowly would look like a wrong one in a short trial; one that
    rewards something else stays behind. The check is the one with the smaller gain shown.
    """
    again = trial.run([goal.loss], progress, trials.LONGER)
    before, after = loss_choice(goal, tried), loss_choice(goal, tried.instead(again))
    if after.low is None or before.low is None or after.low > before.low:
        after = before
    why = f"{after.why} It does so too when {goal.loss} is trained {trials.LONGER} times as long."
    if not is_shown(after):
        why = (
            f"{after.why} There {goal.loss} was trained {trials.LONGER} times as long as the"
            " others: it only learns more slowly."
        )
    return after.model_copy(update={"why": why})


def _not_tried(goal: Objective, why: str) -> Check:
    """No gain where there is no other loss; else nothing is known."""
    nothing = 0.0 if why == ALONE else None
    return Check(
        name=CHECK, stage=STAGE, value=nothing, low=nothing, high=nothing, better="lower",
        burden="disprove", level=LEVEL, enough=why == ALONE,
        why=f"No other loss was tried against {goal.loss}: {why}.",
        remedy="set objective.trial_rows to some thousands, or bring more rows",
    )  # fmt: skip


def _compared(goal: Objective, best: str, tried: Tried) -> str:
    gain = tried.gain(goal.metric, goal.loss, best)
    mine, other = (tried.interval(name, goal.metric)[0] for name in (goal.loss, best))
    share = metrics.of(goal.metric).better == "lower"
    value, low, high = (f"{g:+.1%}" if share else f"{g:+.4f}" for g in gain)
    unit = " of the error" if share else ""
    told = "serves" if gain[1] > 0 else "is not shown to serve"
    return (
        f"{best} {told} {goal.metric} better than {goal.loss}: {other:.4g} against {mine:.4g} over"
        f" {tried.num_folds} folds of {tried.num_rows} training rows, a gain of {value}{unit}"
        f" ({LEVEL:.0%} interval {low} to {high}, for all other losses at once)."
    )


def _evidence(
    check: Check,
    goal: Objective,
    names: list[str],
    tried: Tried | str,
    weighing: Weighing,
    layout: Layout,
) -> Evidence:
    if layout.classes:
        looked = labels.of_classes(weighing.counts.sum(axis=0), layout.classes)
    else:
        looked = labels.of_values(weighing.target["train"], layout.target)
    tables = looked.tables | {"losses": _losses_table(goal, names, tried)}
    if weighing.weighs(goal.loss):
        tables["weights"] = weighing.table(goal.loss)
    figures, notes = dict(looked.figures), list(looked.notes)
    if isinstance(tried, Tried):
        tables["metrics"] = _metrics_table(tried)
        figures["losses"] = _losses_figure(goal, tried)
        notes += _notes(goal, tried)
    return Evidence(checks=[check], tables=tables, figures=figures, notes=notes)


def _losses_table(goal: Objective, names: list[str], tried: Tried | str) -> Table:
    records = []
    for name in names:
        record: dict[str, Any] = {
            "loss": name + (" (chosen)" if name == goal.loss else ""),
            "estimates": losses.estimate_of(name),
        }
        if isinstance(tried, Tried):
            value = tried.interval(name, goal.metric)
            record |= dict(zip((goal.metric, "low", "high"), value, strict=True))
            chosen = name == goal.loss
            gain = (None,) * 3 if chosen else tried.gain(goal.metric, goal.loss, name)
            record |= dict(zip(("gain", "gain low", "gain high"), gain, strict=True))
        records.append(record)
    wants = WANTS.get(goal.metric, "not said")
    return Table.of("Losses", records, f"What serves the declared metric, {goal.metric}: {wants}.")


def _metrics_table(tried: Tried) -> Table:
    records = [
        {"loss": name} | {metric: tried.interval(name, metric)[0] for metric in each}
        for name, each in tried.values.items()
    ]
    return Table.of("What each loss does to every metric, in the trial", records)


def _losses_figure(goal: Objective, tried: Tried) -> Figure:
    each = [tried.interval(name, goal.metric) for name in tried.values]
    bars = Series(
        name=goal.metric,
        x=list(tried.values),
        y=[value for value, _, _ in each],
        low=[low for _, low, _ in each],
        high=[high for _, _, high in each],
        style="bars",
    )
    return Figure(
        title="Trial of the losses",
        x="loss",
        y=goal.metric,
        series=[bars],
        note=f"Quick networks over {tried.num_folds} folds; the chosen loss is {goal.loss}. The"
        " losses share their folds: the gain in the table says more than how bars overlap.",
    )


def _notes(goal: Objective, tried: Tried) -> list[str]:
    notes = [
        f"The trial trains a quick network for each loss on the same {tried.num_folds} folds of"
        f" {tried.num_rows} training rows, with the same seeds; folds are drawn by row, whatever"
        " the split keeps together. Costly rows, such as images, are fewer and smaller in it."
        " Intervals by Nadeau and Bengio (2003)."
    ]
    if metrics.of(goal.metric).reads == "decisions":
        notes.append(
            f"In the trial {goal.metric} is that of the most probable class; a threshold chosen on"
            " validation rows may do what a weighted loss does."
        )
    return notes
