import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.metrics import cohen_kappa_score

from penstock.learning import losses
from penstock.records import Policy
from penstock.tasks import ordinal

RNG = np.random.default_rng(0)
TARGET = RNG.integers(0, 5, 300)
DECIDED = np.clip(TARGET + RNG.integers(-2, 3, 300), 0, 4)
NONE = np.zeros(1, dtype=np.int64)


def test_kappa_is_scikit_learns():
    ours = ordinal.METRICS["quadratic_kappa"].measure(TARGET, np.zeros((300, 5)), DECIDED)
    assert ours == pytest.approx(cohen_kappa_score(TARGET, DECIDED, weights="quadratic"))


def test_steps_and_ranked_probability_by_hand():
    target, scores = np.array([0, 2]), np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    # first row: (0.5 - 1)**2 + (0.8 - 1)**2 = 0.29 over 2 steps; second row: 0
    ranked = ordinal.METRICS["ranked_probability_score"].measure(target, scores)
    assert ranked == pytest.approx(0.29 / 2 / 2)
    steps = ordinal.METRICS["mean_steps"].measure(target, scores, np.array([2, 1]))
    assert steps == 1.5


def test_the_loss_is_that_score_and_prefers_the_nearer_mistake():
    loss = losses.of("ranked_probability")
    logits = torch.tensor([[[3.0, 0.0, 0.0]]])
    near, far = (loss(logits, torch.tensor([target])).item() for target in (1, 2))
    assert near < far
    scores = torch.softmax(logits[0], dim=1).numpy()
    metric = ordinal.METRICS["ranked_probability_score"]
    assert near == pytest.approx(metric.measure(np.array([1]), scores), abs=1e-6)


def test_the_median_is_decided_unless_costs_say_otherwise():
    scores = np.array([[0.4, 0.15, 0.45]])
    assert ordinal.decided(scores, Policy(), [], NONE).tolist() == [1]
    dear = Policy(costs=[[0, 1, 9], [1, 0, 9], [1, 1, 0]])
    assert ordinal.decided(scores, dear, [], NONE).tolist() == [0]


def test_words_have_no_order_by_themselves():
    words, numbers = pa.chunked_array([["low", "high", "mid"]]), pa.chunked_array([[1, 2]])
    assert ordinal.unfit(words, [])[0] == "string values, and data.order is empty"
    assert ordinal.unfit(words, ["low", "mid", "high"]) is None
    assert ordinal.unfit(words, ["low", "high"])[0] == "levels that data.order does not name: mid"
    assert ordinal.unfit(numbers, []) is None
