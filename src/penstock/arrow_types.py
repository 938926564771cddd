"""Decide the storage type of a raw column over all its rows, and read it into that type.

A column of text is read as what all of its values say together: booleans, integers, numbers
(with thousands separators, currency or percent signs, decimal commas), points in time, or
strings. The decision is taken once, on the distinct values; the reading is then the same for
every batch.

``pa.ChunkedArray`` -> :class:`Reading`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null",
)  # fmt: skip
"""What stands for no value in text: pandas' defaults, but for ``None``, see `MISSING_NUMBER`."""

MISSING_NUMBER = (*MISSING, "None")
"""In a column of numbers or times ``None`` is no value; among words it may be a level."""

LEAST_PARSED = 0.95
"""Share of the values that must be numbers, so that the column is (house choice)."""

MOST_TOKENS = 3
LEAST_NUMBERS = 10
"""A column is numeric too when at most so many distinct values are no numbers, such as ``?``
and ``unknown``, and at least so many distinct ones are (house choice)."""

LEAST_CODES = 0.01
"""Share of distinct values with a leading zero that makes a column one of codes."""

MOST_DIGITS = 18
"""Longer integers do not fit in 64 bits: they are codes."""

NUM_LOOKED_AT = 1000
"""Distinct values that are looked at before a column of text is searched for times."""

Read = Callable[[pa.ChunkedArray], pa.ChunkedArray]


@dataclass(frozen=True)
class Reading:
    """How a raw column becomes a typed one.

    Attributes
    ----------
    arrow_type : pa.DataType
        bool, int64, double, timestamp[us], string, list<string> or binary.
    read : callable
        From raw rows to typed rows, batch by batch; never fails on a value.
    tokens : dict of str to int
        Values that became null because they are no number or time, and their rows.
    why : str
        What was noticed, when it is not plain.
    """

    arrow_type: pa.DataType
    read: Read
    tokens: dict[str, int]
    why: str = ""


