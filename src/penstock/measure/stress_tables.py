"""What stresses cost, as tables and figures for a person.

A record is a dictionary: ``column``, ``stress``, ``strength``, ``place`` (0 mild, 1 middle,
2 strong), the metric by its name, ``drop`` with ``low`` and ``high``, ``flipped``; for classes also
``confidence`` and ``accuracy``, and how far these changed, ``surer`` and ``righter``. The worst
record comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from penstock.evidence import Figure, Series, Table

STRENGTHS = ("mild", "middle", "strong")
NUM_LINES, NUM_BARS = 5, 16
"""Shifts and columns that are drawn, the worst ones."""
UNSHOWN = ("place", "surer", "righter")
Record = dict[str, Any]


class Shift(Protocol):
    """What is read of a modality's stress."""

    @property
    def name(self) -> str:
        """In one word."""

    @property
    def strengths(self) -> tuple[float, float, float]:
        """The mildest first."""

    @property
    def stands_for(self) -> str:
        """What in the world it stands for."""

    @property
    def remedy(self) -> str:
        """What to do where it costs much."""

    def clause(self, column: str, strength: float) -> str:
        """What happens to a column at a strength."""


def table(records: list[Record], name: str, summary: str) -> Table:
    """Every shift and what it costs.

    Parameters
    ----------
    records : list of dict
        As the module says.
    name : str
        The metric.
    summary : str
        How the rows fare without a shift.
    """
    shown = [{k: v for k, v in record.items() if k not in UNSHOWN} for record in records]
    note = (
        f"{summary} A drop above 0 is worse; intervals: 95%, paired bootstrap over rows. flipped:"
        " share of the rows that are decided otherwise (values: that move by more than the radius"
        " of the prediction intervals or, without these, the mean absolute error)."
    )
    return Table.of(f"What each shift costs in {name}", shown, note)


def legend(shifts: Iterable[Shift]) -> Table:
    """What each stress does and stands for."""
    used = {(shift.name, shift.stands_for): shift for shift in shifts}.values()
    rows = [
        {
            "stress": shift.name,
            "at its mildest": shift.clause("the column", shift.strengths[0]),
            "strengths": ", ".join(f"{strength:g}" for strength in shift.strengths),
            "stands for": shift.stands_for,
        }
        for shift in used
    ]
    return Table.of("What the shifts stand for", rows)


def notes(records: list[Record]) -> list[str]:
    """Whether confidence falls where the model gets worse."""
    hurt = [r for r in records if "surer" in r and r["righter"] < 0 and (r["low"] or 0) > 0]
    if not hurt:
        return []
    righter = float(np.mean([record["righter"] for record in hurt]))
    surer = float(np.mean([record["surer"] for record in hurt]))
    told = "says so by its confidence" if surer <= righter / 2 else "stays too sure of itself"
    return [
        f"{len(hurt)} of {len(records)} shifts cost accuracy, shown by their interval: on average"
        f" accuracy changes by {righter:+.3f} and confidence by {surer:+.3f}; under shift the"
        f" model {told}."
    ]


def figures(records: list[Record], name: str) -> dict[str, Figure]:
    """The worst shifts by strength, the worst of each column, confidence against accuracy."""
    known = [record for record in records if np.isfinite(record["drop"])]
    if not known:
        return {}
    figures = {"strengths": _strengths(known, name), "columns": _columns(known, name)}
    if "surer" in known[0]:
        figures["confidence"] = _confidence(known)
    return figures


def _strengths(records: list[Record], name: str) -> Figure:
    """The worst few shifts over their strengths."""
    pairs = list(dict.fromkeys((r["column"], r["stress"]) for r in records))[:NUM_LINES]
    series = []
    for column, stress in pairs:
        here = [r for r in records if (r["column"], r["stress"]) == (column, stress)]
        here.sort(key=lambda record: record["place"])
        series.append(
            Series(
                name=f"{column}, {stress}",
                x=[STRENGTHS[record["place"]] for record in here],
                y=[record["drop"] for record in here],
                low=[record["low"] for record in here],
                high=[record["high"] for record in here],
            )
        )
    return Figure(
        title="The worst shifts by their strength",
        x="strength",
        y=f"drop of {name}",
        series=series,
        note="Above 0 the model is worse than without the shift. Bands: 95%.",
    )


def _columns(records: list[Record], name: str) -> Figure:
    """The worst shift of each column."""
    worst: dict[str, Record] = {}
    for record in records:
        worst.setdefault(record["column"], record)
    bars = list(worst.values())[:NUM_BARS]
    return Figure(
        title="The worst shift of each column",
        x="",
        y=f"drop of {name}",
        series=[
            Series(
                name="drop",
                x=[f"{bar['column']}: {bar['stress']} {bar['strength']:g}" for bar in bars],
                y=[bar["drop"] for bar in bars],
                low=[bar["low"] for bar in bars],
                high=[bar["high"] for bar in bars],
                style="bars",
            )
        ],
        horizontal=True,
        note="The worst of its stresses and strengths, so somewhat too dark. Intervals: 95%.",
    )


def _confidence(records: list[Record]) -> Figure:
    """Change of confidence against change of accuracy."""
    ends = [min(0.0, *(record["righter"] for record in records)), 0.0]
    return Figure(
        title="Does confidence fall with accuracy?",
        x="change of accuracy",
        y="change of confidence",
        series=[
            Series(name="as it should", x=list(ends), y=list(ends), style="dashed"),
            Series(
                name="shifts",
                x=[record["righter"] for record in records],
                y=[record["surer"] for record in records],
                style="points",
            ),
        ],
        note="Above the dashed line the model is surer of itself than it should be.",
    )
