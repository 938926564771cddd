"""Later rows are read as training read them, batch by batch, whatever the first one holds."""

import datetime as dt

import pyarrow as pa
import pytest

from penstock.errors import BadInput
from penstock.records import Column
from penstock.tables.rereading import Rereader, read_all, spelled


def column(arrow_type, modality="numeric", why=""):
    return Column(name="c", modality=modality, arrow_type=arrow_type, why=why)


def read(reader, values, kind=None):
    return reader.read(pa.chunked_array([pa.array(values, kind)])).to_pylist()


def test_fractions_after_a_batch_of_whole_numbers_are_kept():
    reader = Rereader(column("double"))
    assert read(reader, ["1", "2"]) == [1.0, 2.0]
    assert read(reader, ["2.5", "x", "inf", None]) == [2.5, None, None, None]
    assert reader.target == pa.float64()
    assert reader.num_unread == 2


def test_a_first_batch_without_values_settles_nothing():
    reader = Rereader(column("double"))
    assert read(reader, ["", "NA"]) == [None, None]
    assert read(reader, ["7"]) == [7.0]
    assert reader.num_unread == 0


@pytest.mark.parametrize(
    ("why", "expected"),
    [("written with decimal comma", 1.234), ("", 1234.0)],
)
def test_an_ambiguous_number_is_read_as_training_wrote_it(why, expected):
    assert read(Rereader(column("double", why=why)), ["1,234"]) == [expected]


@pytest.mark.parametrize(
    ("form", "expected"),
    [("day/month/year", dt.datetime(2024, 2, 1)), ("month/day/year", dt.datetime(2024, 1, 2))],
)
def test_an_ambiguous_day_is_read_as_training_wrote_it(form, expected):
    reader = Rereader(column("timestamp[us]", "timestamp", f"named; written as {form}"))
    assert read(reader, ["01/02/2024"]) == [expected]


def test_another_way_of_writing_is_read_where_training_says_nothing_of_it():
    reader = Rereader(column("double", why="written with decimal comma"))
    assert read(reader, ["1234.5", "-3.25"]) == [1234.5, -3.25]


def test_a_zone_is_counted_to_utc_and_the_type_stays():
    reader = Rereader(column("timestamp[us, tz=UTC]", "timestamp"))
    assert read(reader, ["2024-01-01T12:00+02:00"]) == [dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)]
    assert read(reader, ["2024-01-01"]) == [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]


def test_levels_of_whole_numbers_stay_whole():
    reader = Rereader(column("int64", "category"))
    assert read(reader, [3.0, None, 3.5]) == [3, None, None]
    assert reader.num_unread == 1
    assert read(Rereader(column("string", "category")), [3.0, None]) == ["3", None]


@pytest.mark.parametrize(
    ("values", "kind"), [(["True", " f", "?"], None), ([True, False, None], None)]
)
def test_booleans(values, kind):
    assert read(Rereader(column("bool", "category")), values, kind) == [True, False, None]


def test_every_source_type_gives_the_type_of_the_layout():
    for values in ([1, 2], [1.0, 2.0], [True, False], ["1", "2"], [None, None]):
        reader = Rereader(column("int64"))
        assert reader.read(pa.chunked_array([pa.array(values)])).type == pa.float64()
    coded = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode()])
    assert Rereader(column("string", "category")).read(coded).to_pylist() == ["a", "b"]


def test_a_column_of_other_things_is_refused_all_at_once():
    readers = [
        Rereader(Column(name="age", modality="numeric", arrow_type="int64")),
        Rereader(Column(name="day", modality="timestamp", arrow_type="timestamp[us]")),
        Rereader(Column(name="pic", modality="image", arrow_type="binary")),
    ]
    words = [f"word {n}" for n in range(30)]
    table = pa.table({"age": words, "day": [1.5] * 30, "pic": words})
    with pytest.raises(BadInput) as caught:
        read_all(readers, table)
    assert [mistake.where for mistake in caught.value.mistakes] == [
        "column age", "column day", "column pic",
    ]  # fmt: skip


def test_one_odd_value_is_missing_and_counted():
    reader = Rereader(column("int64"))
    assert read(reader, ["?"]) == [None]
    assert reader.num_unread == 1


def test_a_name_is_one_name_however_it_was_stored():
    for values in (pa.array([1, 2]), pa.array([1.0, 2.0]), pa.array(["1", "2"])):
        assert spelled(values).to_pylist() == ["1", "2"]
    assert spelled(pa.array([0.5])).to_pylist() == ["0.5"]
    assert spelled(pa.array(["a"]).dictionary_encode()).to_pylist() == ["a"]
