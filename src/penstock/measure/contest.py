"""Hold two models against each other on the same rows.

They err on much the same rows, so their difference is known far better than either metric:
both are measured on the same resamples, and the gain is what has an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.measure import metrics
from penstock.measure.intervals import resamples
from penstock.measure.predictions import Answers

STAGE = "register"
LEVEL = 0.9
"""Of the interval: each end by itself is a one-sided 95% bound, which is what a gain that has
to be shown, and a loss that has to be excluded, are held to (house choice)."""
WIDEST = 0.02
"""How far below its gain a group's interval may reach for the group to be judged: as far as
the default margin of ``gates.champion_group`` (house choice)."""
MIN_MINORITY = 10
"""Fewest rows of a group outside its most frequent class (house choice)."""
RULE_OF_THREE = 3.0
"""What was not seen once in n rows is rarer than 3 / n with 95% confidence (Hanley and
Lippman-Hand, 1983); no interval of n rows reaches less far than that."""


@dataclass(frozen=True)
class Gain:
    """How much better one model is than the other.

    Attributes
    ----------
    value : float
        From :func:`penstock.measure.metrics.gain`.
    low, high : float
        Its interval of :data:`LEVEL`; nan where it is not defined.
    num_rows : int
        Rows that it was measured on.
    """

    value: float
    low: float
    high: float
    num_rows: int


@dataclass(frozen=True)
class Groups:
    """The groups of one column.

    Attributes
    ----------
    column : str
        Its name.
    names : list of str
        Of the groups.
    codes : int64[n]
        Group of each row, a position in ``names``.
    """

    column: str
    names: list[str]
    codes: NDArray[np.int64]


def paired_gain(name: str, target: NDArray[Any], ours: Answers, theirs: Answers, seed: int) -> Gain:
    """The gain with its percentile interval over the same resamples of the rows.

    Parameters
    ----------
    name : str
        Of the metric.
    target : int64[n] or float64[n]
        The truth.
    ours, theirs : Answers
        Of n rows each.
    seed : int
        Of the resamples.
    """
    if ours.scores.ndim == 2:  # resamples then come nearly sorted, which is what metrics wait for
        order = np.argsort(ours.scores[:, -1], kind="stable")
        target, ours, theirs = target[order], ours.of(order), theirs.of(order)

    sides = [metrics.of(name).over(target, side.scores, side.decided) for side in (ours, theirs)]

    def one(rows: NDArray[np.int64]) -> float:
        return metrics.gain(name, *(side(rows) for side in sides))

    value = one(np.arange(len(target)))
    draws = np.array([one(rows) for rows in resamples(len(target), seed)])
    low, high = float("nan"), float("nan")
    if np.isfinite(draws).mean() >= 0.5:
        tail = (1 - LEVEL) / 2
        low, high = np.nanquantile(draws[np.isfinite(draws)], [tail, 1 - tail])
    return Gain(value, float(low), float(high), len(target))


def contest(
    metric: str,
    target: NDArray[Any],
    ours: Answers,
    theirs: Answers,
    columns: list[Groups],
    min_rows: int,
    seed: int,
) -> Evidence:
    """What speaks for and against a challenger.

    Parameters
    ----------
    metric : str
        The declared one.
    target : int64[n] or float64[n]
        The truth of the test rows.
    ours, theirs : Answers
        Of challenger and champion.
    columns : list of Groups
        Groups within which the challenger must not be worse.
    min_rows : int
        Fewer rows of a group are ``insufficient``.
    seed : int
        Of the resamples.

    Returns
    -------
    Evidence
        The measured checks ``beats_champion`` and ``champion_group``, one a group that has
        rows; both metrics side by side; the gain by group.
    """
    whole = paired_gain(metric, target, ours, theirs, seed)
    checks, records = [_beats(metric, whole)], []
    for groups in columns:
        for code, name in enumerate(groups.names):
            rows = np.flatnonzero(groups.codes == code)
            if not rows.size:
                continue
            found, lack = _in_group(metric, target, ours, theirs, rows, min_rows, seed)
            checks.append(_not_worse(metric, f"{groups.column}[{name}]", found, lack))
            records.append(_row(groups.column, name, found, lack))
    tables = {"contest": _side_by_side(metric, target, ours, theirs, whole)}
    figures = {}
    if records:
        note = f"Gain of the challenger in {metric}; intervals: {LEVEL:.0%}, paired bootstrap."
        tables["contest_by_group"] = Table.of("Gain over the champion by group", records, note)
        figures["contest_by_group"] = _figure(metric, whole, records)
    return Evidence(checks=checks, tables=tables, figures=figures)


def _in_group(
    metric: str,
    target: NDArray[Any],
    ours: Answers,
    theirs: Answers,
    rows: NDArray[np.int64],
    min_rows: int,
    seed: int,
) -> tuple[Gain, str]:
    """The gain within a group, and why it does not suffice; empty where it does."""
    nothing = Gain(float("nan"), float("nan"), float("nan"), len(rows))
    if len(rows) < min_rows:
        return nothing, f"{len(rows)} rows are fewer than {min_rows}"
    goal = target[rows]
    if ours.scores.ndim == 2:
        minority = len(rows) - int(np.bincount(goal.astype(np.int64)).max())
        if minority < MIN_MINORITY:
            return nothing, f"{minority} rows outside its most frequent class are too few"
    found = paired_gain(metric, goal, ours.of(rows), theirs.of(rows), seed)
    if not np.isfinite([found.value, found.low, found.high]).all():
        return found, f"{metric} is not defined in it"
    reach = max(found.value - found.low, RULE_OF_THREE / len(rows))
    if reach <= WIDEST or found.value - reach >= -WIDEST or found.high < 0:
        return found, ""
    return found, f"{len(rows)} rows leave {reach:.3f} below the gain open, more than {WIDEST}"


def _beats(metric: str, found: Gain) -> Check:
    return Check(
        name="beats_champion",
        stage=STAGE,
        value=found.value,
        low=found.low,
        high=found.high,
        better="higher",
        burden="prove",
        level=LEVEL,
        enough=bool(np.isfinite([found.value, found.low]).all()),
        why=f"On the same {found.num_rows} test rows the challenger's gain in {metric} is"
        f" {_gain_text(metric, found)}; the lower end is a one-sided 95% bound.",
        remedy="a gain that is not shown keeps the champion: bring more test rows, or a better"
        " model",
    )


def _not_worse(metric: str, subject: str, found: Gain, lack: str) -> Check:
    shown = f"its gain in {metric} is {_gain_text(metric, found)}"
    small = (
        f"Too small a group to judge: {lack}. It keeps the challenger out only where the action of"
        " gates.champion_group is to refuse."
    )
    return Check(
        name="champion_group",
        stage=STAGE,
        subject=subject,
        value=found.value,
        low=found.low,
        high=found.high,
        better="higher",
        burden="prove",
        level=LEVEL,
        enough=not lack,
        why=small if lack else f"In {found.num_rows} rows of {subject} {shown}.",
        remedy=f"see what changed for {subject} since the champion; more of its rows narrow the"
        " interval",
    )


def _gain_text(metric: str, found: Gain) -> str:
    unit = "" if metrics.of(metric).better == "higher" else " of the champion's"
    return f"{found.value:+.4f}{unit} ({LEVEL:.0%}: {found.low:+.4f} to {found.high:+.4f})"


def _row(column: str, name: str, found: Gain, lack: str) -> dict[str, Any]:
    row = {"column": column, "group": name, "rows": found.num_rows, "gain": found.value}
    return row | {"low": found.low, "high": found.high, "insufficient": lack}


def _side_by_side(
    metric: str, target: NDArray[Any], ours: Answers, theirs: Answers, whole: Gain
) -> Table:
    measure = metrics.of(metric).measure
    record = {
        "metric": metric,
        "rows": len(target),
        "challenger": measure(target, ours.scores, ours.decided),
        "champion": measure(target, theirs.scores, theirs.decided),
        "gain": whole.value,
        "low": whole.low,
        "high": whole.high,
    }
    note = f"Both on the same test rows, each by its own package. Interval: {LEVEL:.0%}, paired."
    return Table.of("Challenger and champion", [record], note)


def _figure(metric: str, whole: Gain, records: list[dict[str, Any]]) -> Figure:
    known = [r for r in records if np.isfinite([r["gain"], r["low"], r["high"]]).all()]
    return Figure(
        title="Gain of the challenger over the champion by group",
        x="",
        y=f"gain in {metric}",
        series=[
            Series(
                name="gain",
                x=["all rows", *(f"{r['column']}: {r['group']}" for r in known)],
                y=[whole.value, *(r["gain"] for r in known)],
                low=[whole.low, *(r["low"] for r in known)],
                high=[whole.high, *(r["high"] for r in known)],
                style="bars",
            )
        ],
        horizontal=True,
        note=f"Right of 0 the challenger is better; intervals: {LEVEL:.0%}, paired bootstrap.",
    )
