"""The distinct values of a column of text, and what reading it into a type means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null",
)  # fmt: skip
"""What stands for no value in text: pandas' defaults, but for ``None``, see `MISSING_NUMBER`."""

MISSING_NUMBER = (*MISSING, "None")
"""In a column of numbers or times ``None`` is no value; among words it may be a level."""

LEAST_PARSED = 0.95
"""Share of the values that must be numbers, so that the column is (house choice)."""

MOST_TOKENS = 3
LEAST_NUMBERS = 10
"""A column is numeric too when at most so many distinct values are no numbers, such as ``?``
and ``unknown``, and at least so many distinct ones are (house choice)."""

Read = Callable[[pa.ChunkedArray], pa.ChunkedArray]


@dataclass(frozen=True)
class Reading:
    """How a raw column becomes a typed one.

    Attributes
    ----------
    arrow_type : pa.DataType
        bool, int64, double, timestamp[us], string, list<string> or binary.
    read : callable
        From raw rows to typed rows, batch by batch; never fails on a value.
    tokens : dict of str to int
        Values that became null because they are no number or time, and their rows.
    why : str
        What was noticed, when it is not plain.
    """

    arrow_type: pa.DataType
    read: Read
    tokens: dict[str, int]
    why: str = ""


@dataclass(frozen=True)
class Levels:
    """Distinct values of a text column and in how many rows each stands."""

    values: pa.Array
    rows: np.ndarray

    @property
    def num_rows(self) -> int:
        """Rows with a value."""
        return int(self.rows.sum())

    def share(self, mask: pa.Array) -> float:
        """Share of the rows whose value is marked."""
        return float(self.rows[as_mask(mask)].sum() / max(self.num_rows, 1))

    def unmarked(self, mask: pa.Array) -> dict[str, int]:
        """Values that are not marked, most frequent first, and their rows."""
        out = ~as_mask(mask)
        values, rows = self.values.filter(pa.array(out)).to_pylist(), self.rows[out]
        return {values[place]: int(rows[place]) for place in np.argsort(-rows, kind="stable")}


def levels(column: pa.ChunkedArray) -> Levels:
    """Count the distinct values, nulls aside."""
    counts = pc.value_counts(column.drop_null())
    return Levels(
        counts.field("values"), counts.field("counts").to_numpy(zero_copy_only=False).astype(int)
    )


def as_mask(mask: pa.Array) -> np.ndarray:
    """``bool[n]``; null is False."""
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=bool)


def mostly(found: Levels, mask: pa.Array, force: bool) -> bool:
    """Whether the marked values are enough to call the column by them."""
    num_marked = int(as_mask(mask).sum())
    if force:
        return found.share(mask) >= 0.5
    num_tokens = len(found.values) - num_marked
    few_tokens = num_tokens <= MOST_TOKENS and num_marked >= LEAST_NUMBERS
    return num_marked > 0 and (found.share(mask) >= LEAST_PARSED or few_tokens)


def finite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """As doubles, with infinities and NaN as null."""
    values = pc.cast(column, pa.float64())
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))


def trimmed(column: pa.ChunkedArray, missing: tuple[str, ...] = MISSING) -> pa.ChunkedArray:
    """Strings without space around them; missing ones null."""
    values = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    gone = pc.is_in(values, value_set=pa.array(missing, pa.string()))
    return pc.if_else(gone, pa.scalar(None, pa.string()), values)
