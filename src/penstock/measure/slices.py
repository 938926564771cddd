"""Where is the model weak? Its loss in each slice of the test rows.

The worst of many slices looks bad by chance, so the one that looks worst on half of the test rows
is measured on the other half. It is looked for by the low end of its interval: the mean of a slice
of few rows is high by luck more often.

Where each view cuts the rows, losses -> Slices
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Check
from penstock.measure.bins import Cut
from penstock.measure.intervals import Z95

MIN_ROWS = 50
"""Fewer rows in a slice say `insufficient` (house choice)."""
MOST_SHARE = 2 / 3
"""A slice of more rows is not the weak one: its loss is about that of all (house choice)."""
HALVES = 0x51CE
"""Drawn apart from whatever else the same seed draws, made-up rows included."""
NEARLY, MOST_EQUAL = 0.75, 2
"""Slices share so much of the rows that either holds; so many of them are named (house choice)."""
ERROR = 0.05
"""Chance that a slice is narrowed down for nothing (house choice)."""


@dataclass(frozen=True)
class Sliced:
    """A view and the rows that it was looked at in.

    Attributes
    ----------
    column, view : str
        Whose values they are.
    cut : Cut
        How it makes slices.
    codes : int64[n]
        Slice of each test row; -1 for none, or not looked at.
    looked_at : int
        Rows that were looked at.
    """

    column: str
    view: str
    cut: Cut
    codes: NDArray[np.int64]
    looked_at: int


@dataclass(frozen=True)
class _Mean:
    """Rows, mean loss and its interval of one slice."""

    rows: int
    mean: float
    low: float
    high: float


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

    def at(self, code: int) -> _Mean:
        """Of one slice."""
        ends = (float(each[code]) for each in (self.mean, self.low, self.high))
        return _Mean(int(self.rows[code]), *ends)


Slice = tuple[Sliced, int]
"""A view and one of its codes."""


@dataclass(frozen=True)
class Worst:
    """The rows that look worst on one half of them, as the other half shows them.

    Attributes
    ----------
    slices : list of (Sliced, int)
        The slice, and another that narrows it down where that is shown.
    tried : int
        Of how many slices that had rows enough the first one was chosen.
    held, inside : bool[n]
        The half that did not choose, and its rows in the slice.
    mean, overall : float
        Mean loss of the latter and of the former.
    rise, low, high : float
        The one over the other, less 1, with its 95% interval.
    """

    slices: list[Slice]
    tried: int
    held: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    mean: float
    overall: float
    rise: float
    low: float
    high: float

    @property
    def said(self) -> str:
        """Its name."""
        return " and ".join(one.cut.said(code) for one, code in self.slices)

    @property
    def clause(self) -> str:
        """What holds of its rows."""
        return " and ".join(one.cut.clause(code) for one, code in self.slices)

    @property
    def share(self) -> float:
        """Of the test rows that were looked at, how many it holds."""
        return float(self.every.sum()) / min(one.looked_at for one, _ in self.slices)

    @property
    def every(self) -> NDArray[np.bool_]:
        """Its rows in both halves, ``bool[n]``."""
        found: NDArray[np.bool_] = np.all([s.codes == code for s, code in self.slices], axis=0)
        return found

    def rise_of(self, losses: NDArray[np.floating]) -> float:
        """The same rise of another model's losses; nan where these are nothing."""
        overall = float(losses[self.held].mean(dtype=np.float64))
        mean = float(losses[self.inside].mean(dtype=np.float64))
        return mean / overall - 1 if overall > 0 else float("nan")

    def check(self, beside: str, remedy: str) -> Check:
        """The check ``weak_slice``; ``beside`` is what else is known of these rows."""
        return Check(
            name="weak_slice",
            stage="evaluate",
            subject=self.said,
            value=self.rise,
            low=self.low,
            high=self.high,
            burden="disprove",
            why=f"Where {self.clause}, the loss is {self.mean:.4g} on {self.inside.sum()} rows:"
            f" {self.rise:+.0%} against {self.overall:.4g} of all rows. It looked worst of"
            f" {self.tried} slices on the other half of the test rows. {beside}".rstrip(),
            remedy=remedy,
        )


def several(found: Sequence[Sliced]) -> list[Sliced]:
    """Those views that make more than one slice."""
    return [one for one in found if np.count_nonzero(np.bincount(one.codes + 1)[1:]) > 1]


