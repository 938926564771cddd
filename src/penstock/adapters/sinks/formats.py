"""Tables as Parquet, CSV or JSON lines, batch by batch, a whole column at a time.

In CSV a list is ``a|b`` in one cell, as sources read sets; in JSON lines it is a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from penstock.adapters import endings
from penstock.errors import BadInput, Mistake


class TableFile(Protocol):
    """An open file that takes tables."""

    def write(self, table: pa.Table) -> None:
        """Append rows."""


@contextmanager
def writer_of(path: Path, name: str, schema: pa.Schema) -> Iterator[TableFile]:
    """Open a file for tables of this schema.

    Parameters
    ----------
    path : Path
        Where to write.
    name : str
        The name that the file will have: its ending tells format and compression.
    schema : pa.Schema
        Of every table.
    """
    format_ = endings.FORMATS[endings.ending_of(name)]
    if format_ == "parquet":
        if endings.suffix(name) in endings.COMPRESSIONS:
            raise BadInput(
                Mistake("a Parquet file is compressed inside", name, "--output", "say .parquet")
            )
        with pq.ParquetWriter(path, schema, compression="zstd") as parquet:
            yield _Parquet(parquet)
        return
    with _packed(path, endings.suffix(name)) as file:
        if format_ == "jsonl":
            yield _JsonLines(file)
            return
        delimiter = "\t" if endings.ending_of(name) in (".tsv", ".tab") else ","
        options = pacsv.WriteOptions(delimiter=delimiter)
        plain = flat(schema.empty_table()).schema
        with pacsv.CSVWriter(file, plain, write_options=options) as csv:
            yield _Csv(csv)


def _packed(path: Path, ending: str) -> Any:
    """A file for writing, packed by its ending; the same content gives the same bytes."""
    if ending == ".xz":
        import lzma

        return lzma.open(path, "wb")
    codec = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}.get(ending)
    return pa.CompressedOutputStream(str(path), codec) if codec else path.open("wb")


class _Parquet:
    def __init__(self, parquet: pq.ParquetWriter):
        self._parquet = parquet

    def write(self, table: pa.Table) -> None:
        self._parquet.write_table(table)


class _Csv:
    def __init__(self, csv: pacsv.CSVWriter):
        self._csv = csv

    def write(self, table: pa.Table) -> None:
        self._csv.write_table(flat(table))


class _JsonLines:
    def __init__(self, file: IO[bytes]):
        self._file = file

    def write(self, table: pa.Table) -> None:
        for batch in table.to_batches():
            if batch.num_rows:
                lines = _objects(batch.to_struct_array(), "\n")
                num_bytes = pc.sum(pc.binary_length(lines)).as_py()
                self._file.write(lines.buffers()[2].slice(0, num_bytes))


def flat(table: pa.Table) -> pa.Table:
    """The table with one plain value a cell: lists joined by ``|``, objects as JSON text.

    Examples
    --------
    >>> flat(pa.table({"set": [["a", "b"], None], "n": [1, 2]})).to_pydict()
    {'set': ['a|b', None], 'n': [1, 2]}
    """
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        elif _is_list(field.type):
            column = pc.binary_join(column.cast(pa.list_(pa.string())), "|")
        elif pa.types.is_nested(field.type):
            chunks = [pc.if_else(pc.is_null(c), None, json_text(c)) for c in column.chunks]
            column = pa.chunked_array(chunks, pa.string())
        table = table.set_column(place, field.name, column)
    return table


def json_text(array: pa.Array) -> pa.StringArray:
    """Each value as JSON; what JSON has no number for (NaN, infinity) is null.

    Examples
    --------
    >>> json_text(pa.array(['say "hi"', None])).to_pylist()
    ['"say \\\\"hi\\\\""', 'null']
    >>> json_text(pa.array([[1.5, None], []])).to_pylist()
    ['[1.5,null]', '[]']
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        return json_text(array.dictionary_decode())
    if pa.types.is_boolean(kind):
        text = pc.if_else(array, "true", "false")
    elif pa.types.is_floating(kind):
        text = pc.cast(pc.if_else(pc.is_finite(array), array, None), pa.string())
    elif pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        text = pc.cast(array, pa.string())
    elif _is_list(kind):
        text = _lists(array)
    elif pa.types.is_struct(kind):
        text = pc.if_else(pc.is_null(array), None, _objects(array, ""))
    else:
        text = _quoted(pc.cast(array, pa.string()))
    return pc.fill_null(text, "null")


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _lists(array: pa.Array) -> pa.StringArray:
    array = array.cast(pa.list_(array.type.value_type))
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(array), 0))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    inner = pa.ListArray.from_arrays(offsets, json_text(array.flatten()))
    text = pc.binary_join_element_wise("[", pc.binary_join(inner, ","), "]", "")
    return pc.if_else(pc.is_null(array), None, text)


def _objects(array: pa.StructArray, end: str) -> pa.StringArray:
    parts: list[Any] = []
    for place, (field, values) in enumerate(zip(array.type, array.flatten(), strict=True)):
        name = _quoted(pa.array([field.name]))[0].as_py()
        parts += [f"{',' if place else '{'}{name}:", json_text(values)]
    return pc.binary_join_element_wise(*parts, "}" + end, "")


def _quoted(text: pa.StringArray) -> pa.StringArray:
    """Strings between quotes, with what JSON reserves escaped."""
    text = pc.replace_substring(text, "\\", "\\\\")
    text = pc.replace_substring(text, '"', '\\"')
    if pc.any(pc.match_substring_regex(text, r"[\x00-\x1f]")).as_py():
        for sign in range(32):
            text = pc.replace_substring(text, chr(sign), f"\\u{sign:04x}")
    return pc.binary_join_element_wise('"', text, '"', "")
