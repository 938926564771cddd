"""The decision: whose word counts, what the budget is, what drift may not do."""

import numpy as np
import pytest
from scipy import stats

from penstock.measure.drift import alarm
from penstock.measure.drift.alarm import Loss
from penstock.measure.drift.performance import Measured

NOTHING = Measured(float("nan"), float("nan"))
B, M = 0.01, 0.05


def estimate(p=0.5, fall=0.0, error=0.005):
    return Loss("estimated", p, Measured(fall, error), 0.9, NOTHING)


def fact(p=0.5, fall=0.0, error=0.005, excess=0.0):
    return Loss("realised", p, Measured(fall, error), 0.9, Measured(excess, 0.01))


def decided(known, drifted=False, unsupported=0.0):
    return alarm.decide(known, drifted, unsupported, B, M).harm


def test_holm_is_what_the_textbook_says():
    found = alarm.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    expected = {"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06}
    assert found == {k: pytest.approx(v) for k, v in expected.items()}


def test_the_whole_budget_is_the_estimates_without_labels():
    known = alarm.sides(estimate(p=0.009), None, 0.0)
    assert decided(known) == "estimated"
    assert decided(alarm.sides(estimate(p=0.011), None, 0.0)) == "none"


def test_labels_of_half_the_rows_decide_alone():
    assert decided(alarm.sides(estimate(p=1e-6), fact(p=0.5), 0.5)) == "none"
    assert decided(alarm.sides(estimate(p=0.9), fact(p=0.009), 0.5)) == "realised"


def test_few_labels_share_the_budget_with_the_estimate():
    assert decided(alarm.sides(estimate(p=0.004), fact(), 0.2)) == "estimated"
    assert decided(alarm.sides(estimate(p=0.006), fact(), 0.2)) == "none"
    assert decided(alarm.sides(estimate(), fact(p=0.004), 0.2)) == "realised"


def test_drift_alone_is_no_alarm_whatever_its_p_value():
    assert decided(alarm.sides(estimate(p=1e-9, fall=0.01), None, 0.0), drifted=True) == "none"
    assert decided(alarm.sides(None, fact(p=1e-9, fall=0.01), 1.0), drifted=True) == "none"


def test_drift_with_harm_beyond_the_margin_is():
    assert decided(alarm.sides(estimate(fall=0.08), None, 0.0), drifted=True) == "estimated"
    assert decided(alarm.sides(None, fact(fall=0.08), 1.0), drifted=True) == "realised"
    assert decided(alarm.sides(None, fact(excess=0.2), 1.0), drifted=True) == "realised"
    uncertain = estimate(fall=0.08, error=0.05)
    assert decided(alarm.sides(uncertain, None, 0.0), drifted=True) == "none"


def test_rows_without_support_are_an_alarm_unless_labels_speak():
    assert decided(alarm.sides(estimate(), None, 0.0), True, 0.5) == "unknown"
    assert decided([], True, 0.5) == "unknown"
    assert decided(alarm.sides(estimate(), None, 0.0), True, 0.1) == "none"
    assert decided(alarm.sides(estimate(), None, 0.0), False, 0.5) == "none"
    assert decided(alarm.sides(estimate(), fact(), 1.0), True, 0.5) == "none"


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_uniform_p_values_raise_the_budgets_share_of_alarms(share):
    rng = np.random.default_rng(0)
    count = sum(
        decided(alarm.sides(estimate(p=a), fact(p=b) if share else None, share)) != "none"
        for a, b in rng.random((20_000, 2))
    )
    low, high = stats.binom.interval(0.999, 20_000, B)
    assert low <= count <= high
