import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.utils.class_weight import compute_sample_weight

from penstock import tasks
from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.evidence import Evidence
from penstock.learning import trial as trials
from penstock.measure.judging import judged
from penstock.measure.loss_choice import is_shown, loss_choice
from penstock.records import Column, Layout, Objective
from penstock.spec import Compute, Gates, ModelSpec, ObjectiveSpec
from penstock.stages.fit import fit
from penstock.stages.objective import objective, prepare, second_chance
from penstock.tables.weighing import Weighing

TINY = ModelSpec(epochs=2, width=8, members=1, batch_size=32)


def layout_of(frame):
    kinds = {name: frame[name].dtype.kind in "fi" for name in frame}
    columns = [
        Column(
            name=name,
            modality="numeric" if number else "category",
            arrow_type="double" if number else "string",
            role="target" if name == "y" else "feature",
        )
        for name, number in kinds.items()
    ]
    classes = [] if kinds["y"] else sorted(frame["y"].unique())
    task = "classification" if classes else "regression"
    return Layout(columns=columns, target="y", task=task, classes=classes)


class Case:
    """A frame cut into training and validation rows, and the stage over it."""

    def __init__(self, folder, frame, spec=None, model=TINY, reweighed="", layout=None):
        self.store = LocalStore(folder)
        self.layout = layout or layout_of(frame)
        table = pa.Table.from_pandas(frame, preserve_index=False)
        cut = len(frame) // 5
        self.valid = self.store.keep_table(table.slice(0, cut))
        self.train = self.store.keep_table(table.slice(cut))
        self.frames = {"valid": frame[:cut], "train": frame[cut:]}
        self.model, self.told = model, []
        spec = spec or ObjectiveSpec(trial_rows=0)
        self.found = objective(
            self.train, self.valid, self.layout, spec, model, reweighed, self.store, self.tell
        )

    def tell(self, done, total, note=""):
        self.told.append((done, total, note))

    @property
    def check(self):
        (check,) = self.found.evidence.checks
        return judged(check, Gates().of(check.name))

    def weights(self, part):
        rows = {"train": self.found.weights, "valid": self.found.valid_weights}[part]
        return self.store.table(rows)["weight"].to_numpy()

    def fit(self, goal=None):
        return fit(
            self.train, self.valid, self.layout, goal or self.found, self.model,
            Compute(device="cpu", threads=1), self.store, self.tell, "key",
        )  # fmt: skip


def people(n=500, seed=0, share=0.8):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    frame["sex"] = rng.choice(["f", "m"], n)
    signal = frame.x + 0.8 * (frame.sex == "m") + rng.logistic(size=n)
    frame["y"] = np.where(signal > np.quantile(signal, share), "yes", "no")
    return frame


def numbers(noise, n=2000, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({f"x{i}": rng.normal(size=n) for i in range(4)})
    return frame.assign(y=frame.x0 + np.sin(2 * frame.x1) + noise(rng, n))


# ------------------------------------------------------------------- loss, metric, weights


def test_nothing_said_gives_the_task_s_defaults_and_no_weights(tmp_path):
    found = Case(tmp_path, people()).found
    assert (found.loss, found.metric) == ("cross_entropy", "roc_auc")
    assert found.weights is None and found.valid_weights is None


def test_a_loss_and_a_metric_that_are_not_offered_are_both_named(tmp_path):
    with pytest.raises(BadInput) as error:
        Case(tmp_path, people(), ObjectiveSpec(loss="huber", metric="mae"))
    assert "huber" in str(error.value) and "mae" in str(error.value)


def test_class_weights_are_scikit_learn_s_in_the_order_of_the_rows(tmp_path):
    case = Case(tmp_path, people(), ObjectiveSpec(loss="class_weighted", trial_rows=0))
    labels = case.frames["train"].y
    np.testing.assert_allclose(case.weights("train"), compute_sample_weight("balanced", labels))
    assert case.weights("train").dtype == np.float64
    assert case.weights("train").mean() == pytest.approx(1)
    by_label = dict(zip(labels, case.weights("train"), strict=True))
    wanted = [by_label[label] for label in case.frames["valid"].y]  # the training rows' rule
    np.testing.assert_allclose(case.weights("valid"), wanted)


def test_reweighing_makes_the_weighted_shares_of_all_groups_equal(tmp_path):
    frame = people()
    frame.loc[::7, "sex"] = None
    case = Case(tmp_path, frame, reweighed="sex")
    rows = case.frames["train"].assign(w=case.weights("train"), yes=lambda f: f.y == "yes")
    rows["sex"] = rows.sex.fillna("missing")
    shares = [(g.w * g.yes).sum() / g.w.sum() for _, g in rows.groupby("sex")]
    assert len(shares) == 3
    np.testing.assert_allclose(shares, rows.yes.mean())
    assert "sex" in case.found.evidence.tables["weights"].note


def test_both_weightings_at_once_have_mean_one_and_balance_the_classes(tmp_path):
    spec = ObjectiveSpec(loss="class_weighted", trial_rows=0)
    case = Case(tmp_path, people(), spec, reweighed="sex")
    rows = case.frames["train"].assign(w=case.weights("train"))
    assert rows.w.mean() == pytest.approx(1)
    np.testing.assert_allclose(rows.groupby("y").w.sum(), len(rows) / 2)


def test_a_number_is_reweighed_by_its_quarters(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], 800), "x": rng.normal(size=800)})
    frame["y"] = frame.x + 1.0 * (frame.sex == "m")
    case = Case(tmp_path, frame, reweighed="sex")
    rows = case.frames["train"].assign(w=case.weights("train"))
    plain, weighted = (
        [np.average(g.y, weights=w) for _, g in rows.groupby("sex") for w in [pick(g)]]
        for pick in (lambda g: np.ones(len(g)), lambda g: g.w)
    )
    assert abs(weighted[0] - weighted[1]) < 0.25 * abs(plain[0] - plain[1])


