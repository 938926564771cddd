import numpy as np
import pyarrow as pa

from penstock.measure.mistakes import SHOWN_ROWS, worst
from penstock.records import Column, Layout

LAYOUT = Layout(
    target="y",
    task="classification",
    classes=["no", "yes"],
    columns=[
        Column(name="age", modality="numeric", arrow_type="int64"),
        Column(name="note", modality="text", arrow_type="string"),
        Column(name="photo", modality="image", arrow_type="binary"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
)


def test_the_worst_rows_come_first_short_and_without_media():
    table = pa.table(
        {
            "age": [31, None, 58],
            "note": ["a", "b" * 500, None],
            "photo": [b"x", b"y", b"z"],
            "y": ["no", "yes", "no"],
        }
    )
    predictions = pa.table({"prediction": ["no", "no", "yes"]})
    found = worst(table, LAYOUT, predictions, np.array([0.1, 2.5, 0.7]))
    assert found.columns == ["row", "loss", "y", "prediction", "age", "note"]
    assert found.rows[0] == [1, 2.5, "yes", "no", "", "b" * 60]
    assert found.rows[1] == [2, 0.7, "no", "yes", "58", ""]
    assert "1 columns are not shown" in found.note


def test_no_more_rows_than_a_person_reads():
    many = pa.table({"age": range(90), "note": ["a"] * 90, "y": ["no"] * 90})
    layout = LAYOUT.model_copy(update={"columns": [LAYOUT.columns[i] for i in (0, 1, 3)]})
    predictions = pa.table({"prediction": ["no"] * 90})
    found = worst(many, layout, predictions, np.arange(90.0))
    assert [row[0] for row in found.rows] == list(range(89, 89 - SHOWN_ROWS, -1))
