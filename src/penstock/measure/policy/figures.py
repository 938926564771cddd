"""What a policy changes, drawn.

Scores and decisions without and with a policy -> Figure
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Figure, Series
from penstock.measure import curves
from penstock.measure.bias.by_group import Groups, shares
from penstock.measure.curves import NUM_POINTS
from penstock.measure.policy.effects import Codes, Sides
from penstock.measure.policy.thresholds import Cuts, Quality


def selection(sides: Sides, by: Groups, positive: str) -> Figure:
    """Selection rate of each group before and after, with Wilson intervals."""
    shown = np.flatnonzero(by.sizes).tolist()
    series = []
    for word, side in zip(("before", "after"), sides, strict=True):
        every = shares(by.count(side.decided == 1), by.sizes)
        found = [every[at] for at in shown]
        series.append(
            Series(
                name=word, style="bars", x=[by.names[at] for at in shown],
                y=[e.value for e in found], low=[e.low for e in found],
                high=[e.high for e in found],
            )
        )  # fmt: skip
    return Figure(
        title=f"Selection rate by {by.name}",
        x="",
        y=f"share decided {positive}",
        series=series,
        horizontal=True,
        note="On validation rows; 95% Wilson intervals.",
    )


def thresholds(limits: dict[str, float], usual: float, column: str) -> Figure:
    """The threshold of each group."""
    bars = Series(name="threshold", x=list(limits), y=list(limits.values()), style="bars")
    return Figure(
        title=f"Threshold by {column}",
        x="",
        y="threshold of the probability",
        series=[bars],
        horizontal=True,
        note=f"Every other group is decided from {usual:.4g} on.",
    )


def reliability(target: Codes, sides: Sides, positive: str) -> Figure:
    """Stated confidence against what came true, before and after the temperature.

    ``positive`` names the second of two classes; empty for more.
    """
    label = f"probability of {positive}" if positive else "confidence in the prediction"
    old, new = (curves.reliability(s.confidence, s.came_true(target), label) for s in sides)
    changed = not np.array_equal(sides[0].scores, sides[1].scores)
    series = [old.series[0].model_copy(update={"name": "before"})] if changed else []
    series.append(new.series[0].model_copy(update={"name": "after" if changed else "as it was"}))
    title = "Reliability before and after the temperature" if changed else "Reliability"
    note = f"On validation rows. {new.note}"
    series += new.series[1:]
    return new.model_copy(update={"title": title, "series": series, "note": note})


def threshold(
    cuts: Cuts, measure: Quality, name: str, chosen: float, positive: str, sign: float = 1.0
) -> Figure:
    """A metric or the cost over all thresholds, with the chosen one marked.

    ``positive`` names the second class; ``sign`` -1 turns a quality back into a cost.
    """
    few = cuts.thinned(NUM_POINTS)
    line = Series(name=name, x=few.threshold.tolist(), y=(sign * few.quality(measure)).tolist())
    marks = [(0.5, "most probable")] if chosen != 0.5 else []
    return Figure(
        title=f"{name} over the threshold",
        x=f"probability from which on {positive} is decided",
        y=name,
        series=[line],
        marks=[*marks, (chosen, "chosen")],
        note="On validation rows.",
    )


def radius(nonconformity: NDArray[Any], radius: float, coverage: float, x: str) -> Figure:
    """Share of validation rows that a radius holds, and the radius that was chosen."""
    shares = np.linspace(0, 1, NUM_POINTS + 1)
    places = np.quantile(nonconformity.astype(np.float64), shares)
    return Figure(
        title="Coverage by radius",
        x=x,
        y="share of validation rows held",
        series=[
            Series(name="held", x=places.tolist(), y=shares.tolist()),
            Series(name="promised", x=places[[0, -1]].tolist(), y=[coverage] * 2, style="dashed"),
        ],
        marks=[(radius, "chosen")],
        note="Whether the promise holds is measured on test rows, by evaluate.",
    )
