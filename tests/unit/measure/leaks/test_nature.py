import numpy as np
import pytest

from penstock.measure.leaks import nature
from penstock.measure.leaks.suspects import View

N = 1_500


def accusable(features, label, column, common=False):
    view = View(features, [False] * features.shape[1], label, True, seed=0)
    suspects = [view.suspect((c,)) for c in range(features.shape[1])]
    honest = [s for s in suspects if s.columns != (column,)]
    return nature.accusable(view, suspects[column], honest, common)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_copy_among_causes_is_accused_and_a_symptom_among_symptoms_is_not(rng):
    causes = rng.normal(size=(N, 3))
    label = (causes.sum(1) + rng.logistic(size=N) > 0).astype(int)
    copy = label ^ (rng.random(N) < 0.2)
    assert accusable(np.column_stack([causes, copy]), label, 3)
    symptoms = label[:, None] ^ (rng.random((N, 3)) < 0.25)
    assert not accusable(np.column_stack([symptoms, copy]), label, 3)


def test_where_nothing_can_be_seen_only_what_looks_like_the_label_is_accused(rng):
    label = rng.integers(0, 2, N)
    copy = label ^ (rng.random(N) < 0.1)
    noise = rng.normal(size=(N, 2))
    assert accusable(np.column_stack([noise, copy]), label, 2)
    assert not accusable(np.column_stack([noise, copy]), label, 2, common=True)
    assert not accusable(np.column_stack([noise, label + 0.4 * rng.normal(size=N)]), label, 2)


@pytest.mark.parametrize(("noise", "looks"), [(0.0, True), (0.2, True), (0.4, False)])
def test_what_looks_like_the_label_tells_either_side(rng, noise, looks):
    label = rng.integers(0, 2, N)
    score = np.where(label ^ (rng.random(N) < noise), 0.8, 0.2)
    assert nature.looks_like_label(score, label.astype(float)) is looks
