"""All stages on small data, without Prefect and MLflow: what a run ends with."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

from penstock.adapters.expectations import GreatExpectations
from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.model import Model
from penstock.spec import (
    BiasSpec,
    Compute,
    Data,
    DecisionSpec,
    Gates,
    ModelSpec,
    ObjectiveSpec,
    ProfileSpec,
    SplitSpec,
)
from penstock.stages.bias import bias
from penstock.stages.decide import decide
from penstock.stages.evaluate import evaluate
from penstock.stages.explain import explain
from penstock.stages.fit import fit
from penstock.stages.ingest import ingest
from penstock.stages.judge import judge
from penstock.stages.objective import objective
from penstock.stages.profile import profile
from penstock.stages.split import split
from penstock.stages.stress import stress
from penstock.stages.validate import validate
from penstock.tables.proposal import propose

pytestmark = pytest.mark.slow
SMALL = ModelSpec(epochs=3, width=16, members=2, batch_size=32, learning_rate=0.02)
ONE = Compute(device="cpu", threads=1)
QUICK = ObjectiveSpec(trial_rows=0)


def silent(done, total, note=""):
    pass


class Chain:
    """What each stage gave."""

    def __init__(
        self, folder, source, data=None, parts=None, model=SMALL, gates=None, goal=QUICK, fair=None
    ):
        self.store = LocalStore(folder / "store")
        self.gates = gates or Gates()
        self.model = model
        data = Data(**({"source": str(source), "target": "y"} | (data or {})))
        parts = parts or SplitSpec()
        self.raw = ingest(open_source(data, folder), data, parts, self.store, silent)
        contract = propose(self.store.table(self.raw.rows), self.raw.layout)
        self.clean = validate(self.raw, contract, GreatExpectations(), self.store, silent)
        self.parts = split(self.clean, parts, self.store, silent)
        train, test = self.parts.train, self.parts.test
        store, fair = self.store, fair or BiasSpec()
        plain = self.answers(goal, "", "", "fit-plain")
        self.objective, self.fitted, self.policy = plain
        column = data.sensitive[0] if data.sensitive else ""
        if fair.mitigation == "reweigh":
            self.objective, self.fitted, self.policy = self.answers(goal, column, "", "fit-1")
        if fair.mitigation == "thresholds":
            self.objective, self.fitted, self.policy = self.answers(goal, "", column, "fit-1")
        fitted, policy = self.fitted, self.policy
        self.scorecard = evaluate(fitted, policy, train, test, 0, store, silent)
        self.stressed = stress(fitted, policy, test, 0, store, silent)
        self.explained = explain(fitted, policy, train, test, 0, store, silent)
        before = (None, None) if fair.mitigation == "none" else plain[1:]
        self.gaps = bias(
            fitted, self.scorecard, train, test, data.sensitive, fair, *before, 0, store, silent
        )
        card = self.scorecard
        self.profile = profile(
            fitted, policy, card, train, test, ProfileSpec(), store, silent, data.sensitive
        )
        self.records = {
            "ingest": self.raw, "validate": self.clean, "split": self.parts,
            "objective": self.objective, "fit": fitted, "decide": policy, "evaluate": card,
            "stress": self.stressed, "explain": self.explained, "bias": self.gaps,
            "profile": self.profile,
        }  # fmt: skip
        checks = [c for record in self.records.values() for c in record.evidence.checks]
        self.verdict = judge(checks, self.gates)

    def answers(self, goal, reweighed, levelled, key):
        parts, layout = self.parts, self.parts.layout
        self.objective = objective(
            parts.train, parts.valid, layout, goal, self.model, reweighed, self.store, silent
        )
        fitted = self.fit(key)
        criterion = BiasSpec().gated(len(layout.classes)) if levelled else ""
        policy = decide(
            fitted, parts.valid, DecisionSpec(), criterion, levelled, 0, self.store, silent
        )
        return self.objective, fitted, policy

    def fit(self, key, progress=silent):
        parts, goal = self.parts, self.objective
        return fit(
            parts.train, parts.valid, parts.layout, goal, self.model, ONE, self.store, progress, key
        )

    @property
    def blocking(self):
        return {c.name for c in self.verdict.checks if c.blocks}

    @property
    def scorer(self):
        files = self.store.path(self.fitted.weights), self.store.path(self.fitted.state)
        return Model.read(*files, self.policy)

    def metric(self, name):
        return self.scorecard.metrics[name].value


def people(n=600, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "income": rng.lognormal(10, 1, n).round(2),
            "town": rng.choice(["Ulm", "Köln", "Bonn"], n),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
        }
    )
    frame.loc[rng.random(n) < 0.1, "income"] = np.nan
    signal = (frame.age - 54) / 20 + (frame.town == "Ulm") * 1.5 + rng.normal(0, 0.5, n)
    return frame, signal.to_numpy()


def table(tmp_path, frame, **more):
    frame.to_parquet(tmp_path / "table.parquet")
    return Chain(tmp_path, "table.parquet", **more)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    frame, signal = people()
    frame["y"] = np.where(signal > 0, "yes", "no")
    return table(tmp_path_factory.mktemp("good"), frame)


def test_a_table_whose_columns_tell_the_target_passes(good):
    assert good.verdict.passed, good.blocking
    assert good.metric("roc_auc") > 0.8
    assert good.scorecard.metrics["roc_auc"].low > 0.7


def test_the_scorecard_is_that_of_the_stored_model_on_the_stored_test_rows(good):
    rows = good.store.table(good.parts.test)
    kept = good.store.table(good.scorecard.predictions)
    again = good.scorer.predict(rows)
    assert again.column_names == [
        "prediction", "probability_no", "probability_yes", "prediction_set", "abstain",
    ]  # fmt: skip
    for name in again.column_names:
        assert again[name].to_pylist() == kept[name].to_pylist()
    np.testing.assert_allclose(
        good.metric("log_loss"), good.scorer.row_losses(rows).mean(), rtol=1e-5
    )


def test_raw_rows_are_shown_to_those_who_ask_only(good):
    parts = good.parts
    rest = (good.fitted, good.policy, parts.train, parts.test, 0, good.store, silent)
    assert "worst_rows" not in good.scorecard.evidence.tables
    shown = evaluate(*rest, show_rows=True).evidence.tables["worst_rows"]
    losses = good.store.table(good.scorecard.predictions)["_row_loss"].to_numpy()
    row, loss = shown.rows[0][:2]
    assert (row, loss) == (losses.argmax(), pytest.approx(losses.max(), abs=1e-4))
    assert shown.rows[0][2] == good.store.table(parts.test)["y"][row].as_py()


def test_nothing_of_the_checkpoints_is_left(good):
    scratch = good.store.root / "scratch"
    assert [path for path in scratch.rglob("*") if path.is_file()] == []


def told(chain):
    """Stages that leave a reader with nothing."""
    return [
        name
        for name, record in chain.records.items()
        if not (record.evidence.checks or record.evidence.tables or record.evidence.notes)
    ]


TARGETS = {
    "two classes": lambda signal: np.where(signal > 0, "yes", "no"),
    "three classes": lambda signal: np.digitize(signal, [-0.7, 0.7]).astype(str),
    "a number": lambda signal: signal,
}


@pytest.mark.parametrize("kind", TARGETS)
def test_every_stage_tells_something_of_every_kind_of_target(tmp_path, kind):
    frame, signal = people()
    frame["y"] = TARGETS[kind](signal)
    goal = ObjectiveSpec(trial_rows=300)
    chain = table(tmp_path, frame, data={"sensitive": ["town", "age"]}, goal=goal)
    assert told(chain) == []
    gated = "demographic_parity" if kind == "two classes" else "worst_group"
    subjects = {c.subject for c in chain.verdict.checks if c.name == gated}
    assert subjects >= {"town", "age"}
    loss = next(c for c in chain.verdict.checks if c.name == "loss_choice")
    assert loss.outcome in ("pass", "warn", "insufficient")


@pytest.mark.parametrize(("mitigation", "gain"), [("reweigh", 0.02), ("thresholds", 0.1)])
def test_a_mitigation_narrows_the_gap_that_it_levels(tmp_path, mitigation, gain):
    frame, signal = people(2400)
    signal = signal + np.where(frame.town == "Ulm", 1.0, 0.0)
    frame["town"] = np.where(frame.town == "Ulm", "Ulm", "Bonn")
    frame["y"] = np.where(signal > 0, "yes", "no")
    given = {"data": {"sensitive": ["town"]}, "parts": SplitSpec(valid=0.3)}
    (tmp_path / "plain").mkdir()
    plain = table(tmp_path / "plain", frame, **given)
    (tmp_path / "fair").mkdir()
    fair = table(tmp_path / "fair", frame, fair=BiasSpec(mitigation=mitigation), **given)

    def ratio(chain):
        checks = [c for c in chain.verdict.checks if c.name == "demographic_parity"]
        return checks[0].value

    assert ratio(plain) < 0.75
    assert ratio(fair) > ratio(plain) + gain
    assert "mitigation" in fair.gaps.evidence.tables


def test_shuffled_labels_are_refused(tmp_path):
    frame, signal = people()
    frame["y"] = np.random.default_rng(1).permutation(np.where(signal > 0, "yes", "no"))
    chain = table(tmp_path, frame)
    assert not chain.verdict.passed
    assert chain.blocking & {"beats_trivial", "compression"}


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (1e12, 0), (1e-9, 0), (1, 1e9)])
def test_a_regression_passes_in_any_unit(tmp_path, scale, shift):
    frame, signal = people()
    frame["y"] = signal * scale + shift
    chain = table(tmp_path, frame)
    assert chain.verdict.passed, chain.blocking
    assert chain.metric("r2") > 0.4
    assert chain.metric("rmse") < 0.8 * frame.y.std()


def test_whole_numbers_of_many_levels_are_a_regression_and_pass(tmp_path):
    frame, signal = people()
    frame["y"] = (signal * 100).astype(int)
    chain = table(tmp_path, frame)
    assert chain.raw.layout.task == "regression"
    assert chain.verdict.passed, chain.blocking


def test_a_target_with_a_heavy_tail_gives_finite_predictions_and_a_verdict(tmp_path):
    frame, signal = people()
    frame["y"] = np.exp(8 * signal)
    chain = table(tmp_path, frame)
    assert np.isfinite(chain.scorer.scores(chain.store.table(chain.parts.test))).all()
    assert all(check.outcome != "unjudged" for check in chain.verdict.checks)


def test_a_target_of_one_percent_has_a_verdict_and_both_classes_in_each_part(tmp_path):
    frame, signal = people(2000)
    frame["y"] = signal > np.quantile(signal, 0.99)
    longer = SMALL.model_copy(update={"epochs": 8})
    chain = table(tmp_path, frame, model=longer)
    assert chain.raw.layout.classes == ["false", "true"]
    assert chain.metric("roc_auc") > 0.8


def test_fifty_classes_of_which_the_test_part_lacks_some(tmp_path):
    rng = np.random.default_rng(0)
    codes = np.r_[np.repeat(np.arange(50), 4), rng.integers(0, 10, 600)]
    frame = pd.DataFrame({"a": codes + rng.normal(0, 0.1, len(codes)), "b": rng.random(len(codes))})
    frame["y"] = [f"class {code}" for code in codes]
    frame["part"] = np.where(
        codes < 45, rng.choice(["train", "valid", "test"], len(codes)), "train"
    )
    parts = SplitSpec(strategy="column", column="part")
    chain = table(tmp_path, frame, parts=parts, model=SMALL.model_copy(update={"epochs": 8}))
    assert 0.5 < chain.metric("roc_auc") <= 1
    assert all(estimate.value is not None for estimate in chain.scorecard.metrics.values())


NASTY = [
    "a b", 'c "d"', "é 😀", "a.b", "a", "{brace}", "prediction", "_target", "probability_1",
    "<b>", "../up", "x,y", "line\nbreak", "0", "y ", "index",
]  # fmt: skip


@pytest.mark.parametrize("classes", [("0.0", "1.0"), ("<script>", "a & b"), ("ja", "né 😀")])
def test_columns_and_classes_of_any_name(tmp_path, classes):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.normal(size=400).round(3) for name in NASTY})
    frame["y"] = np.where(frame["a.b"] + frame["a"] + rng.normal(0, 0.3, 400) > 0, *classes)
    frame["prediction"] = np.where(frame["prediction"] > 0, "left", "right")
    chain = table(tmp_path, frame)
    assert [column.name for column in chain.fitted.layout.features] == NASTY
    assert chain.verdict.passed, chain.blocking
    assert len(chain.raw.layout.classes) == 2


def test_one_feature_and_three_rows_in_valid(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "part": ["train"] * 200 + ["test"] * 100})
    frame.loc[:2, "part"] = "valid"
    frame["y"] = frame.x + rng.normal(0, 0.4, len(frame)) > 0
    frame.loc[:2, "y"] = [True, False, True]
    chain = table(tmp_path, frame, parts=SplitSpec(strategy="column", column="part"))
    assert chain.parts.valid.num_rows == 3
    assert chain.verdict.passed, chain.blocking


def test_columns_that_say_nothing_in_the_training_part_only(tmp_path):
    rng = np.random.default_rng(0)
    n = 400
    part = np.repeat(["train", "valid", "test"], [250, 50, 100])
    train = part == "train"
    frame = pd.DataFrame({"x": rng.normal(size=n), "part": part})
    frame["constant"] = np.where(train, 5.0, rng.normal(size=n))
    frame["empty"] = np.where(train, np.nan, rng.normal(size=n))
    frame["level"] = np.where(train, "same", rng.choice(["u", "v"], n))
    frame["none"] = pd.Series(np.where(train, None, rng.choice(["u", "v"], n)), dtype="object")
    frame["time"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D")
    frame.loc[train, "time"] = pd.NaT
    frame["y"] = frame.x + rng.normal(0, 0.4, len(frame)) > 0
    chain = table(tmp_path, frame, parts=SplitSpec(strategy="column", column="part"))
    names = {column.name for column in chain.fitted.layout.features}
    assert names == {"x", "constant", "empty", "level", "none", "time"}
    assert chain.metric("roc_auc") > 0.7


def test_huge_integers_zones_and_nullable_booleans(tmp_path):
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame({"x": rng.normal(size=n)})
    frame["big"] = rng.integers(2**60, 2**62, n)
    frame["huge"] = np.where(rng.random(n) < 0.02, 1e120, rng.normal(size=n))
    frame["zoned"] = pd.Timestamp("2020-01-01", tz="Europe/Berlin") + pd.to_timedelta(
        rng.integers(0, 9e6, n), "s"
    )
    frame["maybe"] = pd.array(rng.choice([True, False, None], n), dtype="boolean")
    frame["y"] = frame.x + rng.normal(0, 0.4, len(frame)) > 0
    chain = table(tmp_path, frame)
    assert chain.verdict.passed, chain.blocking
    assert {c.name for c in chain.fitted.layout.features} == {"x", "big", "huge", "zoned", "maybe"}


def pixels(code, rng):
    image = rng.integers(0, 60, (8, 8)).astype(np.uint8)
    image[2 * code : 2 * code + 3] += 180
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_folder_of_images_passes(tmp_path):
    rng = np.random.default_rng(0)
    for code, name in enumerate(("top", "middle", "low")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(60):
            (tmp_path / "images" / name / f"{number}.png").write_bytes(pixels(code, rng))
    model = SMALL.model_copy(update={"epochs": 6})
    chain = Chain(tmp_path, "images", data={"target": "label"}, model=model)
    assert chain.verdict.passed, chain.blocking
    assert chain.metric("accuracy") > 0.8
    assert told(chain) == []
    broken = pa.table({"image": pa.array([b"", None, b"no image"], pa.binary())})
    assert chain.scorer.predict(broken).num_rows == 3


def hum(hertz, rng):
    time = np.arange(1_600) / 8_000
    wave = np.sin(2 * np.pi * hertz * time + rng.uniform(0, 6)) * rng.uniform(0.05, 0.4)
    buffer = io.BytesIO()
    soundfile.write(buffer, wave + rng.normal(0, 0.02, len(wave)), 8_000, format="WAV")
    return buffer.getvalue()


def test_a_folder_of_sounds_passes_and_a_broken_one_is_put_aside(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "sounds").mkdir()
    for number in range(240):
        name, hertz = (("low", 300), ("high", 900))[number % 2]
        content = hum(hertz * rng.uniform(0.9, 1.1), rng) if number else b"RIFF, but no sound"
        (tmp_path / "sounds" / f"{name}_{number % 3}_{number}.wav").write_bytes(content)
    data = {"source": "sounds/{pitch}_{room}_{take}.wav", "target": "pitch"}
    model = SMALL.model_copy(update={"learning_rate": 0.005, "epochs": 6})
    chain = Chain(tmp_path, "", data=data, model=model)
    assert [column.name for column in chain.raw.layout.features] == ["audio"]
    assert chain.raw.quarantine.num_rows == 1
    assert chain.verdict.passed, chain.blocking
    assert chain.metric("accuracy") > 0.9
    assert told(chain) == []
    stresses = chain.stressed.evidence.tables["stresses"]
    assert {"noise", "quiet", "clipped", "dull", "fast", "missing"} <= {
        value for row in stresses.rows for value in row
    }


def test_the_same_seed_gives_the_same_weights_and_another_one_others(good):
    assert good.fit("again").weights == good.fitted.weights
    good.model, before = good.model.model_copy(update={"seed": 1}), good.model
    assert good.fit("other").weights != good.fitted.weights
    good.model = before


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_killed_fit_goes_on_to_the_weights_of_an_undisturbed_one(good, epochs):
    told = []

    def killed(done, total, note=""):
        told.append(done)
        if done == epochs:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        good.fit("killed", killed)
    fitted = good.fit("killed", lambda done, total, note="": told.append(done))
    assert told == [1, 2, 3]
    assert fitted.weights == good.fitted.weights
    assert fitted.state == good.fitted.state
    assert fitted.history == good.fitted.history
    assert fitted.fingerprint == good.fitted.fingerprint


def test_a_training_that_diverges_is_refused(tmp_path):
    frame, signal = people()
    frame["y"] = signal
    wild = ModelSpec(epochs=3, width=16, members=1, batch_size=16, learning_rate=1.0, depth=12)
    chain = table(tmp_path, frame, model=wild)
    assert not chain.verdict.passed
