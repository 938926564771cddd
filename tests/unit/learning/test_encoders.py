import numpy as np
import pytest
import torch
from scipy import stats

from penstock.learning.encoders import (
    Beside,
    LevelEmbedding,
    PiecewiseLinear,
)
from penstock.learning.network import Network, Shape


def test_piecewise_linear_by_hand():
    encoder = PiecewiseLinear([0.0, 1.0, 3.0], knots=[0.0, 3.0], scores=[-1.0, 1.0])
    value = torch.tensor([-5.0, 0.5, 2.0, 99.0, float("nan")])
    assert encoder({"value": value}).tolist() == [
        pytest.approx(row)
        for row in (
            [0, 0, -1, 0],
            [0.5, 0, -1 + 2 * 0.5 / 3, 0],
            [1, 0.5, -1 + 2 * 2 / 3, 0],
            [1, 1, 1, 0],
            [0, 0, 0, 1],
        )
    ]


def test_normal_scores_of_normal_values_are_the_values():
    knots = stats.norm.ppf(np.linspace(0.01, 0.99, 65))
    encoder = PiecewiseLinear([-1.0, 1.0], knots.tolist(), knots.tolist())
    value = torch.linspace(-2, 2, 9)
    torch.testing.assert_close(encoder.normal_score(value), value, atol=1e-5, rtol=0)


def test_views_stand_side_by_side():
    both = Beside(
        PiecewiseLinear([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]), LevelEmbedding([1.0] * 4)
    ).eval()
    arrays = {"value": torch.tensor([0.5]), "level": torch.tensor([3])}
    found = both(arrays)
    assert found.shape == (1, both.width)
    assert torch.equal(found[:, 3:], both.views[1](arrays))


def test_a_level_is_hidden_as_often_as_it_is_not_believed():
    torch.manual_seed(0)
    encoder = LevelEmbedding([1.0, 0.25, 1.0, 0.0])
    encoder.dropout.p = 0.0
    codes = torch.arange(4).repeat(2000)
    shown = (encoder({"level": codes}) == encoder.table(codes)).all(dim=1).view(2000, 4)
    assert shown.float().mean(dim=0).tolist() == pytest.approx([1, 0.25, 1, 0], abs=0.04)


def test_after_learning_a_level_is_the_mean_of_what_was_shown():
    encoder = LevelEmbedding([1.0, 0.25, 1.0, 0.0]).eval()
    none, rare, sure, never = encoder({"level": torch.arange(4)})
    table = encoder.table.weight
    torch.testing.assert_close(rare, 0.25 * table[1] + 0.75 * table[0])
    torch.testing.assert_close(sure, table[2])
    torch.testing.assert_close(none, table[0])
    torch.testing.assert_close(never, table[0])


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_the_network_gives_every_member_its_outputs(members, batch):
    torch.manual_seed(0)
    shape = Shape(width=8, depth=2, dropout=0.0, members=members)
    network = Network(
        {"a.b": LevelEmbedding([1.0] * 3), "": LevelEmbedding([1.0] * 2)}, 4, shape
    ).eval()
    levels = torch.zeros(batch, dtype=torch.int64)
    inputs = {"a.b": {"level": levels}, "": {"level": levels}}
    assert network(inputs).shape == (batch, members, 4)
    assert network.embed(inputs).shape == (batch, members, 8)


def test_members_differ():
    torch.manual_seed(0)
    shape = Shape(width=8, depth=1, dropout=0.0, members=4)
    network = Network({"a": LevelEmbedding([1.0] * 50)}, 1, shape).eval()
    (outputs,) = network({"a": {"level": torch.tensor([7])}})[:, :, 0].tolist()
    assert len(set(outputs)) == 4
