import numpy as np
import pytest
from scipy.special import expit, softmax

from penstock.measure.policy.choosing import rule, temperature
from penstock.spec import DecisionSpec


def rare(rows=2000, seed=0):
    rng = np.random.default_rng(seed)
    chance = expit(1.5 * rng.normal(size=rows) - 2.7)
    return np.c_[1 - chance, chance], (rng.random(rows) < chance).astype(np.int64)


def many(rows=2000, seed=0, told=1.5):
    rng = np.random.default_rng(seed)
    prior = np.array([0.75, 0.2, 0.05])
    truth = rng.choice(3, rows, p=prior)
    logits = told * (rng.normal(size=(rows, 3)) + told * np.eye(3)[truth]) + np.log(prior)
    return softmax(logits, axis=1), truth


def chosen(scores, target, metric, seed=0, **spec):
    names = ["no", "yes", "perhaps"][: scores.shape[1]]
    changes, notes = rule(scores, target, names, DecisionSpec(**spec), metric, seed)
    return changes, " ".join(notes)


@pytest.mark.parametrize("threshold", ["auto", "metric"])
def test_a_metric_of_decisions_gets_its_threshold_and_the_note_its_gain(threshold):
    changes, note = chosen(*rare(), "f1", threshold=threshold)
    assert changes["threshold"] < 0.4
    assert f"yes is decided from a probability of {changes['threshold']:.4g} on" in note
    assert "f1 by +" in note


def test_a_metric_of_scores_and_a_wish_for_the_probable_class_change_nothing():
    for metric, threshold in (("roc_auc", "auto"), ("f1", "probable"), ("log_loss", "metric")):
        changes, note = chosen(*rare(), metric, threshold=threshold)
        assert changes == {}
        assert "probable class is decided" in note


def test_few_rows_of_a_class_are_told():
    scores, target = rare(60)
    changes, note = chosen(scores, target, "f1")
    assert changes == {}
    assert f"60 validation rows, {target.sum()} of them yes, are too few" in note


def test_classes_count_the_same_for_balanced_accuracy_where_that_helps():
    changes, note = chosen(*many(), "balanced_accuracy")
    assert changes["costs"][2][0] > 3 * changes["costs"][0][1]
    assert "balanced_accuracy by +" in note


def test_classes_are_left_as_they_are_where_nothing_is_shown():
    shown = []
    for seed in range(60):
        scores, _ = many(400, seed)
        random = np.random.default_rng(1000 + seed).integers(0, 3, 400)
        shown.append(bool(chosen(scores, random, "balanced_accuracy")[0]))
    assert sum(shown) <= 4
    assert chosen(*many(), "accuracy")[0] == {}
    assert chosen(*many(), "balanced_accuracy", threshold="probable")[0] == {}


def test_the_note_on_the_temperature_says_what_is_saved_or_why_none_is_used():
    scores, target = many()
    sharp = softmax(3 * np.log(scores), axis=1)
    value, note = temperature(sharp, target, wanted=True)
    assert value == pytest.approx(3, rel=0.15)
    assert "less sure" in note
    assert temperature(sharp, target, wanted=False)[0] == 1.0
    assert "not shown" in temperature(scores, target, wanted=True)[1]
    assert "49 validation rows are fewer" in temperature(sharp[:49], target[:49], wanted=True)[1]
