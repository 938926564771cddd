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
from penstock.chunks import taken
from penstock.evidence import Check, Evidence
from penstock.learning import losses
from penstock.learning import trial as trials
from penstock.learning.encoded import Encoded
from penstock.learning.sizing import schedule_of
from penstock.measure import loss_choice as choice
from penstock.measure import metrics
from penstock.measure.comparison import Tried, deciding_rows
from penstock.ports import Progress, Store
from penstock.quick import Quick
from penstock.records import Layout, Objective, Rows
from penstock.spec import ModelSpec, ObjectiveSpec
from penstock.tables.weighing import Weighing

FEWEST_ROWS = 100
"""Fewest training rows on which losses are tried (house choice)."""
VALID_ROWS = 1_000
"""Most validation rows that stop the trial's trainings (house choice)."""


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
    read = [layout.target, *layout.named("weight"), *([reweighed] if reweighed else [])]
    read = list(dict.fromkeys(read))
    tables = {name: store.table(rows, read) for name, rows in parts.items()}
    weighing = Weighing.of(tables, layout, reweighed)
    task = _task(layout)
    names = list(dict.fromkeys([goal.loss, *losses.of_task(layout.task, task.LOSSES)]))
    untried = task.NOT_APPLICABLE.get("trial", "objective.trial_rows is 0")
    trial: Trial | str = untried if len(names) > 1 else choice.ALONE
    if spec.trial_rows and "trial" not in task.NOT_APPLICABLE:
        trial = prepare(names, weighing, parts, layout, spec.trial_rows, model, store)
    tried = trial if isinstance(trial, str) else trial.run(names, progress)
    check = choice.loss_choice(goal, tried)
    if isinstance(trial, Trial) and isinstance(tried, Tried) and choice.is_shown(check):
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


def _keep(weight: NDArray[np.float64] | None, store: Store) -> Rows | None:
    return None if weight is None else store.keep_table(pa.table({"weight": weight}))


# ---------------------------------------------------------------------------- the trial


@dataclass(frozen=True)
class Trial:
    """Losses, and the encoded rows on which they are tried.

    Attributes
    ----------
    quick : Quick
        Column states and the quick network.
    contenders : dict of str to Contender
        The losses by name.
    train, valid : Encoded
        Rows that are folded; rows that stop each training.
    target : array
        Of the former: ``int64[n]`` class codes or ``float64[n]`` values.
    """

    quick: Quick
    contenders: dict[str, trials.Contender]
    train: Encoded
    valid: Encoded
    target: NDArray[Any]

    def run(self, names: list[str], progress: Progress, draw: int = 0, patient: str = "") -> Tried:
        """Every metric of these losses in each fold.

        Parameters
        ----------
        names : list of str
            Of losses.
        progress
            Told after each training.
        draw : int
            Another one draws other folds, first weights and batches.
        patient : str
            The loss that is trained :data:`penstock.learning.trial.LONGER` times as long.
        """
        learnt = self.quick.learnt
        layout, task = learnt.layout, _task(learnt.layout)
        strata = self.target if layout.classes else np.zeros(len(self.target), np.int64)
        schedule = schedule_of(learnt.spec)
        schedule = replace(schedule, seed=schedule.seed + draw * trials.FOLDS)
        fold = trials.folds_of(strata, trials.FOLDS, schedule.seed)
        contenders = {name: self.contenders[name] for name in names}
        if patient:
            contenders[patient] = replace(contenders[patient], longer=trials.LONGER)
        values: dict[str, dict[str, list[float]]] = {
            name: {metric: [] for metric in task.metrics(layout)} for name in names
        }
        squares: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        runs = trials.trial(self.quick.network, contenders, self.train, self.valid, fold, schedule)
        for done, (number, name, outputs) in enumerate(runs, start=1):
            scores, truth = task.decode(outputs, learnt.target), self.target[fold == number]
            decided = tasks.plainly(task, scores)
            for metric, each in values[name].items():
                each.append(metrics.of(metric).measure(truth, scores, decided))
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

    A sentence instead, where there is nothing to try or too little to try it on.
    """
    if len(names) < 2:
        return choice.ALONE
    most = {"train": num_rows, "valid": VALID_ROWS}
    picked = {name: _picked(rows.num_rows, most[name], model.seed) for name, rows in parts.items()}
    count = len(picked["train"])
    if count < FEWEST_ROWS:
        return f"{count} rows are fewer than {FEWEST_ROWS}"
    tables = {name: _read(rows, picked[name], layout, store) for name, rows in parts.items()}
    quick = Quick.of(tables["train"], layout, trials.reduced(model, count))
    return Trial(
        quick=quick,
        contenders={name: _contender(name, weighing, picked) for name in names},
        target=weighing.target["train"][picked["train"]],
        **{name: quick.encoded(table) for name, table in tables.items()},
    )


def _picked(num_rows: int, most: int, seed: int) -> NDArray[np.int64]:
    """Numbers of up to ``most`` rows drawn at random, ascending."""
    if num_rows <= most:
        return np.arange(num_rows)
    drawn: NDArray[np.int64] = np.random.default_rng(seed).permutation(num_rows)[:most]
    return np.sort(drawn)


def _read(rows: Rows, picked: NDArray[np.int64], layout: Layout, store: Store) -> pa.Table:
    """What is read of these rows."""
    inputs = [column.name for column in _task(layout).inputs(layout)]
    names = list(dict.fromkeys([*inputs, layout.target]))
    return taken(store.table(rows, names), picked)


def _contender(name: str, weighing: Weighing, picked: dict[str, Any]) -> trials.Contender:
    each = {part: weighing.weights(name, part) for part in ("train", "valid")}
    weight, valid_weight = (
        None if w is None else torch.from_numpy(w[picked[part]].astype(np.float32))
        for part, w in each.items()
    )
    return trials.Contender(losses.of(name), weight, valid_weight)


# ---------------------------------------------------------------------------- what was found


def second_chance(goal: Objective, tried: Tried, trial: Trial, progress: Progress) -> Check:
    """Hold the best other loss against the chosen one again: other folds, and trained longer."""
    pair = [goal.loss, choice.rival(goal, tried)]
    again = trial.run(pair, progress, draw=1, patient=goal.loss)
    return choice.confirmed(goal, tried, again, trials.LONGER)


def _evidence(
    check: Check,
    goal: Objective,
    names: list[str],
    tried: Tried | str,
    weighing: Weighing,
    layout: Layout,
) -> Evidence:
    looked = _task(layout).looked_at(weighing.target["train"], layout)
    estimates = {name: losses.estimate_of(name) for name in names}
    tables = looked.tables | {"losses": choice.losses_table(goal, estimates, tried)}
    if weighing.weighs(goal.loss):
        tables["weights"] = weighing.table(goal.loss)
    figures, notes = dict(looked.figures), list(looked.notes)
    if isinstance(tried, Tried):
        tables["metrics"] = choice.metrics_table(tried)
        figures["losses"] = choice.losses_figure(goal, tried)
        notes += choice.notes_on(goal, tried)
    return Evidence(checks=[check], tables=tables, figures=figures, notes=notes)