def reading(column: pa.ChunkedArray, wanted: str = "auto") -> Reading | None:
    """Decide how a column is read.

    Parameters
    ----------
    column : pa.ChunkedArray
        All rows, of any Arrow type.
    wanted : {"auto", "numeric", "timestamp", "text"}
        ``numeric`` and ``timestamp`` are tried whatever share of the values parses; ``text``
        keeps strings.

    Returns
    -------
    Reading or None
        None when no modality can use this type (structs, maps, nested lists).

    Examples
    --------
    >>> found = reading(pa.chunked_array([["$1,200", "$3", "NA", "$45.50"]]))
    >>> found.read(pa.chunked_array([["$1,200", "$3", "NA", "$45.50"]])).to_pylist()
    [1200.0, 3.0, None, 45.5]
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        inner = reading(pc.cast(column, kind.value_type), wanted)
        return inner and _after(partial(pc.cast, target_type=kind.value_type), inner)
    if _is_string(kind):
        return _text_reading(column, wanted)
    if pa.types.is_null(kind):
        return Reading(pa.string(), partial(pc.cast, target_type=pa.string()), {})
    if pa.types.is_boolean(kind):
        return Reading(kind, _same, {})
    if pa.types.is_integer(kind):
        return _integer_reading(column, wanted)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Reading(pa.float64(), finite, {})
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        target = pa.timestamp("us", "UTC" if getattr(kind, "tz", None) else None)
        return Reading(target, partial(pc.cast, target_type=target, safe=False), {})
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return Reading(pa.float64(), _seconds, {}, "in seconds")
    return _container_reading(kind)


def _container_reading(kind: pa.DataType) -> Reading | None:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if _is_string(kind.value_type):
            target = pa.list_(pa.string())
            return Reading(target, partial(pc.cast, target_type=target), {})
        return None
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        if _is_binary(kind.field("bytes").type):
            return Reading(pa.binary(), _bytes_field, {}, "the bytes of a struct")
        return None
    if _is_binary(kind):
        return Reading(pa.binary(), partial(pc.cast, target_type=pa.binary()), {})
    return None


def count_infinite(column: pa.ChunkedArray) -> int:
    """Number of infinite values of a column of floats; 0 for any other type."""
    if not pa.types.is_floating(column.type):
        return 0
    return int(pc.sum(pc.is_inf(column)).as_py() or 0)


def finite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """As doubles, with infinities and NaN as null."""
    values = pc.cast(column, pa.float64())
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))


def trimmed(column: pa.ChunkedArray, missing: tuple[str, ...] = MISSING) -> pa.ChunkedArray:
    """Strings without space around them; missing ones null."""
    values = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    gone = pc.is_in(values, value_set=pa.array(missing, pa.string()))
    return pc.if_else(gone, pa.scalar(None, pa.string()), values)


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _same(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column


def _after(first: Read, then: Reading) -> Reading:
    return Reading(then.arrow_type, lambda column: then.read(first(column)), then.tokens, then.why)


def _seconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    units = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
    width = pa.int32() if pa.types.is_time32(column.type) else pa.int64()
    return pc.divide(pc.cast(pc.cast(column, width), pa.float64()), units[column.type.unit])


def _bytes_field(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(pc.struct_field(column, "bytes"), pa.binary())


def _integer_reading(column: pa.ChunkedArray, wanted: str) -> Reading:
    if wanted == "timestamp":
        return _epoch_reading(column)
    largest = pc.max(column).as_py()
    fits = largest is None or largest < 2**63
    target = pa.int64() if fits else pa.float64()
    return Reading(target, partial(pc.cast, target_type=target, safe=False), {})


def _epoch_reading(column: pa.ChunkedArray) -> Reading:
    """Integers as time since 1970, in the unit that puts the largest one before 2300."""
    largest = pc.max(pc.abs(pc.cast(column, pa.int64()))).as_py() or 0
    unit = next((u for u, top in (("s", 1e10), ("ms", 1e13), ("us", 1e16)) if largest < top), "ns")

    def read(part: pa.ChunkedArray) -> pa.ChunkedArray:
        since = pc.cast(pc.cast(part, pa.int64()), pa.timestamp(unit))
        return pc.cast(since, pa.timestamp("us"), safe=False)

    return Reading(pa.timestamp("us"), read, {}, f"{unit} since 1970")


# ---------------------------------------------------------------- text


@dataclass(frozen=True)
class Levels:
    """Distinct values of a text column and in how many rows each stands."""

    values: pa.Array
    rows: np.ndarray

    @property
    def num_rows(self) -> int:
        """Rows with a value."""
        return int(self.rows.sum())

    def share(self, mask: pa.Array) -> float:
        """Share of the rows whose value is marked."""
        return float(self.rows[_as_mask(mask)].sum() / max(self.num_rows, 1))

    def unmarked(self, mask: pa.Array) -> dict[str, int]:
        """Values that are not marked, most frequent first, and their rows."""
        out = ~_as_mask(mask)
        values, rows = self.values.filter(pa.array(out)).to_pylist(), self.rows[out]
        return {values[place]: int(rows[place]) for place in np.argsort(-rows, kind="stable")}


def levels(column: pa.ChunkedArray) -> Levels:
    """Count the distinct values, nulls aside."""
    counts = pc.value_counts(column.drop_null())
    return Levels(
        counts.field("values"), counts.field("counts").to_numpy(zero_copy_only=False).astype(int)
    )


def _as_mask(mask: pa.Array) -> np.ndarray:
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=bool)


def _text_reading(column: pa.ChunkedArray, wanted: str) -> Reading:
    words = Reading(pa.string(), trimmed, {})
    if wanted == "text":
        return words
    found = levels(trimmed(column, MISSING_NUMBER))
    if not len(found.values):
        return words
    force = wanted in ("numeric", "timestamp")
    if not force and (booleans := _boolean_reading(found)):
        return booleans
    if wanted != "timestamp" and (numbers := _number_reading(found, force)):
        return numbers
    if wanted != "numeric" and (times := _time_reading(found, force)):
        return times
    return words


def _boolean_reading(found: Levels) -> Reading | None:
    words = {str(value).lower() for value in found.values.to_pylist()[:9]}
    if len(found.values) > 8 or not (words <= {"true", "false"} or words == {"t", "f"}):
        return None
    yes = pa.array(["true", "t"])

    def read(column: pa.ChunkedArray) -> pa.ChunkedArray:
        values = trimmed(column, MISSING_NUMBER)
        marked = pc.is_in(pc.utf8_lower(values), value_set=yes)
        return pc.if_else(pc.is_valid(values), marked, pa.scalar(None, pa.bool_()))

    return Reading(pa.bool_(), read, {})


# ---------------------------------------------------------------- numbers


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


def _number_reading(found: Levels, force: bool) -> Reading | None:
    form, mask = _best_form(found)
    if not _mostly(found, mask, force):
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


def _best_form(found: Levels) -> tuple[NumberForm, pa.Array]:
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


def _mostly(found: Levels, mask: pa.Array, force: bool) -> bool:
    """Whether the marked values are enough to call the column by them."""
    num_marked = int(_as_mask(mask).sum())
    if force:
        return found.share(mask) >= 0.5
    num_tokens = len(found.values) - num_marked
    few_tokens = num_tokens <= MOST_TOKENS and num_marked >= LEAST_NUMBERS
    return num_marked > 0 and (found.share(mask) >= LEAST_PARSED or few_tokens)


def _are_codes(plain: pa.Array) -> bool:
    """Whether integers are codes: with leading zeros (00501), or too long to count with."""
    leading = pc.match_substring_regex(plain, r"\A-?0\d+\z")
    if pc.sum(leading).as_py() / len(plain) >= LEAST_CODES:
        return True
    whole = pc.all(pc.match_substring_regex(plain, r"\A-?\d+\z")).as_py()
    return bool(whole) and _longest(plain) > MOST_DIGITS


def _longest(plain: pa.Array) -> int:
    return int(pc.max(pc.utf8_length(pc.utf8_ltrim(plain, "-"))).as_py())


# ---------------------------------------------------------------- points in time

CLOCK = (
    r"(?:[T ]\s?(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"\s?(?P<p>[AaPp][Mm])?\s?(?P<z>Z|UTC|[+-]\d{2}:?(?:\d{2})?)?)?"
)
DATES = {
    "year-month-day": r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})",
    "day.month.year": r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})",
    "month/day/year": r"(?P<m>\d{1,2})[/-](?P<d>\d{1,2})[/-](?P<y>\d{4})",
    "day/month/year": r"(?P<d>\d{1,2})[/-](?P<m>\d{1,2})[/-](?P<y>\d{4})",
    "day month-name year": r"(?P<d>\d{1,2})[ -](?P<b>[A-Za-z]{3})[a-z]*\.?,?[ -](?P<y>\d{4})",
    "month-name day, year": r"(?P<b>[A-Za-z]{3})[a-z]*\.? (?P<d>\d{1,2}),? (?P<y>\d{4})",
}
"""Forms of a date by name. Where month and day could be exchanged throughout, it stays text."""

MONTHS = pa.array(
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
)


def _time_reading(found: Levels, force: bool) -> Reading | None:
    forms = list(DATES) if force else _forms_seen(found.values)
    shares = {}
    for name in forms:
        times, _ = parse_times(found.values, name)
        shares[name] = found.share(pc.is_valid(times))
    if not shares:
        return None
    best = max(shares, key=lambda name: shares[name])
    times, zoned = parse_times(found.values, best)
    mask = pc.is_valid(times)
    if shares[best] == 0 or not _mostly(found, mask, force):
        return None
    other = {"month/day/year": "day/month/year"}.get(best)
    if other and shares.get(other) == shares[best] and not force:
        return None
    target = pa.timestamp("us", "UTC" if zoned else None)

    def read(column: pa.ChunkedArray) -> pa.ChunkedArray:
        values = trimmed(column, MISSING_NUMBER)
        parsed = [parse_times(chunk, best)[0].cast(target) for chunk in values.chunks]
        return pa.chunked_array(parsed, target)

    return Reading(target, read, found.unmarked(mask), f"written as {best}")


def _forms_seen(values: pa.Array) -> list[str]:
    """Forms of some of the first values: long texts are not searched in full."""
    first = values.slice(0, NUM_LOOKED_AT)
    return [name for name in DATES if pc.any(pc.is_valid(parse_times(first, name)[0])).as_py()]


def parse_times(values: pa.Array, form: str) -> tuple[pa.Array, bool]:
    """Read points in time.

    Parameters
    ----------
    values : pa.Array of string
    form : str
        A key of :data:`DATES`.

    Returns
    -------
    times : pa.Array of timestamp[us]
        Null where the value is not of this form or no day of the calendar; in UTC where the
        value says its distance from it.
    zoned : bool
        Whether any value says that distance.

    Examples
    --------
    >>> values = pa.array(["2024-02-29T12:00+02:00", "2023-02-29"])
    >>> times, zoned = parse_times(values, "year-month-day")
    >>> times.to_pylist(), zoned
    ([datetime.datetime(2024, 2, 29, 10, 0), None], True)
    """
    parts = pc.extract_regex(values, rf"\A{DATES[form]}{CLOCK}\z")
    valid = np.array(pc.is_valid(parts).to_numpy(zero_copy_only=False), dtype=bool)

    def number(name: str, default: int = 0) -> np.ndarray:
        text = pc.struct_field(parts, name)
        text = pc.if_else(pc.equal(text, ""), pa.scalar(str(default)), text)
        return np.asarray(
            pc.fill_null(pc.cast(text, pa.int64()), default).to_numpy(zero_copy_only=False)
        )

    if "?P<b>" in DATES[form]:
        named = pc.index_in(pc.utf8_lower(pc.struct_field(parts, "b")), value_set=MONTHS)
        month = np.asarray(pc.fill_null(named, -1).to_numpy(zero_copy_only=False)) + 1
    else:
        month = number("m")
    year, day = number("y", 1970), number("d")
    valid &= (month >= 1) & (month <= 12) & (year >= 1)
    start = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (
        np.clip(month, 1, 12) - 1
    )
    days = start.astype("datetime64[D]") + (day - 1)
    valid &= (day >= 1) & (days.astype("datetime64[M]") == start)
    hour, minute, second = number("H"), number("M"), number("S")
    valid &= (hour <= 23) & (minute <= 59) & (second <= 60)
    half = pc.utf8_lower(pc.fill_null(pc.struct_field(parts, "p"), ""))
    hour = _half_day(hour, half)
    fraction = pc.utf8_slice_codeunits(
        pc.utf8_rpad(pc.fill_null(pc.struct_field(parts, "f"), ""), 6, "0"), 0, 6
    )
    micro = np.asarray(pc.cast(fraction, pa.int64()).to_numpy(zero_copy_only=False))
    seconds = hour * 3600 + minute * 60 + second - _zone_seconds(parts)
    times = days.astype("datetime64[us]") + (seconds * 1_000_000 + micro).astype("timedelta64[us]")
    zoned = bool(pc.any(pc.not_equal(pc.struct_field(parts, "z"), "")).as_py())
    return pa.array(times, pa.timestamp("us"), mask=~valid), zoned


def _half_day(hour: np.ndarray, half: pa.Array) -> np.ndarray:
    after = np.asarray(pc.equal(half, "pm").to_numpy(zero_copy_only=False))
    before = np.asarray(pc.equal(half, "am").to_numpy(zero_copy_only=False))
    return np.where(after & (hour < 12), hour + 12, np.where(before & (hour == 12), 0, hour))


def _zone_seconds(parts: pa.Array) -> np.ndarray:
    """Distance from UTC in seconds, 0 where none is said."""
    zone = pc.replace_substring(pc.fill_null(pc.struct_field(parts, "z"), ""), ":", "")
    signed = pc.match_substring_regex(zone, r"\A[+-]")
    digits = pc.if_else(signed, pc.utf8_rpad(zone, 5, "0"), pa.scalar("+0000"))
    hours = np.asarray(
        pc.cast(pc.utf8_slice_codeunits(digits, 1, 3), pa.int64()).to_numpy(zero_copy_only=False)
    )
    minutes = np.asarray(
        pc.cast(pc.utf8_slice_codeunits(digits, 3, 5), pa.int64()).to_numpy(zero_copy_only=False)
    )
    sign = np.where(np.asarray(pc.starts_with(digits, "-").to_numpy(zero_copy_only=False)), -1, 1)
    return sign * (hours * 3600 + minutes * 60)
