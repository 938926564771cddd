"""A table as one matrix of floats, for the models that read nothing else.

Numbers stay numbers, timestamps become seconds, every other column becomes codes of the levels
that the training rows hold. Images and sounds are left out. Nulls stay missing (NaN).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from penstock.chunks import digested
from penstock.records import Layout

MAX_LEVELS = 254
"""Most levels with a code of their own; all others share one more. scikit-learn's histogram
boosting reads at most 255 codes of a category."""

UNREAD = "binary"
"""Type of the columns that no matrix holds: content of files."""


class MatrixColumn(BaseModel):
    """What one column of the matrix learnt.

    Attributes
    ----------
    name : str
        The column of the table.
    kind : {"number", "time", "level"}
        How its values become floats.
    levels : list of str
        ``level`` only: the levels in code order, the most frequent first.
    pooled : bool
        Whether the training rows hold more levels than have a code: then all others, unseen
        ones too, share the code ``len(levels)``. Otherwise an unseen level is missing.
    """

    name: str
    kind: Literal["number", "time", "level"]
    levels: list[str] = []
    pooled: bool = False


class Matrix(BaseModel):
    """Learnt from training rows, applied to any rows of the same layout; JSON all through.

    Attributes
    ----------
    columns : list of MatrixColumn
        One for each column of the matrix, in the order of the layout.
    """

    columns: list[MatrixColumn]

    @classmethod
    def learn(cls, table: pa.Table, layout: Layout) -> Matrix:
        """Learn the levels from training rows.

        Parameters
        ----------
        table : pa.Table
            Training rows with the feature columns of ``layout``.
        layout : Layout
            Whose features become columns; images and sounds do not.

        Examples
        --------
        >>> from penstock.records import Column
        >>> layout = Layout(target="y", task="classification", columns=[
        ...     Column(name="a", modality="numeric", arrow_type="int64"),
        ...     Column(name="b", modality="category", arrow_type="string")])
        >>> matrix = Matrix.learn(pa.table({"a": [1, 2, None], "b": ["v", "u", "u"]}), layout)
        >>> matrix.apply(pa.table({"a": [5, None], "b": ["v", "new"]})).tolist()
        [[5.0, 1.0], [nan, nan]]
        >>> matrix.categorical
        [False, True]
        """
        read = [column for column in layout.features if column.arrow_type != UNREAD]
        return cls(
            columns=[_learn(table[column.name], column.name, column.modality) for column in read]
        )

    @property
    def names(self) -> list[str]:
        """Name of each column of the matrix."""
        return [column.name for column in self.columns]

    @property
    def categorical(self) -> list[bool]:
        """Whether each column of the matrix holds codes without order."""
        return [column.kind == "level" for column in self.columns]

    def apply(self, table: pa.Table) -> np.ndarray:
        """Encode rows.

        Parameters
        ----------
        table : pa.Table
            ``n`` rows with all columns that were learnt.

        Returns
        -------
        float64[n, d]
            Finite or NaN; NaN is missing (null, infinite, or a level never seen).
        """
        values = np.empty((table.num_rows, len(self.columns)), order="F")
        for position, column in enumerate(self.columns):
            values[:, position] = _apply(table[column.name], column)
        return values


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Any column as text, nulls kept; a list's items are joined by ``|``.

    Examples
    --------
    >>> as_text(pa.chunked_array([[1, None]])).to_pylist()
    ['1', None]
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_text(column.cast(kind.value_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lists = column.cast(pa.list_(pa.string()))
        return pc.binary_join(lists, "|").cast(pa.large_string())
    if pa.types.is_null(kind) or not _casts_to_text(kind):
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.large_string())])
    return column.cast(pa.large_string())


def as_seconds(column: pa.ChunkedArray) -> np.ndarray:
    """A temporal column as seconds since its origin, ``float64[n]``; null is NaN."""
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s"))
    elif pa.types.is_time(kind):
        column = column.cast(pa.time64("ns")).cast(pa.int64()).cast(pa.duration("ns"))
    unit = column.type.unit
    ticks = column.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy()
    return ticks / {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]


def codes_of(column: pa.ChunkedArray) -> np.ndarray:
    """Number of each value in order of first appearance, ``int64[n]``; -1 is null.

    Examples
    --------
    >>> codes_of(pa.chunked_array([["b", "a", None, "b"]])).tolist()
    [0, 1, -1, 0]
    """
    if pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type):
        column = as_text(column)
    encoded = digested(column).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.fill_null(-1).cast(pa.int64()).to_numpy()


def _casts_to_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_primitive(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    )


def _learn(column: pa.ChunkedArray, name: str, modality: str) -> MatrixColumn:
    kind = column.type
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind) and modality != "category":
        return MatrixColumn(name=name, kind="time")
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if is_number and modality != "category":
        return MatrixColumn(name=name, kind="number")
    counts = pc.value_counts(as_text(column).drop_null())
    levels = sorted(
        zip(counts.field("counts").to_pylist(), counts.field("values").to_pylist(), strict=True),
        key=lambda pair: (-pair[0], pair[1]),
    )
    kept = [level for _, level in levels[:MAX_LEVELS]]
    return MatrixColumn(name=name, kind="level", levels=kept, pooled=len(levels) > MAX_LEVELS)


def _apply(column: pa.ChunkedArray, state: MatrixColumn) -> np.ndarray:
    if state.kind == "time":
        return as_seconds(column)
    if state.kind == "number":
        numbers = column.cast(pa.float64(), safe=False).to_numpy()
        return np.where(np.isfinite(numbers), numbers, np.nan)
    texts = as_text(column)
    codes = pc.index_in(texts, value_set=pa.array(state.levels, pa.large_string()))
    if state.pooled:
        codes = pc.if_else(pc.and_(pc.is_null(codes), pc.is_valid(texts)), len(state.levels), codes)
    return codes.cast(pa.float64()).to_numpy()
