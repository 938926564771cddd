"""Which rows a window holds: ``A..B`` is from A on, up to but not with B.

``A..B``, a column of times or numbers -> a mask of rows
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.errors import BadInput, Mistake

EXAMPLE = "2024-01-01..2024-02-01, from the first on and before the second"


@dataclass(frozen=True)
class Window:
    """A half-open span of time, or of a number such as a month's.

    Attributes
    ----------
    name : str
        As it was written: the history knows the window by it.
    start, end : datetime, float or None
        None: open on that side. Times are UTC.
    """

    name: str
    start: datetime | float | None = None
    end: datetime | float | None = None

    def holds(self, column: pa.ChunkedArray | pa.Array) -> NDArray[np.bool_]:
        """Which rows are inside, ``bool[n]``; one without a time is in no window.

        Raises
        ------
        BadInput
            When the column holds neither times nor numbers, or not what the window is of.
        """
        timed = pa.types.is_temporal(column.type)
        kept = np.ones(len(column), dtype=bool)
        values = _values(column)
        kept &= np.isfinite(values)
        for bound, side in ((self.start, values.__ge__), (self.end, values.__lt__)):
            if bound is not None:
                if isinstance(bound, datetime) != timed:
                    kind = "times" if timed else "numbers"
                    found = f"{self.name} for a column of {kind}"
                    raise BadInput(Mistake("a window is of what the time column holds", found))
                kept &= side(_number(bound))
        return kept


def parse(text: str, where: str = "--window") -> Window:
    """A window as a person writes it.

    Parameters
    ----------
    text : str
        ``A..B``; either side may be left out. ISO dates, ``2024-01`` for a month, times, or
        numbers.
    where : str
        For messages.

    Raises
    ------
    BadInput
        When it is no window, or an empty one.

    Examples
    --------
    >>> parse("2024-01..2024-02").end
    datetime.datetime(2024, 2, 1, 0, 0, tzinfo=datetime.timezone.utc)
    >>> parse("4..5").start
    4.0
    """
    first, dots, last = text.partition("..")
    try:
        start, end = (_bound(side.strip()) for side in (first, last))
    except ValueError:
        dots = ""
        start = end = None
    known = [bound for bound in (start, end) if bound is not None]
    if not dots or not known or len({type(bound) for bound in known}) > 1:
        raise BadInput(Mistake("a window is A..B", repr(text), where, EXAMPLE))
    if start is not None and end is not None and not _number(start) < _number(end):
        raise BadInput(Mistake("a window ends after it starts", text, where, EXAMPLE))
    return Window(text, start, end)


def last_whole(column: pa.ChunkedArray, every: str, back: int = 0) -> Window:
    """The last whole day, week or month that a column of times holds.

    Parameters
    ----------
    column : pa.ChunkedArray
        Of times.
    every : {"day", "week", "month"}
    back : int
        So many windows before it.

    Raises
    ------
    BadInput
        When the column holds no time.

    Examples
    --------
    >>> times = pa.chunked_array([pa.array([datetime(2024, 3, 5)])])
    >>> last_whole(times, "month").name, last_whole(times, "month", 1).name
    ('2024-02-01..2024-03-01', '2024-01-01..2024-02-01')
    """
    values = _values(column) if pa.types.is_temporal(column.type) else np.empty(0)
    values = values[np.isfinite(values)]
    if not len(values):
        rule = f"windows of a {every} need times in the column of data.time"
        raise BadInput(Mistake(rule, f"type {column.type}", "monitor.every", "name a --window"))
    newest = datetime.fromtimestamp(float(values.max()) / 1e6, UTC).date()
    end = {
        "day": newest,
        "week": newest - timedelta(days=newest.weekday()),
        "month": newest.replace(day=1),
    }[every]
    for _ in range(back):
        end = _before(end, every)
    start = _before(end, every)
    return parse(f"{start.isoformat()}..{end.isoformat()}")


def _before(end: date, every: str) -> date:
    if every == "month":
        return (end - timedelta(days=1)).replace(day=1)
    return end - timedelta(days=1 if every == "day" else 7)


def _bound(text: str) -> datetime | float | None:
    if not text:
        return None
    if len(text) == 7 and text[4:5] == "-":
        text += "-01"
    try:
        return float(text)
    except ValueError:
        found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _number(bound: datetime | float) -> float:
    """Microseconds since 1970, or the number."""
    if not isinstance(bound, datetime):
        return bound
    return (bound - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)


def _values(column: Any) -> NDArray[np.float64]:
    """Microseconds since 1970, or numbers; nan where there is none."""
    if pa.types.is_temporal(column.type):
        zone = getattr(column.type, "tz", None)
        column = column.cast(pa.timestamp("us", "UTC" if zone else None), safe=False)
        column = column.cast(pa.int64())
    elif not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        rule = "the column of data.time holds times or numbers"
        raise BadInput(Mistake(rule, f"type {column.type}", "data.time", "name another column"))
    values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    return values
