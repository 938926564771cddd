"""Cut what a column holds into a few slices of rows, each with a name that a person reads at once.

Numbers are cut at quantiles of the rows themselves, so that every slice has rows enough; names are
slices as they stand.

values of a view -> :class:`Cut`
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NUM_BINS = 5
"""Slices of a view of numbers; distinct values, where there are no more, are slices by themselves
(house choice)."""
ROWS_A_BIN = 140
"""With fewer rows than that for each slice there are fewer slices, but two (house choice: by
lot each half of 140 rows has the 50 that are asked for, but once in two thousand times)."""
MOST_DISTINCT = 0.5
"""Names by row from which on a view is no grouping (house choice)."""
MAX_LEVELS = 24
"""Most names of a view, the most frequent ones (house choice: a day has its hours)."""
LONGEST_NAME = 60
MISSING = "(missing)"
SMALL, LARGE = 1e-4, 1e12
"""Numbers below and from which on powers of ten are written (house choice)."""
SHARES = {0.5: "half", 0.33: "third", 0.25: "quarter", 0.2: "fifth"}


@dataclass(frozen=True)
class Said:
    """How the numbers of a view are said to a person.

    Attributes
    ----------
    lowest, highest : str
        The first and the last of several slices.
    unit : str
        Behind each number.
    date : bool
        Whether they are days since 1970.
    """

    lowest: str = "lowest"
    highest: str = "highest"
    unit: str = ""
    date: bool = False

    def number(self, value: float, digits: int = 3) -> str:
        """One number, without its unit; a whole one in full.

        Examples
        --------
        >>> Said().number(-41.26), Said().number(2071.4), Said().number(12345.0)
        ('-41.3', '2070', '12345')
        >>> Said(date=True).number(0.5)
        '1970-01-01 12:00'
        """
        if self.date:
            moment = str(np.datetime64(round(value * 86_400), "s"))
            return moment[:-9] if value == int(value) else moment[:-3].replace("T", " ")
        if value == int(value) and abs(value) < LARGE:
            return f"{value:.0f}"
        if not SMALL <= abs(value) < LARGE:
            return f"{value:.{digits}g}"
        return np.format_float_positional(
            value, precision=digits, unique=False, fractional=False, trim="-"
        )


@dataclass(frozen=True)
class Cut:
    """How a view makes slices.

    Attributes
    ----------
    label : str
        Column and view, as a person says them.
    names : list of str
        Of the slices by code, behind the label; the last one is of missing values.
    edges : float64[k], optional
        Inner bounds, ascending, of numbers: a slice holds its upper bound.
    levels : list of str
        The slices of names.
    of_missing : str
        The label of missing values: the column, where these are all that the view misses.
    """

    label: str
    names: list[str]
    edges: NDArray[np.float64] | None
    levels: list[str]
    of_missing: str = ""

    @classmethod
    def of(cls, values: pa.Array, label: str, said: Said, of_missing: str = "") -> Cut:
        """From ``float64[n]`` or ``string[n]``; missing values may be said of something else."""
        if pa.types.is_floating(values.type):
            edges, names = _ranges(_known(values), said)
            return cls(label, [*names, f"= {MISSING}"], edges, [], of_missing or label)
        levels = _levels(values)
        names = [f"= {_short(level)}" for level in levels]
        return cls(label, [*names, f"= {MISSING}"], None, levels, of_missing or label)

    def codes(self, values: pa.Array) -> NDArray[np.int64]:
        """Slice of each value, ``int64[n]``; -1 where it is in none.

        Examples
        --------
        >>> ages = pa.array([1.0, 2.0, None, 3.0])
        >>> cut = Cut.of(ages, "age", Said())
        >>> cut.codes(ages).tolist(), cut.names
        ([0, 1, 3, 2], ['= 1', '= 2', '= 3', '= (missing)'])
        """
        last = len(self.names) - 1
        if self.edges is None:
            found = pc.index_in(values, pa.array(self.levels, values.type)).fill_null(-1)
            place, there = found.to_numpy(zero_copy_only=False), values.is_valid()
            known = there.to_numpy(zero_copy_only=False)
        else:
            numbers = _numbers(values)
            place, known = np.searchsorted(self.edges, numbers), np.isfinite(numbers)
        return np.where(known, place, last).astype(np.int64)

    def said(self, code: int) -> str:
        """The name of a slice."""
        return f"{self.whose(code)} {self.names[code]}"

    def clause(self, code: int) -> str:
        """What holds of the rows of a slice."""
        return f"{self.whose(code)} is {self.names[code].removeprefix('= ')}"

    def whose(self, code: int) -> str:
        """The label of a slice."""
        return self.of_missing if code == len(self.names) - 1 else self.label


def _ranges(values: NDArray[np.float64], said: Said) -> tuple[NDArray[np.float64], list[str]]:
    """Inner bounds, and the names of the slices from the least to the largest value in each."""
    ordered, size = np.sort(values), len(values)
    if not size:
        return ordered, []
    starts = np.flatnonzero(np.diff(ordered)) + 1  # of distinct values, but for the first
    few = len(starts) < NUM_BINS
    if not few:
        count = int(np.clip(size // ROWS_A_BIN, 2, NUM_BINS))
        bounds = ordered[np.ceil(np.arange(1, count) / count * size).astype(np.int64) - 1]
        starts = np.unique(np.searchsorted(ordered, bounds, side="right"))
        starts = starts[starts < size]
    cuts = [0, *starts.tolist(), size]
    names = _spelled([(ordered[start], ordered[stop - 1]) for start, stop in pairwise(cuts)], said)
    if not few:
        names[0] += f" ({said.lowest} {_share(cuts[1] / size)})"
        names[-1] += f" ({said.highest} {_share(1 - cuts[-2] / size)})"
    return ordered[starts - 1], names


def _spelled(ends: list[tuple[float, float]], said: Said) -> list[str]:
    """Each from its least to its largest value, in as few digits as tell these two apart."""
    for digits in range(3, 18):
        told = [(said.number(low, digits), said.number(high, digits)) for low, high in ends]
        if all(a != b for (a, b), (low, high) in zip(told, ends, strict=True) if low < high):
            break
    return [
        (f"= {a}" if low == high else f"{a} to {b}") + said.unit
        for (a, b), (low, high) in zip(told, ends, strict=True)
    ]


def _share(share: float) -> str:
    """As a word where there is one.

    Examples
    --------
    >>> _share(0.1996), _share(0.37)
    ('fifth', '37%')
    """
    for known, word in SHARES.items():
        if abs(share - known) < 0.01:
            return word
    return f"{share:.0%}"


def _levels(values: pa.Array) -> list[str]:
    """The most frequent names; none where they name rows, not groups."""
    counts = pc.value_counts(values.drop_null())
    if len(counts) > MOST_DISTINCT * len(values):
        return []
    order = np.argsort(-counts.field("counts").to_numpy(), kind="stable")[:MAX_LEVELS]
    levels: list[str] = counts.field("values").take(pa.array(order)).to_pylist()
    return levels


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _known(values: pa.Array) -> NDArray[np.float64]:
    numbers = _numbers(values)
    return numbers[np.isfinite(numbers)]


def _numbers(values: pa.Array) -> NDArray[np.float64]:
    """``float64[n]``, nan where missing."""
    found: NDArray[np.float64] = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return found
