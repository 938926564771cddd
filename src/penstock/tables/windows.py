"""Spans of time: which rows belong to a window, and what it is called.

``A..B``, or a column of moments -> :class:`Window`
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BadInput, Mistake
from penstock.records import Column, Layout


@dataclass(frozen=True)
class Window:
    """A half-open span of time, or all rows of an input.

    Attributes
    ----------
    name : str
        The same for the same window: a second run of it replaces the first one's rows.
    start, end : datetime, optional
        First moment, and the first one after it, in UTC without a zone; None: every row.
    """

    name: str
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def parse(cls, text: str, where: str = "--window") -> Window:
        """Read ``A..B``: ISO dates or moments; B is no longer part of it.

        Raises
        ------
        BadInput
            When it is written otherwise, or ends before it begins.

        Examples
        --------
        >>> Window.parse("2024-01-01..2024-02-01T00:00").name
        '2024-01-01..2024-02-01'
        """
        rule = "a window is A..B, ISO dates or moments, of which B is no longer part"
        remedy = "write it as 2024-01-01..2024-02-01"
        first, dots, last = text.partition("..")
        try:
            start, end = _moment(first), _moment(last)
        except ValueError as error:
            found = f"{text!r}" if dots else f"no .. in {text!r}"
            raise BadInput(Mistake(rule, found, where, remedy)) from error
        if start >= end:
            raise BadInput(Mistake(rule, f"{text!r} ends before it begins", where, remedy))
        return cls(f"{_shown(start)}..{_shown(end)}", start, end)

    def holds(self, times: pa.ChunkedArray) -> pa.ChunkedArray:
        """Which moments lie in it, ``bool[n]``; a missing one lies in none.

        Examples
        --------
        >>> times = pa.chunked_array([[datetime(2024, 1, 31, 23), datetime(2024, 2, 1), None]])
        >>> Window.parse("2024-01-01..2024-02-01").holds(times).to_pylist()
        [True, False, False]
        """
        plain = times.cast(pa.timestamp("us"), safe=False)
        inside = pc.is_valid(plain)
        if self.start is not None:
            inside = pc.and_(inside, pc.greater_equal(plain, pa.scalar(self.start, plain.type)))
        if self.end is not None:
            inside = pc.and_(inside, pc.less(plain, pa.scalar(self.end, plain.type)))
        return pc.fill_null(inside, False)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text.strip())
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _shown(moment: datetime) -> str:
    return moment.date().isoformat() if moment.time() == time() else moment.isoformat()


def last_whole(times: pa.ChunkedArray, every: str) -> Window:
    """The last whole period before the newest moment.

    Parameters
    ----------
    times : pa.ChunkedArray
        Moments.
    every : {"day", "week", "month"}
        Weeks start on Monday.

    Raises
    ------
    BadInput
        When there is no moment.

    Examples
    --------
    >>> times = pa.chunked_array([pa.array([datetime(2024, 3, 5)])])
    >>> last_whole(times, "month").name, last_whole(times, "week").name
    ('2024-02-01..2024-03-01', '2024-02-26..2024-03-04')
    """
    newest = pc.max(times.cast(pa.timestamp("us"), safe=False)).as_py()
    if newest is None:
        rule = f"the last whole {every} needs rows with a time"
        remedy = "say another column as data.time, or monitor.every: whole"
        raise BadInput(Mistake(rule, "no row has one", "monitor.every", remedy))
    end = _start_of(newest, every)
    return Window.parse(f"{_before(end, every).isoformat()}..{end.isoformat()}")


def _start_of(moment: datetime, every: str) -> date:
    day = moment.date()
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if every == "week" else day


def _before(start: date, every: str) -> date:
    if every == "month":
        return (start - timedelta(days=1)).replace(day=1)
    return start - timedelta(days=7 if every == "week" else 1)


def clock(layout: Layout, name: str) -> Column:
    """The column of moments as training read it, or as ISO 8601."""
    known = {column.name: column for column in layout.columns}
    moment = Column(name=name, modality="timestamp", arrow_type="timestamp[us]")
    found = known.get(name, moment)
    return found if found.arrow_type.startswith("timestamp") else moment
