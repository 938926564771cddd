import numpy as np
import pytest

from penstock.measure.calibration import calibration


def test_error_by_hand():
    # 15 bins of 2 rows: ten state 0.8 and hold 1 right of 2; five state 0.2 and hold none
    confidence = np.array([0.8] * 20 + [0.2] * 10)
    right = np.array([True, False] * 10 + [False] * 10)
    found = calibration(confidence, right, seed=0)
    assert found.error == pytest.approx((20 * 0.3 + 10 * 0.2) / 30)


def test_a_perfect_model_is_within_its_null_and_its_mean_is_the_known_one():
    rng = np.random.default_rng(0)
    inside, means = 0, []
    for seed in range(30):
        confidence = rng.random(1000)
        found = calibration(confidence, rng.random(1000) < confidence, seed)
        inside += found.null_low <= found.error <= found.null_high
        means.append(found.null_mean)
    assert inside >= 25
    assert np.mean(means) == pytest.approx(0.04, abs=0.01)


def test_overconfidence_is_told_from_chance():
    rng = np.random.default_rng(0)
    confidence = rng.random(2000)
    found = calibration(confidence, rng.random(2000) < 0.5 + (confidence - 0.5) / 2, seed=0)
    assert found.error > found.null_high
    assert found.p_value < 0.01


@pytest.mark.parametrize("n", [1, 3, 14, 15, 16])
def test_any_number_of_rows(n):
    found = calibration(np.full(n, 0.5), np.arange(n) % 2 == 0, seed=0)
    assert 0 <= found.error <= 1
    assert found.null_low <= found.null_mean <= found.null_high
    assert 0 < found.p_value <= 1


def test_the_order_of_rows_does_not_matter_where_confidences_differ():
    rng = np.random.default_rng(0)
    confidence, right = rng.random(500), rng.random(500) < 0.5
    order = rng.permutation(500)
    assert calibration(confidence, right, 0) == calibration(confidence[order], right[order], 0)
