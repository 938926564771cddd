"""Points in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from penstock.modalities import numeric

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec


PERIODS = {"hour": 24, "weekday": 7, "day": 31, "month": 12}
"""Calendar parts with a category view each, and their number of levels."""
MICROSECONDS = 1_000_000


class State(BaseModel):
    """What is learnt from training rows.

    Attributes
    ----------
    elapsed : numeric.State
        Of the time since 1970 in days.
    parts : list of str
        Calendar parts that vary: keys of :data:`PERIODS`.
    """

    elapsed: numeric.State
    parts: list[str]


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Arrow says so: text was read as time before, where it is that."""
    return 1.0 if pa.types.is_timestamp(column.type) else 0.0


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """The elapsed time as a number; the calendar parts that vary."""
    parts = [name for name in PERIODS if len(pc.unique(_part(column, name).drop_null())) > 1]
    return State(elapsed=numeric.learn(_days(column), target, spec), parts=parts)


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """The arrays of the elapsed time, and ``int64[n]`` a calendar part, 0 where missing."""
    arrays = numeric.encode(_days(column), state.elapsed)
    for name in state.parts:
        part = pc.add(_part(column, name), 1).fill_null(0)
        arrays[name] = part.to_numpy().astype(np.int64)
    return arrays


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """The encoder of the elapsed time beside an embedding a calendar part."""
    from penstock.learning.encoders import Beside, LevelEmbedding

    levels = [LevelEmbedding(PERIODS[name] + 1, reads=name) for name in state.parts]
    return Beside(numeric.encoder(state.elapsed, spec), *levels)


def _days(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days since 1970 as float64."""
    micros = column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64())
    return pc.divide(micros, 86_400.0 * MICROSECONDS)


def _part(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """A calendar part counted from 0, ``int64``."""
    moments = column.cast(pa.timestamp("us"))
    if name == "hour":
        return pc.hour(moments)
    if name == "weekday":
        return pc.day_of_week(moments)
    return pc.subtract(pc.day(moments) if name == "day" else pc.month(moments), 1)
