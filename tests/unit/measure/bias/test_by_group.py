"""Quantities by group: by hand, and by fairlearn's MetricFrame."""

import numpy as np
import pyarrow as pa
import pytest
from fairlearn import metrics as fair
from sklearn import metrics as sk

from penstock.measure.bias.by_group import Groups, Scored, quantities, selection_of_classes
from penstock.records import Layout

TWO = Layout(columns=[], target="y", task="classification", classes=["no", "yes"])
THREE = Layout(columns=[], target="y", task="classification", classes=["a", "b", "c"])
NUMBER = Layout(columns=[], target="y", task="regression")


def column(values):
    return pa.chunked_array([pa.array(values)])


def two_class(n=600, seed=0, metric="roc_auc"):
    rng = np.random.default_rng(seed)
    group = rng.choice(["f", "m", "x"], n, p=[0.4, 0.5, 0.1])
    target = (rng.random(n) < 0.3 + 0.2 * (group == "m")).astype(np.int64)
    score = np.clip(rng.random(n) * 0.7 + 0.3 * target, 0.01, 0.99)
    losses = -np.log(np.where(target == 1, score, 1 - score))
    scores = np.c_[1 - score, score]
    rows = Scored(target, scores, (score >= 0.5).astype(np.int64), losses, TWO, metric)
    return rows, Groups.of(column(group), column(group), "sex"), group


def test_every_rate_is_that_of_fairlearn():
    rows, by, group = two_class()
    found = quantities(rows, by, seed=0)
    frame = fair.MetricFrame(
        metrics={
            "selection_rate": fair.selection_rate,
            "true_positive_rate": fair.true_positive_rate,
            "false_positive_rate": fair.false_positive_rate,
            "precision": sk.precision_score,
            "accuracy": sk.accuracy_score,
        },
        y_true=rows.target,
        y_pred=rows.decided,
        sensitive_features=group,
    ).by_group
    for name in frame.columns:
        for level, estimate in zip(by.names, found[name], strict=True):
            assert estimate.value == pytest.approx(frame[name][level])
            assert estimate.low < estimate.value < estimate.high
    for level, estimate in zip(by.names, found["base_rate"], strict=True):
        assert estimate.value == pytest.approx(rows.target[group == level].mean())


def test_metric_loss_and_calibration_are_those_of_the_groups_own_rows():
    rows, by, group = two_class()
    found = quantities(rows, by, seed=0)
    for level, area, loss, gap in zip(
        by.names, found["roc_auc"], found["mean_loss"], found["calibration"], strict=True
    ):
        mine = group == level
        assert area.value == pytest.approx(
            sk.roc_auc_score(rows.target[mine], rows.scores[mine, 1])
        )
        assert loss.value == pytest.approx(sk.log_loss(rows.target[mine], rows.scores[mine]))
        assert gap.value == pytest.approx(rows.scores[mine, 1].mean() - rows.target[mine].mean())
        for estimate in (area, loss, gap):
            assert estimate.low < estimate.value < estimate.high


def test_a_group_without_positives_has_no_true_positive_rate():
    target, decided = np.array([0, 0, 1, 0]), np.array([0, 1, 1, 0])
    scores = np.tile([0.5, 0.5], (4, 1))
    rows = Scored(target, scores, decided, np.ones(4), TWO, "roc_auc")
    by = Groups.of(column(["f", "f", "m", "m"]), column(["f", "f", "m", "m"]), "sex")
    found = quantities(rows, by, seed=0)
    assert [e.value for e in found["true_positive_rate"]] == [None, 1.0]
    assert [e.value for e in found["false_positive_rate"]] == [0.5, 0.0]
    assert [e.value for e in found["precision"]] == [0.0, 1.0]
    assert found["roc_auc"][0].value is None


def test_numbers_have_errors_and_means():
    target, scores = np.array([1.0, 3, 5, 7]), np.array([2.0, 4, 5, 3])
    rows = Scored(target, scores, scores, np.square(target - scores), NUMBER, "rmse")
    by = Groups.of(column(["f", "f", "m", "m"]), column(["f", "f", "m", "m"]), "sex")
    found = {name: [e.value for e in each] for name, each in quantities(rows, by, 0).items()}
    assert found["mean_target"] == [2, 6]
    assert found["mean_prediction"] == [3, 4]
    assert found["mean_residual"] == [1, -2]
    assert found["mean_loss"] == [1, 8]
    assert found["rmse"] == pytest.approx([1, np.sqrt(8)])


