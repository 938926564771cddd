"""Estimated performance against what comes true; simulated worlds whose answer is known."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from penstock.measure import metrics
from penstock.measure.drift import performance
from penstock.measure.drift.performance import Curve
from penstock.measure.predictions import Answers

RNG = np.random.default_rng(0)
EDGES = [n / 20 for n in range(1, 20)]


def answers(second):
    scores = np.column_stack([1 - second, second])
    return Answers(scores, (second >= 0.5).astype(np.int64))


def bins_of(second, true):
    place = np.searchsorted(EDGES, second, side="left")
    return {
        "edges": EDGES,
        "rows": np.bincount(place, minlength=20),
        "stated": np.bincount(place, weights=second, minlength=20),
        "true": np.bincount(place, weights=true, minlength=20),
    }


def test_the_expected_loss_of_a_calibrated_model_is_the_loss_that_comes():
    chance = RNG.beta(0.5, 1.5, 50_000)
    true = RNG.random(50_000) < chance
    rows = answers(chance)
    truth = Curve.of(bins_of(chance, true)).truth(rows)
    assert truth.sum(axis=1) == pytest.approx(1.0)
    expected = performance.expected_losses(rows.scores, truth).mean()
    assert expected == pytest.approx(log_loss(true, chance), abs=0.005)


def test_an_overconfident_model_is_mended_by_its_bins():
    chance = RNG.beta(1, 1, 50_000)
    stated = chance**2 / (chance**2 + (1 - chance) ** 2)
    true = RNG.random(50_000) < chance
    curve = Curve.of(bins_of(stated, true))
    mended = curve.truth(answers(stated))[:, 1]
    assert np.abs(mended - chance).mean() < 0.03
    assert np.abs(stated - chance).mean() > 0.08


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy", "f1", "log_loss", "average_precision"])
def test_estimated_metrics_are_those_of_the_labels_that_come(metric):
    chance = RNG.beta(0.5, 1.5, 3000)
    rows = answers(chance)
    estimate = performance.estimated(metric, rows, rows.scores, seed=0)
    true = (RNG.random(3000) < chance).astype(np.int64)
    came = metrics.of(metric).measure(true, rows.scores, rows.decided)
    assert abs(estimate.value - came) < 4 * estimate.error
    low, high = estimate.interval
    assert low < came < high or abs(estimate.value - came) < 3 * estimate.error


def test_the_estimate_of_a_shifted_window_follows_the_weights():
    """In the new world every stated probability comes true half as often."""
    stated = RNG.beta(1, 3, 4000)
    old = np.repeat([False, True], 2000)
    true = RNG.random(4000) < np.where(old, stated, stated / 2)
    prior = Curve.of(bins_of(stated[old], true[old]))
    curve = prior.weighted(answers(stated), true.astype(np.int64), np.where(old, 0.01, 2.0))
    new = answers(RNG.beta(1, 3, 4000))
    told = curve.truth(new)[:, 1].mean() / new.scores[:, 1].mean()
    assert 0.45 < told < 0.7  # the prior's twenty rows a bin hold it up a little
    assert prior.truth(new)[:, 1].mean() == pytest.approx(new.scores[:, 1].mean(), rel=0.1)


def test_of_more_classes_the_decided_one_is_mended_and_the_rest_share():
    scores = np.tile([0.6, 0.3, 0.1], (1000, 1))
    rows = Answers(scores, np.zeros(1000, dtype=np.int64))
    bins = {"edges": [0.5], "rows": [0, 10**6], "stated": [0.0, 6e5], "true": [0, 8 * 10**5]}
    found = Curve.of(bins).truth(rows)[0]
    assert found == pytest.approx([0.8, 0.15, 0.05], abs=1e-3)


def test_realised_is_the_metric_with_its_bootstrap_error():
    chance = RNG.beta(1, 1, 2000)
    true = (RNG.random(2000) < chance).astype(np.int64)
    rows = answers(chance)
    found = performance.realised("accuracy", rows, true, seed=0)
    share = (rows.decided == true).mean()
    assert found.value == pytest.approx(share)
    assert found.error == pytest.approx(np.sqrt(share * (1 - share) / 2000), rel=0.2)


def test_what_is_not_defined_is_nan():
    found = performance.realised("roc_auc", answers(np.full(50, 0.2)), np.zeros(50, int), seed=0)
    assert np.isnan(found.value) and np.isnan(found.error)


def test_large_windows_are_sampled_and_their_error_scaled():
    chance = RNG.beta(1, 1, 20_000)
    true = (RNG.random(20_000) < chance).astype(np.int64)
    found = performance.realised("accuracy", answers(chance), true, seed=0)
    assert found.error == pytest.approx(np.sqrt(found.value * (1 - found.value) / 20_000), rel=0.2)
