from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from penstock import tasks
from penstock.measure.baselines import Baseline
from penstock.measure.judging import judged
from penstock.measure.metrics import gain
from penstock.measure.policy import conformal
from penstock.records import Column, Estimate, Layout
from penstock.spec import Gates
from penstock.stages.evaluate import compression, coverage, declared_metric, gains, measured


def scores_of(ones):
    return np.c_[1 - ones, ones]


def data(n=500, seed=0):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, n)
    return target, scores_of(np.clip(target * 0.3 + rng.random(n) * 0.7, 0.01, 0.99))


def test_each_metric_has_its_value_inside_its_interval():
    target, scores = data()
    found = measured(("roc_auc", "accuracy"), target, scores, scores.argmax(1), seed=0)
    for estimate in found.values():
        assert estimate.low < estimate.value < estimate.high
    hits = round(found["accuracy"].value * 500)
    wanted = stats.binomtest(hits, 500).proportion_ci(method="wilson")
    assert found["accuracy"].low == pytest.approx(wanted.low, abs=0.015)
    assert found["accuracy"].high == pytest.approx(wanted.high, abs=0.015)
    assert found == measured(("roc_auc", "accuracy"), target, scores, scores.argmax(1), seed=0)


def test_gains_are_paired_and_signed_by_the_direction():
    target, scores = data()
    constant = np.tile([[0.5, 0.5]], (500, 1))
    others = {"trivial": Baseline(constant, 0, [], "prove"), "boosting": Baseline(scores, 0, [])}
    trivial, boosting = gains("log_loss", target, scores, scores.argmax(1), others, seed=0)
    assert trivial.low > 0
    assert (trivial.burden, boosting.burden) == ("prove", "disprove")
    assert (boosting.value, boosting.low, boosting.high) == (0, 0, 0)
    linear = {"linear": Baseline(scores, 0, [])}
    worse = gains("roc_auc", target, constant, constant.argmax(1), linear, seed=0)[0]
    assert worse.high < 0


def test_gain_is_a_difference_or_the_share_of_the_error_saved():
    assert gain("roc_auc", 0.9, 0.8) == pytest.approx(0.1)
    assert gain("rmse", 1.0, 4.0) == 0.75
    assert np.isnan(gain("rmse", 1.0, 0.0))


def test_the_declared_metric_is_held_by_the_gate_of_its_direction():
    assert declared_metric("roc_auc", Estimate(value=0.9)).name == "metric_floor"
    assert declared_metric("rmse", Estimate(value=9.0)).name == "metric_ceiling"
    assert "not defined" in declared_metric("roc_auc", Estimate(value=None)).why


@pytest.mark.parametrize("target", [[0, 0, 0], [1, 1, 1], [0, 1, 1]])
def test_three_rows_or_one_class_have_metrics_without_a_crash(target):
    target = np.array(target)
    scores = scores_of(np.array([0.2, 0.7, 0.6]))
    found = measured(("roc_auc", "accuracy", "f1"), target, scores, scores.argmax(1), 0)
    assert found["accuracy"].value is not None
    assert (found["roc_auc"].value is None) == (len(set(target)) == 1)


def test_metrics_of_decisions_follow_the_policy_and_not_the_most_probable_class():
    target, scores = data()
    never = np.zeros(len(target), dtype=np.int64)
    found = measured(("accuracy", "roc_auc"), target, scores, never, seed=0)
    assert found["accuracy"].value == pytest.approx(np.mean(target == 0))
    assert found["roc_auc"].value > 0.7


def test_where_a_class_is_rare_its_rows_are_asked_for():
    layout = Layout(
        columns=[Column(name="y", modality="category", arrow_type="string", role="target")],
        target="y",
        task="classification",
        classes=["ok", "fraud"],
    )
    model = SimpleNamespace(task=tasks.load("classification"), layout=layout)
    for rare, said in ((5, "bring more rows of fraud: 5 test rows show little"), (500, "labels")):
        target = (np.arange(1000) < rare).astype(np.int64)
        scores = np.tile(np.float32([0.6, 0.4]), (1000, 1))
        check = compression(model, target, scores, seed=0)
        assert said in check.remedy


def test_a_gain_that_is_not_shown_is_not_called_one():
    target, scores = data()
    twin = Baseline(scores, 0, [])
    worse = Baseline(1 - scores, 0, [], "prove")
    slightly = scores.copy()
    slightly[0] = np.eye(2)[target[0]]
    decided = slightly.argmax(axis=1)
    others = {"linear": twin, "trivial": worse}
    checks = gains("roc_auc", target, slightly, decided, others, seed=0)
    found = {check.name: check for check in checks}
    assert found["beats_linear"].value > 0
    assert found["beats_linear"].low <= 0
    assert "is not shown to be better than the linear" in found["beats_linear"].why
    assert "is better than the trivial" in found["beats_trivial"].why


def test_coverage_is_held_against_the_promise():
    check = coverage(np.arange(1000) < 850, 0.9, 0)
    assert check.value == pytest.approx(-0.05)
    wanted = stats.binomtest(850, 1000).proportion_ci(method="wilson")
    assert check.low == pytest.approx(wanted.low - 0.9)
    assert judged(check, Gates().coverage).outcome == "warn"
    assert judged(coverage(np.arange(1000) < 890, 0.9, 0), Gates().coverage).outcome == "pass"


def test_a_kept_promise_is_seldom_called_broken_however_few_rows_chose_the_radius():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        radius = conformal.radius(rng.random(60), 0.9)
        found.append(coverage(rng.random(2000) <= radius, 0.9, 60))
    outside = np.mean([not check.low <= 0 <= check.high for check in found])
    assert 0.02 < outside < 0.08
    warned = [judged(check, Gates().coverage).outcome == "warn" for check in found]
    assert np.mean(warned) < 0.05
    broken = coverage(rng.random(2000) <= 0.75, 0.9, 60)
    assert judged(broken, Gates().coverage).outcome == "warn"
