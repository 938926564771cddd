import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

from penstock.errors import BadInput
from penstock.model import POLICY, STATE, WEIGHTS, Learnt, Model
from penstock.records import Column, Layout, Policy
from penstock.spec import ModelSpec
from penstock.tables.typed import typed_as

KINDS = {
    "n": ("numeric", "double"), "i": ("numeric", "int64"), "code": ("category", "int64"),
    "word": ("category", "string"), "flag": ("category", "bool"),
    "at": ("timestamp", "timestamp[us, tz=UTC]"), "pic": ("image", "binary"),
}  # fmt: skip


def layout(names=tuple(KINDS), classes=("no", "yes")):
    columns = [Column(name=n, modality=KINDS[n][0], arrow_type=KINDS[n][1]) for n in names]
    columns.append(Column(name="y", modality="category", arrow_type="string", role="target"))
    return Layout(columns=columns, target="y", task="classification", classes=list(classes))


def rows(n=40):
    rng = np.random.default_rng(0)
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return pa.table(
        {
            "n": rng.normal(size=n),
            "i": rng.integers(0, 5, n),
            "code": rng.integers(10, 13, n),
            "word": rng.choice(["u", "v"], n),
            "flag": rng.random(n) < 0.5,
            "at": [start + dt.timedelta(days=int(d)) for d in rng.integers(0, 99, n)],
            "pic": pa.array([None] * n, pa.binary()),
            "y": ["no", "yes"] * (n // 2),
        }
    )


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    learnt = Learnt.of(rows(), layout(), ModelSpec(width=8, members=2, image_size=8))
    return Model(learnt, learnt.network())


def same(model, changed):
    np.testing.assert_allclose(model.scores(changed), model.scores(rows()), atol=1e-6)


def test_a_stored_model_scores_as_it_did(model, tmp_path):
    save_file(model.network.state_dict(), tmp_path / WEIGHTS)
    (tmp_path / STATE).write_text(model.learnt.to_json())
    (tmp_path / POLICY).write_text(Policy(temperature=2.0).model_dump_json())
    again = Model.load(tmp_path)
    odds = [scores[:, 1] / scores[:, 0] for scores in (again.scores(rows()), model.scores(rows()))]
    np.testing.assert_allclose(odds[0] ** 2, odds[1], rtol=1e-4)
    assert again.layout == model.layout


def test_a_state_of_another_format_is_refused(model, tmp_path):
    state = json.loads(model.learnt.to_json()) | {"format": 99}
    with pytest.raises(BadInput, match="99"):
        Learnt.from_json(json.dumps(state), "state.json")


def test_predictions_have_a_row_a_row_also_for_none(model):
    found = model.predict(rows())
    assert [(name, kind) for name, kind in model.outputs()] == [
        ("prediction", "string"), ("probability_no", "double"), ("probability_yes", "double"),
    ]  # fmt: skip
    assert found.num_rows == 40
    assert model.predict(rows().slice(0, 0)).schema == found.schema
    assert model.embed(rows()).shape == (40, 8)
    assert model.row_losses(rows()).shape == (40,)


def test_a_row_scores_alone_as_among_others_and_without_its_target(model):
    whole = model.scores(rows())
    for at in (0, 17, 39):
        alone = model.scores(rows().drop_columns(["y"]).slice(at, 1))
        np.testing.assert_allclose(alone[0], whole[at], atol=1e-6)


@pytest.mark.filterwarnings("ignore:Series.values:DeprecationWarning")  # pyarrow's own
def test_what_pandas_and_json_make_of_a_row_scores_the_same(model):
    frame = rows().to_pandas()
    frame["code"] = frame["code"].astype(float)  # as integers beside a null come
    frame["i"] = frame["i"].astype("Int64")
    frame["flag"] = frame["flag"].astype("boolean")
    frame["word"] = frame["word"].astype("category")
    same(model, pa.Table.from_pandas(frame[frame.columns[::-1]]))
    frame["code"] = frame["code"].astype("int16")
    frame["flag"] = np.where(rows()["flag"], "True", "FALSE")
    frame["at"] = frame["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    same(model, pa.Table.from_pandas(frame))
    frame["at"] = pd.to_datetime(frame["at"]).dt.tz_convert("Asia/Tokyo")
    same(model, pa.Table.from_pandas(frame))
    frame["at"] = frame["at"].astype(str)  # with +09:00
    frame["flag"] = rows()["flag"].to_pandas().astype(float)
    same(model, pa.Table.from_pandas(frame))


def test_integer_categories_beside_nulls_keep_their_levels(model):
    whole = typed_as(rows(), model.layout.features)
    codes = [float(code) for code in whole["code"].to_pylist()]
    changed = rows().set_column(
        2, "code", pa.array([float("nan"), None, *codes[2:]], pa.float64(), from_pandas=False)
    )
    found = model.learnt.encode(typed_as(changed, model.layout.features))["code"]["level"]
    wanted = model.learnt.encode(whole)["code"]["level"]
    assert found[:2].tolist() == [1, 1]  # missing
    np.testing.assert_array_equal(found[2:], wanted[2:])
    assert wanted.min() >= 2


def test_nulls_in_every_column_and_values_never_seen_have_scores(model):
    nulls = pa.table({name: pa.nulls(3) for name in KINDS})
    assert np.isfinite(model.scores(nulls)).all()
    odd = pa.table(
        {
            "n": [float("inf"), 1e308, None],
            "i": [2**63 - 1, -(2**63), None],
            "code": [1.5, 1e300, None],
            "word": ["new", "", None],
            "flag": ["maybe", "", None],
            "at": ["9999-12-31", "0001-01-01 00:00:00+14:00", None],
            "pic": [b"no image", b"", None],
        }
    )
    found = model.scores(odd)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_all_columns_that_do_not_fit_are_named_at_once(model):
    bad = rows().drop_columns(["word"]).set_column(0, "n", pa.array(["x"] * 40))
    bad = bad.append_column("code", bad["code"])
    with pytest.raises(BadInput) as caught:
        model.scores(bad)
    found = {mistake.where: mistake.found for mistake in caught.value.mistakes}
    assert set(found) == {"n", "code", "word"}
    assert found["word"] == "it is absent"
    assert "2 times" in found["code"]


def test_inputs_say_the_kind_of_each_column(model):
    assert model.inputs() == [
        ("n", "double", True), ("i", "double", True), ("code", "double", True),
        ("word", "string", True), ("flag", "boolean", True), ("at", "datetime", True),
        ("pic", "binary", True),
    ]  # fmt: skip


def test_states_are_learnt_from_the_rows_given_and_no_others(model):
    shifted = rows().set_column(0, "n", pa.array(rows()["n"].to_numpy() + 100))
    other = Learnt.of(shifted, layout(), model.learnt.spec)
    assert other.columns["n"].center == pytest.approx(model.learnt.columns["n"].center + 100)
    assert other.columns["word"] == model.learnt.columns["word"]
