"""Points in time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from penstock.measure import shifts
from penstock.measure.bins import Said
from penstock.measure.contract import slack
from penstock.measure.credibility import credibility
from penstock.modalities import MISSING, Stress, numeric

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec

HOLDS = "time"


PERIODS = {"hour": 24, "weekday": 7, "day": 31, "month": 12}
"""Calendar parts with a category view each, and their number of levels."""
MICROSECONDS = 1_000_000
CYCLES = {"day": 1.0, "week": 7.0, "year": 365.2425}
"""Days after which a cycle begins anew: a minute before midnight is near to a minute after it, and
the last of December to the first of January."""
FIRST_MONDAY = 4.0
"""Days from 1970-01-01, a Thursday, to the first Monday."""


class State(BaseModel):
    """What is learnt from training rows.

    Attributes
    ----------
    elapsed : numeric.State
        Of the time since 1970 in days.
    parts : list of str
        Calendar parts that vary: keys of :data:`PERIODS`, then ``date``: what happens on one
        day, such as a storm, is alike for its rows and unlike the day before.
    dates : list of float
        Days since 1970 with a level of their own, ascending.
    credibility : dict of str to list of float
        For each calendar part, how far each of its levels is believed, in [0, 1].
    cycles : list of str
        Keys of :data:`CYCLES` over which the moments are spread.
    beside : dict of str to numeric.State
        Of the days since the moments of other columns, by their names.
    """

    elapsed: numeric.State
    parts: list[str]
    dates: list[float]
    credibility: dict[str, list[float]]
    cycles: list[str] = []
    beside: dict[str, numeric.State] = {}


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Arrow says so: text was read as time before, where it is that."""
    return 1.0 if pa.types.is_timestamp(column.type) else 0.0


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """The elapsed time as a number; the calendar parts that vary; the days with enough rows."""
    days = np.floor(_days(column).drop_null().to_numpy())
    distinct, counts = np.unique(days, return_counts=True)
    dates = distinct[counts >= numeric.MIN_LEVEL_ROWS]
    sizes = {
        name: PERIODS[name] + 1
        for name in PERIODS
        if len(pc.unique(_part(column, name).drop_null())) > 1
    }
    if len(dates) and len(distinct) > 1:
        sizes["date"] = len(dates) + 1
    return State(
        elapsed=numeric.learn(_days(column), target, spec),
        cycles=[name for name in CYCLES if _is_spread(_cycled(column.drop_null(), [name]))],
        parts=list(sizes),
        dates=dates.tolist(),
        credibility={
            name: credibility(_codes(column, name, dates), size, target)
            for name, size in sizes.items()
        },
    )


MOST_BESIDE = 3
"""Other columns whose distance in time is read, the first ones (house choice)."""


def learn_beside(
    column: pa.ChunkedArray,
    others: dict[str, pa.ChunkedArray],
    state: State,
    target: NDArray[np.generic],
    spec: ModelSpec,
) -> State:
    """The time between this column and each of some others, as a number, where it varies."""
    beside = {}
    for name, other in list(others.items())[:MOST_BESIDE]:
        gap = _since(column, other)
        if pc.count_distinct(gap.drop_null()).as_py() > 1:
            beside[name] = numeric.learn(gap, target, spec)
    return state.model_copy(update={"beside": beside})


def encode_beside(
    column: pa.ChunkedArray, others: dict[str, pa.ChunkedArray], state: State
) -> dict[str, NDArray[np.generic]]:
    """The arrays of the days between, each with the other column's number before its name."""
    found = {}
    for number, (name, gap) in enumerate(state.beside.items()):
        for key, array in numeric.encode(_since(column, others[name]), gap).items():
            found[f"{number}_{key}"] = array
    return found


