import datetime as dt

import pyarrow as pa
import pytest

from penstock.errors import BadInput
from penstock.tables.windows import Window


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
