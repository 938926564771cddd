"""Categories: one of a number of levels, without order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec


MIN_LEVEL_ROWS = 3
"""Rarer levels share one level with unseen ones (house choice, measured on Adult)."""
MAX_LEVELS = 20_000
"""Most levels of their own, the most frequent ones (house choice: a small table of vectors)."""


class State(BaseModel):
    """Levels learnt from training rows.

    Attributes
    ----------
    levels : list of str
        Sorted. Code 0 stands for rare and unseen levels, code 1 for missing.
    """

    levels: list[str]


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Booleans surely; strings unless they are rather text or sets."""
    if pa.types.is_boolean(column.type):
        return 1.0
    return 0.5 if pa.types.is_string(column.type) else 0.0


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """The levels that are frequent enough."""
    counts = pc.value_counts(column.cast(pa.string()).drop_null())
    names = counts.field("values").to_pylist()
    numbers = counts.field("counts").to_numpy()
    order = np.argsort(-numbers, kind="stable")[:MAX_LEVELS]
    return State(levels=sorted(names[i] for i in order if numbers[i] >= MIN_LEVEL_ROWS))


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """``level``: ``int64[n]``; 0 rare or unseen, 1 missing, then the levels."""
    text = column.cast(pa.string())
    found = pc.index_in(text, pa.array(state.levels, pa.string()), skip_nulls=True)
    codes = pc.add(pc.cast(found, pa.int64()), 2).fill_null(0)
    return {"level": pc.if_else(pc.is_null(text), 1, codes).to_numpy().astype(np.int64)}


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """An embedding."""
    from penstock.learning.encoders import LevelEmbedding

    return LevelEmbedding(len(state.levels) + 2)
