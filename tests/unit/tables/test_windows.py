import datetime as dt

import pyarrow as pa
import pytest

from penstock.errors import BadInput
from penstock.tables.windows import Window, last_whole


def test_one_window_has_one_name_however_it_is_written():
    names = {
        Window.parse(text).name
        for text in (
            "2024-01-01..2024-02-01", "2024-01-01T00:00..2024-02-01T00:00:00",
            "2024-01-01T00:00Z..2024-02-01T01:00+01:00",
        )
    }  # fmt: skip
    assert names == {"2024-01-01..2024-02-01"}


def test_it_is_half_open_in_utc():
    window = Window.parse("2024-01-01T06:00..2024-01-02")
    zone = dt.timezone(dt.timedelta(hours=2))
    times = [
        dt.datetime(2024, 1, 1, 7, 59, tzinfo=zone),
        dt.datetime(2024, 1, 1, 8, tzinfo=zone),
        dt.datetime(2024, 1, 2, 2, tzinfo=zone),
        None,
    ]
    column = pa.chunked_array([pa.array(times, pa.timestamp("us", "UTC"))])
    assert window.holds(column).to_pylist() == [False, True, False, False]


@pytest.mark.parametrize(
    "text", ["2024-01-01", "2024-01-01..", "x..y", "2024-02-01..2024-01-01", "2024..2024", ".."]
)
def test_what_is_no_window_says_how_to_write_one(text):
    with pytest.raises(BadInput, match=r"write it as 2024-01-01\.\.2024-02-01"):
        Window.parse(text)


@pytest.mark.parametrize(
    ("every", "newest", "name"),
    [
        ("day", dt.datetime(2024, 3, 1, 5), "2024-02-29..2024-03-01"),
        ("week", dt.datetime(2024, 3, 4), "2024-02-26..2024-03-04"),
        ("week", dt.datetime(2024, 3, 3, 23), "2024-02-19..2024-02-26"),
        ("month", dt.datetime(2024, 1, 1), "2023-12-01..2024-01-01"),
    ],
)
def test_a_period_is_whole_when_its_end_is_no_later_than_the_newest_row(every, newest, name):
    times = pa.chunked_array([[None, dt.datetime(2020, 1, 1), newest]], pa.timestamp("us"))
    assert last_whole(times, every).name == name


def test_without_a_time_there_is_no_period():
    with pytest.raises(BadInput, match="the last whole month needs rows with a time"):
        last_whole(pa.chunked_array([pa.nulls(3, pa.timestamp("us"))]), "month")
