"""Small summaries of a column that can be added: what a month was like, from what its days were.

A sketch has a frame (bin edges, or names of levels), learnt once from reference rows, and
counts. Two sketches of one frame are merged by adding; so later rows are sketched in the
reference's frame, window by window, and compared without the rows.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from penstock.evidence import Frozen, Number

NUM_BINS = 20
"""Bins of a column of numbers (house choice: each then holds a twentieth of the rows)."""
MAX_LEVELS = 50
"""Most levels with a count of their own, the most frequent ones (house choice)."""
MAX_NAME = 200
"""A level with a longer name counts among the others (house choice)."""


class Numbers(Frozen):
    """What a column of numbers was like.

    Attributes
    ----------
    edges : list of float
        Ascending. Bin ``i`` holds the values above ``edges[i - 1]`` and up to ``edges[i]``; the
        first and the last bin are open.
    counts : list of int
        One more than edges.
    missing : int
        Nulls, nan and infinities.
    low, high, mean : float or None
        Of the values; None without any.
    squares : float
        Sum of squared deviations from the mean: variance times the number of values.
    """

    kind: Literal["numbers"] = "numbers"
    edges: list[float]
    counts: list[int]
    missing: int = Field(ge=0)
    low: Number = None
    high: Number = None
    mean: Number = None
    squares: float = 0.0

    @property
    def num_values(self) -> int:
        """Values that were counted."""
        return sum(self.counts)

    @property
    def variance(self) -> float:
        """Mean squared deviation; 0 without values."""
        return self.squares / self.num_values if self.num_values else 0.0

    def of(self, values: pa.Array) -> Numbers:
        """A sketch of other values in the same frame."""
        return _numbers(values, self.edges)

    def merged(self, other: Numbers) -> Numbers:
        """The sketch of the rows of both.

        Mean and squares by Chan, Golub and LeVeque (1979).

        Raises
        ------
        ValueError
            When the frames differ.
        """
        if self.edges != other.edges:
            raise ValueError("sketches of different edges cannot be merged")
        a, b = self.num_values, other.num_values
        if not a or not b:
            full, missing = (self if a else other), self.missing + other.missing
            return full.model_copy(update={"missing": missing})
        assert self.mean is not None and other.mean is not None
        apart = other.mean - self.mean
        return Numbers(
            edges=self.edges,
            counts=[x + y for x, y in zip(self.counts, other.counts, strict=True)],
            missing=self.missing + other.missing,
            low=min(self.low, other.low),  # type: ignore[type-var]
            high=max(self.high, other.high),  # type: ignore[type-var]
            mean=self.mean + apart * b / (a + b),
            squares=self.squares + other.squares + apart**2 * a * b / (a + b),
        )


class Levels(Frozen):
    """What a column of names was like.

    Attributes
    ----------
    levels : list of str
        With a count of their own, sorted.
    counts : list of int
        As many as levels.
    other, missing : int
        Rows of any other level; rows of none.
    num_distinct : int
        Levels that the reference rows had; part of the frame.
    """

    kind: Literal["levels"] = "levels"
    levels: list[str]
    counts: list[int]
    other: int = Field(ge=0)
    missing: int = Field(ge=0)
    num_distinct: int = Field(ge=0)

    def of(self, values: pa.Array) -> Levels:
        """A sketch of other values in the same frame."""
        return _levels(values, self.levels, self.num_distinct)

    def merged(self, other: Levels) -> Levels:
        """The sketch of the rows of both; ValueError when the frames differ."""
        if self.levels != other.levels:
            raise ValueError("sketches of different levels cannot be merged")
        return Levels(
            levels=self.levels,
            counts=[x + y for x, y in zip(self.counts, other.counts, strict=True)],
            other=self.other + other.other,
            missing=self.missing + other.missing,
            num_distinct=self.num_distinct,
        )


def learn(values: pa.Array, num_bins: int = NUM_BINS) -> Numbers | Levels:
    """A sketch whose frame is made from these values.

    Numbers: a bin for each value where these are few, else bins of equal row count. Text: the
    most frequent levels.

    Examples
    --------
    >>> learn(pa.array([1.0, 2.0, 2.0, None])).counts
    [1, 2]
    >>> learn(pa.array(["a", "b", "a", None])).counts
    [2, 1]
    """
    if pa.types.is_string(values.type):
        counts = pc.value_counts(values.drop_null())
        names = counts.field("values").to_pylist()
        numbers = counts.field("counts").to_numpy()
        ranked = sorted(zip(-numbers, names, strict=True))
        kept = [name for _, name in ranked if len(name) <= MAX_NAME][:MAX_LEVELS]
        return _levels(values, sorted(kept), len(names))
    known = _finite(values)
    distinct = np.unique(known)
    if len(distinct) > num_bins:
        levels = np.linspace(0, 1, num_bins + 1)[1:-1]
        distinct = np.unique(np.quantile(known, levels, method="inverted_cdf"))
        return _numbers(values, distinct.tolist())
    return _numbers(values, distinct[:-1].tolist())


def within(values: pa.Array, edges: list[float]) -> Numbers:
    """A sketch of numbers in bins that are given."""
    return _numbers(values, edges)


def read(value: dict[str, Any]) -> Numbers | Levels:
    """A sketch from its JSON."""
    kind = Levels if value["kind"] == "levels" else Numbers
    return kind.model_validate(value)


def _numbers(values: pa.Array, edges: list[float]) -> Numbers:
    known = _finite(values)
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    missing = len(values) - len(known)
    if not len(known):
        return Numbers(edges=edges, counts=counts.tolist(), missing=missing)
    mean = float(known.mean())
    return Numbers(
        edges=edges,
        counts=counts.tolist(),
        missing=missing,
        low=float(known.min()),
        high=float(known.max()),
        mean=mean,
        squares=float(np.square(known - mean).sum()),
    )


def _levels(values: pa.Array, levels: list[str], num_distinct: int) -> Levels:
    places = pc.index_in(values, pa.array(levels, pa.string()), skip_nulls=True)
    found = places.drop_null().to_numpy()
    counts = np.bincount(found, minlength=len(levels)).tolist()
    other = len(values) - values.null_count - len(found)
    return Levels(
        levels=levels,
        counts=counts,
        other=other,
        missing=values.null_count,
        num_distinct=num_distinct,
    )


def _finite(values: pa.Array) -> NDArray[np.float64]:
    """Finite values, cut where their squares would overflow."""
    raw = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    known: NDArray[np.float64] = raw[np.isfinite(raw)].clip(-1e150, 1e150)
    return known
