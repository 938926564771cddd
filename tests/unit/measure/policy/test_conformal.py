import numpy as np
import pytest

from penstock.measure.policy.conformal import radius, rank, rows_needed


def test_the_rank_is_the_ceiling_of_the_exact_product():
    assert rank(99, 0.55) == 55  # 100 * 0.55 is 55.00000000000001 in floats
    assert rank(100, 0.9) == 91
    assert rank(19, 0.95) == 19


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_the_rows_needed_are_the_fewest_that_have_a_radius(coverage):
    enough = rows_needed(coverage)
    assert radius(np.arange(float(enough)), coverage) == enough - 1
    assert radius(np.arange(float(enough - 1)), coverage) is None


def test_order_does_not_matter_and_ties_do_not_hurt():
    values = np.array([3.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    assert radius(values, 0.7) == 2.0
    assert radius(values[::-1], 0.9) == 3.0


@pytest.mark.parametrize(("rows", "coverage"), [(30, 0.9), (200, 0.8), (50, 0.5)])
def test_new_rows_are_held_as_often_as_promised_over_many_draws(rows, coverage):
    rng = np.random.default_rng(0)
    draws = 20_000
    seen, new = rng.lognormal(size=(draws, rows)), rng.lognormal(size=draws)
    held = sum(x <= radius(line, coverage) for line, x in zip(seen, new, strict=True))
    exact = rank(rows, coverage) / (rows + 1)
    error = 4 * np.sqrt(exact * (1 - exact) / draws)
    assert held / draws == pytest.approx(exact, abs=error)
    assert coverage <= exact < coverage + 1 / (rows + 1)
