"""Numbers, checks and names as a person reads them.

Values -> str
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from penstock.evidence import Check
from penstock.records import Estimate

NO_LIMIT = 1e9
"""A gate's limit at or beyond this size stands for no limit at all."""

MAX_CELL = 300
"""Most characters of one table cell."""


LARGEST = 10**300
"""An integer from here on has no float: it is written digit by digit."""

GROUPED_FROM = 10_000
"""Numbers from here on are written with separators; a year is not."""


def number(value: float | None) -> str:
    """A number for a person: four significant digits, a true minus sign, a dash for none.

    Examples
    --------
    >>> [number(value) for value in (None, 32561, 1994, 0.92981, -0.5, 0.0000012, 12345.678)]
    ['–', '32,561', '1994', '0.9298', '−0.5', '1.2e−06', '12,346']
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e15:
        return fixed(value, 0)
    if 1e-4 <= abs(value) < 1e15:
        places = max(0, 3 - math.floor(math.log10(abs(value))))
        return fixed(float(f"{value:.4g}") if abs(value) < 1e4 else value, places, trim=True)
    return f"{value:.3g}".replace("-", "−")


def fixed(value: float | None, places: int, trim: bool = False, group: bool = False) -> str:
    """A number with so many decimals; thousands are set apart from 10,000 on, or on wish."""
    if value is None or not math.isfinite(value):
        return "–"
    group = group or abs(value) >= GROUPED_FROM
    text = f"{value:,.{places}f}" if group else f"{value:.{places}f}"
    if trim and "." in text:
        text = text.rstrip("0").rstrip(".")
    if text.startswith("-"):
        text = text[1:] if not text.strip("-0.,") else f"−{text[1:]}"
    return text


def decimals(values: Iterable[Any]) -> int:
    """Decimals that suit all of these numbers, so that they line up in a column."""
    known = [abs(v) for v in values if _is_number(v) and math.isfinite(v) and v]
    if all(v == round(v) for v in known):
        return 0
    largest = math.floor(math.log10(max(known)))
    smallest = math.floor(math.log10(min(known)))
    enough = min(4, 4 - largest) if largest >= -2 else 1 - largest
    return min(6, max(0, enough, -smallest))


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < LARGEST
    return isinstance(value, float)


def duration(seconds: float) -> str:
    """A wall-clock time for a person.

    Examples
    --------
    >>> [duration(seconds) for seconds in (0.01, 3.14, 75, 7300)]
    ['< 0.1 s', '3.1 s', '1 min 15 s', '2 h 1 min']
    """
    if seconds < 0.1:
        return "< 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def cell(value: Any) -> str:
    """A JSON value as a table shows it.

    Examples
    --------
    >>> [cell(value) for value in (None, True, 0.25, ["a", 1], {"a": 1})]
    ['–', 'yes', '0.25', 'a, 1', 'a: 1']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or _is_number(value):
        return number(value)
    if isinstance(value, dict):
        text = ", ".join(f"{key}: {cell(inner)}" for key, inner in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(map(cell, value))
    else:
        text = str(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def column(values: list[Any]) -> tuple[bool, list[str]]:
    """A table's column as text, and whether it holds numbers, which then line up.

    Examples
    --------
    >>> column([0.9298, 0.5, None])
    (True, ['0.9298', '0.5000', '–'])
    >>> column([True, 2])
    (False, ['yes', '2'])
    """
    numeric = any(map(_is_number, values)) and all(v is None or _is_number(v) for v in values)
    if not numeric:
        return False, [cell(value) for value in values]
    places = decimals(values)
    group = any(abs(value or 0) >= GROUPED_FROM for value in values)
    return True, [fixed(value, places, group=group) for value in values]


def estimated(estimate: Estimate, places: int | None = None) -> tuple[str, str]:
    """Value and interval as text, with equally many decimals."""
    places = decimals([estimate.value]) if places is None else places
    if estimate.low is None or estimate.high is None:
        return fixed(estimate.value, places), ""
    span = f"{fixed(estimate.low, places)} to {fixed(estimate.high, places)}"
    return fixed(estimate.value, places), span


def measured(check: Check) -> tuple[str, str]:
    """A check's value and interval as text."""
    if not check.enough or check.value is None:
        return "not measured", ""
    if check.low is None or check.high is None:
        return number(check.value), ""
    estimate = Estimate(value=check.value, low=check.low, high=check.high)
    return estimated(estimate, decimals([check.value, check.low, check.high]))


def bracketed(value: str, span: str) -> str:
    """Value and interval in one line."""
    return f"{value} [{span}]" if span else value


def limit(check: Check) -> str:
    """A check's limit with its direction, and the end of the interval that counts.

    Examples
    --------
    >>> limit(Check(name="c", stage="s", better="higher", limit=0.5, burden="prove"))
    '≥ 0.5 at the lower end'
    """
    if check.limit is None:
        return "no limit"
    if abs(check.limit) >= NO_LIMIT:
        return "no limit"
    sign = "≥" if check.better == "higher" else "≤"
    if check.burden == "value":
        return f"{sign} {number(check.limit)}"
    if check.burden == "differ":
        return f"{sign} {number(check.limit)}, or what chance explains"
    end = "lower" if (check.burden == "prove") == (check.better == "higher") else "upper"
    return f"{sign} {number(check.limit)} at the {end} end"


def heading(name: str) -> str:
    """A name as a heading: words, the first one with a capital."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
