"""Sets of categories in one cell, such as 'Comedy|Drama'."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

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
