"""Some rows of a table, without holding the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from penstock.ports import Store, TableWriter
    from penstock.records import Rows


def batches(
    rows: Rows, columns: list[str], most: int, seed: int, store: Store
) -> Iterator[pa.RecordBatch]:
    """At most so many rows, drawn at random, in order, batch by batch."""
    chosen = np.zeros(rows.num_rows, bool)
    chosen[np.random.default_rng(seed).permutation(rows.num_rows)[:most]] = True
    start = 0
    for batch in store.batches(rows, columns):
        yield batch.filter(pa.array(chosen[start : start + batch.num_rows]))
        start += batch.num_rows


def sampled(rows: Rows, columns: list[str], most: int, seed: int, store: Store) -> pa.Table:
    """The same as one table."""
    return pa.Table.from_batches(list(batches(rows, columns, most, seed, store))).select(columns)


def divided(rows: Rows, part: NDArray[np.integer], num_parts: int, store: Store) -> list[Rows]:
    """Tables of the rows of each part, in their order.

    Parameters
    ----------
    rows : Rows
        At least one.
    part : int[n]
        Number of each row's part, from 0; rows of another number are left out.
    num_parts : int
        How many tables are made, empty ones too.
    store : Store
        Where the rows are, and the parts go.
    """
    with ExitStack() as stack:
        writers: list[TableWriter] = []
        start = 0
        for batch in store.batches(rows):
            if not writers:
                every = range(num_parts)
                writers = [stack.enter_context(store.writer(batch.schema)) for _ in every]
            here = part[start : start + batch.num_rows]
            for number, writer in enumerate(writers):
                writer.write(batch.filter(pa.array(here == number)))
            start += batch.num_rows
    return [writer.rows for writer in writers]
