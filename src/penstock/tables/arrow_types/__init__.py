"""Decide the storage type of a raw column over all its rows, and read it into that type.

A column of text is read as what all of its values say together: booleans, integers, numbers
(with thousands separators, currency or percent signs, decimal commas), points in time, or
strings. The decision is taken once, on the distinct values; the reading is then the same for
every batch.

``pa.ChunkedArray`` -> :class:`Reading`
"""

from __future__ import annotations

from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from penstock.tables.arrow_types.levels import (
    MISSING,
    MISSING_NUMBER,
    Levels,
    Read,
    Reading,
    finite,
    levels,
    trimmed,
)
from penstock.tables.arrow_types.numbers import number_reading
from penstock.tables.arrow_types.times import time_reading

LIST_MARK = "|"
"""Stands between the items of a list once it is text, as files without lists write it."""

__all__ = ["MISSING", "MISSING_NUMBER", "Read", "Reading", "count_infinite", "reading", "trimmed"]


def reading(column: pa.ChunkedArray, wanted: str = "auto") -> Reading | None:
    """Decide how a column is read.

    Parameters
    ----------
    column : pa.ChunkedArray
        All rows, of any Arrow type.
    wanted : {"auto", "numeric", "timestamp", "text"}
        ``numeric`` and ``timestamp`` are tried whatever share of the values parses; ``text``
        keeps strings.

    Returns
    -------
    Reading or None
        None when no modality can use this type (structs, maps, nested lists).

    Examples
    --------
    >>> found = reading(pa.chunked_array([["$1,200", "$3", "NA", "$45.50"]]))
    >>> found.read(pa.chunked_array([["$1,200", "$3", "NA", "$45.50"]])).to_pylist()
    [1200.0, 3.0, None, 45.5]
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        inner = reading(pc.cast(column, kind.value_type), wanted)
        return inner and _after(partial(pc.cast, target_type=kind.value_type), inner)
    if _is_string(kind):
        return _text_reading(column, wanted)
    if pa.types.is_null(kind):
        return Reading(pa.string(), partial(pc.cast, target_type=pa.string()), {})
    if pa.types.is_boolean(kind):
        return Reading(kind, _same, {})
    if pa.types.is_integer(kind):
        return _integer_reading(column, wanted)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Reading(pa.float64(), finite, {})
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        target = pa.timestamp("us", "UTC" if getattr(kind, "tz", None) else None)
        return Reading(target, partial(pc.cast, target_type=target, safe=False), {})
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return Reading(pa.float64(), _seconds, {}, "in seconds")
    return _container_reading(kind)


def _container_reading(kind: pa.DataType) -> Reading | None:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if _is_string(kind.value_type):
            return Reading(pa.string(), _joined, {}, f"a list, joined by {LIST_MARK}")
        return None
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        if _is_binary(kind.field("bytes").type):
            return Reading(pa.binary(), _bytes_field, {}, "the bytes of a struct")
        return None
    if _is_binary(kind):
        return Reading(pa.binary(), partial(pc.cast, target_type=pa.binary()), {})
    return None


def count_infinite(column: pa.ChunkedArray) -> int:
    """Number of infinite values of a column of floats; 0 for any other type."""
    if not pa.types.is_floating(column.type):
        return 0
    return int(pc.sum(pc.is_inf(column)).as_py() or 0)


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _same(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column


def _after(first: Read, then: Reading) -> Reading:
    return Reading(then.arrow_type, lambda column: then.read(first(column)), then.tokens, then.why)


def _seconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    units = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
    width = pa.int32() if pa.types.is_time32(column.type) else pa.int64()
    return pc.divide(pc.cast(pc.cast(column, width), pa.float64()), units[column.type.unit])


def _joined(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join(pc.cast(column, pa.list_(pa.string())), LIST_MARK)


def _bytes_field(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(pc.struct_field(column, "bytes"), pa.binary())


def _integer_reading(column: pa.ChunkedArray, wanted: str) -> Reading:
    if wanted == "timestamp":
        return _epoch_reading(column)
    largest = pc.max(column).as_py()
    fits = largest is None or largest < 2**63
    target = pa.int64() if fits else pa.float64()
    return Reading(target, partial(pc.cast, target_type=target, safe=False), {})


def _epoch_reading(column: pa.ChunkedArray) -> Reading:
    """Integers as time since 1970, in the unit that puts the largest one before 2300."""
    largest = pc.max(pc.abs(pc.cast(column, pa.int64()))).as_py() or 0
    unit = next((u for u, top in (("s", 1e10), ("ms", 1e13), ("us", 1e16)) if largest < top), "ns")

    def read(part: pa.ChunkedArray) -> pa.ChunkedArray:
        since = pc.cast(pc.cast(part, pa.int64()), pa.timestamp(unit))
        return pc.cast(since, pa.timestamp("us"), safe=False)

    return Reading(pa.timestamp("us"), read, {}, f"{unit} since 1970")


def _text_reading(column: pa.ChunkedArray, wanted: str) -> Reading:
    words = Reading(pa.string(), trimmed, {})
    if wanted == "text":
        return words
    found = levels(trimmed(column, MISSING_NUMBER))
    if not len(found.values):
        return words
    force = wanted in ("numeric", "timestamp")
    if not force and (booleans := _boolean_reading(found)):
        return booleans
    if wanted != "timestamp" and (numbers := number_reading(found, force)):
        return numbers
    if wanted != "numeric" and (times := time_reading(found, force)):
        return times
    return words


def _boolean_reading(found: Levels) -> Reading | None:
    words = {str(value).lower() for value in found.values.to_pylist()[:9]}
    if len(found.values) > 8 or not (words <= {"true", "false"} or words == {"t", "f"}):
        return None
    yes = pa.array(["true", "t"])

    def read(column: pa.ChunkedArray) -> pa.ChunkedArray:
        values = trimmed(column, MISSING_NUMBER)
        marked = pc.is_in(pc.utf8_lower(values), value_set=yes)
        return pc.if_else(pc.is_valid(values), marked, pa.scalar(None, pa.bool_()))

    return Reading(pa.bool_(), read, {})
