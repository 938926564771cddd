import math

import numpy as np
import pytest
from sklearn import metrics as oracle

from penstock.measure import metrics


def measure(name, target, scores):
    return metrics.of(name).measure(np.asarray(target), np.asarray(scores))


def classes(count, n=400, seed=0, digits=8):
    rng = np.random.default_rng(seed)
    target = rng.integers(count, size=n)
    raw = rng.random((n, count)) + np.eye(count)[target] * 0.5
    scores = (raw / raw.sum(axis=1, keepdims=True)).round(digits)
    return target, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("digits", [8, 1], ids=["distinct", "tied"])
@pytest.mark.parametrize("seed", range(3))
def test_two_classes_as_scikit_learn(seed, digits):
    target, scores = classes(2, seed=seed, digits=digits)
    one, guess = scores[:, 1], scores.argmax(axis=1)
    wanted = {
        "roc_auc": oracle.roc_auc_score(target, one),
        "average_precision": oracle.average_precision_score(target, one),
        "accuracy": oracle.accuracy_score(target, guess),
        "balanced_accuracy": oracle.balanced_accuracy_score(target, guess),
        "f1": oracle.f1_score(target, guess),
        "log_loss": oracle.log_loss(target, scores.clip(1e-7, 1 - 1e-7)),
        "brier_score": oracle.brier_score_loss(target, one),
    }
    for name, value in wanted.items():
        assert measure(name, target, scores) == pytest.approx(value, abs=1e-7), name


@pytest.mark.parametrize("count", [3, 10])
def test_several_classes_as_scikit_learn(count):
    target, scores = classes(count)
    guess = scores.argmax(axis=1)
    each = [oracle.average_precision_score(target == c, scores[:, c]) for c in range(count)]
    wanted = {
        "roc_auc": oracle.roc_auc_score(target, scores, multi_class="ovr"),
        "average_precision": np.mean(each),
        "accuracy": oracle.accuracy_score(target, guess),
        "balanced_accuracy": oracle.balanced_accuracy_score(target, guess),
        "f1": oracle.f1_score(target, guess, average="macro"),
        "log_loss": oracle.log_loss(target, scores.clip(1e-7)),
        "brier_score": oracle.brier_score_loss(target, scores),
    }
    for name, value in wanted.items():
        assert measure(name, target, scores) == pytest.approx(value, abs=1e-6), name


def test_numbers_as_scikit_learn():
    rng = np.random.default_rng(0)
    target, scores = rng.normal(size=(2, 100))
    assert measure("rmse", target, scores) == pytest.approx(
        oracle.root_mean_squared_error(target, scores)
    )
    assert measure("mae", target, scores) == pytest.approx(
        oracle.mean_absolute_error(target, scores)
    )
    assert measure("r2", target, scores) == pytest.approx(oracle.r2_score(target, scores))


def test_hand_computed():
    # one of the two positives is above both negatives, the other above one: 3 of 4 pairs
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    assert measure("roc_auc", [0, 0, 1, 1], np.c_[1 - scores, scores]) == 0.75
    assert measure("log_loss", [0, 1], [[0.5, 0.5], [0.75, 0.25]]) == pytest.approx(
        (math.log(2) + math.log(4)) / 2
    )
    assert measure("brier_score", [0, 1], [[0.5, 0.5], [1.0, 0.0]]) == 0.625
    assert measure("rmse", [1.0, 3.0], [1.0, 1.0]) == pytest.approx(math.sqrt(2))
    assert measure("r2", [1.0, 3.0], [2.0, 2.0]) == 0


def test_a_class_that_the_rows_lack_is_left_out_of_the_mean():
    target, scores = classes(4)
    rows = target != 2
    each = [oracle.roc_auc_score(target[rows] == c, scores[rows, c]) for c in (0, 1, 3)]
    assert measure("roc_auc", target[rows], scores[rows]) == pytest.approx(np.mean(each))
    each = [oracle.average_precision_score(target[rows] == c, scores[rows, c]) for c in (0, 1, 3)]
    assert measure("average_precision", target[rows], scores[rows]) == pytest.approx(np.mean(each))
    guess = scores[rows].argmax(axis=1)
    recalls = [np.mean(guess[target[rows] == c] == c) for c in (0, 1, 3)]
    assert measure("balanced_accuracy", target[rows], scores[rows]) == pytest.approx(
        np.mean(recalls)
    )


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_what_one_class_alone_does_not_define_is_nan(name):
    assert np.isnan(measure(name, [0, 0], [[0.4, 0.6], [0.5, 0.5]]))
    assert np.isnan(measure("r2", [2.0, 2.0], [1.0, 3.0]))


def test_a_wrong_certainty_costs_much_but_not_infinitely():
    assert measure("log_loss", [0], [[0.0, 1.0]]) == pytest.approx(-math.log(1e-7))


def test_an_unknown_metric_is_a_key_error():
    with pytest.raises(KeyError):
        metrics.of("no_such_metric")


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "log_loss", "brier_score"])
def test_scores_that_are_no_numbers_have_no_metric(name):
    assert np.isnan(measure(name, [0, 1, 1], [[np.nan, np.nan], [0.5, 0.5], [0.5, 0.5]]))
