"""Read later rows into the types that a model was trained on, whatever has become of them.

Scoring refuses a column that is absent or no longer what it was; monitoring is to find it. So
here what cannot be read is missing, and counted.

raw rows, the columns of a layout -> typed rows and their truth
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock import tasks
from penstock.chunks import spooled
from penstock.errors import BadInput
from penstock.ports import Source
from penstock.records import Column, Layout
from penstock.tables import arrow_types
from penstock.tables.new_rows import LOGGED
from penstock.tables.rereading import Rereader, spelled, stored


def read_whole(source: Source) -> pa.Table:
    """All rows as the source gives them; columns of the prediction log under their own names.

    Files stay on disk until they are used.
    """
    batches = (batch.cast(source.schema) for batch in source.batches())
    files = any(map(pa.types.is_binary, source.schema.types))
    table = (spooled if files else pa.Table.from_batches)(batches, source.schema)
    own = [name.removeprefix(LOGGED) for name in table.column_names]
    return table.rename_columns(own) if len(set(own)) == len(own) else table


def read_as(
    raw: pa.ChunkedArray, column: Column, roots: Sequence[Path] = ()
) -> tuple[pa.ChunkedArray, int]:
    """A column in the type of the layout.

    Parameters
    ----------
    raw : pa.ChunkedArray
        As the source gives it; text formats give text.
    column : Column
        What the model was trained on.
    roots : sequence of Path
        Below which files are, that the column names.

    Returns
    -------
    pa.ChunkedArray
        Null where there is nothing, or nothing that can be read.
    int
        Values that could not be read.

    Examples
    --------
    >>> age = Column(name="age", modality="numeric", arrow_type="int64")
    >>> typed, num_unread = read_as(pa.chunked_array([["41", "x", None]]), age)
    >>> typed.to_pylist(), num_unread
    ([41.0, None, None], 1)
    """
    reader = Rereader(column, roots)
    try:
        return reader.read(raw), reader.num_unread
    except BadInput:
        known = len(raw) - _num_missing(raw)
        return absent(column, len(raw)), known


def absent(column: Column, num_rows: int) -> pa.ChunkedArray:
    """A column that is not there: nothing in each row."""
    return pa.chunked_array([pa.nulls(num_rows, stored(column))])


def typed(
    raw: pa.Table, columns: list[Column], needed: set[str], roots: Sequence[Path] = ()
) -> tuple[pa.Table, list[str], dict[str, int]]:
    """Typed columns; which of those that are needed are absent; what could not be read."""
    found, missing, unread = {}, [], {}
    for column in columns:
        if column.name in raw.column_names:
            found[column.name], lost = read_as(raw[column.name], column, roots)
            if lost:
                unread[column.name] = lost
        elif column.name in needed and not column.optional:
            found[column.name] = absent(column, raw.num_rows)
            missing.append(column.name)
    return pa.table(found), missing, unread


def of_users(raw: pa.Table, layout: Layout) -> pa.Table:
    """Who took what, and how well, in the types of the layout, as far as it is told."""
    read = [layout.features[0], layout.column(layout.target)]
    read += [layout.column(name) for name in layout.named("feedback")]
    for column in read:
        if column.name in raw.column_names:
            place = raw.column_names.index(column.name)
            raw = raw.set_column(place, column.name, read_as(raw[column.name], column)[0])
    return raw


def truth(
    raw: pa.Table, layout: Layout, key: str = "", later: pa.Table | None = None
) -> tuple[NDArray[np.bool_], NDArray[Any], int]:
    """Which rows have a label, their target, and how many labels are no value of it.

    Parameters
    ----------
    raw : pa.Table
        With the target, where nothing came later.
    layout : Layout
        Of what is predicted.
    key : str
        The column that joins both tables.
    later : pa.Table, optional
        Key and target of rows whose truth came later; of equal keys the last counts.

    Examples
    --------
    >>> cost = Column(name="cost", modality="numeric", arrow_type="double", role="target")
    >>> layout = Layout(columns=[cost], target="cost", task="regression")
    >>> truth(pa.table({"cost": [2.5, None]}), layout)
    (array([ True, False]), array([2.5]), 0)
    """
    target = layout.target
    if later is not None:
        places = _places(raw[key], later[key])
        column = pa.chunked_array([later[target].combine_chunks().take(places)])
    elif target in raw.column_names:
        column = raw[target]
    else:
        return np.zeros(raw.num_rows, dtype=bool), np.empty(0, dtype=np.int64), 0
    read, num_unread = read_as(column, layout.column(target))
    task = tasks.load(layout.task)
    if task.TARGET not in ("classes", "number"):
        known = read.is_valid().to_numpy(zero_copy_only=False)
        return known, task.encode_target(read.filter(pa.array(known)), layout), num_unread
    values: NDArray[np.float64]
    if layout.classes:
        codes = pc.index_in(spelled(read), pa.array(layout.classes, pa.string()))
        values = codes.cast(pa.float64()).to_numpy(zero_copy_only=False)
    else:
        values = read.cast(pa.float64(), safe=False).to_numpy()
    known = np.isfinite(values)
    foreign = num_unread + len(read) - read.null_count - int(known.sum())
    return known, values[known].astype(np.int64) if layout.classes else values[known], foreign


def _places(keys: pa.ChunkedArray, later: pa.ChunkedArray) -> pa.Array:
    """Where each row's label stands, null where there is none; of equal keys the last counts."""
    mine, theirs = (spelled(_read_freely(k)) for k in (keys, later))
    place = pc.index_in(mine, theirs[::-1], skip_nulls=True)
    return pc.subtract(len(theirs) - 1, place)


def _read_freely(raw: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column that no layout knows, as all its values say together."""
    found = arrow_types.reading(raw)
    return raw if found is None else found.read(raw)


def _num_missing(raw: pa.ChunkedArray) -> int:
    """Nulls, and words for nothing."""
    if pa.types.is_string(raw.type) or pa.types.is_large_string(raw.type):
        return int(arrow_types.trimmed(raw, arrow_types.MISSING_NUMBER).null_count)
    return int(raw.null_count)
