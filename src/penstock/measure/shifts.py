"""Shifts that befall a column of any kind: its field is empty, or filled from another row.

A share of the rows is hit. Which rows these are comes from the generator alone, and the rows
of a smaller share are among those of a larger one, so that a stronger shift is the same shift
further on.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.chunks import taken


def hit(num_rows: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows are hit, ``bool[num_rows]``: the nearest whole number to the share, at least one.

    Examples
    --------
    >>> hit(10, 0.3, np.random.default_rng(0)).sum()
    np.int64(3)
    """
    place = rng.permutation(num_rows)
    rows: NDArray[np.bool_] = place < max(1, round(share * num_rows))
    return rows


def emptied(column: pa.ChunkedArray, share: float, rng: np.random.Generator) -> pa.ChunkedArray:
    """The column with a share of its known values gone.

    Examples
    --------
    >>> emptied(pa.chunked_array([["a", "b"]]), 1.0, np.random.default_rng(0)).null_count
    2
    """
    return replaced(column, share, pa.scalar(None, column.type), rng)


def replaced(
    column: pa.ChunkedArray, share: float, value: pa.Scalar, rng: np.random.Generator
) -> pa.ChunkedArray:
    """The column with one value in place of a share of its known values."""
    known = column.is_valid().to_numpy()
    rows = np.zeros(len(column), dtype=bool)
    rows[known] = hit(int(known.sum()), share, rng)
    return pc.if_else(pa.array(rows), value, column)


def exchanged(column: pa.ChunkedArray, share: float, rng: np.random.Generator) -> pa.ChunkedArray:
    """The column with each value of a share of the rows in another row of that share.

    Examples
    --------
    >>> exchanged(pa.chunked_array([["a", "b"]]), 1.0, np.random.default_rng(0)).to_pylist()
    ['b', 'a']
    """
    order = rng.permutation(len(column))[: max(2, round(share * len(column)))]
    source = np.arange(len(column))
    source[order] = np.roll(order, 1)
    return taken(column, source)
