"""Sets of categories in one cell, such as 'Comedy|Drama'."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from penstock.measure import shifts
from penstock.measure.bins import Said
from penstock.measure.contract import slack
from penstock.modalities import EXCHANGED, MISSING, Stress

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec

HOLDS = "text"

DELIMITERS = ("|", ";", ",")
"""What stands between the members of a set written in one cell."""
MIN_SPLIT = 0.2
"""Share of the values that must have several members (house choice)."""
MIN_VALUES = 10
"""With fewer distinct values a category serves as well (house choice)."""
MAX_MEMBERS = 0.5
"""Most distinct members for each distinct value: the members repeat (house choice)."""
MAX_WORDS = 3.0
"""Members of more words on average are clauses of a sentence (house choice)."""


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Strings that are cut by one sign into members that repeat; lists come as such strings."""
    if not pa.types.is_string(column.type):
        return 0.0
    return 0.9 if delimiter_of(column) else 0.0


def delimiter_of(column: pa.ChunkedArray) -> str:
    """The sign between the members of a column of sets; empty when it is not one.

    Examples
    --------
    >>> genres = ["Comedy", "Drama", "War", "Crime"]
    >>> rows = [f"{a}|{b}" for a in genres for b in genres]
    >>> delimiter_of(pa.chunked_array([rows]))
    '|'
    >>> delimiter_of(pa.chunked_array([[f"Town {n}, TX" for n in range(20)]]))
    ''
    """
    values = column.drop_null()
    distinct = values.unique()
    if len(distinct) < MIN_VALUES:
        return ""
    for sign in DELIMITERS:
        several = pc.mean(pc.cast(pc.match_substring(values, sign), pa.float64())).as_py()
        if several < MIN_SPLIT:
            continue
        members = pc.utf8_trim_whitespace(pc.list_flatten(pc.split_pattern(distinct, sign)))
        words = pc.mean(pc.count_substring_regex(members, r"\S+")).as_py()
        if pc.count_distinct(members).as_py() <= MAX_MEMBERS * len(distinct) and words <= MAX_WORDS:
            return sign
    return ""


MAX_LISTED_MEMBERS = 200
"""Most distinct members that a contract lists (house choice)."""
MAX_UNSEEN_SHARE = 0.018
"""As for categories: up to this expected share of cells with unseen members they are news."""


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """Cells made of known members only, where these are few; nothing for Arrow lists."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return []
    cells = column.drop_null().combine_chunks()
    if not len(cells):
        return []
    mark = delimiter_of(column)
    if not mark:
        return []
    parts = pc.list_flatten(pc.split_pattern(cells, pattern=mark))
    counts = pc.value_counts(pc.utf8_trim_whitespace(parts))
    numbers = counts.field("counts").to_numpy()
    once, twice = (int(np.sum(numbers == times)) for times in (1, 2))
    unseen = slack.unseen_share(once, twice, len(cells))
    if len(counts) > MAX_LISTED_MEMBERS or unseen > MAX_UNSEEN_SHARE:
        return []
    members = "|".join(re.escape(member) for member in sorted(counts.field("values").to_pylist()))
    member = rf"\s*(?:{members})\s*"
    expression = f"^{member}(?:{re.escape(mark)}{member})*$"
    return [
        {
            "type": "expect_column_values_to_match_regex",
            "kwargs": {"column": name, "regex": expression, "mostly": slack.mostly(unseen)},
            "meta": {"severity": "error", "quarantine": True},
        }
    ]


MIN_MEMBER_ROWS = 3
"""Members in fewer rows share one code with unseen ones, as levels of a category do."""
MAX_LEVELS = 20_000
"""Most members with a code of their own (house choice: a small table of vectors)."""
MAX_READ_MEMBERS = 32
"""Members of one cell that are read, in their order (house choice)."""
NUM_PLAIN = 64
"""Members that the baselines see, the most frequent ones (house choice)."""
UNSEEN, FIRST = 1, 2
"""Codes: 0 is no member, then unseen ones, then the levels."""


class State(BaseModel):
    """What is learnt from training cells.

    Attributes
    ----------
    mark : str
        What stands between members.
    levels : list of str
        Members, the most frequent first.
    most : int
        Members of one cell that are read.
    """

    mark: str
    levels: list[str]
    most: int


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """The mark between members, the members, and how many a cell has."""
    mark = delimiter_of(column) or next((m for m in DELIMITERS if _has(column, m)), DELIMITERS[0])
    rows, members = _members(column, mark)
    counts = pc.value_counts(members)
    numbers = counts.field("counts").to_numpy()
    names = counts.field("values").to_pylist()
    order = sorted(range(len(names)), key=lambda i: (-numbers[i], names[i]))[:MAX_LEVELS]
    most = int(np.bincount(rows, minlength=1).max())
    return State(
        mark=mark,
        levels=[names[i] for i in order if numbers[i] >= MIN_MEMBER_ROWS],
        most=max(1, min(MAX_READ_MEMBERS, most)),
    )


def _has(column: pa.ChunkedArray, mark: str) -> bool:
    return bool(pc.any(pc.match_substring(column, mark)).as_py())


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """``members``: ``int32[n, most]``; 0 where there is none, 1 unseen, then the levels."""
    rows, members = _members(column, state.mark)
    found = pc.index_in(members, pa.array(state.levels, pa.string()))
    codes = pc.add(found, FIRST).fill_null(UNSEEN).to_numpy()
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)  # of a member within its cell
    kept = place < state.most
    table = np.zeros((len(column), state.most), dtype=np.int32)
    table[rows[kept], place[kept]] = codes[kept]
    return {"members": table}


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """The mean of the members' vectors, and how many they are."""
    from penstock.learning.encoders import SetEmbedding

    return SetEmbedding(len(state.levels) + FIRST, UNSEEN)


