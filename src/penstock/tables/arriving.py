"""Read later rows into the types that a model was trained on, whatever has become of them.

Nothing is refused here: what cannot be read is missing, and counted, because a column that
suddenly cannot be read is exactly what monitoring is to find.

raw column, its place in the layout -> typed column
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from penstock.records import Column
from penstock.tables import arrow_types


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
        Null where there is nothing or nothing that can be read.
    int
        Values that could not be read.

    Examples
    --------
    >>> age = Column(name="age", modality="numeric", arrow_type="int64")
    >>> read_as(pa.chunked_array([["41", "x", None]]), age)[0].to_pylist()
    [41, None, None]
    """
    wanted = type_of(column.arrow_type)
    found = arrow_types.reading(raw, _word(wanted))
    typed = raw if found is None else found.read(raw)
    known = len(raw) - _num_missing(raw)
    try:
        typed = _cast(typed, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        typed = pa.chunked_array([pa.nulls(len(raw), wanted)])
    return typed, max(0, known - (len(typed) - typed.null_count))


def absent(column: Column, num_rows: int) -> pa.ChunkedArray:
    """A column that is not there: nothing in each row."""
    return pa.chunked_array([pa.nulls(num_rows, type_of(column.arrow_type))])


def type_of(name: str) -> pa.DataType:
    """An Arrow type from its name in a layout.

    Examples
    --------
    >>> str(type_of("timestamp[us, tz=UTC]")), str(type_of("list<item: string>"))
    ('timestamp[us, tz=UTC]', 'list<item: string>')
    """
    if name.startswith("timestamp"):
        return pa.timestamp("us", "UTC" if "tz=" in name else None)
    if name.startswith("list"):
        return pa.list_(pa.string())
    named = {"bool": pa.bool_(), "binary": pa.binary(), "string": pa.string()}
    return named.get(name) or pa.type_for_alias(name)


def _word(wanted: pa.DataType) -> str:
    if pa.types.is_integer(wanted) or pa.types.is_floating(wanted):
        return "numeric"
    if pa.types.is_timestamp(wanted):
        return "timestamp"
    return "text" if pa.types.is_string(wanted) else "auto"


def _num_missing(raw: pa.ChunkedArray) -> int:
    """Nulls and words for nothing."""
    if pa.types.is_string(raw.type) or pa.types.is_large_string(raw.type):
        return int(arrow_types.trimmed(raw, arrow_types.MISSING_NUMBER).null_count)
    if pa.types.is_floating(raw.type):
        return int(raw.null_count + (pc.sum(pc.is_nan(raw)).as_py() or 0))
    return int(raw.null_count)


def _cast(typed: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_integer(wanted) and pa.types.is_floating(typed.type):
        whole = pc.equal(typed, pc.floor(typed))
        if pc.all(whole).as_py() is False:  # the column was of whole numbers and is no longer
            return typed
    if pa.types.is_integer(wanted) and pa.types.is_string(typed.type):
        typed = typed.cast(pa.float64())
    if pa.types.is_boolean(wanted) and not pa.types.is_boolean(typed.type):
        return _truth(typed)
    return typed.cast(wanted, safe=False)


def _truth(typed: pa.ChunkedArray) -> pa.ChunkedArray:
    words = pc.utf8_lower(typed.cast(pa.string()))
    yes, no = pa.array(["true", "t", "1"]), pa.array(["false", "f", "0"])
    known = pc.is_in(words, value_set=pa.concat_arrays([yes, no]))
    return pc.if_else(known, pc.is_in(words, value_set=yes), pa.scalar(None, pa.bool_()))
