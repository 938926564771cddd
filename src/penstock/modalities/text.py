"""Free text of several words."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.measure.contract import slack

MIN_WORDS = 3.0
MIN_DISTINCT = 0.5
"""Text has at least so many words on average, and at least so large a share of its values is
distinct (house choice)."""
LONG_CHARACTERS = 60
LONG_DISTINCT = 0.2
"""Long values are text already when fewer are distinct (house choice)."""


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Strings of several words that mostly differ."""
    if not pa.types.is_string(column.type):
        return 0.0
    values = column.drop_null()
    if not len(values):
        return 0.0
    distinct = pc.count_distinct(values).as_py() / len(values)
    words = pc.mean(pc.count_substring_regex(values, r"\S+")).as_py()
    characters = pc.mean(pc.utf8_length(values)).as_py()
    if words < MIN_WORDS:
        return 0.1
    long = characters >= LONG_CHARACTERS and distinct >= LONG_DISTINCT
    return 0.8 if distinct >= MIN_DISTINCT or long else 0.1


LENGTH_SLACK = 4
"""A text may be so many times as long as the longest one seen (house choice)."""


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """Texts that are not empty and not absurdly long."""
    lengths = pc.min_max(pc.utf8_length(column.cast(pa.large_string()))).as_py()
    if lengths["min"] is None:
        return []
    kwargs = {
        "column": name,
        "min_value": min(lengths["min"], 1),
        "max_value": LENGTH_SLACK * max(lengths["max"], 1),
        "mostly": slack.mostly(slack.stray_share(len(column) - column.null_count)),
    }
    return [
        {
            "type": "expect_column_value_lengths_to_be_between",
            "kwargs": kwargs,
            "meta": {"severity": "error", "quarantine": True},
        }
    ]


def views(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """``characters`` and ``words``: how long it is."""
    text = column.cast(pa.large_string()).combine_chunks()
    return {
        "characters": pc.utf8_length(text).cast(pa.float64()),
        "words": pc.count_substring_regex(text, r"\S+").cast(pa.float64()),
    }