def plain(column: pa.ChunkedArray, state: State) -> NDArray[np.float64]:
    """For the baselines: which of the frequent members are there, and how many in all."""
    codes: NDArray[Any] = encode(column, state)["members"]
    frequent = np.arange(FIRST, FIRST + min(NUM_PLAIN, len(state.levels)))
    there = (codes[:, :, None] == frequent).any(axis=1)
    return np.column_stack([(codes > 0).sum(axis=1), there]).astype(np.float64)


def _members(column: pa.ChunkedArray, mark: str) -> tuple[NDArray[np.int64], pa.Array]:
    """Row and name of each member, trimmed, in order; an empty one is none."""
    cells = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    cells = cells.cast(pa.large_string())
    split = pc.split_pattern(cells, mark)
    names = pc.utf8_trim_whitespace(pc.list_flatten(split)).cast(pa.string())
    rows = pc.list_parent_indices(split).to_numpy()
    some = pc.greater(pc.utf8_length(names), 0)
    return rows[some.to_numpy(zero_copy_only=False)].astype(np.int64), names.filter(some)


STRESSES = (
    Stress(
        "unknown",
        (0.1, 0.3, 1.0),
        "{column} has a member that training never saw, before the others, in {strength:.0%} of"
        " the rows",
        "a new genre, tag or product",
        "list the members in the contract, so that new ones are news before they are scored",
    ),
    Stress(
        "fewer",
        (0.1, 0.3, 1.0),
        "{column} has only its first member in {strength:.0%} of the rows",
        "tags that nobody filled in, a list that was cut",
        "train on rows with short lists too, or bound their length in the contract",
    ),
    MISSING,
    EXCHANGED,
)
"""Three strengths each, shares of the rows (house choice)."""


def stressed(
    column: pa.ChunkedArray, state: State, name: str, strength: float, rng: np.random.Generator
) -> pa.ChunkedArray:
    """Cells with an unknown member, with one member only, missing or exchanged."""
    if name == "missing":
        nothing = pa.scalar("", column.type)  # no member, where a null may be filled in
        return shifts.replaced(column, strength, nothing, rng)
    if name == "exchanged":
        return shifts.exchanged(column, strength, rng)
    if name == "fewer":
        changed = pc.list_element(pc.split_pattern(column, state.mark), 0)
    else:
        known = set(state.levels)
        new = next(f"unknown {n}" for n in range(len(known) + 1) if f"unknown {n}" not in known)
        changed = pc.binary_join_element_wise(new, column, state.mark)
    rows = pa.array(shifts.hit(len(column), strength, rng))
    return pc.if_else(rows, changed.cast(column.type), column)


SAID = {"members": Said("smallest", "largest")}
"""How slices of them are said."""


def views(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """``members``: how many a cell has; ``cell``: the cell as it is written."""
    text = column.cast(pa.string()).combine_chunks()
    number = pc.count_substring_regex(text, rf"[^{re.escape(''.join(DELIMITERS))}]+")
    return {"members": number.cast(pa.float64()), "cell": text}
