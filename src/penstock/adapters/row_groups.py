"""Parquet files whose bytes tell nothing of the batches in which their rows came.

batches -> row groups of one size
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from penstock.records import Rows

GROUP_ROWS = 65_536
"""Rows of one row group (house choice: a few MiB for a table of twenty columns)."""
GROUP_BYTES = 1 << 26
"""Bytes of files, images or sounds, after which a row group ends before that (house choice)."""


class RowGroups:
    """Collects batches into row groups of one size, so that equal rows give equal files.

    Parameters
    ----------
    parquet : pq.ParquetWriter
        Where they go.
    schema : pa.Schema
        Of all batches.

    Attributes
    ----------
    rows : Rows
        Set by the store when the file is kept.
    num_rows : int
        Written so far.
    """

    rows: Rows

    def __init__(self, parquet: Any, schema: pa.Schema):
        import pyarrow as pa

        self._parquet = parquet
        self._schema = schema
        self._files = [field.name for field in schema if pa.types.is_binary(field.type)]
        self._waiting: list[pa.Table] = []
        self._num_waiting = self._num_bytes = 0
        self.num_rows = 0

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Append rows."""
        import pyarrow as pa

        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        table = table.cast(self._schema)
        self._waiting.append(table)
        self._num_waiting += table.num_rows
        self._num_bytes += int(self._sizes(table).sum())
        self.num_rows += table.num_rows
        if self._num_waiting >= GROUP_ROWS or self._num_bytes >= GROUP_BYTES:
            self._write_groups(keep_rest=True)

    def flush(self) -> None:
        """Write what is left."""
        self._write_groups(keep_rest=False)

    def _sizes(self, table: pa.Table) -> NDArray[np.int64]:
        """Bytes of files in each row."""
        import pyarrow.compute as pc

        sizes = np.zeros(table.num_rows, np.int64)
        for name in self._files:
            sizes += pc.fill_null(pc.binary_length(table[name]), 0).to_numpy()
        return sizes

    def _write_groups(self, keep_rest: bool) -> None:
        import pyarrow as pa

        if not self._waiting:
            return
        table = pa.concat_tables(self._waiting)
        sizes = self._sizes(table)
        start = 0
        while start < table.num_rows:
            here = np.cumsum(sizes[start : start + GROUP_ROWS])
            rows = min(int(np.searchsorted(here, GROUP_BYTES)) + 1, GROUP_ROWS)
            if keep_rest and start + rows > table.num_rows:
                break
            # combined: the bytes must not depend on how the rows came in batches
            group = table.slice(start, rows).combine_chunks()
            self._parquet.write_table(group, row_group_size=GROUP_ROWS)
            start += rows
        rest = table.slice(start)
        self._waiting = [rest] if rest.num_rows else []
        self._num_waiting, self._num_bytes = rest.num_rows, int(sizes[start:].sum())
