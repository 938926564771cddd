"""Tables of files, mapped from disk instead of read: only the pages that are asked for are here.

A folder of photos may be larger than memory. Parquet is decoded into memory; an uncompressed
Arrow file is the memory that it takes, so that the system brings and drops its pages.

Parquet -> Arrow file -> table
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from penstock import chunks

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

NAME = "rows.arrow"


def is_large(file: pq.ParquetFile, columns: list[str] | None) -> bool:
    """Whether columns that hold files are asked for, and fill more than one row group."""
    import pyarrow as pa

    schema = file.schema_arrow
    asked = schema.names if columns is None else columns
    files = any(pa.types.is_binary(schema.field(name).type) for name in asked)
    return files and file.num_row_groups > 1


def table(file: pq.ParquetFile, folder: Path) -> pa.Table:
    """The whole table, mapped from a copy in the folder, which is made when it is missing.

    Parameters
    ----------
    file : pq.ParquetFile
        Whose columns are all copied.
    folder : Path
        Of this table alone. The copy appears there whole or not at all.
    """
    path = folder / NAME
    if not path.exists():
        _copy(file, path)
    return chunks.mapped(path)


def _copy(file: pq.ParquetFile, path: Path) -> None:
    unfinished = path.with_name(f"{uuid.uuid4().hex}.unfinished")
    groups = range(file.num_row_groups)
    batches = (batch for group in groups for batch in file.iter_batches(row_groups=[group]))
    try:
        chunks.written(unfinished, batches, file.schema_arrow)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
