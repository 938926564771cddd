"""Look for near copies on both sides of a split, by what the modalities of its columns say.

Split -> checks
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock import modalities
from penstock.evidence import Check
from penstock.measure.leaks import findings, near
from penstock.tables import sampling

if TYPE_CHECKING:
    from penstock.ports import Store
    from penstock.records import Rows, Split

NUM_NAMED = 3
"""Pairs of files that a check names."""


def near_copies(parts: Split, seed: int, store: Store) -> list[Check]:
    """One check a column whose modality tells copies by a likeness.

    Parameters
    ----------
    parts : Split
        Whose test rows are held against its train rows.
    seed : int
        Of the samples, where there are many rows.
    store : Store
        Where the rows are.
    """
    checks = []
    for column in parts.layout.features:
        modality: Any = modalities.load(column.modality)
        if not hasattr(modality, "likeness"):
            continue
        paths = list(filter(None, [parts.layout.named_by(column.name)]))
        most = {near.MOST_TRAIN: parts.train, near.MOST_TEST: parts.test}
        sides = [
            _read(modality, column.name, paths, rows, count, seed, store)
            for count, rows in most.items()
        ]
        (train, past), (test, now) = sides
        found, nearest = near.copies(train, test)
        named = [
            f"{now[row]} and {past[int(nearest[row])]}"
            for row in np.flatnonzero(found)[:NUM_NAMED].tolist()
            if now
        ]
        checks.append(findings.near_copies(column.name, found, named))
    return checks


def _read(
    modality: Any,
    column: str,
    paths: list[str],
    rows: Rows,
    most: int,
    seed: int,
    store: Store,
) -> tuple[NDArray[np.float32], list[str]]:
    """Likeness vectors, and the paths of the files where they are known."""
    vectors, names = [], []
    for batch in sampling.batches(rows, [column, *paths], most, seed, store):
        vectors.append(modality.likeness(pa.chunked_array([batch.column(column)])))
        if paths:
            names += batch.column(paths[0]).to_pylist()
    return np.concatenate(vectors), names
