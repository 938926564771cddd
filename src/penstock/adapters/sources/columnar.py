"""Parquet files: typed columns, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.adapters.sources import location
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock.ports import Progress

BATCH_ROWS = 65_536
"""Rows in one batch (house choice)."""


class ParquetSource:
    """Rows of one or more Parquet files; see :class:`penstock.ports.Source`."""

    def __init__(self, found: location.Found):
        self._found = found
        schemas: list[pa.Schema] = []
        self._num_rows = 0
        mistakes: list[Mistake] = []
        for path in found.files:
            name = found.name(path)
            try:
                with pq.ParquetFile(path) as file:
                    schemas.append(file.schema_arrow.remove_metadata())
                    self._num_rows += file.metadata.num_rows
            except (pa.ArrowException, OSError) as error:
                mistakes.append(_not_parquet(name, path.stat().st_size, error))
                continue
            mistakes += location.repeated(schemas[-1].names, name)
        if not mistakes:
            named = zip(map(found.name, found.files), (s.names for s in schemas), strict=True)
            mistakes = location.same_columns(list(named))
        if not mistakes and self._num_rows == 0:
            mistakes = [Mistake("a source holds rows", "no row", found.source, "add the rows")]
        if mistakes:
            raise BadInput(mistakes)
        self.schema = _one_schema(schemas, found)
        self.kinds: dict[str, str] = {}
        self.unreadable: list[tuple[str, str]] = []
        self.description = f"Parquet {found.title}"

    def fingerprint(self) -> str:
        """SHA-256 over the content of all files."""
        return self._found.content()

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """Rows with the types of :attr:`schema`.

        Raises
        ------
        BadInput
            When a page inside a file is damaged.
        """
        done = 0
        for path in self._found.files:
            try:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(batch_size=BATCH_ROWS):
                        done += batch.num_rows
                        yield _as(batch, self.schema)
                        if progress:
                            progress(done, self._num_rows, "rows")
            except (pa.ArrowException, OSError) as error:
                name = self._found.name(path)
                raise BadInput(_not_parquet(name, path.stat().st_size, error)) from error


def _as(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema.equals(schema):
        return batch
    columns = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _one_schema(schemas: list[pa.Schema], found: location.Found) -> pa.Schema:
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
