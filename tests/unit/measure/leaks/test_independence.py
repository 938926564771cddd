import numpy as np
import pytest

from penstock.measure.leaks import alone, independence

N = 2_000


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_residual_has_neither_mean_nor_trend_in_any_group(rng):
    groups, slope = rng.integers(0, 4, N), rng.normal(size=N)
    values = groups + (1 + groups) * slope + rng.normal(size=N)
    left = independence.residual(values, groups, slope)
    for group in range(4):
        inside = groups == group
        assert np.polyfit(slope[inside], left[inside], 1) == pytest.approx([0, 0], abs=1e-9)
    without = independence.residual(values, groups, None)
    assert np.bincount(groups, without) == pytest.approx(np.zeros(4), abs=1e-9)


def test_dependence_within_strata_shows_and_chance_does_not(rng):
    strata, bins = rng.integers(0, 2, N), rng.integers(0, 8, N)
    noise = rng.normal(size=N)
    noise = independence.residual(noise, strata, None)
    assert not independence.shows(noise, strata, bins)
    told = independence.residual(noise + 0.3 * (bins - 3.5) / 2.3, strata, None)
    assert independence.shows(told, strata, bins)
    assert not independence.shows(np.zeros(N), strata, bins)


def test_chance_alone_passes_the_limit_once_in_hundreds(rng):
    beyond = 0
    for _ in range(400):
        left, right = rng.normal(size=(2, 1_500)) * rng.exponential(size=(2, 1_500))
        beyond += abs(alone.correlation(left, right)) > independence.most_by_chance(left, right)
    assert beyond <= 6  # three standard errors: 1.1 of 400 expected


def test_nothing_left_is_no_evidence():
    assert independence.most_by_chance(np.zeros(50), np.ones(50)) == 1.0


def test_independence_is_believed_only_where_dependence_could_be_seen(rng):
    target = rng.integers(0, 2, N).astype(float)
    rows = np.ones(N, bool)
    strong, weak = target + rng.normal(size=N), 0.02 * target + rng.normal(size=N)
    assert independence.could_show(strong, strong + rng.normal(size=N), target, rows)
    assert not independence.could_show(strong, weak, target, rows)
