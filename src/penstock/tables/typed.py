"""Raw columns in the Arrow types that a model was trained on, as each call to it gives them.

pa.Table, columns of the layout -> pa.Table, or BadInput with every column that cannot be read
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BadInput, Mistake
from penstock.records import Column
from penstock.tables import named_files
from penstock.tables.masking import masked

UNREADABLE = (pa.ArrowInvalid, pa.ArrowNotImplementedError)
"""What Arrow raises where values are not of a type."""


@contextmanager
def noting(mistakes: list[Mistake], rule: str, where: str, remedy: str = "") -> Iterator[None]:
    """Add a column that Arrow cannot read to the mistakes, and go on.

    Examples
    --------
    >>> found = []
    >>> with noting(found, "the column holds numbers", "age"):
    ...     column = pa.array(["x"]).cast(pa.float64())
    >>> found[0].where
    'age'
    """
    try:
        yield
    except UNREADABLE as error:
        mistakes.append(Mistake(rule, str(error).splitlines()[0], where, remedy))


def typed_as(table: pa.Table, wanted: list[Column]) -> pa.Table:
    """These columns of a table in their Arrow types.

    Raises
    ------
    BadInput
        Naming every column that is absent or holds a value that its type cannot; a file that
        is not there, or lies outside the stated root.
    """
    columns: dict[str, pa.ChunkedArray] = {}
    mistakes: list[Mistake] = []
    for column in wanted:
        times = table.column_names.count(column.name)
        if not times and column.optional:
            nothing = pa.nulls(table.num_rows, _arrow_type(column.arrow_type))
            columns[column.name] = pa.chunked_array([nothing])
            continue
        if times != 1:
            found = "it is absent" if not times else f"it stands there {times} times"
            mistakes.append(Mistake("the column is in the input, once", found, column.name))
            continue
        try:
            with noting(mistakes, f"the column holds {column.arrow_type}", column.name):
                typed = _cast(table[column.name], _arrow_type(column.arrow_type), column.name)
                columns[column.name] = masked(typed) if column.masked else typed
        except BadInput as error:
            mistakes += error.mistakes
    if mistakes:
        raise BadInput(mistakes)
    return pa.table(columns)


def _arrow_type(name: str) -> pa.DataType:
    if name.startswith("timestamp"):
        return pa.timestamp("us")
    named = {"bool": pa.bool_(), "binary": pa.binary(), "string": pa.string()}
    return named.get(name) or pa.type_for_alias(name)


def _cast(column: pa.ChunkedArray, wanted: pa.DataType, name: str) -> pa.ChunkedArray:
    """Values in a type, or in a wider one that encoders read as well."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if pa.types.is_integer(wanted) and number:
        return _whole(column)
    if pa.types.is_binary(wanted) and text:
        return pa.chunked_array([named_files.contents(column, name)])
    if pa.types.is_boolean(wanted) and text:
        return _truth(column)
    if pa.types.is_timestamp(wanted) and text:
        return _moments(column)
    return column.cast(wanted, safe=not (number or pa.types.is_timestamp(wanted)))


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as integers if all are whole: pandas and JSON write integers with nulls as floats."""
    if pa.types.is_integer(column.type):
        return column
    fits = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 2.0**63))
    return column.cast(pa.int64()) if pc.all(fits).as_py() is not False else column


def _truth(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as booleans; null where it says neither."""
    words = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    known = pc.is_in(words, value_set=pa.array(["true", "t", "false", "f"], words.type))
    true = pc.is_in(words, value_set=pa.array(["true", "t"], words.type))
    return pc.if_else(known, true, pa.scalar(None, pa.bool_()))


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """ISO 8601 text as points in time; those with a zone in UTC."""
    zoned = pc.match_substring_regex(column, r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$")
    nothing = pa.scalar(None, column.type)
    there = pc.if_else(zoned, column, nothing).cast(pa.timestamp("us", "UTC"))
    here = pc.if_else(zoned, nothing, column).cast(pa.timestamp("us"))
    return pc.coalesce(there.cast(pa.timestamp("us")), here)
