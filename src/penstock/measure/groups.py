"""Groups of people, or of whatever a column tells apart.

A group has a name. Rows without a value are a group of their own, and so are those whose
value nobody had seen when the groups were made.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.records import Grouping

MAX_LEVELS = 20
"""Most groups of a column (house choice: as many levels as an integer target has classes)."""
NUM_BINS = 4
"""Groups of a column of many numbers: quarters of its rows (house choice)."""
MISSING, OTHER = "(missing)", "(other)"


def learn(column: pa.ChunkedArray, name: str) -> Grouping:
    """How a column makes groups.

    Names and up to :data:`MAX_LEVELS` distinct numbers are groups by themselves, the most
    frequent first where there are more; other numbers and times are cut at their quartiles.

    Parameters
    ----------
    column : pa.ChunkedArray
        Of any type that casts to text or to a number.
    name : str
        Of the column.

    Examples
    --------
    >>> learn(pa.chunked_array([["f", "m", "f", None]]), "sex").levels
    ['f', 'm']
    """
    column = _plain(column)
    counts = pc.value_counts(column.drop_null())
    if _is_number(column.type) and len(counts) > MAX_LEVELS:
        values = column.drop_null().to_numpy()
        edges = np.unique(np.quantile(values, np.linspace(0, 1, NUM_BINS + 1)[1:-1]))
        return Grouping(column=name, edges=edges.tolist())
    names = _text(counts.field("values")).to_pylist()
    order = np.argsort(-counts.field("counts").to_numpy(), kind="stable")[:MAX_LEVELS]
    return Grouping(column=name, levels=sorted(names[i] for i in order))


def names_of(grouping: Grouping) -> list[str]:
    """Names of the groups by code: the groups, then other, then missing.

    Examples
    --------
    >>> names_of(Grouping(column="age", edges=[30.0, 50.0]))
    ['up to 30', 'over 30, up to 50', 'over 50', '(other)', '(missing)']
    """
    return [*grouping.levels, *_spans(grouping.edges), OTHER, MISSING]


def codes(column: pa.ChunkedArray, grouping: Grouping) -> NDArray[np.int64]:
    """Group of each row, ``int64[n]``: a position in :func:`names_of`.

    Examples
    --------
    >>> codes(pa.chunked_array([[1.0, 40.0, None]]), Grouping(column="a", edges=[30.0])).tolist()
    [0, 1, 3]
    """
    column = _plain(column)
    count = len(names_of(grouping))
    known = column.is_valid().to_numpy()
    if grouping.edges:
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        place = np.searchsorted(grouping.edges, values, side="left")
    else:
        found = pc.index_in(_text(column), pa.array(grouping.levels, pa.string()))
        place = found.fill_null(count - 2).to_numpy()
    return np.where(known, place, count - 1).astype(np.int64)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as text or numbers; times as numbers; nan is missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    if _is_number(column.type):
        column = column.cast(pa.float64(), safe=False)
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, pa.float64()))
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    return column


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _text(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Names as they are shown: whole numbers without a point, however they were stored."""
    if pa.types.is_floating(values.type) and pc.all(pc.equal(values, pc.floor(values))).as_py():
        values = values.cast(pa.int64(), safe=False)
    return values.cast(pa.string())


def _spans(edges: list[float]) -> list[str]:
    if not edges:
        return []
    shown = [f"{edge:.6g}" for edge in edges]
    inner = [f"over {a}, up to {b}" for a, b in pairwise(shown)]
    return [f"up to {shown[0]}", *inner, f"over {shown[-1]}"]
