"""The loss in each slice of the test rows, for a person: a page of them, and one view as bars.

Where each view cuts the rows, losses -> Table, Figure
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Figure, Series, Table
from penstock.measure.slices import MIN_ROWS, Means, Sliced

MOST_SHOWN = 25
"""Slices in the table (house choice: what fits on a page)."""


def table(found: Sequence[Sliced], losses: NDArray[np.floating]) -> Table:
    """Slices with their losses, those that are shown to be worst first."""
    overall = float(losses.mean(dtype=np.float64))
    least = min(0.0, float(losses.min()))
    records: dict[str, dict[str, Any]] = {}
    for one in found:
        means = Means.of(one.codes, losses, len(one.cut.names))
        for code in np.flatnonzero(means.rows).tolist():
            rows, mean = int(means.rows[code]), float(means.mean[code])
            part = one.cut.names[code].removeprefix("= ")
            record: dict[str, Any] = {"column": one.cut.whose(code), "slice": part, "rows": rows}
            low, high = float(means.low[code]), float(means.high[code])
            record |= {"loss": mean, "low": max(least, low), "high": high}
            rise = f"{mean / overall - 1:+.0%}" if overall else ""
            record["against all"] = rise if rows >= MIN_ROWS else "insufficient"
            records.setdefault(one.cut.said(code), record)
    ranked = sorted(
        records.values(),
        key=lambda one: (
            one["against all"] == "insufficient",
            one["low"] <= overall,
            -one["low"] if one["low"] > overall else -one["loss"],
        ),
    )
    few = sum(record["against all"] == "insufficient" for record in ranked)
    note = (
        f"The mean loss of all test rows is {overall:.4g}. Those whose 95% interval lies above"
        f" it stand first, by its low end, then others by their loss. Of {len(ranked)} slices some"
        " look weak by chance: the check weak_slice measures one on rows that did not choose it."
    )
    note += f" {few} have fewer than {MIN_ROWS} rows." if few else ""
    left = len(ranked) - MOST_SHOWN
    note += f" The {left} at the end are not shown." if left > 0 else ""
    return Table.of("Loss by slice", ranked[:MOST_SHOWN], note)


def figure(one: Sliced, losses: NDArray[np.floating]) -> Figure:
    """The loss in each slice of one view, and in all rows."""
    means = Means.of(one.codes, losses, len(one.cut.names))
    codes: list[int] = np.flatnonzero(means.rows >= MIN_ROWS).tolist()
    if one.cut.edges is None:
        codes.sort(key=lambda code: -means.mean[code])
    every = Means.of(np.zeros(len(losses), dtype=np.int64), losses, 1)
    bars = [(one.cut.names[code].removeprefix("= "), means, code) for code in codes]
    bars.append(("all rows", every, 0))
    least = min(0.0, float(losses.min()))
    return Figure(
        title=f"Loss by {one.cut.label}",
        x="",
        y="mean loss",
        series=[
            Series(
                name="mean loss",
                x=[name for name, _, _ in bars],
                y=[float(found.mean[code]) for _, found, code in bars],
                low=[max(least, float(found.low[code])) for _, found, code in bars],
                high=[float(found.high[code]) for _, found, code in bars],
                style="bars",
            )
        ],
        horizontal=True,
        note=f"Of test rows, with 95% intervals; slices of {MIN_ROWS} rows or more.",
    )
