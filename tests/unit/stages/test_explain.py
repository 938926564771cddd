import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save

from penstock.adapters.store import LocalStore
from penstock.learning.encodings import spans
from penstock.measure import ranks
from penstock.measure.judging import judged
from penstock.model import Model
from penstock.records import Column, Layout, Objective, Policy
from penstock.spec import Compute, Gates, ModelSpec
from penstock.stages import explain as stage
from penstock.stages.explain import Likeness, explain, randomised_weights
from penstock.stages.fit import fit

SMALL = ModelSpec(epochs=6, width=48, members=4, batch_size=32, learning_rate=0.01)
UNTRAINED = SMALL.model_copy(update={"epochs": 1, "learning_rate": 1e-12})
MODALITIES = {pa.float64(): "numeric", pa.string(): "category", pa.binary(): "image"}


def silent(done, total, note=""):
    pass


def fitted(folder, table, classes=("no", "yes"), spec=SMALL, metric=""):
    """A store, a fitted model, its training rows and its test rows."""
    store = LocalStore(folder)
    columns = [
        Column(
            name=name,
            modality=MODALITIES[table[name].type],
            arrow_type=str(table[name].type),
            role="target" if name == "y" else "feature",
        )
        for name in table.column_names
    ]
    task = "classification" if classes else "regression"
    layout = Layout(columns=columns, target="y", task=task, classes=list(classes))
    loss = "cross_entropy" if classes else "squared_error"
    goal = Objective(loss=loss, metric=metric or ("roc_auc" if classes else "rmse"))
    cut = table.num_rows * 2 // 3
    train, test = store.keep_table(table.slice(0, cut)), store.keep_table(table.slice(cut))
    one = Compute(device="cpu", threads=1)
    model = fit(train, train, layout, goal, spec, one, store, silent, "key")
    return store, model, train, test


def found(parts, policy=None, seed=0):
    store, model, train, test = parts
    return explain(model, policy or Policy(), train, test, seed, store, silent).evidence


def model_of(parts, policy=None):
    store, model, _, _ = parts
    return Model.read(store.path(model.weights), store.path(model.state), policy)


def outcome(evidence, name):
    (check,) = [check for check in evidence.checks if check.name == name]
    return judged(check, Gates().of(name)).outcome


def words(signal):
    return np.where(signal > 0, "yes", "no")


