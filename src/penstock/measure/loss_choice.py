"""Whether the loss that was chosen serves the declared metric: the check, its tables, its figure.

A loss is called wrong only where another one is shown to be better twice, on folds drawn
independently, the second time alone and against the chosen loss trained longer: neither the luck
of one draw, nor the luckiest of several losses, nor slow learning looks like a wrong loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.evidence import Check, Figure, Series, Table
from penstock.measure import metrics
from penstock.measure.comparison import LEVEL, Tried
from penstock.records import Objective

ALONE = "the task offers no other loss"
SQUARED = ("rmse", "r2")
FEWEST_DECIDING = 30
"""Fewest rows that must make up a sum of squared errors for a trial to decide by it (house
choice: the usual size from which a mean is near normal)."""


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
    best = rival(goal, tried)
    value, low, high = tried.gain(goal.metric, goal.loss, best)
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
    return _check(value, low, high, enough and bool(np.isfinite(value)), why, remedy)


def rival(goal: Objective, tried: Tried) -> str:
    """The other loss whose gain over the chosen one is shown best."""
    lows = {n: tried.gain(goal.metric, goal.loss, n)[1] for n in tried.values if n != goal.loss}
    return max(lows, key=lambda name: np.nan_to_num(lows[name], nan=-np.inf))


def is_shown(check: Check) -> bool:
    """Whether another loss was shown to be better."""
    return check.low is not None and check.low > 0


def confirmed(goal: Objective, tried: Tried, again: Tried, longer: int) -> Check:
    """The smaller of two gains: what the trial found, and what a second one found.

    Parameters
    ----------
    goal : Objective
        The chosen loss and the declared metric.
    tried, again : Tried
        All losses; the chosen one and its :func:`rival` on other folds.
    longer : int
        Times as long as its rival the chosen loss was trained in the latter.
    """
    before, after = loss_choice(goal, tried), loss_choice(goal, again)
    if not is_shown(after):
        told = f"There, on other folds, {goal.loss} was trained {longer} times as long as"
        told += f" {rival(goal, tried)}, which had looked better by {before.value:+.3g}."
        return after.model_copy(update={"why": f"{after.why} {told}"})
    held = min(before, after, key=lambda check: check.low or 0.0)
    other = after if held is before else before
    told = (
        f"So it is on two draws of the folds, in one of them with {goal.loss} trained {longer}"
        f" times as long; in the other the gain is {other.value:+.3g}."
    )
    return held.model_copy(update={"why": f"{held.why} {told}"})


def _not_tried(goal: Objective, why: str) -> Check:
    """No gain where there is no other loss; else nothing is known."""
    nothing = 0.0 if why == ALONE else None
    told = f"No other loss was tried against {goal.loss}: {why}."
    remedy = "set objective.trial_rows to some thousands, or bring more rows"
    return _check(nothing, nothing, nothing, why == ALONE, told, remedy)


def _check(
    value: float | None, low: float | None, high: float | None, enough: bool, why: str, remedy: str
) -> Check:
    return Check(
        name="loss_choice", stage="objective", value=value, low=low, high=high, better="lower",
        burden="disprove", level=LEVEL, enough=enough, why=why, remedy=remedy,
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
        f" ({LEVEL:.0%} interval {low} to {high})."
    )


# ---------------------------------------------------------------------------- what a person sees


def losses_table(goal: Objective, estimates: dict[str, str], tried: Tried | str) -> Table:
    """Each loss, what it makes the network estimate (``estimates``), what it does to the metric."""
    records = []
    for name, estimate in estimates.items():
        chosen = name == goal.loss
        record: dict[str, Any] = {
            "loss": name + (" (chosen)" if chosen else ""),
            "estimates": estimate,
        }
        if isinstance(tried, Tried):
            value = tried.interval(name, goal.metric)
            record |= dict(zip((goal.metric, "low", "high"), value, strict=True))
            gain = (None,) * 3 if chosen else tried.gain(goal.metric, goal.loss, name)
            record |= dict(zip(("gain", "gain low", "gain high"), gain, strict=True))
        records.append(record)
    serves = metrics.of(goal.metric).serves
    note = f"What serves the declared metric, {goal.metric}: {serves}." if serves else ""
    return Table.of("Losses", records, note)


def metrics_table(tried: Tried) -> Table:
    """Mean of every metric under each loss."""
    records = [
        {"loss": name} | {metric: tried.interval(name, metric)[0] for metric in each}
        for name, each in tried.values.items()
    ]
    return Table.of("What each loss does to every metric, in the trial", records)


def losses_figure(goal: Objective, tried: Tried) -> Figure:
    """The declared metric under each loss, with intervals."""
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


def notes_on(goal: Objective, tried: Tried) -> list[str]:
    """How the trial was made, and what it does not see."""
    notes = [
        f"The trial trains a quick network for each loss on the same {tried.num_folds} folds of"
        f" {tried.num_rows} training rows, with the same seeds; folds are drawn by row, whatever"
        " the split keeps together. Images, sounds and texts are read in it as the simple"
        " baselines see them. Intervals by Nadeau and Bengio (2003)."
    ]
    if metrics.of(goal.metric).reads == "decisions":
        notes.append(
            f"In the trial {goal.metric} is that of the most probable class; a threshold chosen on"
            " validation rows may do what a weighted loss does."
        )
    return notes
