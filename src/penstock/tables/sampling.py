"""Rows drawn at random, without holding the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from penstock.ports import Store
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
