"""Columns in chunks, whose files together may be larger than memory and than one Arrow array.

Arrow takes rows of a column of texts or files by making one piece of it first: a copy of the
whole, and none at all where it holds more than 2 GiB. Here each chunk is asked for its own rows.

columns, row numbers -> columns; columns of files -> columns of their hashes
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

PIECE_BYTES = 1 << 26
"""Bytes of texts or files after which a new array begins; what is more than one is put on disk
(house choice: 64 MiB)."""
AT_ONCE = 64
"""Files of which copies are held at a time (house choice)."""
DIGEST_BYTES = 16
"""Of a hash: two of 100,000 unequal files collide with a probability of 1.5e-29."""


def taken(rows_of: pa.Table | pa.ChunkedArray, places: ArrayLike) -> pa.Table | pa.ChunkedArray:
    """Rows in the order in which they are asked for; many files of them stay on disk.

    Parameters
    ----------
    rows_of : pa.Table or pa.ChunkedArray
        Of any size.
    places : int64[k]
        From 0; repeats are allowed.

    Examples
    --------
    >>> import pyarrow as pa
    >>> taken(pa.chunked_array([["a", "b"], ["c"]]), [2, 0, 2]).to_pylist()
    ['c', 'a', 'c']
    """
    import pyarrow as pa

    wanted = np.asarray(places, np.int64)
    if isinstance(rows_of, pa.ChunkedArray):
        return _column(rows_of, wanted)
    columns = [_column(column, wanted) for column in rows_of.columns]
    return pa.Table.from_arrays(columns, schema=rows_of.schema)


def in_turn(
    column: pa.ChunkedArray | pa.Array, places: ArrayLike | None = None
) -> Iterator[pa.ChunkedArray]:
    """The rows of a column, or these rows of it, a few at a time.

    Examples
    --------
    >>> import pyarrow as pa
    >>> [len(some) for some in in_turn(pa.array(range(100)))]
    [64, 36]
    """
    import pyarrow as pa

    whole = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    chosen = None if places is None else np.asarray(places, np.int64)
    for start in range(0, len(whole) if chosen is None else len(chosen), AT_ONCE):
        if chosen is None:
            yield whole.slice(start, AT_ONCE)
        else:
            yield taken(whole, chosen[start : start + AT_ONCE])


def written(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Write an Arrow file that can be mapped, batch by batch."""
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def mapped(path: Path) -> pa.Table:
    """The table of an Arrow file; the system brings its pages when they are used, and drops them.

    The file may be removed while the table is used.
    """
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def spooled(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """A table of batches that together may be larger than memory; its room is freed with it."""
    with tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        path = Path(folder) / "rows.arrow"
        written(path, batches, schema)
        return mapped(path)


def digested(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Hashes in place of files, which an encoding would copy; any other column as it is.

    Returns
    -------
    pa.ChunkedArray
        ``fixed_size_binary[n]`` where the column holds files.
    """
    import pyarrow as pa

    if not _holds_bytes(column.type):
        return column
    found = [
        blake2b(value.as_buffer(), digest_size=DIGEST_BYTES).digest() if value.is_valid else None
        for value in column
    ]
    return pa.chunked_array([pa.array(found, pa.binary(DIGEST_BYTES))])


def _holds_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _column(column: pa.ChunkedArray, places: NDArray[np.int64]) -> pa.ChunkedArray:
    import pyarrow as pa

    of_any_length = _holds_bytes(column.type) or pa.types.is_string(column.type)
    if not len(places):
        return column.slice(0, 0)
    if not of_any_length or column.num_chunks < 2:
        return column.take(pa.array(places))
    pieces = _pieces(column, places)
    if len(pieces) == 1:
        return pa.chunked_array(_piece(column, places), column.type)
    schema = pa.schema([("values", column.type)])
    arrays = (array for piece in pieces for array in _piece(column, piece))
    batches = (pa.RecordBatch.from_arrays([array], schema=schema) for array in arrays)
    return spooled(batches, schema).column(0)


def _pieces(column: pa.ChunkedArray, places: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Places of few bytes each."""
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy()
    piece = np.cumsum(lengths[places], dtype=np.int64) // PIECE_BYTES
    return np.split(places, np.flatnonzero(np.diff(piece)) + 1)


def _piece(column: pa.ChunkedArray, places: NDArray[np.int64]) -> list[pa.Array]:
    import pyarrow as pa

    ends = np.cumsum([len(chunk) for chunk in column.chunks])
    if places.min() < 0 or places.max() >= ends[-1]:
        raise IndexError(f"rows {places.min()} to {places.max()} of {ends[-1]}")
    order = np.argsort(places, kind="stable")
    ascending = places[order]
    of = np.searchsorted(ends, ascending, side="right")
    arrays = []
    for number in np.unique(of).tolist():
        chunk = column.chunk(number)
        start = int(ends[number]) - len(chunk)
        arrays.append(chunk.take(pa.array(ascending[of == number] - start)))
    if (order == np.arange(len(order))).all():
        return arrays
    return [pa.concat_arrays(arrays).take(pa.array(np.argsort(order, kind="stable")))]
