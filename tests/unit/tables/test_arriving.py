"""Later columns are read as far as they can be; the rest is missing, and counted."""

import pyarrow as pa
import pytest

from penstock.records import Column
from penstock.tables import arriving


@pytest.mark.parametrize(
    ("raw", "kind", "modality", "typed", "unread"),
    [
        (["1", "x", None], "int64", "numeric", [1.0, None, None], 1),
        (["a"] * 30, "double", "numeric", [None] * 30, 30),
        ([1, 2], "string", "category", ["1", "2"], 0),
        ([b"x"] * 2, "double", "numeric", [None, None], 2),
        ([None, None], "double", "numeric", [None, None], 0),
    ],
)
def test_what_cannot_be_read_is_missing_and_counted(raw, kind, modality, typed, unread):
    column = Column(name="c", modality=modality, arrow_type=kind)
    found, count = arriving.read_as(pa.chunked_array([pa.array(raw)]), column)
    assert (found.to_pylist(), count) == (typed, unread)


def test_an_absent_column_has_its_type_and_no_value():
    column = Column(name="since", modality="timestamp", arrow_type="timestamp[us]")
    found = arriving.absent(column, 2)
    assert found.type == pa.timestamp("us") and found.null_count == 2


class Photos:
    """A source of files."""

    schema = pa.schema([("feature:photo", pa.binary()), ("label", pa.string())])

    def batches(self, progress=None):
        for number in range(4):
            content = pa.array([bytes([number]) * 1_000_000], pa.large_binary())
            yield pa.RecordBatch.from_arrays([content, ["a"]], ["feature:photo", "label"])


def test_a_window_of_files_stays_on_disk_until_they_are_used():
    before = pa.total_allocated_bytes()
    table = arriving.read_whole(Photos())
    assert pa.total_allocated_bytes() - before < 1_000_000
    assert table.column_names == ["photo", "label"]
    assert [value.as_buffer()[0] for value in table["photo"]] == [0, 1, 2, 3]
