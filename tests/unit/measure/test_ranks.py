import numpy as np
import pytest
from scipy.stats import spearmanr

from penstock.measure.ranks import agreement, by_row, mean_of_crossed


def test_rows_correlate_as_scipy_says():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 7, 20)).round(1)  # with ties
    wanted = [spearmanr(a, b).statistic for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(by_row(left, right), wanted)


def test_attributions_that_say_nothing_are_alike_to_any():
    some = np.array([[1.0, 2.0, 3.0]])
    assert by_row(np.zeros((1, 3)), some).tolist() == [1.0]
    assert by_row(some, np.zeros((1, 3))).tolist() == [0.0]


def test_not_a_number_stays_that():
    some = np.array([[1.0, 2.0, 3.0]])
    assert np.isnan(by_row(some * np.nan, some)).all()


def test_the_interval_covers_the_truth_over_rows_and_copies():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        values = 0.3 + rng.normal(0, 0.2, (10, 1)) + rng.normal(0, 0.3, (1, 40))
        _, low, high = mean_of_crossed(values + rng.normal(0, 0.2, (10, 40)))
        held += low <= 0.3 <= high
    assert held / 400 > 0.9
    assert np.isnan(mean_of_crossed(np.ones((1, 5)))[1])


def test_agreement_of_rankings():
    assert agreement(np.array([1, 2, 3]), np.array([3, 2, 1])) == pytest.approx(-1)
    assert np.isnan(agreement(np.array([1, 2]), np.array([1, 2])))
    assert np.isnan(agreement(np.ones(4), np.arange(4)))
