"""The last whole day, week or month that a table holds, for runs that start by themselves.

column of moments -> :class:`penstock.tables.windows.Window`
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BadInput, Mistake
from penstock.tables.windows import Window


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