def test_a_label_and_a_group_that_training_rows_lack_weigh_something(tmp_path):
    frame = people(300)
    frame.loc[:3, "sex"] = "x"  # in valid only
    case = Case(tmp_path, frame, ObjectiveSpec(loss="class_weighted", trial_rows=0),
                reweighed="sex")  # fmt: skip
    assert (case.weights("valid") > 0).all() and np.isfinite(case.weights("valid")).all()


# ------------------------------------------------------------------- training with weights


def test_fit_reads_the_weights_and_repeats_itself(tmp_path):
    case = Case(tmp_path, people(), ObjectiveSpec(loss="class_weighted", trial_rows=0))
    fitted = case.fit()
    assert case.fit().weights == fitted.weights
    plain = case.fit(case.found.model_copy(update={
        "loss": "cross_entropy", "weights": None, "valid_weights": None}))  # fmt: skip
    assert plain.weights != fitted.weights


def test_a_killed_weighted_fit_goes_on_to_the_same_weights(tmp_path):
    case = Case(tmp_path, people(), ObjectiveSpec(loss="class_weighted", trial_rows=0))
    fitted = case.fit()
    quiet = case.tell

    def killed(done, total, note=""):
        raise KeyboardInterrupt

    case.tell = killed
    with pytest.raises(KeyboardInterrupt):
        case.fit()
    case.tell = quiet
    assert case.fit().weights == fitted.weights


def test_weights_of_other_rows_are_refused(tmp_path):
    case = Case(tmp_path, people(), ObjectiveSpec(loss="class_weighted", trial_rows=0))
    swapped = case.found.model_copy(update={"weights": case.found.valid_weights})
    with pytest.raises(ValueError, match="100 weights for 400 rows"):
        case.fit(swapped)
    with pytest.raises(ValueError, match="no weights"):
        case.fit(Objective(loss="class_weighted", metric="roc_auc"))


# ------------------------------------------------------------------- the check


def test_a_trial_that_is_switched_off_is_insufficient_and_does_not_block(tmp_path):
    case = Case(tmp_path, people())
    assert case.check.outcome == "insufficient" and not case.check.blocks
    assert "trial_rows" in case.check.remedy
    assert case.told == []
    assert case.found.evidence.tables["losses"].columns == ["loss", "estimates"]


def test_too_few_rows_are_not_tried(tmp_path):
    case = Case(tmp_path, people(60), ObjectiveSpec())
    assert case.check.outcome == "insufficient" and "48 rows" in case.check.why


# ------------------------------------------------------------------- the trial


@pytest.mark.slow
def test_the_trial_is_told_shown_and_the_same_again(tmp_path):
    spec = ObjectiveSpec(trial_rows=300)
    one, two = (Case(tmp_path / name, people(), spec) for name in "ab")
    assert one.found == two.found.model_copy(update={"seconds": one.found.seconds})
    assert one.told[-1][:2] == (16, 16)
    evidence = one.found.evidence
    assert isinstance(evidence, Evidence)
    assert set(evidence.tables) == {"balance", "losses", "metrics"}
    assert set(evidence.figures) == {"balance", "losses"}
    assert "of 300 training rows" in one.check.why
    assert one.found.fingerprint == two.found.fingerprint


