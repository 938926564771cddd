import numpy as np
import pytest
import torch
from torch import nn

from penstock.learning.attribution import fresh, initial, integrated_gradients, sensitivity
from penstock.learning.encoders import LevelEmbedding, PiecewiseLinear
from penstock.learning.network import Network, Shape

WEIGHTS = torch.tensor([[1.0, -1.0], [2.0, 0.0], [0.0, 0.0], [-3.0, 1.0]])


class Linear(nn.Module):
    """Two columns of widths 1 and 3, outputs ``encoded @ WEIGHTS``: a network of one member."""

    def __init__(self, weights=WEIGHTS):
        super().__init__()
        self.names = ["a", "b"]
        self.encoders = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 3)])
        for encoder, width in zip(self.encoders, (1, 3), strict=True):
            encoder.width = width
        self.weights = nn.Parameter(weights)
        self.scale = torch.ones(1, 4)

    def hidden(self, encoded):
        return (encoded @ self.weights)[:, None, :]

    def outputs(self, hidden):
        return hidden


ROWS = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 5.0, 0.5]])
BASELINE = torch.tensor([[0.5, 0.5, 0.5, 0.5]])


def test_a_linear_models_attributions_are_weight_times_distance_from_the_baseline():
    found = integrated_gradients(Linear(WEIGHTS[:, :1]), ROWS, BASELINE, None)
    wanted = (ROWS - BASELINE) * WEIGHTS[:, 0]
    np.testing.assert_allclose(found.shares, wanted, atol=1e-5)
    np.testing.assert_allclose(found.moved, wanted.sum(dim=1), atol=1e-5)
    np.testing.assert_allclose(found.delta, 0, atol=1e-5)
    by_column = found.by_column(Linear())
    np.testing.assert_allclose(by_column[:, 0], wanted[:, 0], atol=1e-5)
    np.testing.assert_allclose(by_column[:, 1], wanted[:, 1:].sum(dim=1), atol=1e-5)


def test_a_class_is_explained_by_its_logit_above_the_mean_logit():
    found = integrated_gradients(Linear(), ROWS, BASELINE, torch.tensor([0, 1]))
    half = (WEIGHTS[:, 0] - WEIGHTS[:, 1]) / 2
    wanted = (ROWS - BASELINE) * torch.stack([half, -half])
    np.testing.assert_allclose(found.shares, wanted, atol=1e-5)


def test_sensitivity_is_exact_where_the_model_is_linear():
    found = sensitivity(Linear(WEIGHTS[:, :1]), ROWS, None)
    moved = (ROWS - ROWS.mean(dim=0)) * WEIGHTS[:, 0]
    wanted = [moved[:, 0].abs().mean(), moved[:, 1:].sum(dim=1).abs().mean()]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def network():
    encoders = {"n": PiecewiseLinear([0.0, 1.0, 2.0], [0.0, 2.0], [-1.0, 1.0])}
    return Network({**encoders, "c": LevelEmbedding([1.0] * 4)}, 2, Shape(8, 2, 0.1, 3)).eval()


def test_the_shares_of_a_deep_network_add_up_to_its_answer():
    torch.manual_seed(0)
    deep = network()
    rows = torch.randn(50, sum(encoder.width for encoder in deep.encoders))
    found = integrated_gradients(deep, rows, rows.mean(dim=0, keepdim=True), torch.arange(50) % 2)
    assert np.abs(found.delta).mean() < 0.05 * np.abs(found.moved).mean()
    assert all(weight.requires_grad for weight in deep.parameters())


def test_a_fresh_copy_keeps_the_encoders_and_leaves_torchs_random_stream_alone():
    torch.manual_seed(0)
    deep = network()
    before = torch.random.get_rng_state()
    one, again, other = fresh(deep, 5), fresh(deep, 5), fresh(deep, 6)
    first = initial(network, 7)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.encoders[1] is deep.encoders[1]
    assert torch.equal(one.heads, again.heads)
    assert not torch.equal(one.heads, other.heads)
    assert not torch.equal(one.layers[0].weight, deep.layers[0].weight)
    torch.manual_seed(7)
    assert torch.equal(network().heads, first.heads)


@pytest.mark.parametrize("rows", [1, 3, 5000])
def test_any_number_of_rows_is_attributed(rows):
    found = integrated_gradients(Linear(), torch.ones(rows, 4), BASELINE, torch.ones(rows).long())
    assert found.shares.shape == (rows, 4)
