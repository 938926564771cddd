"""Columns of images and sounds: which name files, what those hold, and which rows are broken.

raw batch, columns -> content, and why rows cannot be used
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock import modalities, plugins
from penstock.chunks import spooled
from penstock.errors import Mistake
from penstock.records import Column
from penstock.tables import named_files

SAMPLE_ROWS = 256
"""Files that are read to tell what a column holds, evenly spaced (house choice)."""
BATCH_ROWS, BATCH_BYTES = 1_024, 1 << 26
"""Most rows, and about the most bytes of files, in memory at once (house choice)."""
ABOUT = "the content of the files that it names"


def names_files(kind: pa.DataType, modality: str) -> bool:
    """Whether a column of this type, read by this modality, holds names in place of content."""
    known = modality in plugins.modules("penstock.modalities")
    return known and modalities.load(modality).HOLDS == "bytes" and named_files.is_text(kind)


def read(
    column: pa.ChunkedArray | pa.Array, roots: Sequence[Path]
) -> tuple[pa.ChunkedArray, list[str]]:
    """Content ``binary[n]`` of the files that a column names, and why there is none.

    The latter is empty for what could be read, and for what is missing. Many files stay on disk
    until they are used.
    """
    whole = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    names = pa.table({"names": whole}).to_batches()
    few = [part for batch in names for part in parts(batch, ["names"], roots)]
    schema = pa.schema([("content", pa.binary())])
    why: list[str] = []

    def contents() -> Iterator[pa.RecordBatch]:
        for part in few:
            found = list(named_files.each(named_files.texts(part.column(0)), roots))
            why.extend(one.why for one in found)
            content = pa.array([one.content for one in found], pa.binary())
            yield pa.RecordBatch.from_arrays([content], schema=schema)

    table = (spooled if len(few) > 1 else pa.Table.from_batches)(contents(), schema)
    return table.column(0), why


def sample(
    column: pa.ChunkedArray, name: str, roots: Sequence[Path]
) -> tuple[pa.ChunkedArray, list[Mistake]]:
    """Content of evenly spaced files of a column; the mistake that none can be read, if so."""
    some = _evenly(column.drop_null(), SAMPLE_ROWS)
    size = sum(named_files.sizes(named_files.texts(some), roots))
    some = _evenly(some, int(len(some) * min(1.0, BATCH_BYTES / max(1, size))))
    content, why = read(some, roots)
    if not any(why) or content.null_count < len(content):
        return content, []
    return content, [none_read(some, why, f"data.features.{name}")]


def _evenly(column: pa.ChunkedArray, most: int) -> pa.ChunkedArray:
    rows = np.linspace(0, len(column) - 1, min(len(column), max(1, most)))
    return column.take(pa.array(rows.astype(np.int64)))


def none_read(column: pa.ChunkedArray, why: Sequence[str], where: str) -> Mistake:
    """The mistake of a column that names hardly any file that can be read, with the reasons."""
    said = zip(named_files.texts(column), why, strict=True)
    remedy = (
        "name the files relative to the folder of the table, or set"
        f" {named_files.ROOT} to the folder that they are relative to"
    )
    return named_files.not_read({str(text): one for text, one in said if one}, where, remedy)


def parts(
    batch: pa.RecordBatch, named: Sequence[str], roots: Sequence[Path]
) -> Iterator[pa.RecordBatch]:
    """A batch, cut so that the files that it names fit in memory; whole where it names none."""
    if not named:
        yield batch
        return
    sizes = np.zeros(batch.num_rows, np.int64)
    for name in named:
        sizes += np.array(named_files.sizes(named_files.texts(batch.column(name)), roots), int)
    start = 0
    while start < batch.num_rows:
        fits = np.searchsorted(np.cumsum(sizes[start : start + BATCH_ROWS]), BATCH_BYTES)
        rows = max(1, int(fits))
        yield batch.slice(start, rows)
        start += rows


def broken(
    table: pa.Table, columns: Sequence[Column], lost: Mapping[str, Sequence[str]]
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Why rows cannot be used, empty where they can, and the column at fault.

    Parameters
    ----------
    table : pa.Table
        Typed.
    columns : sequence of Column
        Those that count.
    lost : mapping of str to sequence of str
        From :func:`read`, by column.
    """
    why = np.full(table.num_rows, "", dtype=object)
    at_fault = np.full(table.num_rows, "", dtype=object)
    known = plugins.modules("penstock.modalities")
    for column in columns:
        modality = modalities.load(column.modality) if column.modality in known else None
        reads = getattr(modality, "unreadable", None)
        if reads is None:
            continue
        found = np.array(reads(table.column(column.name)), dtype=object)
        if missing := lost.get(column.name):
            found = np.where(found == "", np.array(missing, dtype=object), found)
        first = (why == "") & (found != "")
        why[first], at_fault[first] = found[first], column.name
    return why, at_fault
