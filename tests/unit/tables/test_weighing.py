import numpy as np
import pyarrow as pa
import pytest

from penstock.records import Column, Layout
from penstock.tables.weighing import Weighing

LAYOUT = Layout(
    columns=[
        Column(name="y", modality="category", arrow_type="string", role="target"),
        Column(name="sex", modality="category", arrow_type="string"),
        Column(name="w", modality="numeric", arrow_type="double", role="weight"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)
PLAIN = LAYOUT.model_copy(update={"columns": LAYOUT.columns[:2]})
TRAIN = pa.table(
    {"y": list("nnnyy"), "sex": list("mmfmf"), "w": [1.0, 3.0, 2.0, 1.0, 4.0]}
).set_column(0, "y", pa.array(["no", "no", "no", "yes", "yes"]))
VALID = TRAIN.slice(0, 2)


def repeated(table):
    """The table with each row as often as its weight says."""
    times = table["w"].to_numpy().astype(int)
    return table.take(pa.array(np.repeat(np.arange(table.num_rows), times)))


@pytest.mark.parametrize("loss", ["cross_entropy", "class_weighted"])
@pytest.mark.parametrize("reweighed", ["", "sex"])
def test_a_row_of_weight_three_counts_like_three_rows(loss, reweighed):
    weighted = Weighing.of({"train": TRAIN, "valid": VALID}, LAYOUT, reweighed)
    often = {"train": repeated(TRAIN), "valid": VALID}
    plain = Weighing.of(often, PLAIN, reweighed).weights(loss, "train")
    times = TRAIN["w"].to_numpy().astype(int)
    each = np.ones(times.sum()) if plain is None else plain
    wanted = np.add.reduceat(each, np.concatenate([[0], np.cumsum(times)[:-1]]))
    found = weighted.weights(loss, "train")
    np.testing.assert_allclose(found / found.sum(), wanted / wanted.sum())
    assert found.mean() == pytest.approx(1)


def test_validation_rows_are_weighed_by_the_same_rule():
    weighing = Weighing.of({"train": TRAIN, "valid": VALID}, LAYOUT, "")
    train, valid = (weighing.weights("cross_entropy", part) for part in ("train", "valid"))
    np.testing.assert_allclose(valid, train[:2])


def test_the_table_says_what_the_weights_leave():
    table = Weighing.of({"train": TRAIN, "valid": VALID}, LAYOUT, "").table("cross_entropy")
    # (1 + 3 + 2 + 1 + 4)**2 / (1 + 9 + 4 + 1 + 16)
    assert "5 rows are then worth 4 equal ones" in table.note
    assert [row[table.columns.index("rows")] for row in table.rows] == [3, 2]
