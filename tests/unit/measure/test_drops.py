import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from penstock.measure.drops import around, draws, measured, worse
from penstock.measure.intervals import resamples
from penstock.measure.predictions import Answers


def scored(seed=0, n=300):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, n)
    ones = np.clip(target * 0.3 + rng.random(n) * 0.7, 0.01, 0.99).round(2)
    scores = np.c_[1 - ones, ones]
    return target, Answers(scores, (ones > 0.6).astype(np.int64))


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy", "f1", "log_loss"])
def test_draws_are_the_metric_of_the_resampled_rows(metric):
    target, here = scored()
    found = draws(metric, target, here, seed=4, num=20)
    wanted = [measured(metric, target[rows], here.of(rows)) for rows in resamples(300, 4, 20)]
    np.testing.assert_allclose(found, wanted)


def test_the_metric_is_scikit_learns_and_reads_the_policys_decisions():
    target, here = scored()
    assert measured("roc_auc", target, here) == pytest.approx(
        roc_auc_score(target, here.scores[:, 1])
    )
    assert measured("accuracy", target, here) == np.mean(here.decided == target)


def test_draws_of_values_are_paired_by_their_seed():
    rng = np.random.default_rng(0)
    target = rng.normal(size=200)
    left = Answers(target + 1.0, target + 1.0)
    right = Answers(target[:] + 2.0, target + 2.0)
    pairs = worse("rmse", draws("rmse", target, left, 1), draws("rmse", target, right, 1))
    np.testing.assert_allclose(pairs, 1.0)


def test_worse_is_positive_whatever_the_direction():
    assert worse("roc_auc", 0.9, 0.8) > 0
    assert worse("log_loss", 0.3, 0.4) > 0


def test_an_interval_needs_half_of_its_draws():
    assert np.isnan(around(0.5, np.array([0.5, np.nan, np.nan]))).all()
    assert np.isnan(around(float("nan"), np.ones(9))).all()
    low, high = around(0.5, np.random.default_rng(0).normal(0.5, 0.1, 4000))
    assert (low, high) == pytest.approx((0.304, 0.696), abs=0.01)
