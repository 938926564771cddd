"""Score the model on rows that nothing was fitted on, and against simpler models.

A number alone says nothing: 0.87 accuracy is poor where a constant reaches 0.86. So every
metric comes with its interval, and the model has to earn its place beside a constant, a
linear model and gradient boosting on the same rows.

Fitted, test rows -> Scorecard
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock import exhibits, sliced, tasks
from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.measure import metrics
from penstock.measure.baselines import Baseline
from penstock.measure.calibration import Calibration
from penstock.measure.intervals import bootstrap, wilson
from penstock.measure.predictions import in_order, kept
from penstock.model import Model
from penstock.ports import Progress, Store
from penstock.records import Estimate, Fitted, Layout, Policy, Rows, Scorecard

MODEL = "model"
FEW_ROWS = 30
"""Test rows of a class with fewer show little of what was learnt (house choice)."""
Scores = dict[str, NDArray[Any]]


def evaluate(
    fitted: Fitted,
    policy: Policy,
    train: Rows,
    test: Rows,
    seed: int,
    store: Store,
    progress: Progress,
    show_rows: bool = False,
) -> Scorecard:
    """Measure the model and the baselines on the test rows.

    Parameters
    ----------
    fitted : Fitted
        The trained model.
    policy : Policy
        What turns its scores into decisions.
    train : Rows
        What the baselines learn from.
    test : Rows
        What everything is measured on.
    seed : int
        Of the resamples and of the boosting baseline.
    store, progress
        Where rows are; who is told.
    show_rows : bool
        Whether the evidence may show raw rows: those that the model is most wrong about.
    """
    model = Model.of(fitted, store, policy)
    layout = fitted.layout
    task = tasks.load(layout.task)
    table = store.table(test)
    target = task.encode_target(table[layout.target], layout)
    scores = model.scores(table)
    decided = model.decided(table, scores)
    progress(1, 3, "baselines")
    past = store.table(train)
    others = {
        name: replace(other, decided=tasks.plainly(task, other.scores))
        for name, other in task.simpler(model, past, table, seed).items()
    }
    progress(2, 3, "intervals")
    estimates = measured(task.metrics(layout), target, scores, decided, seed)
    checks = [
        declared_metric(fitted.metric, estimates[fitted.metric]),
        compression(model, target, scores, seed),
        *gains(fitted.metric, target, scores, decided, others, seed),
    ]
    if policy.radius is not None:
        held = task.covered(scores, target, policy.radius)
        checks.append(coverage(held, policy.coverage, policy.radius_rows))
    tables = {"metrics": _metrics_table(estimates, others, target)}
    figures = {"baselines": _baselines_figure(fitted.metric, estimates, others, target)}
    notes = [note for other in others.values() for note in other.notes]
    if (result := task.calibration(scores, target, seed)) is not None:
        checks.append(_calibration_check(result))
    for what in ("calibration", "sets"):
        notes += tasks.not_applicable(task, what)
    losses = task.row_losses(scores, target)
    figures |= task.figures(scores, target, layout)
    more = task.evidence(model, past, table, scores, target, seed)
    predictions = _predictions(model, scores, decided, target, losses)
    theirs = {name: task.row_losses(other.scores, target) for name, other in others.items()}
    more = sliced.weak(past, table, layout, losses, theirs, seed).joined(more)
    more = more.joined(
        exhibits.of_test_rows(model, table, predictions, scores, target, losses, show_rows)
    )
    progress(3, 3, "done")
    return Scorecard(
        metrics=estimates,
        baselines={
            name: {m: other.measure(metrics.of(m), target) for m in estimates}
            for name, other in others.items()
        },
        predictions=store.keep_table(predictions),
        evidence=Evidence(checks=checks, tables=tables, figures=figures, notes=notes).joined(more),
    )


def measured(
    names: tuple[str, ...],
    target: NDArray[Any],
    scores: NDArray[Any],
    decided: NDArray[Any],
    seed: int,
) -> dict[str, Estimate]:
    """Each metric with its bootstrap interval over rows."""
    chosen = [metrics.of(name) for name in names]
    if scores.ndim == 2:  # resamples then come nearly sorted, which is what metrics wait for
        order = in_order(scores)
        target, scores, decided = target[order], scores[order], decided[order]

    over = [m.over(target, scores, decided) for m in chosen]

    def measure(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.array([one(rows) for one in over])

    values = measure(np.arange(len(target)))
    low, high = bootstrap(measure, len(target), seed)
    return {
        name: Estimate(value=float(values[i]), low=float(low[i]), high=float(high[i]))
        for i, name in enumerate(names)
    }


def declared_metric(name: str, estimate: Estimate) -> Check:
    """The declared metric, for ``gates.metric_floor``, or for errors ``metric_ceiling``."""
    better = metrics.of(name).better
    gate = "metric_floor" if better == "higher" else "metric_ceiling"
    return Check(
        name=gate,
        stage="evaluate",
        subject=name,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        better=better,
        why=f"{name} on the test rows is {_number(estimate.value)}.",
        remedy=f"give the model more or better rows, or change gates.{gate}.limit",
    )


def gains(
    name: str,
    target: NDArray[Any],
    scores: NDArray[Any],
    decided: NDArray[Any],
    others: dict[str, Baseline],
    seed: int,
) -> list[Check]:
    """The model's gain over each baseline in the declared metric, over the same resamples."""
    metric = metrics.of(name)
    over = metric.over(target, scores, decided)
    simpler = [metric.over(target, other.scores, other.decided) for other in others.values()]

    def measure(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        mine = over(rows)
        return np.array([metrics.gain(name, mine, other(rows)) for other in simpler])

    values = measure(np.arange(len(target)))
    low, high = bootstrap(measure, len(target), seed)
    unit = "" if metrics.of(name).better == "higher" else " of the baseline's"
    return [
        Check(
            name=f"beats_{baseline}",
            stage="evaluate",
            value=float(values[i]),
            low=float(low[i]),
            high=float(high[i]),
            better="higher",
            burden=other.burden,
            why=f"{name} is {_shown(values[i], low[i])} than the {_words(baseline)} baseline's: the"
            f" gain is {values[i]:.4f}{unit} (95%: {low[i]:.4f} to {high[i]:.4f}).",
            remedy=other.remedy,
        )
        for i, (baseline, other) in enumerate(others.items())
    ]


def _shown(gain: float, low: float) -> str:
    if low > 0:
        return "better"
    return "not shown to be better" if gain > 0 else "not better"


def compression(model: Model, target: NDArray[Any], scores: NDArray[Any], seed: int) -> Check:
    """``1 - loss / loss of the best constant``: the share of the label's entropy that is saved.

    For classes the loss is the log-loss and the constant's loss is the label entropy; for
    numbers it is the squared error and the variance, so that compression is R2.
    """
    task, layout = model.task, model.layout
    losses = task.row_losses(scores, target).astype(np.float64)

    def measure(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        goal = target[rows]
        floor = float(task.row_losses(task.constant(goal, layout), goal).mean())
        return np.array([1.0 - losses[rows].mean() / floor if floor > 0 else np.nan])

    value = float(measure(np.arange(len(target)))[0])
    low, high = bootstrap(measure, len(target), seed)
    return Check(
        name="compression",
        stage="evaluate",
        value=value,
        low=float(low[0]),
        high=float(high[0]),
        better="higher",
        burden="prove",
        why=f"The model saves {value:.1%} of what the label costs without it (95%: {low[0]:.1%} to"
        f" {high[0]:.1%})."
        if np.isfinite(value)
        else "What the model saves is not defined: its losses are endless, or the labels equal.",
        remedy=_to_save(target, layout),
    )


def _to_save(target: NDArray[Any], layout: Layout) -> str:
    """What to do where nothing is shown to be saved: of a rare class too little may be seen."""
    if len(layout.classes) == 2:
        counts = np.bincount(target, minlength=2)
        if counts.min() < FEW_ROWS:
            rare = layout.classes[int(counts.argmin())]
            return f"bring more rows of {rare}: {counts.min()} test rows show little"
    return "a model that saves nothing has learnt nothing: check the labels and the features"


def coverage(held: NDArray[np.bool_], promised: float, radius_rows: int) -> Check:
    """Share of rows whose truth the set or interval holds, less the promise.

    The radius was drawn too: over sets of validation rows the share varies as that of so many
    test rows does (Vovk, 2012: it is Beta distributed). Hence the Wilson interval is of as many
    rows as have both variances together.
    """
    share, test_rows = float(held.mean()), len(held)
    rows = test_rows / (1 + test_rows / (radius_rows + 2)) if radius_rows else test_rows
    low, high = wilson(share * rows, rows)
    return Check(
        name="coverage",
        stage="evaluate",
        value=share - promised,
        low=low - promised,
        high=high - promised,
        better="higher",
        burden="disprove",
        why=f"The prediction sets or intervals hold the truth of {share:.1%} of the test rows;"
        f" {promised:.0%} was promised.",
        remedy="validation and test rows differ: look at part_difference, or split by time",
    )


def _calibration_check(found: Calibration) -> Check:
    """The error above a perfect model's mean, with the range that chance alone allows."""
    return Check(
        name="calibration",
        stage="evaluate",
        value=found.error - found.null_mean,
        low=found.error - found.null_high,
        high=found.error - found.null_low,
        burden="disprove",
        why=f"The expected calibration error is {found.error:.4f}; a perfectly calibrated model"
        f" would score {found.null_mean:.4f} ({found.null_low:.4f} to {found.null_high:.4f}) on"
        f" as many rows (p = {found.p_value:.3f}).",
        remedy="read the probabilities with care; more validation rows would let them be corrected",
    )


def _predictions(
    model: Model,
    scores: NDArray[Any],
    decided: NDArray[Any],
    target: NDArray[Any],
    losses: NDArray[Any],
) -> pa.Table:
    answer = model.answer(scores, decided)
    for name, values in (("_target", target), ("_decided", decided), ("_row_loss", losses)):
        answer = answer.append_column(name, kept(values))
    return answer


def _metrics_table(
    estimates: dict[str, Estimate], others: dict[str, Baseline], target: NDArray[Any]
) -> Table:
    records = []
    for name, estimate in estimates.items():
        record = {"metric": name, MODEL: estimate.value, "low": estimate.low, "high": estimate.high}
        for baseline, other in others.items():
            record[baseline] = other.measure(metrics.of(name), target)
        records.append(record)
    seconds = ", ".join(f"{name} {other.seconds:.1f} s" for name, other in others.items())
    note = f"Intervals: 95%, bootstrap over test rows. Baselines were trained in: {seconds}."
    return Table.of("Metrics on the test rows", records, note)


def _baselines_figure(
    name: str, estimates: dict[str, Estimate], others: dict[str, Baseline], target: NDArray[Any]
) -> Figure:
    theirs = [other.measure(metrics.of(name), target) for other in others.values()]
    mine = estimates[name]
    gaps: list[float | None] = [None] * len(theirs)
    return Figure(
        title=f"{name} of the model and of simpler ones",
        x="",
        y=name,
        series=[
            Series(
                name=name,
                x=[*others, MODEL],
                y=[*theirs, mine.value],
                low=[*gaps, mine.low],
                high=[*gaps, mine.high],
                style="bars",
            )
        ],
        horizontal=True,
        note=f"On the same test rows; {metrics.of(name).better} is better.",
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"