HEAVY = {
    "student t": lambda rng, n: rng.standard_t(1.5, n),
    "outliers": lambda rng, n: rng.normal(size=n) * np.where(rng.random(n) < 0.05, 20, 0.5),
}


def quiet(done, total, note=""):
    pass


def prepared(folder, frame, model):
    """The losses of the frame's task, and a trial of them."""
    case = Case(folder, frame)
    tables = {name: pa.table({"y": part.y}) for name, part in case.frames.items()}
    weighing = Weighing.of(tables, case.layout, "")
    parts = {"train": case.train, "valid": case.valid}
    offered = list(tasks.load(case.layout.task).LOSSES)
    return offered, prepare(offered, weighing, parts, case.layout, 6000, model, case.store)


def outcomes(folder, frame, metric, *names):
    """Outcome and remedy of each loss, from one trial, as the stage makes them."""
    offered, trial = prepared(folder, frame, ModelSpec())
    tried, found = trial.run(offered, quiet), {}
    for name in names:
        goal = Objective(loss=name, metric=metric)
        check = loss_choice(goal, tried)
        check = second_chance(goal, tried, trial, quiet) if is_shown(check) else check
        found[name] = judged(check, Gates().loss_choice)
    return found


@pytest.mark.slow
def test_a_patient_loss_learns_more_and_another_draw_has_other_folds(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "FOLDS", 4)
    frame = numbers(lambda rng, n: 0.1 * rng.normal(size=n), 500)
    names, trial = prepared(tmp_path, frame, ModelSpec(epochs=1))
    short = trial.run(names[:2], quiet)
    longer = trial.run(names[:2], quiet, patient=names[0])
    other = trial.run(names[:2], quiet, draw=1)
    errors = [{name: tried.values[name]["rmse"] for name in names[:2]} for tried in (short, longer)]
    assert (errors[1][names[0]] < errors[0][names[0]]).all()
    np.testing.assert_array_equal(errors[1][names[1]], errors[0][names[1]])
    assert (other.values[names[1]]["rmse"] != errors[0][names[1]]).all()


@pytest.mark.slow
@pytest.mark.parametrize("noise", HEAVY)
def test_squared_error_on_a_heavy_tail_is_flagged_and_absolute_error_is_not(tmp_path, noise):
    frame = numbers(HEAVY[noise])
    found = outcomes(tmp_path, frame, "mae", "squared_error", "absolute_error")
    assert found["squared_error"].outcome == "warn", found["squared_error"].why
    assert found["absolute_error"].outcome == "pass", found["absolute_error"].why


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.2, 1.0])
def test_squared_error_on_normal_noise_is_not_flagged(tmp_path, noise):
    frame = numbers(lambda rng, n: noise * rng.normal(size=n), 1500)
    check = outcomes(tmp_path, frame, "rmse", "squared_error")["squared_error"]
    assert check.outcome == "pass", check.why


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_class_weights_that_harm_the_metric_are_flagged_and_no_weights_are_not(tmp_path, metric):
    frame = people(1500, share=0.9)
    found = outcomes(tmp_path, frame, metric, "class_weighted", "cross_entropy")
    assert found["class_weighted"].outcome == "warn", found["class_weighted"].why
    assert found["class_weighted"].remedy == "set objective.loss: cross_entropy"
    assert found["cross_entropy"].outcome == "pass", found["cross_entropy"].why


@pytest.mark.slow
def test_images_are_tried_as_thumbnails_on_all_rows(tmp_path):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 600)
    images = []
    for code in codes:
        pixels = rng.integers(0, 90, (24, 24)).astype(np.uint8)
        pixels[12 * code : 12 * code + 8] += 60
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        images.append(buffer.getvalue())
    frame = pd.DataFrame({"image": images, "y": np.where(codes, "low", "top")})
    layout = Layout(
        columns=[
            Column(name="image", modality="image", arrow_type="binary"),
            Column(name="y", modality="category", arrow_type="string", role="target"),
        ],
        target="y", task="classification", classes=["low", "top"],
    )  # fmt: skip
    case = Case(tmp_path, frame, ObjectiveSpec(), ModelSpec(epochs=2), layout=layout)
    assert case.check.outcome == "pass", case.check.why
    assert int(case.check.why.split(" training rows")[0].split()[-1]) == 480
