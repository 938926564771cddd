"""Categories: one of a number of levels, without order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from penstock.measure import shifts
from penstock.measure.contract import patterns, slack
from penstock.measure.credibility import credibility
from penstock.modalities import EXCHANGED, MISSING, Stress

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec

HOLDS = "level"


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
    credibility : list of float
        How far each code is believed, in [0, 1].
    """

    levels: list[str]
    credibility: list[float]


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Booleans surely; strings unless they are rather text or sets."""
    if pa.types.is_boolean(column.type):
        return 1.0
    return 0.5 if pa.types.is_string(column.type) else 0.0


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """The levels that are frequent enough, and how far each is believed."""
    counts = pc.value_counts(column.cast(pa.string()).drop_null())
    names = counts.field("values").to_pylist()
    numbers = counts.field("counts").to_numpy()
    order = np.argsort(-numbers, kind="stable")[:MAX_LEVELS]
    levels = sorted(names[i] for i in order if numbers[i] >= MIN_LEVEL_ROWS)
    believed = credibility(_codes(column, levels), len(levels) + 2, target)
    return State(levels=levels, credibility=believed)


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """``level``: ``int64[n]``; 0 rare or unseen, 1 missing, then the levels."""
    return {"level": _codes(column, state.levels)}


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """An embedding."""
    from penstock.learning.encoders import LevelEmbedding

    return LevelEmbedding(state.credibility)


def _codes(column: pa.ChunkedArray, levels: list[str]) -> NDArray[np.int64]:
    text = column.cast(pa.string())
    found = pc.index_in(text, pa.array(levels, pa.string()), skip_nulls=True)
    codes = pc.add(pc.cast(found, pa.int64()), 2).fill_null(0)
    return pc.if_else(pc.is_null(text), 1, codes).to_numpy().astype(np.int64)


MAX_LISTED_LEVELS = 1_000
"""Most levels that a contract lists (house choice: what a person can still read)."""
MAX_UNSEEN_SHARE = 0.018
"""Up to this expected share of unseen levels they are news: the rows go to quarantine and a
new level in 2% of the rows stops the file (issue 2)."""
MAX_WATCHED_UNSEEN_SHARE = 0.3
"""Up to this share the list still tells a changed coding from new levels (house choice)."""


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """The set of levels where it is small and closed, and the regular pattern where not."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_boolean(column.type) or pa.types.is_temporal(column.type):
        return []
    counts = pc.value_counts(column.drop_null())
    levels = counts.field("values")
    numbers = counts.field("counts").to_numpy()
    if not len(levels):
        return []
    once, twice = (int(np.sum(numbers == times)) for times in (1, 2))
    unseen = slack.unseen_share(once, twice, int(numbers.sum()))
    closed = unseen <= MAX_UNSEEN_SHARE and len(levels) <= MAX_LISTED_LEVELS
    found = []
    if len(levels) <= MAX_LISTED_LEVELS and unseen <= MAX_WATCHED_UNSEEN_SHARE:
        listed = levels.to_pylist()
        kwargs = {"column": name, "value_set": sorted(listed), "mostly": slack.mostly(unseen)}
        found.append(
            {
                "type": "expect_column_values_to_be_in_set",
                "kwargs": kwargs,
                "meta": {"severity": "error", "quarantine": closed},
            }
        )
    if not closed:
        found += patterns.expectations(column, name)
    return found


STRESSES = (
    Stress(
        "unknown",
        (0.1, 0.3, 1.0),
        "{column} has a level that training never saw in {strength:.0%} of the rows",
        "a new product, another spelling or coding",
        "list the levels in the contract, so that new ones are news before they are scored",
    ),
    MISSING,
    EXCHANGED,
)
"""Three strengths each, shares of the rows (house choice). They hold for whatever serves as a
category: sets and short texts too."""


def stressed(
    column: pa.ChunkedArray, state: State, name: str, strength: float, rng: np.random.Generator
) -> pa.ChunkedArray:
    """Levels unknown, missing or exchanged. Where a type has no other value (booleans), an
    unknown one is missing."""
    if name == "missing":
        return shifts.emptied(column, strength, rng)
    if name == "exchanged":
        return shifts.exchanged(column, strength, rng)
    return shifts.replaced(column, strength, _unknown(column.type, state), rng)


def _unknown(kind: pa.DataType, state: State) -> pa.Scalar:
    """A value of the type that is not a level."""
    levels = set(state.levels)
    if pa.types.is_integer(kind):
        return pa.scalar(next(n for n in range(len(levels) + 1) if str(n) not in levels), kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        names = (f"unknown {n}" for n in range(len(levels) + 1))
        return pa.scalar(next(name for name in names if name not in levels), kind)
    return pa.scalar(None, kind)


def views(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """``level``: its name."""
    text = column.cast(pa.string())
    return {"level": text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text}
