"""Points in time as people write them: ISO, with dots, slashes or the names of months.

:class:`Levels` -> :class:`Reading` or None
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.tables.arrow_types.levels import MISSING_NUMBER, Levels, Reading, mostly, trimmed

NUM_LOOKED_AT = 1000
"""Distinct values that are looked at before a column of text is searched for times."""

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


def time_reading(found: Levels, force: bool) -> Reading | None:
    """How a column of text is read as points in time; None when it does not hold them.

    Parameters
    ----------
    found : Levels
        All its values.
    force : bool
        Whether the spec says so: then half of the rows must be times.
    """
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
    if shares[best] == 0 or not mostly(found, mask, force):
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