def test_more_classes_have_a_selection_rate_each():
    target, decided = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 2])
    scores = np.full((4, 3), 1 / 3)
    rows = Scored(target, scores, decided, np.ones(4), THREE, "accuracy")
    by = Groups.of(column(["f", "f", "m", "m"]), column(["f", "f", "m", "m"]), "sex")
    found = quantities(rows, by, seed=0)
    assert list(found) == ["accuracy", "mean_loss"]
    assert [e.value for e in found["accuracy"]] == [0.5, 1.0]
    records = selection_of_classes(rows, by)
    rates = {(r["group"], r["class"]): (r["selection_rate"], r["base_rate"]) for r in records}
    assert rates["f", "b"] == (0, 0.5)
    assert rates["f", "c"] == (0.5, 0)
    assert rates["m", "c"] == (1, 1)
    assert [r["group"] for r in records] == ["f"] * 3 + ["m"] * 3


def test_groups_are_those_of_the_training_rows():
    train = column(["f", "m", "gone", None])
    by = Groups.of(train, column(["m", "f", "new", None, "m"]), "sex")
    assert by.names == ["f", "gone", "m", "(other)", "(missing)"]
    assert by.sizes.tolist() == [1, 0, 2, 1, 1]
    assert by.named.tolist() == [True, True, True, False, False]


def test_without_nulls_there_is_no_missing_group():
    by = Groups.of(column(["f", None]), column(["f", "f"]), "sex")
    assert by.names == ["f"] and by.sizes.tolist() == [2]


def test_numbers_are_cut_where_the_training_rows_have_quartiles():
    train = column(np.r_[np.arange(50.0), np.full(50, 50.0)])
    by = Groups.of(train, column([1.0, 30.0, 50.0, np.nan, 99.0]), "age")
    assert by.names == ["up to 24.75", "over 24.75, up to 49.5", "over 49.5, up to 50", "over 50",
                        "(missing)"]  # fmt: skip
    assert by.sizes.tolist() == [1, 1, 1, 1, 1]
    by = Groups.of(train, column([1.0, 30.0, 50.0]), "age")  # nobody over 50 in either
    assert by.names == ["up to 24.75", "over 24.75, up to 49.5", "over 49.5, up to 50"]


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "balanced_accuracy", "f1",
                                    "log_loss", "brier_score"])  # fmt: skip
@pytest.mark.parametrize("layout", [TWO, THREE])
def test_every_metric_of_tiny_and_one_class_groups(metric, layout):
    group = np.repeat(["none", "all", "one", "both"], [20, 20, 1, 40])
    last = len(layout.classes) - 1
    target = np.repeat([0, last, last, 0, last], [20, 20, 1, 20, 20])
    scores = np.full((81, last + 1), 1 / (last + 1))
    losses = np.full(81, np.log(last + 1))
    rows = Scored(target, scores, np.zeros(81, dtype=np.int64), losses, layout, metric)
    found = quantities(rows, Groups.of(column(group), column(group), "g"), seed=0)
    assert found[metric][1].value is not None  # both
    assert found[metric][3].value is None  # one row


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pa.array([True, False, None]), ["false", "true", "(missing)"]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([None, None], pa.string()), ["(missing)"]),
        (pa.array([None, None], pa.float64()), ["(missing)"]),
        (pa.array([1, 2, 2], pa.int32()), ["1", "2"]),
        (pa.array([0, 1], pa.timestamp("s")), None),
        (pa.array([], pa.string()), []),
    ],
)
def test_columns_of_every_type_make_groups(values, names):
    by = Groups.of(pa.chunked_array([values]), pa.chunked_array([values]), "c")
    assert by.sizes.sum() == len(values)
    assert names is None or by.names == names


def test_crossed_groups_stand_by_size():
    sex, race = ["f", "f", "m", "f", None], ["a", "a", "b", "b", "b"]
    by = Groups.crossed([Groups.of(column(c), column(c), n) for n, c in [("s", sex), ("r", race)]])
    assert by.name == "s and r"
    assert by.names == ["f, a", "f, b", "m, b", "(missing), b"]
    assert by.sizes.tolist() == [2, 1, 1, 1]
    assert by.codes.tolist() == [0, 0, 2, 1, 3]
    assert by.named.tolist() == [True, True, True, False]


def test_the_interval_of_a_very_large_group_is_as_wide_as_its_rows_make_it(monkeypatch):
    rng = np.random.default_rng(0)
    target = (rng.random(20_000) < 0.3).astype(np.int64)
    scores, losses = np.full((20_000, 2), 0.5), np.ones(20_000)
    rows = Scored(target, scores, rng.integers(0, 2, 20_000), losses, TWO, "balanced_accuracy")
    by = Groups.of(column(["a"] * 20_000), column(["a"] * 20_000), "g")
    some = quantities(rows, by, seed=0)["balanced_accuracy"][0]
    monkeypatch.setattr("penstock.measure.bias.by_group.MOST_RESAMPLED", 20_000)
    every = quantities(rows, by, seed=0)["balanced_accuracy"][0]
    assert some.value == every.value
    assert some.high - some.low == pytest.approx(every.high - every.low, rel=0.25)
    assert some.low < some.value < some.high
