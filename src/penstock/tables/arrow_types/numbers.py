"""Numbers as people write them: separators, decimal commas, currency and percent signs.

:class:`Levels` -> :class:`Reading` or None
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from penstock.tables.arrow_types.levels import (
    MISSING_NUMBER,
    Levels,
    Reading,
    finite,
    mostly,
    trimmed,
)

LEAST_CODES = 0.01
"""Share of distinct values with a leading zero that makes a column one of codes."""

MOST_DIGITS = 18
"""Longer integers do not fit in 64 bits: they are codes."""


@dataclass(frozen=True)
class Style:
    """One way to write numbers: what they look like, and the signs to drop and to replace."""

    name: str
    body: str
    drop: str = ""
    comma: bool = False


STYLES = (
    Style("", r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?|(?i:inf(?:inity)?)"),
    Style("comma between thousands", r"(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d*)?", drop=","),
    Style("decimal comma", r"(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)(?:,\d+)?", drop=r"\.", comma=True),
    Style(
        "space between thousands",
        r"(?:[1-9]\d{0,2}(?:[ \x{a0}\x{202f}']\d{3})+|\d+)(?:[.,]\d+)?",
        comma=True,
    ),
)
"""In order of preference where two describe the same values."""

CURRENCY = r"(?:[$€£¥₹]|US\$|USD|EUR|GBP|CHF|JPY)"
AFFIXES = {
    "": ("", ""),
    "currency": (f"(?:{CURRENCY} ?)?", f"(?: ?{CURRENCY})?"),
    "percent": ("", " ?%"),
}
DECORATION = rf"{CURRENCY}|[%\s\x{{a0}}\x{{202f}}'+]"


@dataclass(frozen=True)
class NumberForm:
    """A style with the signs around the number."""

    style: Style
    affix: str

    @property
    def pattern(self) -> str:
        """The regular expression of a whole value."""
        before, after = AFFIXES[self.affix]
        return rf"\A[+-]?{before}[+-]?(?:{self.style.body}){after}\z"

    @property
    def name(self) -> str:
        """For people; empty for plain numbers."""
        return ", ".join(word for word in (self.affix, self.style.name) if word)

    def matches(self, values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Which values have this form."""
        return pc.match_substring_regex(values, self.pattern)

    def plain(self, values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Values of this form as Arrow reads numbers; all others null."""
        kept = pc.if_else(self.matches(values), values, pa.scalar(None, pa.string()))
        if self.affix or self.style.name:
            kept = pc.replace_substring_regex(kept, DECORATION, "")
            if self.style.drop:
                kept = pc.replace_substring_regex(kept, self.style.drop, "")
            if self.style.comma:
                kept = pc.replace_substring(kept, ",", ".")
        return pc.utf8_ltrim(kept, "+")


def number_reading(found: Levels, force: bool) -> Reading | None:
    """How a column of text is read as numbers; None when it does not hold them.

    Parameters
    ----------
    found : Levels
        All its values.
    force : bool
        Whether the spec says that it is numeric: then half of the rows must be numbers.
    """
    form, mask = best_form(found)
    if not mostly(found, mask, force):
        return None
    plain = form.plain(found.values).drop_null()
    whole = pc.match_substring_regex(plain, r"\A-?\d+\z")
    if not force and _are_codes(plain):
        return None
    integers = bool(pc.all(whole).as_py()) and _longest(plain) <= MOST_DIGITS
    target = pa.int64() if integers else pa.float64()

    def read(column: pa.ChunkedArray) -> pa.ChunkedArray:
        numbers = pc.cast(form.plain(trimmed(column, MISSING_NUMBER)), target)
        return numbers if integers else finite(numbers)

    tokens = found.unmarked(mask)
    infinite = pc.match_substring(plain, "inf", ignore_case=True)
    if pc.any(infinite).as_py():
        spelled = pc.match_substring_regex(found.values, r"\A[+-]?(?i:inf(?:inity)?)\z")
        tokens |= found.unmarked(pc.invert(spelled))
    return Reading(target, read, tokens, f"written with {form.name}" if form.name else "")


def best_form(found: Levels) -> tuple[NumberForm, pa.Array]:
    """The form that most rows have; the first of equals."""
    joined = "percent" if pc.any(pc.match_substring(found.values, "%")).as_py() else ""
    currency = pc.any(pc.match_substring_regex(found.values, CURRENCY)).as_py()
    affixes = ["", *([joined] if joined else []), *(["currency"] if currency else [])]
    best, best_mask, best_share = NumberForm(STYLES[0], ""), None, -1.0
    for affix in affixes:
        for style in STYLES:
            form = NumberForm(style, affix)
            mask = form.matches(found.values)
            share = found.share(mask)
            if share > best_share:
                best, best_mask, best_share = form, mask, share
            if share == 1.0:
                return form, mask
    return best, best_mask


def _are_codes(plain: pa.Array) -> bool:
    """Whether integers are codes: with leading zeros (00501), or too long to count with."""
    leading = pc.match_substring_regex(plain, r"\A-?0\d+\z")
    if pc.sum(leading).as_py() / len(plain) >= LEAST_CODES:
        return True
    whole = pc.all(pc.match_substring_regex(plain, r"\A-?\d+\z")).as_py()
    return bool(whole) and _longest(plain) > MOST_DIGITS


def _longest(plain: pa.Array) -> int:
    return int(pc.max(pc.utf8_length(pc.utf8_ltrim(plain, "-"))).as_py())
