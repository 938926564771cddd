import datetime as dt
import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save
from sklearn.metrics import roc_auc_score

from penstock import modalities, stressed
from penstock.adapters.store import LocalStore
from penstock.learning.encodings import spans
from penstock.measure.judging import judged
from penstock.model import Model
from penstock.records import Column, Grouping, Layout, Objective, Policy
from penstock.spec import Compute, Gates, ModelSpec
from penstock.stages.fit import fit
from penstock.stages.stress import stress

SMALL = ModelSpec(epochs=6, width=32, members=2, batch_size=32, learning_rate=0.01)


def silent(done, total, note=""):
    pass


def modality_of(kind):
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_binary(kind):
        return "image"
    number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    return "numeric" if number else "category"


def fitted(folder, table, classes=("no", "yes"), metric=""):
    """A store, a fitted model and its test rows."""
    store = LocalStore(folder)
    columns = [
        Column(
            name=name,
            modality=modality_of(table[name].type),
            arrow_type=str(table[name].type),
            role="target" if name == "y" else "feature",
        )
        for name in table.column_names
    ]
    task = "classification" if classes else "regression"
    layout = Layout(columns=columns, target="y", task=task, classes=list(classes))
    loss = "cross_entropy" if classes else "squared_error"
    goal = Objective(loss=loss, metric=metric or ("roc_auc" if classes else "rmse"))
    cut = table.num_rows // 2
    train, test = store.keep_table(table.slice(0, cut)), store.keep_table(table.slice(cut))
    one = Compute(device="cpu", threads=1)
    return store, fit(train, train, layout, goal, SMALL, one, store, silent, "key"), test


def found(parts, policy=None, seed=0):
    store, model, test = parts
    return stress(model, policy or Policy(), test, seed, store, silent).evidence


