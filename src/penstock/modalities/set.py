"""Sets of categories in one cell, such as 'Comedy|Drama'."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.measure.contract import slack

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
    """Lists of strings; strings that are cut by one sign into members that repeat."""
    if pa.types.is_list(column.type):
        return 1.0
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
