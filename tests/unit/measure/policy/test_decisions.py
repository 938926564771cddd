import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from penstock.measure.metrics import of
from penstock.measure.policy.costs import balancing_costs, cost_threshold, mean_cost
from penstock.measure.policy.decisions import decided, members, tempered
from penstock.measure.policy.temperature import MIN_ROWS, best_temperature
from penstock.records import Grouping, Policy

NONE = np.zeros(3, dtype=np.int64)


def world(rows, sharpness, seed=0, classes=3):
    """Probabilities that are ``sharpness`` times too sure, and the truth."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, classes))
    truth = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    return softmax(sharpness * logits, axis=1), truth


@pytest.mark.parametrize("sharpness", [0.4, 2.0, 4.0])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_temperature_undoes_what_made_the_scores_too_sure_or_unsure(sharpness, classes):
    scores, truth = world(4000, sharpness, classes=classes)
    found = best_temperature(scores, truth)
    assert found.shown
    assert found.value == pytest.approx(sharpness, rel=0.1)
    other = minimize(
        lambda t: log_loss(truth, softmax(np.log(scores) / t, axis=1)), 1.0, method="Nelder-Mead"
    )
    assert found.value == pytest.approx(other.x[0], rel=0.01)
    rows = np.arange(len(truth))
    likely = (np.clip(s[rows, truth], 1e-7, 1) for s in (scores, tempered(scores, found.value)))
    before, after = (-np.log(each).mean() for each in likely)
    assert found.saved == pytest.approx(before - after)


def test_scores_that_are_right_are_seldom_tempered():
    shown = [best_temperature(*world(400, 1.0, seed)).shown for seed in range(200)]
    assert sum(shown) <= 1


def test_rows_that_are_all_right_make_no_certainty():
    scores = np.tile([[0.3, 0.7]], (60, 1))
    found = best_temperature(scores, np.ones(60, dtype=np.int64))
    cool = tempered(scores, found.value)[0, 1]
    assert cool == pytest.approx(61 / 62, abs=1e-3)  # Laplace's rule of succession


def test_few_rows_keep_the_scores_as_they_are():
    scores, truth = world(MIN_ROWS - 1, 5.0)
    found = best_temperature(scores, truth)
    assert (found.value, found.shown) == (1.0, False)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 3.0, 10.0])
def test_tempering_keeps_order_sum_and_type(temperature):
    scores = world(500, 1.0)[0].astype(np.float32)
    cool = tempered(scores, temperature)
    np.testing.assert_array_equal(scores.argmax(axis=1), cool.argmax(axis=1))
    np.testing.assert_allclose(cool.sum(axis=1), 1, atol=1e-6)
    two = scores[:, :2] / scores[:, :2].sum(axis=1, keepdims=True)
    order = np.argsort(two[:, 1], kind="stable")
    assert (np.diff(tempered(two, temperature)[order, 1]) >= 0).all()
    assert cool.dtype == np.float32


def test_impossible_and_certain_scores_stay_finite():
    cool = tempered(np.array([[0.0, 1.0], [1.0, 0.0]]), 0.1)
    assert np.isfinite(cool).all()
    assert best_temperature(np.tile([[0.0, 1.0]], (99, 1)), np.zeros(99, int)).value == 10


def test_decisions_follow_group_then_shared_threshold():
    scores = np.array([[0.6, 0.4]] * 3)
    policy = Policy(grouping=Grouping(column="g", levels=["a", "b"]), thresholds={"a": 0.3})
    codes = np.array([0, 1, 2])
    assert decided(scores, policy, ["a", "b", "(other)"], codes).tolist() == [1, 0, 0]
    shared = policy.model_copy(update={"threshold": 0.35})
    assert decided(scores, shared, ["a", "b", "(other)"], codes).tolist() == [1, 1, 1]


def test_a_threshold_is_met_in_double_precision():
    scores = np.array([[0.9, 0.1]], dtype=np.float32)
    above = float(np.float32(0.1)) + 1e-10
    assert decided(scores, Policy(threshold=above), [], NONE[:1]).tolist() == [0]


def test_costs_decide_by_least_expected_cost():
    costs = [[0.0, 1.0, 5.0], [1.0, 0.0, 1.0], [4.0, 4.0, 0.0]]
    scores = np.array([[0.6, 0.2, 0.2], [0.2, 0.2, 0.6], [0.55, 0.45, 0.0]])
    by_hand = [[1.0, 1.4, 3.2], [2.6, 2.6, 1.2], [0.45, 0.55, 3.2]]
    np.testing.assert_allclose(scores @ np.array(costs), by_hand)
    assert decided(scores, Policy(costs=costs), [], NONE).tolist() == [0, 2, 0]


def test_the_threshold_of_two_costs_is_where_the_expected_costs_meet():
    costs = [[1.0, 3.0], [7.0, 1.0]]
    limit = cost_threshold(costs)
    assert limit == 0.25
    no, yes = np.array([1 - limit, limit]) @ np.array(costs)
    assert no == pytest.approx(yes)


def test_the_closed_form_costs_least_of_all_thresholds():
    rng = np.random.default_rng(0)
    chance = expit(2 * rng.normal(size=20_000))
    truth = (rng.random(20_000) < chance).astype(np.int64)
    costs = [[0.0, 1.0], [4.0, 0.0]]
    grid = np.linspace(0.02, 0.98, 49)
    paid = [mean_cost(truth, (chance >= t).astype(np.int64), costs) for t in grid]
    mine = mean_cost(truth, (chance >= cost_threshold(costs)).astype(np.int64), costs)
    assert mine <= min(paid) + 0.003


def test_balancing_costs_decide_by_probability_over_share():
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 5000, p=[0.8, 0.15, 0.05])
    logits = rng.normal(size=(5000, 3)) + 1.5 * np.eye(3)[truth] + np.log([0.8, 0.15, 0.05])
    scores = softmax(logits, axis=1)
    chosen = decided(scores, Policy(costs=balancing_costs(truth, 3)), [], NONE)
    share = (np.bincount(truth) + 1) / (len(truth) + 3)
    assert np.mean(chosen == (scores / share).argmax(axis=1)) > 0.999
    balanced = of("balanced_accuracy").measure
    assert balanced(truth, scores, chosen) > balanced(truth, scores) + 0.1


def test_a_class_without_rows_has_a_price():
    costs = balancing_costs(np.array([0, 0, 1]), 3)
    assert np.isfinite(costs).all()
    assert costs[2][0] > costs[1][0] > costs[0][1]


def test_sets_hold_the_probable_classes():
    scores = np.array([[0.5, 0.3, 0.2], [0.9, 0.06, 0.04], [0.4, 0.35, 0.25]])
    held = members(scores, 0.7)
    assert held.tolist() == [[True, True, False], [True, False, False], [True, True, False]]


def test_a_set_always_holds_the_most_probable_class():
    scores = np.array([[0.9, 0.06, 0.04], [0.4, 0.35, 0.25], [0.5, 0.5, 0.0]])
    assert members(scores, 0.0).sum(axis=1).tolist() == [1, 1, 1]
    np.testing.assert_array_equal(members(scores, 0.0).argmax(axis=1), scores.argmax(axis=1))
