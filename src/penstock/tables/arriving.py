"""Read later rows into the types that a model was trained on, whatever has become of them.

Scoring refuses a column that is absent or no longer what it was; monitoring is to find it. So
here what cannot be read is missing, and counted.

raw column, its place in the layout -> typed column
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BadInput
from penstock.records import Column
from penstock.tables import arrow_types
from penstock.tables.rereading import Rereader, stored


def read_as(raw: pa.ChunkedArray, column: Column) -> tuple[pa.ChunkedArray, int]:
    """A column in the type of the layout.

    Parameters
    ----------
    raw : pa.ChunkedArray
        As the source gives it; text formats give text.
    column : Column
        What the model was trained on.

    Returns
    -------
    pa.ChunkedArray
        Null where there is nothing, or nothing that can be read.
    int
        Values that could not be read.

    Examples
    --------
    >>> age = Column(name="age", modality="numeric", arrow_type="int64")
    >>> typed, num_unread = read_as(pa.chunked_array([["41", "x", None]]), age)
    >>> typed.to_pylist(), num_unread
    ([41.0, None, None], 1)
    """
    reader = Rereader(column)
    try:
        return reader.read(raw), reader.num_unread
    except BadInput:
        known = len(raw) - _num_missing(raw)
        return absent(column, len(raw)), known


def absent(column: Column, num_rows: int) -> pa.ChunkedArray:
    """A column that is not there: nothing in each row."""
    return pa.chunked_array([pa.nulls(num_rows, stored(column))])


def read_freely(raw: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column that no layout knows, as all its values say together."""
    found = arrow_types.reading(raw)
    return raw if found is None else found.read(raw)


def spelled(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Values as text, so that 1, 1.0 and "1" are one name.

    Examples
    --------
    >>> spelled(pa.array([1.0, None])).to_pylist()
    ['1', None]
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    whole = pa.types.is_floating(array.type)
    if whole and pc.all(pc.equal(array, pc.floor(array))).as_py() is not False:
        array = array.cast(pa.int64(), safe=False)
    return array.cast(pa.string())


def _num_missing(raw: pa.ChunkedArray) -> int:
    """Nulls, and words for nothing."""
    if pa.types.is_string(raw.type) or pa.types.is_large_string(raw.type):
        return int(arrow_types.trimmed(raw, arrow_types.MISSING_NUMBER).null_count)
    return int(raw.null_count)
