"""Where is the model weak? Its loss in each slice of the test rows.

The worst of many slices looks bad by chance, so the one that looks worst on half of the test rows
is measured on the other half. It is looked for by the low end of its interval: the mean of a slice
of few rows is high by luck more often.

Where each view cuts the rows, losses -> Slices
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Check, Figure, Series, Table
from penstock.measure.bins import Cut
from penstock.measure.intervals import Z95

MIN_ROWS = 50
"""Fewer rows in a slice say `insufficient` (house choice)."""
MOST_SHOWN = 25
"""Slices in the table (house choice: what fits on a page)."""


@dataclass(frozen=True)
class Sliced:
    """A view and the rows that it was looked at in.

    Attributes
    ----------
    cut : Cut
        How it makes slices.
    codes : int64[n]
        Slice of each test row; -1 for none, or not looked at.
    looked_at : int
        Rows that were looked at.
    """

    cut: Cut
    codes: NDArray[np.int64]
    looked_at: int


@dataclass(frozen=True)
class Means:
    """Rows, mean loss and its 95% interval by code: ``int64[k]`` and ``float64[k]``."""

    rows: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, codes: NDArray[np.int64], losses: NDArray[np.floating], size: int) -> Means:
        """Of the rows whose code is not -1; nan where there are too few.

        Examples
        --------
        >>> found = Means.of(np.array([0, 0, 1, -1]), np.array([0.0, 2.0, 5.0, 9.0]), 2)
        >>> found.rows.tolist(), found.mean.tolist(), found.low.round(2).tolist()
        ([2, 1], [1.0, 5.0], [-0.96, nan])
        """
        inside = codes >= 0
        codes, losses = codes[inside], losses[inside].astype(np.float64)
        rows = np.bincount(codes, minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(codes, losses, size) / rows
            squares = np.bincount(codes, (losses - mean[codes]) ** 2, size)
            some = np.where(rows > 1, rows - 1.0, np.nan)
            wide = Z95 * np.sqrt(squares / some / rows)
        return cls(rows, mean, mean - wide, mean + wide)


@dataclass(frozen=True)
class Worst:
    """The slice that looks worst on one half of the rows, as the other half shows it."""

    sliced: Sliced
    code: int
    rows: int
    rise: float
    low: float
    high: float

    @property
    def said(self) -> str:
        """Its name."""
        return self.sliced.cut.said(self.code)

    def check(self, beside: str) -> Check:
        """The check ``weak_slice``; ``beside`` is a sentence more about these rows."""
        return Check(
            name="weak_slice",
            stage="evaluate",
            subject=self.said,
            value=self.rise,
            low=self.low,
            high=self.high,
            burden="disprove",
            why=f"Where {self.said}, the loss is {self.rise:+.0%} against all rows, measured on"
            f" {self.rows} rows that did not choose it.{beside}",
            remedy="bring more rows of this slice, or treat its predictions with care",
        )


def several(found: Sequence[Sliced]) -> list[Sliced]:
    """Those views that make more than one slice."""
    return [one for one in found if len(np.unique(one.codes[one.codes >= 0])) > 1]


def worst(found: Sequence[Sliced], losses: NDArray[np.floating], seed: int) -> Worst | Check:
    """The slice with the highest low end on half of the rows, measured on the other half.

    Parameters
    ----------
    found : sequence of Sliced
        Views that make slices.
    losses : float[n]
        Loss of each test row.
    seed : int
        Of the halves.
    """
    first = np.random.default_rng(seed).random(len(losses)) < 0.5
    overall = float(losses[~first].mean(dtype=np.float64)) if (~first).any() else 0.0
    if not 0 < overall < np.inf or not np.isfinite(losses).all():
        return _nothing(f"The mean loss is {overall:g}: there is none to compare slices by.")
    best: tuple[float, Sliced, int, Means] | None = None
    for one in found:
        size = len(one.cut.names)
        chosen, held = (Means.of(one.codes[part], losses[part], size) for part in (first, ~first))
        enough = (chosen.rows >= MIN_ROWS) & (held.rows >= MIN_ROWS)
        if not enough.any():
            continue
        code = int(np.where(enough, chosen.low, -np.inf).argmax())
        if best is None or chosen.low[code] > best[0]:
            best = float(chosen.low[code]), one, code, held
    if best is None:
        return _nothing(f"No slice has {MIN_ROWS} test rows in each half.")
    _, one, code, held = best
    rise, low, high = (float(ends[code]) / overall - 1 for ends in (held.mean, held.low, held.high))
    return Worst(one, code, int(held.rows[code]), rise, low, high)


def _nothing(why: str) -> Check:
    return Check(
        name="weak_slice",
        stage="evaluate",
        enough=False,
        burden="disprove",
        why=why,
        remedy="bring more test rows",
    )


def table(found: Sequence[Sliced], losses: NDArray[np.floating]) -> Table:
    """Slices with their losses, those that are shown to be worst first."""
    overall = float(losses.mean(dtype=np.float64))
    records: dict[str, dict[str, Any]] = {}
    for one in found:
        means = Means.of(one.codes, losses, len(one.cut.names))
        for code in np.flatnonzero(means.rows).tolist():
            rows, mean = int(means.rows[code]), float(means.mean[code])
            part = one.cut.names[code].removeprefix("= ")
            record: dict[str, Any] = {"column": one.cut.whose(code), "slice": part, "rows": rows}
            record |= {"loss": mean, "low": float(means.low[code]), "high": float(means.high[code])}
            rise = f"{mean / overall - 1:+.0%}" if overall else ""
            record["against all"] = rise if rows >= MIN_ROWS else "insufficient"
            records.setdefault(one.cut.said(code), record)
    ranked = sorted(
        records.values(), key=lambda one: (one["against all"] == "insufficient", -one["low"])
    )
    few = sum(record["against all"] == "insufficient" for record in ranked)
    note = (
        f"The mean loss of all test rows is {overall:.4f}. Ordered by the low ends of the 95%"
        f" intervals. Of {len(ranked)} slices the first look worst by chance too: the check"
        " weak_slice measures one on rows that did not choose it."
    )
    note += f" {few} have fewer than {MIN_ROWS} rows." if few else ""
    left = len(ranked) - MOST_SHOWN
    note += f" The {left} at the end are not shown." if left > 0 else ""
    return Table.of("Loss by slice", ranked[:MOST_SHOWN], note)


def figure(one: Sliced, losses: NDArray[np.floating]) -> Figure:
    """The loss in each slice of one view."""
    means = Means.of(one.codes, losses, len(one.cut.names))
    codes: list[int] = np.flatnonzero(means.rows >= MIN_ROWS).tolist()
    if one.cut.edges is None:
        codes.sort(key=lambda code: -means.mean[code])
    return Figure(
        title=f"Loss by {one.cut.label}",
        x="",
        y="mean loss",
        series=[
            Series(
                name="mean loss",
                x=[one.cut.names[code].removeprefix("= ") for code in codes],
                y=[float(means.mean[code]) for code in codes],
                low=[float(means.low[code]) for code in codes],
                high=[float(means.high[code]) for code in codes],
                style="bars",
            )
        ],
        horizontal=True,
        note=f"Of test rows; all of them: {losses.mean():.4f}. Intervals: 95%. Slices of"
        f" {MIN_ROWS} rows or more.",
    )