def worst(found: Sequence[Sliced], losses: NDArray[np.floating], seed: int) -> Worst | Check:
    """Of those above the mean, the slice with the highest low end on half of the rows, measured
    on the other half.

    Parameters
    ----------
    found : sequence of Sliced
        Views that make slices.
    losses : float[n]
        Loss of each test row.
    seed : int
        Of the halves.
    """
    first = np.random.default_rng([seed, HALVES]).random(len(losses)) < 0.5
    overall = float(losses[~first].mean(dtype=np.float64)) if (~first).any() else 0.0
    if not 0 < overall < np.inf or not np.isfinite(losses).all():
        return _nothing(f"The mean loss is {overall:g}: there is none to compare slices by.")
    everywhere = np.ones(len(losses), dtype=np.bool_)
    usual = float(losses[first].mean(dtype=np.float64))
    tried = [
        one
        for one in _tried(found, losses, everywhere, first)
        if one[0].rows + one[1].rows <= MOST_SHARE * one[2][0].looked_at
    ]
    best = max(tried, key=lambda one: (one[0].mean > usual, one[0].low), default=None)
    if best is None:
        return _nothing(f"No slice of two thirds or less has {MIN_ROWS} test rows in each half.")
    chosen, held, one = best
    parts, inside = [one], one[0].codes == one[1]
    others = [other for other in found if other is not one[0]]
    narrower = _narrower(_tried(others, losses, inside, first), chosen.mean)
    if narrower is not None:
        held, other = narrower
        parts.append(other)
        inside = inside & (other[0].codes == other[1])
    rise, low, high = (end / overall - 1 for end in (held.mean, held.low, held.high))
    return Worst(parts, len(tried), ~first, inside & ~first, held.mean, overall, rise, low, high)


Tried = tuple[_Mean, _Mean, Slice]
"""A slice on the half that chooses, and on the other one."""


def _tried(
    found: Sequence[Sliced],
    losses: NDArray[np.floating],
    inside: NDArray[np.bool_],
    first: NDArray[np.bool_],
) -> Iterator[Tried]:
    """Slices of some rows that have rows enough in both halves."""
    chosen, held = inside & first, inside & ~first
    for one in found:
        size = len(one.cut.names)
        halves = [Means.of(one.codes[part], losses[part], size) for part in (chosen, held)]
        enough = np.minimum(halves[0].rows, halves[1].rows) >= MIN_ROWS
        for code in np.flatnonzero(enough).tolist():
            here, there = (half.at(code) for half in halves)
            yield here, there, (one, code)


def _narrower(tried: Iterator[Tried], mean: float) -> tuple[_Mean, Slice] | None:
    """The slice within a slice that is worst, where its rows are shown to be worse than those of
    the slice by the half that chooses, over all that were tried (Bonferroni)."""
    from scipy.special import ndtri

    every = list(tried)
    width = float(ndtri(1 - ERROR / max(1, len(every)))) / Z95

    def shown(one: Tried) -> float:
        return one[0].mean - width * (one[0].mean - one[0].low)

    best = max(every, key=shown, default=None)
    return (best[1], best[2]) if best is not None and shown(best) > mean else None


def nearly_equal(worst: Worst, found: Sequence[Sliced]) -> list[str]:
    """Slices of other views that hold nearly the rows of the worst one, by their names: which of
    them is the cause, rows alone do not tell."""
    named = {id(one) for one, _ in worst.slices}
    inside = worst.every
    shares: list[tuple[float, str]] = []
    for one in found:
        if id(one) in named:
            continue
        size = len(one.cut.names)
        there = np.bincount(one.codes[one.codes >= 0], minlength=size)
        both = np.bincount(one.codes[inside & (one.codes >= 0)], minlength=size)
        share = both / np.maximum(inside.sum() + there - both, 1)
        code = int(share.argmax())
        shares.append((float(share[code]), one.cut.said(code)))
    equal = sorted((one for one in shares if one[0] >= NEARLY), reverse=True)
    return [said for _, said in equal[:MOST_EQUAL]]


def _nothing(why: str) -> Check:
    return Check(
        name="weak_slice",
        stage="evaluate",
        enough=False,
        burden="disprove",
        why=why,
        remedy="bring more test rows",
    )
