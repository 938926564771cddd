"""The regular pattern that the values of a column share, as a regular expression.

Codes such as ``AB-1234`` have one shape; names at least keep to an alphabet. A value of
another shape is a damaged or a foreign one.

strings -> expectation
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.measure.contract import slack

CLASSES = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}
"""What stands for a digit, a capital and a small letter in a shape."""
MAX_RUN = 64
"""Longest value that a pattern describes (house choice: a code, not a text)."""
MAX_SHAPES = 1000
"""More shapes than that are no shared shape."""
MIN_VALUES = 20
"""Fewest distinct values that make a pattern (house choice)."""


def expectations(
    column: pa.ChunkedArray, name: str, severity: str = "error"
) -> list[dict[str, Any]]:
    """Expect the shared pattern of a string column; nothing where there is none.

    Parameters
    ----------
    column : pa.ChunkedArray
        Strings, nulls allowed.
    name : str
        Of the column.
    severity : {"error", "warning"}
        What a failure means.
    """
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return []
    values = pc.unique(column.drop_null())
    pattern = shared(values) if len(values) >= MIN_VALUES else ""
    if not pattern:
        return []
    stray = slack.stray_share(len(column) - column.null_count)
    kwargs = {"column": name, "regex": pattern, "mostly": slack.mostly(stray)}
    meta = {"severity": severity, "quarantine": False}
    return [{"type": "expect_column_values_to_match_regex", "kwargs": kwargs, "meta": meta}]


def shared(values: pa.Array) -> str:
    """The expression that all of these strings match; empty where there is nothing regular.

    One shape where all have it, runs of digits and letters counted; else the alphabet, where
    all keep to letters, digits and the same few ASCII marks.

    Examples
    --------
    >>> shared(pa.array(["AB-1", "CD-23", "EF-456"]))
    '^[A-Z]{2}-[0-9]{1,3}$'
    >>> shared(pa.array(["New York", "Paris"]))
    '^[A-Za-z ]{1,16}$'
    """
    longest = pc.max(pc.utf8_length(values)).as_py() or 0
    if not 0 < longest <= MAX_RUN:
        return ""
    shapes = values
    for letter, members in CLASSES.items():
        # in this order: 9 is no letter, and the A of capitals is not yet there for digits
        shapes = pc.replace_substring_regex(shapes, pattern=members, replacement=letter)
    shapes = pc.unique(shapes)
    if len(shapes) <= MAX_SHAPES:
        runs = {tuple(_runs(shape)) for shape in shapes.to_pylist()}
        if len({tuple(letter for letter, _ in one) for one in runs}) == 1:
            return _expression(runs)
    return _alphabet(shapes, longest)


def _runs(shape: str) -> list[tuple[str, int]]:
    """Letters of a shape with the length of their runs; marks stand alone."""
    found = re.finditer(r"9+|A+|a+|.", shape, flags=re.DOTALL)
    return [(match[0][0], len(match[0])) for match in found]


def _expression(runs: set[tuple[tuple[str, int], ...]]) -> str:
    pattern = ""
    for same in zip(*runs, strict=True):
        letter = same[0][0]
        if letter in CLASSES:
            least, most = min(n for _, n in same), max(n for _, n in same)
            times = f"{{{least}}}" if least == most else f"{{{least},{most}}}"
            pattern += CLASSES[letter] + (times if most > 1 else "")
        else:
            pattern += re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", letter)
    return f"^{pattern}$"


def _alphabet(shapes: pa.Array, longest: int) -> str:
    letters = set("".join(shapes.to_pylist()))
    marks = letters - set(CLASSES)
    if len(marks) > 8 or any(ord(mark) > 126 or ord(mark) < 32 for mark in marks):
        return ""
    parts = [CLASSES[one][1:-1] for one in ("A", "a", "9") if one in letters]
    parts += [rf"\{mark}" if mark in r"\]^-" else mark for mark in sorted(marks)]
    return f"^[{''.join(parts)}]{{1,{2 * longest}}}$"
