import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

from penstock.errors import BadInput
from penstock.model import POLICY, STATE, WEIGHTS, Learnt, Model
from penstock.records import Column, Grouping, Layout, Policy
from penstock.spec import ModelSpec

LAYOUT = Layout(
    columns=[
        Column(name="x", modality="numeric", arrow_type="double"),
        Column(name="sex", modality="category", arrow_type="string", role="metadata"),
        Column(name="age", modality="numeric", arrow_type="int64", role="left_out"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)
BY_SEX = Policy(
    temperature=2.0,
    threshold=0.45,
    grouping=Grouping(column="sex", levels=["f", "m"]),
    thresholds={"f": 0.0, "m": 1.1},
    radius=0.6,
)
BY_AGE = Policy(
    grouping=Grouping(column="age", edges=[30.0, 50.0]),
    thresholds={"up to 30": 0.0, "over 50": 1.1, "(missing)": 0.0},
)


def rows(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "x": rng.normal(size=n),
            "sex": rng.choice(["f", "m"], n),
            "age": rng.integers(18, 80, n),
            "y": ["no", "yes"] * (n // 2),
        }
    )


def changed(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    learnt = Learnt.of(rows(), LAYOUT, ModelSpec(width=8, members=2))
    return learnt, learnt.network()


def predicted(network, policy, table):
    return np.array(Model(*network, policy).predict(table)["prediction"].to_pylist())


def test_thresholds_read_the_raw_column_that_is_no_feature(network):
    assert [column.name for column in LAYOUT.features] == ["x"]
    table = rows()
    sex = np.array(table["sex"].to_pylist())
    np.testing.assert_array_equal(
        predicted(network, BY_SEX, table), np.where(sex == "f", "yes", "no")
    )
    all_men = changed(table, "sex", pa.array(["m"] * 60))
    assert set(predicted(network, BY_SEX, all_men)) == {"no"}


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["f", "m"] * 30).dictionary_encode(),
        pa.array(["f", "m"] * 30, pa.large_string()),
        pa.chunked_array([["f", "m"] * 10, ["f", "m"] * 20]),
    ],
)
def test_however_the_groups_are_stored(network, column):
    assert predicted(network, BY_SEX, changed(rows(), "sex", column)).tolist() == ["yes", "no"] * 30


def test_missing_and_new_groups_take_the_shared_threshold(network):
    for value in (None, "x"):
        table = changed(rows(), "sex", pa.array([value] * 60, pa.string()))
        scores = Model(*network, BY_SEX).scores(table)[:, 1]
        np.testing.assert_array_equal(
            predicted(network, BY_SEX, table), np.where(scores >= 0.45, "yes", "no")
        )


def test_groups_of_numbers_come_as_integers_floats_or_nulls(network):
    ages = [20, 30, 60, None] * 15
    for kind in (pa.int64(), pa.float64(), pa.int8()):
        found = predicted(network, BY_AGE, changed(rows(), "age", pa.array(ages, kind)))
        assert found.tolist() == ["yes", "yes", "no", "yes"] * 15


def test_the_column_that_makes_groups_is_asked_for(network):
    model = Model(*network, BY_SEX)
    assert [name for name, _, _ in model.inputs()] == ["x", "sex"]
    assert [name for name, _, _ in Model(*network).inputs()] == ["x"]
    with pytest.raises(BadInput, match="sex"):
        model.predict(rows().drop_columns("sex"))
    assert Model(*network).predict(rows().drop_columns("sex")).num_rows == 60


@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        BY_SEX,
        BY_AGE,
        Policy(costs=[[0.0, 1.0], [4.0, 0.0]], temperature=0.8675, coverage=0.95),
        Policy(threshold=np.nextafter(1.0, 2.0), radius=1 / 3),
        Policy(
            threshold=float(np.float32(0.1)),
            grouping=Grouping(column="sex", levels=["", "é \n😀"]),
            thresholds={"": 0.1, "é \n😀": 5e-324},
        ),
    ],
)
def test_a_policy_survives_json_and_decides_as_it_did(network, tmp_path, policy):
    again = Policy.model_validate_json(policy.model_dump_json())
    assert (again, again.fingerprint) == (policy, policy.fingerprint)
    learnt, net = network
    save_file(net.state_dict(), tmp_path / WEIGHTS)
    (tmp_path / STATE).write_text(learnt.to_json())
    (tmp_path / POLICY).write_text(policy.model_dump_json())
    loaded = Model.load(tmp_path)
    assert loaded.predict(rows()).equals(Model(learnt, net, policy).predict(rows()))


def test_any_slice_of_rows_is_decided_alike(network):
    model, table = Model(*network, BY_SEX), rows()
    parts = [model.predict(table.slice(at, 7)) for at in range(0, 60, 7)]
    wanted = model.predict(table)["prediction"]
    assert pa.concat_tables(parts)["prediction"].to_pylist() == wanted.to_pylist()