def records(evidence):
    """By column, stress and strength."""
    table = evidence.tables["stresses"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {(row["column"], row["stress"], row["strength"]): row for row in rows}


def words(signal):
    return np.where(signal > 0, "yes", "no")


def people(n=600, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    town = rng.choice(["Ulm", "Köln", "Bonn"], n)
    start = dt.datetime(2020, 1, 1)
    since = [start + dt.timedelta(days=int(day)) for day in rng.integers(0, 900, n)]
    signal = 3 * x[:, 0] + (town == "Ulm") - 0.5 + rng.normal(0, 0.3, n)
    return {"much": x[:, 0], "nothing": x[:, 1], "town": town, "since": since}, signal


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    columns, signal = people()
    table = pa.table({**columns, "y": words(signal)})
    return fitted(tmp_path_factory.mktemp("plain"), table)


@pytest.fixture(scope="module")
def evidence(plain):
    return found(plain)


def test_every_column_meets_every_stress_of_its_modality_at_three_strengths(evidence):
    kinds = {"much": "numeric", "nothing": "numeric", "town": "category", "since": "timestamp"}
    wanted = {
        (name, one.name, strength)
        for name, kind in kinds.items()
        for one in modalities.load(kind).STRESSES
        for strength in one.strengths
    }
    assert set(records(evidence)) == wanted
    drops = [row["drop"] for row in records(evidence).values()]
    assert drops == sorted(drops, reverse=True)


def test_a_drop_is_that_of_the_whole_model_on_the_stressed_table(plain, evidence):
    """Nothing but the changed rows and the changed column is scored again; the sum is the same."""
    store, model, test = plain
    whole = Model.read(store.path(model.weights), store.path(model.state))
    rows = store.table(test)  # all of them are the sample
    truth = np.array(rows["y"].to_pylist()) == "yes"
    before = roc_auc_score(truth, whole.scores(rows)[:, 1])
    empty = rows.set_column(0, "much", pa.nulls(rows.num_rows, pa.float64()))
    scores = whole.scores(empty)
    row = records(evidence)["much", "missing", 1.0]
    assert row["roc_auc"] == pytest.approx(roc_auc_score(truth, scores[:, 1]), abs=1e-9)
    assert row["drop"] == pytest.approx(before - row["roc_auc"], abs=1e-9)
    assert row["low"] < row["drop"] < row["high"]
    assert row["low"] > 0.1
    assert row["confidence"] == pytest.approx(scores.max(axis=1).mean(), abs=1e-6)
    assert row["accuracy"] == pytest.approx(np.mean(scores.argmax(axis=1) == truth))
    flipped = scores.argmax(axis=1) != whole.scores(rows).argmax(axis=1)
    assert row["flipped"] == pytest.approx(flipped.mean())


def test_what_matters_drops_and_what_does_not_hardly(evidence):
    found = records(evidence)
    assert found["much", "unit", 1000.0]["drop"] > 0.01
    assert abs(found["nothing", "missing", 1.0]["drop"]) < 0.05
    (bars,) = evidence.figures["columns"].series
    assert bars.x[0].startswith("much")
    assert len(bars.x) == 4
    assert evidence.figures["strengths"].series[0].x == [
        "mild", "middle", "strong",
    ]  # fmt: skip


def with_weights(parts, change):
    store, model, test = parts
    weights = load_file(store.path(model.weights))
    change(weights)
    blob = store.keep_bytes(save(weights), ".safetensors")
    return store, model.model_copy(update={"weights": blob}), test


def test_a_column_that_the_network_does_not_read_costs_exactly_nothing(plain):
    store, model, _ = plain
    span = spans(Model.read(store.path(model.weights), store.path(model.state)).network)["much"]

    def blind(weights):
        weights["scale"][:, span] = 0

    rows = records(found(with_weights(plain, blind)))
    assert all(
        (row["drop"], row["low"], row["high"], row["flipped"]) == (0, 0, 0, 0)
        for (name, _, _), row in rows.items()
        if name == "much"
    )


def check_of(evidence):
    (check,) = evidence.checks
    return check


def test_the_check_names_the_worst_mild_shift_and_its_share_of_the_gain(plain, evidence):
    check = check_of(evidence)
    assert (check.name, check.stage, check.subject) == ("stress_drop", "stress", "")
    assert "much" in check.why
    assert check.low < check.value < check.high
    mild = {
        key: row["drop"]
        for key, row in records(evidence).items()
        if key[2]
        == next(
            one.strengths[0]
            for one in modalities.load(
                {"town": "category", "since": "timestamp"}.get(key[0], "numeric")
            ).STRESSES
            if one.name == key[1]
        )
    }
    value = records(evidence)["much", "missing", 1.0]
    gain = value["roc_auc"] + value["drop"] - 0.5
    assert check.value == pytest.approx(max(mild.values()) / gain, abs=0.06)


def test_a_fragile_model_is_noted_and_a_robust_one_passes(tmp_path):
    """One sharp step at 1.02 in a column of whole thousandths, against four columns that agree."""
    rng = np.random.default_rng(0)
    x = rng.choice([1.0, 1.04], 600) + rng.normal(0, 0.005, 600)
    table = pa.table({"x": x, "y": words(x - 1.02)})
    fragile = check_of(found(fitted(tmp_path, table, metric="accuracy")))
    assert judged(fragile, Gates().stress_drop).outcome == "note"
    signal = rng.normal(size=600)
    same = {f"x{n}": signal + rng.normal(0, 0.1, 600) for n in range(6)}
    robust = check_of(found(fitted(tmp_path, pa.table({**same, "y": words(signal)}))))
    assert judged(robust, Gates().stress_drop).outcome == "pass"
    assert robust.value < 0.1


def test_no_shift_is_found_harmful_where_none_is(tmp_path):
    """The worst of many is chosen on other rows than it is measured on, so chance harms nobody."""
    columns, signal = people(800, seed=3)
    rng = np.random.default_rng(3)
    noise = {f"noise{n}": rng.normal(size=800) for n in range(6)}
    parts = fitted(tmp_path, pa.table({**noise, "much": columns["much"], "y": words(signal)}))
    store, model, _ = parts
    span = spans(Model.read(store.path(model.weights), store.path(model.state)).network)["much"]

    def soften(weights):  # what matters is not moved by a stress
        weights["scale"][:, span] = 0

    evidence = found(with_weights(parts, soften))
    assert judged(check_of(evidence), Gates().stress_drop).outcome in ("pass", "insufficient")


def test_the_group_column_decides_by_its_stressed_values(plain):
    levels = ["Bonn", "Köln", "Ulm"]
    policy = Policy(
        threshold=0.5,
        grouping=Grouping(column="town", levels=levels),
        thresholds=dict.fromkeys(levels, 1e-6),  # everybody in a known town: yes
    )

    def blind(weights):
        weights["scale"][:] = 0
        weights["biases"][:] = torch.tensor([1.0, 0.0])  # never yes at 0.5

    rows = records(found(with_weights(plain, blind), policy))
    assert rows["town", "unknown", 1.0]["flipped"] == 1
    assert rows["town", "missing", 0.3]["flipped"] == pytest.approx(0.3, abs=0.01)
    assert rows["much", "missing", 1.0]["flipped"] == 0


def test_numbers_are_stressed_without_confidence_and_in_any_unit(tmp_path):
    columns, signal = people()
    drops = []
    for scale in (1.0, 1e9):
        parts = fitted(tmp_path, pa.table({**columns, "y": signal * scale}), classes=())
        evidence = found(parts, Policy(radius=0.5 * scale))
        row = records(evidence)["much", "missing", 1.0]
        assert row["drop"] > 0
        assert 0.5 < row["flipped"] <= 1
        assert "confidence" not in row
        assert set(evidence.figures) == {"strengths", "columns"}
        drops.append(row["drop"] / scale)
    assert drops[0] == pytest.approx(drops[1], rel=1e-3)


def picture(code, rng):
    pixels = rng.integers(0, 60, (8, 8)).astype(np.uint8)
    pixels[2 * code : 2 * code + 3] += 180
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_images_of_three_classes_are_stressed(tmp_path):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 240)
    pictures = pa.array([picture(code, rng) for code in codes], pa.binary())
    table = pa.table({"pic": pictures, "y": [f"k{code}" for code in codes]})
    parts = fitted(tmp_path, table, ("k0", "k1", "k2"), metric="accuracy")
    rows = records(found(parts))
    told = {"dark", "gamma", "blur", "noise", "jpeg", "shift", "turn", "missing"}
    assert {key[1] for key in rows} == told
    gone = rows["pic", "missing", 1.0]
    assert gone["accuracy"] < 0.6
    assert gone["confidence"] < 1


def test_of_many_columns_those_that_move_answers_most_are_stressed(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 24))
    table = pa.table({f"x{n}": x[:, n] for n in range(24)} | {"y": words(x[:, 5] - x[:, 20])})
    evidence = found(fitted(tmp_path, table))
    names = {key[0] for key in records(evidence)}
    assert len(names) == stressed.MAX_COLUMNS
    assert {"x5", "x20"} <= names
    assert any("16 of 24 columns" in note for note in evidence.notes)


def test_the_same_seed_finds_the_same_and_torchs_stream_is_left_alone(plain, evidence):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    assert found(plain) == evidence
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found(plain, seed=1) != evidence


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_hardly_any_rows_are_too_few_to_judge(plain, rows):
    store, model, test = plain
    few = store.keep_table(store.table(test).slice(0, rows))
    check = check_of(found((store, model, few)))
    assert judged(check, Gates().stress_drop).outcome == "insufficient"


def test_a_model_without_gain_or_that_diverged_has_nothing_to_lose(plain):
    for value in (0.0, float("nan")):

        def spoil(weights, value=value):
            weights["heads"].fill_(value)

        check = check_of(found(with_weights(plain, spoil)))
        assert judged(check, Gates().stress_drop).outcome == "insufficient"


def test_says_whether_confidence_falls_with_accuracy(evidence):
    assert any("under shift the model" in note for note in evidence.notes)
    line, points = evidence.figures["confidence"].series
    assert line.style == "dashed"
    assert len(points.x) == len(records(evidence))
