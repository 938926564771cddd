import numpy as np
import pytest
from scipy import stats

from penstock.measure.intervals import bootstrap, mean_interval, resamples, wilson


@pytest.mark.parametrize(("hits", "total"), [(0, 10), (5, 10), (10, 10), (1, 1), (37, 1000)])
def test_wilson_as_scipy(hits, total):
    wanted = stats.binomtest(hits, total).proportion_ci(method="wilson")
    assert wilson(hits, total) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_wilson_of_nothing_is_the_whole_range():
    assert wilson(0, 0) == (0.0, 1.0)


def test_mean_interval_by_hand():
    low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    wide = 1.959963984540054 / np.sqrt(3)  # deviation 1
    assert (low, high) == pytest.approx((2 - wide, 2 + wide))
    assert np.isnan(mean_interval(np.array([1.0]))).all()


def test_resamples_are_rows_drawn_with_replacement_and_repeat_with_the_seed():
    first, again, other = (np.array(list(resamples(50, seed, 20))) for seed in (1, 1, 2))
    assert first.shape == (20, 50)
    assert first.min() >= 0
    assert first.max() <= 49
    assert (np.diff(first, axis=1) >= 0).all()
    assert (first == again).all()
    assert (first != other).any()
    assert all(len(np.unique(rows)) < 50 for rows in first)


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap(lambda rows: np.array([values[rows].mean()]), 400, seed=0, num=2000)
    assert (low[0], high[0]) == pytest.approx(mean_interval(values), abs=0.03)


def test_a_quantity_that_few_resamples_define_has_no_interval():
    def measure(rows):
        often = 1.0 if rows[0] == 0 else np.nan  # row 0 is in 63% of the resamples
        return np.array([often, np.nan, np.nan if rows[0] == 0 else 1.0])

    low, high = bootstrap(measure, 100, seed=0)
    assert (low[0], high[0]) == (1, 1)
    assert np.isnan([low[1], high[1], low[2], high[2]]).all()