def _since(column: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days from another column's moment to this one's, to the microsecond; null where one is."""
    here, there = (_moments(one).cast(pa.int64()).combine_chunks() for one in (column, other))
    micros = pc.subtract(here, there).cast(pa.float64(), safe=False)
    return pa.chunked_array([pc.divide(micros, 86_400.0 * MICROSECONDS)])


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """The arrays of the elapsed time; ``int64[n]`` a calendar part, 0 where missing; ``cycles``:
    ``float32[n, 2 k]``, sine and cosine of each cycle, 0 where missing.
    """
    arrays = numeric.encode(_days(column), state.elapsed)
    for name in state.parts:
        arrays[name] = _codes(column, name, np.asarray(state.dates))
    if state.cycles:
        arrays["cycles"] = np.nan_to_num(_cycled(column, state.cycles)).astype(np.float32)
    return arrays


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """The encoder of the elapsed time beside the cycles and an embedding a calendar part."""
    from penstock.learning.encoders import AsItIs, Beside, LevelEmbedding, Numbered

    levels = [LevelEmbedding(state.credibility[name], reads=name) for name in state.parts]
    cycles = [AsItIs("cycles", 2 * len(state.cycles))] if state.cycles else []
    gaps = [
        Numbered(number, numeric.encoder(gap, spec))
        for number, gap in enumerate(state.beside.values())
    ]
    return Beside(numeric.encoder(state.elapsed, spec), *cycles, *levels, *gaps)


def _days(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days since 1970 as float64."""
    micros = _moments(column).cast(pa.int64()).cast(pa.float64(), safe=False)
    return pc.divide(micros, 86_400.0 * MICROSECONDS)


MOST_TOGETHER = 0.95
"""Length of the mean of a cycle's unit vectors from which on moments stand together in one part of
it, some nine weeks of a year or four hours of a day, and say nothing of the rest (house choice).
"""


def _is_spread(turns: NDArray[np.float64]) -> bool:
    return len(turns) > 0 and float(np.hypot(*turns.mean(axis=0))) < MOST_TOGETHER


def _cycled(column: pa.ChunkedArray, names: list[str]) -> NDArray[np.float64]:
    """Sine and cosine of the place in each cycle, ``float64[n, 2 k]``, nan where missing.

    The year begins and ends a few hours from where the calendar says, which is alike each year.
    """
    days = _days(column).to_numpy().astype(np.float64)
    angles = [
        2
        * np.pi
        * np.mod(days - (FIRST_MONDAY if name == "week" else 0.0), CYCLES[name])
        / CYCLES[name]
        for name in names
    ]
    found = [turn(angle) for angle in angles for turn in (np.sin, np.cos)]
    return np.stack(found, axis=1) if found else np.zeros((len(days), 0))


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Points in time in UTC, to the microsecond."""
    return column.cast(pa.timestamp("us"), safe=False)


def _codes(column: pa.ChunkedArray, name: str, dates: NDArray[np.float64]) -> NDArray[np.int64]:
    """Level of a calendar part, counted from 1; 0 where missing, or a day without a level."""
    if name == "date":
        return numeric.codes_of(np.floor(_days(column).to_numpy()), dates)
    return pc.add(_part(column, name), 1).fill_null(0).to_numpy().astype(np.int64)


def _part(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """A calendar part counted from 0, ``int64``."""
    moments = _moments(column)
    if name == "hour":
        return pc.hour(moments)
    if name == "weekday":
        return pc.day_of_week(moments)
    return pc.subtract(pc.day(moments) if name == "day" else pc.month(moments), 1)


SPANS = 1.0
"""Slack before the first and after the last moment, in spans of the data (house choice)."""
MIN_SPAN_DAYS = 3653.0
"""Slack of at least ten years: new rows are later, but not of the year 9999 (house choice)."""


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """Moments from a span before the first to a span after the last."""
    bounds = pc.min_max(column.cast(pa.timestamp("us"))).as_py()
    if bounds["min"] is None:
        return []
    first, last = bounds["min"], bounds["max"]
    reach = max((last - first) * SPANS, timedelta(days=MIN_SPAN_DAYS))
    least = max(first, datetime.min + reach) - reach
    most = min(last, datetime.max - reach) + reach
    kwargs = {
        "column": name,
        "min_value": least.date().isoformat(),
        "max_value": most.date().isoformat(),
        "mostly": slack.mostly(slack.stray_share(len(column) - column.null_count)),
    }
    return [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": kwargs,
            "meta": {"severity": "error", "quarantine": True},
        }
    ]


STRESSES = (
    Stress(
        "later",
        (0.1, 0.5, 1.0),
        "{column} is later by {strength:.0%} of the time that training saw",
        "time goes on",
        "train again when time has passed, or predict from spans of time, not from dates",
    ),
    Stress(
        "zone",
        (1.0, 6.0, 12.0),
        "{column} is {strength:g} hours off",
        "summer time, another time zone",
        "store times in UTC, and say so where the data is made",
    ),
    MISSING,
)
"""Three strengths each (house choice)."""
FIRST_MOMENT, LAST_MOMENT = -62_135_596_800 * MICROSECONDS, 253_402_300_799 * MICROSECONDS
"""Of the years 1 to 9999: what calendars and Arrow's calendar parts can say."""
HOURS_A_DAY = 24


def stressed(
    column: pa.ChunkedArray, state: State, name: str, strength: float, rng: np.random.Generator
) -> pa.ChunkedArray:
    """Moments later (by a share of the central 90% of the training span), hours off, missing."""
    if name == "missing":
        return shifts.emptied(column, strength, rng)
    days = strength * state.elapsed.scale if name == "later" else strength / HOURS_A_DAY
    micros = _moments(column).cast(pa.int64()).to_numpy()  # floats where any is missing
    moved = np.clip(micros + days * 86_400.0 * MICROSECONDS, FIRST_MOMENT, LAST_MOMENT)
    known = column.is_valid().to_numpy()
    whole = np.where(known, np.rint(moved), 0).astype(np.int64)
    return pa.chunked_array([pa.array(whole, mask=~known).cast(pa.timestamp("us"))])


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


SAID = {"days": Said("earliest", "latest", date=True)}
"""How slices of them are said."""


def views(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """``days`` since 1970, and the ``hour`` and the ``weekday`` as names, in UTC."""
    weekday = pc.take(pa.array(WEEKDAYS), _part(column, "weekday"))
    found = {
        "days": _days(column),
        "hour": _part(column, "hour").cast(pa.string()),
        "weekday": weekday,
    }
    return {name: values.combine_chunks() for name, values in found.items()}
