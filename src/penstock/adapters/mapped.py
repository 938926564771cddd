"""Tables of files, mapped from disk instead of read: only the pages that are asked for are here.

A folder of photos may be larger than memory. Parquet is decoded into memory; an uncompressed
Arrow file is the memory that it takes, so that the system brings and drops its pages.

Parquet -> Arrow file -> table
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

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
    import pyarrow as pa

    path = folder / NAME
    if not path.exists():
        _copy(file, path)
    with pa.memory_map(str(path)) as mapped:
        return pa.ipc.open_file(mapped).read_all()


def _copy(file: pq.ParquetFile, path: Path) -> None:
    import pyarrow as pa

    handle, name = tempfile.mkstemp(suffix=".arrow", dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as out, pa.ipc.new_file(out, file.schema_arrow) as writer:
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(row_groups=[group]):
                    writer.write_batch(batch)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
