"""The softmax over a large catalogue is estimated from a sample, without its bias."""

import numpy as np
import pytest
import torch

from penstock.learning import two_towers
from penstock.learning.two_towers import Ranked, softmax_over

NUM_ITEMS, WIDTH = 12, 4


@pytest.fixture
def ranked():
    torch.manual_seed(0)
    return Ranked(torch.randn(3, WIDTH), torch.randn(NUM_ITEMS, WIDTH), torch.randn(NUM_ITEMS))


@pytest.fixture
def large(monkeypatch):
    """A catalogue counts as large from four items on."""
    monkeypatch.setattr(two_towers, "LARGEST_FULL", 3)


POPULARITY = torch.tensor([50.0, 20, 9, 9, 5, 5, 4, 3, 2, 1, 1, 0])
ONE = torch.tensor([[0, -2], [7, -2], [11, -2]])


def exact(ranked, target):
    """The same by numpy, over all items."""
    logits = ranked.query.numpy() @ ranked.items.numpy().T + ranked.bias.numpy()
    logits = logits.astype(np.float64)
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return [-np.mean([logp[row, i] for i in wanted if i >= 0]) for row, wanted in enumerate(target)]


def test_a_small_catalogue_is_summed_over_whole(ranked):
    target = torch.tensor([[0, 3], [7, -2], [11, -1]])
    found = softmax_over(POPULARITY, lambda: True)(ranked, target)
    np.testing.assert_allclose(found, exact(ranked, target.tolist()), rtol=1e-5)


def test_each_draw_counts_less_the_logarithm_of_how_often_it_comes(ranked, large, monkeypatch):
    monkeypatch.setattr(two_towers, "SAMPLED", 5)
    chance = (POPULARITY.double().numpy() + 1) / (POPULARITY.double().numpy() + 1).sum()
    torch.manual_seed(7)
    drawn = torch.multinomial(torch.from_numpy(chance).float(), 5, replacement=True).numpy()
    torch.manual_seed(7)
    found = softmax_over(POPULARITY, lambda: True)(ranked, ONE)
    logits = (ranked.query @ ranked.items.T + ranked.bias).double().numpy()
    for row, wanted in enumerate([0, 7, 11]):
        others = [np.exp(logits[row, j]) / (5 * chance[j]) for j in drawn if j != wanted]
        own = np.exp(logits[row, wanted])
        assert found[row].item() == pytest.approx(-np.log(own / (own + sum(others))), rel=1e-4)


def test_many_draws_say_what_the_whole_catalogue_says(ranked, large, monkeypatch):
    monkeypatch.setattr(two_towers, "SAMPLED", 400_000)
    found = softmax_over(POPULARITY, lambda: True)(ranked, ONE)
    np.testing.assert_allclose(found, exact(ranked, ONE.tolist()), rtol=0.02)


def test_when_nothing_is_learnt_nothing_is_sampled(ranked, large):
    found = softmax_over(POPULARITY, lambda: False)(ranked, ONE)
    np.testing.assert_allclose(found, exact(ranked, ONE.tolist()), rtol=1e-5)