def numbers(n=450, seed=0):
    """Three columns, of which the first says most, the second less, the third nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    signal = 3 * x[:, 0] + x[:, 1] + rng.normal(0, 0.3, n)
    return {"much": x[:, 0], "some": x[:, 1], "nothing": x[:, 2]}, signal


def picture(code, rng):
    pixels = rng.integers(0, 60, (8, 8)).astype(np.uint8)
    pixels[2 * code : 2 * code + 3] += 180
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def table_of(kind):
    """A generated table and its classes."""
    columns, signal = numbers()
    rng = np.random.default_rng(1)
    if kind == "two classes":
        return pa.table({**columns, "y": words(signal)}), ("no", "yes")
    if kind == "one column":
        return pa.table({"much": columns["much"], "y": words(signal)}), ("no", "yes")
    if kind == "equal columns":
        x = rng.normal(size=(450, 4))
        both = {f"x{i}": x[:, i] for i in range(4)}
        return pa.table({**both, "y": words(x.sum(axis=1))}), ("no", "yes")
    if kind == "regression":
        return pa.table({**columns, "y": signal * 1e6}), ()
    if kind == "categories":
        codes = rng.integers(0, 5, (450, 3))
        towns = {f"c{i}": [f"level {code}" for code in codes[:, i]] for i in range(3)}
        hot = (codes[:, 0] == 2) + (codes[:, 1] > 2) + rng.normal(0, 0.2, 450) - 0.7
        return pa.table({**towns, "y": words(hot)}), ("no", "yes")
    if kind == "three classes":
        cut = np.digitize(signal, [-1.0, 1.0])
        return pa.table({**columns, "y": [f"class {code}" for code in cut]}), (
            "class 0", "class 1", "class 2",
        )  # fmt: skip
    codes = rng.integers(0, 3, 240)
    pictures = pa.array([picture(code, rng) for code in codes], pa.binary())
    return pa.table({"image": pictures, "y": [f"k{code}" for code in codes]}), ("k0", "k1", "k2")


KINDS = [
    "two classes", "one column", "equal columns", "regression", "categories", "three classes",
    "image",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_model_passes_both_tests_and_an_untrained_one_fails(tmp_path, kind):
    table, classes = table_of(kind)
    trained = found(fitted(tmp_path, table, classes))
    assert outcome(trained, "randomised_weights") == "pass"
    assert outcome(trained, "convergence_delta") == "pass"
    assert {check.stage for check in trained.checks} == {"explain"}
    untrained = found(fitted(tmp_path, table, classes, UNTRAINED))
    assert outcome(untrained, "randomised_weights") == "warn"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("plain"), table_of("two classes")[0])


def with_weights(parts, change):
    """The same model with changed weights."""
    store, model, train, test = parts
    weights = load_file(store.path(model.weights))
    change(weights)
    blob = store.keep_bytes(save(weights), ".safetensors")
    return store, model.model_copy(update={"weights": blob}), train, test


def test_a_constant_model_explains_nothing_and_fails(plain):
    def silence(weights):
        weights["heads"].zero_()

    evidence = found(with_weights(plain, silence))
    assert outcome(evidence, "randomised_weights") == "warn"
    checks = {check.name: check for check in evidence.checks}
    assert checks["randomised_weights"].value == 1
    assert checks["convergence_delta"].value == 0


def test_attributions_that_are_the_inputs_magnitude_fail():
    size = np.abs(np.random.default_rng(0).normal(size=(40, 9)))
    alike = Likeness(np.stack([ranks.by_row(size, size)] * 5), ranks.by_row(size, -size))
    check = randomised_weights(alike, enough=True)
    assert (check.value, check.low, check.high) == (1, 1, 1)
    assert judged(check, Gates().randomised_weights).outcome == "warn"


def test_an_unused_column_weighs_nothing_and_the_others_as_they_should(plain):
    evidence = found(plain)
    table = evidence.tables["columns"]
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert list(rows) == ["much", "some", "nothing"]
    assert rows["nothing"]["low"] <= 0 <= rows["nothing"]["high"]
    assert rows["much"]["low"] > rows["some"]["high"]
    assert rows["some"]["low"] > 0
    assert sum(row["share of attribution"] for row in rows.values()) == pytest.approx(1)
    assert rows["much"]["share of attribution"] > 0.5
    (series,) = evidence.figures["importance"].series
    assert series.x == ["much", "some", "nothing"]


def test_a_column_that_the_network_does_not_read_weighs_exactly_nothing(plain):
    span = spans(model_of(plain).network)["much"]

    def blind(weights):
        weights["scale"][:, span] = 0

    rows = {row[0]: row[1:] for row in found(with_weights(plain, blind)).tables["columns"].rows}
    assert set(rows["much"]) == {0}
    assert rows["some"][0] > 0


def test_the_loss_rise_is_that_of_a_shuffled_table(plain):
    store, _, _, test = plain
    whole, rows = model_of(plain), store.table(test)
    rises = []
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(rows.num_rows)
        dealt = rows.set_column(0, "much", rows["much"].take(pa.array(order)))
        rises.append((whole.row_losses(dealt) - whole.row_losses(rows)).mean())
    table = found(plain).tables["columns"]
    low, high = (table.rows[0][table.columns.index(f"loss {end}")] for end in ("low", "high"))
    assert low < np.mean(rises) < high


def test_the_same_seed_finds_the_same_and_torchs_stream_is_left_alone(plain):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = found(plain, seed=5)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found(plain, seed=5) == first
    assert found(plain, seed=6) != first


def test_single_rows_show_columns_and_never_values(tmp_path):
    columns, signal = numbers()
    secret = np.where(signal > 0, "Geheim Straße", "Verborgen Weg")
    table = pa.table({**columns, "street": secret, "y": words(signal + columns["some"])})
    evidence = found(fitted(tmp_path, table))
    assert len(evidence.tables["rows"].rows) == 5
    text = evidence.model_dump_json()
    assert "street" in text
    assert "Geheim" not in text
    assert "Verborgen" not in text


@pytest.mark.slow
def test_of_many_columns_the_ones_that_matter_are_shuffled(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 30))
    table = pa.table({f"x{i}": x[:, i] for i in range(30)} | {"y": words(x[:, 7] + x[:, 23])})
    evidence = found(fitted(tmp_path, table))
    rows = evidence.tables["columns"].rows
    assert len(rows) == stage.MAX_COLUMNS
    assert {rows[0][0], rows[1][0]} == {"x7", "x23"}
    assert any("20 of 30 columns" in note for note in evidence.notes)


def test_a_few_rows_are_too_few_to_judge(plain):
    store, model, train, test = plain
    few = store.keep_table(store.table(test).slice(0, 9))
    evidence = found((store, model, train, few))
    assert {judged(c, Gates().of(c.name)).outcome for c in evidence.checks} == {"insufficient"}


def test_a_network_that_diverged_is_not_judged(plain):
    def diverge(weights):
        weights["heads"].fill_(float("nan"))

    evidence = found(with_weights(plain, diverge))
    assert {judged(c, Gates().of(c.name)).outcome for c in evidence.checks} == {"insufficient"}


def test_what_is_explained_is_what_the_policy_decides(plain):
    store, _, train, test = plain
    for threshold, code in ((0.999999, 0), (1e-6, 1)):
        model = model_of(plain, Policy(threshold=threshold))
        study = stage.Study(model, store.table(train), store.table(test), 0)
        assert set(study.codes.tolist()) == {code}
