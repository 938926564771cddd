"""The last whole period before the newest row."""

from datetime import datetime

import pyarrow as pa
import pytest

from penstock.errors import BadInput
from penstock.tables.periods import last_whole


@pytest.mark.parametrize(
    ("every", "newest", "name"),
    [
        ("day", datetime(2024, 3, 1, 5), "2024-02-29..2024-03-01"),
        ("week", datetime(2024, 3, 4), "2024-02-26..2024-03-04"),
        ("week", datetime(2024, 3, 3, 23), "2024-02-19..2024-02-26"),
        ("month", datetime(2024, 1, 1), "2023-12-01..2024-01-01"),
    ],
)
def test_a_period_is_whole_when_its_end_is_no_later_than_the_newest_row(every, newest, name):
    times = pa.chunked_array([[None, datetime(2020, 1, 1), newest]], pa.timestamp("us"))
    assert last_whole(times, every).name == name


def test_without_a_time_there_is_no_period():
    with pytest.raises(BadInput, match="the last whole month needs rows with a time"):
        last_whole(pa.chunked_array([pa.nulls(3, pa.timestamp("us"))]), "month")
