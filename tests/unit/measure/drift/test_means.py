"""How far a window's mean may stray: against the theory of means, and against many windows."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from penstock.measure.drift import means

RNG = np.random.default_rng(0)
LOSSES = RNG.exponential(1.0, 5000)


def test_a_sketch_keeps_the_mean_and_the_variance_of_its_rows():
    kept = means.learn(LOSSES)
    assert kept.num_rows == 5000
    assert kept.mean == pytest.approx(LOSSES.mean(), rel=1e-6)
    assert kept.variance == pytest.approx(LOSSES.var(), rel=1e-2)


def test_the_p_value_of_a_large_window_is_that_of_the_normal_theory():
    kept = means.learn(LOSSES)
    spread = np.sqrt(LOSSES.var() * (1 / 2000 + 1 / 5000))
    for z in (-1.0, 0.0, 1.5, 2.3):
        found = means.p_value(kept, LOSSES.mean() + z * spread, 2000)
        assert found == pytest.approx(stats.norm.sf(z), abs=0.012)


def test_windows_that_nothing_happened_to_have_uniform_p_values():
    population = RNG.exponential(1.0, 200_000)
    kept = means.learn(population)  # its own error is next to nothing
    found = [means.p_value(kept, RNG.choice(population, 300).mean(), 300) for _ in range(1000)]
    assert stats.kstest(found, "uniform").pvalue > 0.001


def test_a_higher_mean_never_has_a_larger_p_value():
    kept = means.learn(LOSSES)
    found = [means.p_value(kept, mean, 100) for mean in np.linspace(0.5, 1.5, 30)]
    assert all(a >= b for a, b in pairwise(found))
    assert found[-1] == pytest.approx(1 / (means.NUM_DRAWS + 1))


def test_excess_is_a_difference_of_means_with_welchs_standard_error():
    kept = means.learn(LOSSES)
    window = RNG.exponential(1.2, 400)
    value, error = means.excess(kept, window.mean(), window.var(), 400)
    assert value == pytest.approx(window.mean() - LOSSES.mean(), rel=1e-5)
    assert error == pytest.approx(np.sqrt(window.var() / 400 + LOSSES.var() / 5000), rel=1e-2)
