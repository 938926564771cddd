"""Parquet files: typed columns, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.adapters.sources import files
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock.ports import Progress

BATCH_ROWS, FILE_ROWS = 65_536, 256
"""Rows in one batch, without and with a column of files' content (house choice)."""


class ParquetSource(files.TableFiles):
    """Rows of one or more Parquet files; see :class:`penstock.ports.Source`.

    Only footers and the pages that are asked for travel from a server that knows ranges.
    Folders named ``key=value`` are a column ``key``, as other engines write and read them.
    """

    def __init__(self, found: files.Found):
        looked = found.each(partial(_footer, found), lambda footer: footer[0].names)
        self._num_rows = sum(num_rows for _, num_rows in looked)
        if self._num_rows == 0:
            raise BadInput(Mistake("a source holds rows", "no row", found.source, "add the rows"))
        super().__init__(found, _one_schema([schema for schema, _ in looked], found), "Parquet")

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """Rows with the types of :attr:`schema`.

        Raises
        ------
        BadInput
            When a page inside a file is damaged.
        """
        done = 0
        most = FILE_ROWS if any(map(_holds_bytes, self.schema.types)) else BATCH_ROWS
        for name in self._found.names:
            with _parquet(self._found, name) as file:
                for batch in file.iter_batches(batch_size=most):
                    done += batch.num_rows
                    yield _as(batch, self.schema, partitions(name))
                    if progress:
                        progress(done, self._num_rows, "rows")


def _holds_bytes(kind: pa.DataType) -> bool:
    """Whether values may be large: bytes, alone or in a struct."""
    if pa.types.is_struct(kind):
        return any(_holds_bytes(field.type) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


@contextmanager
def _parquet(found: files.Found, name: str) -> Iterator[pq.ParquetFile]:
    """Open a file; BadInput when it, or the page that is read, is damaged."""
    try:
        with found.place.open(name, anywhere=True) as raw, pq.ParquetFile(raw) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise BadInput(_not_parquet(name, found.size(name), error)) from error


def _footer(found: files.Found, name: str) -> tuple[pa.Schema, int]:
    """The columns and number of rows of a file."""
    with _parquet(found, name) as file:
        schema = file.schema_arrow.remove_metadata()
        num_rows = file.metadata.num_rows
    mistakes = files.repeated(schema.names, name)
    if mistakes:
        raise BadInput(mistakes)
    for key in partitions(name):
        if key not in schema.names:
            schema = schema.append(pa.field(key, pa.string()))
    return schema, num_rows


def partitions(name: str) -> dict[str, str]:
    """What the folders of a path say as ``key=value``.

    Examples
    --------
    >>> partitions("window=2024-01/part.parquet")
    {'window': '2024-01'}
    """
    pairs = (folder.partition("=") for folder in name.split("/")[:-1])
    return {unquote(key): unquote(value) for key, sign, value in pairs if sign and key}


def _as(batch: pa.RecordBatch, schema: pa.Schema, said: dict[str, str]) -> pa.RecordBatch:
    for key in [key for key in said if key not in batch.schema.names]:
        values = pa.repeat(pa.scalar(said[key]), batch.num_rows)
        batch = batch.append_column(pa.field(key, pa.string()), values)
    if batch.schema.equals(schema):
        return batch
    columns = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _one_schema(schemas: list[pa.Schema], found: files.Found) -> pa.Schema:
    """The types that hold the values of all files."""
    fields, mistakes = [], []
    for name in schemas[0].names:
        parts = [pa.schema([pa.field(name, schema.field(name).type)]) for schema in schemas]
        try:
            fields.append(pa.unify_schemas(parts, promote_options="permissive").field(0))
        except pa.ArrowException:
            types = sorted({str(part.field(0).type) for part in parts})
            mistakes.append(
                Mistake(
                    "a column has one type in all files",
                    ", ".join(types),
                    f"{found.source}, column {name}",
                    "write the files again with one type",
                )
            )
    if mistakes:
        raise BadInput(mistakes)
    return pa.schema(fields)


def _not_parquet(name: str, num_bytes: int, error: Exception) -> Mistake:
    found = " ".join(str(error).split())[:300] if num_bytes else "an empty file"
    return Mistake(
        "a whole Parquet file", found, name, "it was cut short or is something else: copy it again"
    )
