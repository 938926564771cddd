"""Columns that are read no more, because the network is no better for them."""

import pytest
import torch
from torch import nn

from penstock.learning.encodings import Exchange, column_encodings
from penstock.learning.network import Network, Shape
from penstock.learning.unread import leave_out


class Same(nn.Module):
    width = 1

    def forward(self, arrays):
        return arrays["v"][:, None]


def made(*loud):
    missing = {name: {"v": torch.tensor([0.0])} for name in loud}
    names = ["quiet", "text", "photo"]
    torch.manual_seed(0)
    return Network({name: Same() for name in names}, 1, Shape(8, 2, 0.0, 2), missing, 0.5).eval()


def inputs(n):
    return {name: {"v": torch.arange(1.0, n + 1)} for name in ("quiet", "text", "photo")}


def losses(**by_what_is_hidden):
    """Losses of 100 rows by the first letters of the columns that are hidden; all rows alike."""

    def measured(network):
        hidden = zip(network.names, network.unread.tolist(), strict=True)
        name = "".join(name[0] for name, is_hidden in hidden if is_hidden) or "_"
        return torch.full((100,), by_what_is_hidden[name], dtype=torch.float64)

    return measured


@pytest.mark.parametrize(
    ("found", "unread", "asked"),
    [
        (losses(_=1.0, t=1.2, p=1.1), [], [("text", 1.0, 1.2), ("photo", 1.0, 1.1)]),
        (losses(_=1.0, t=1.2, p=0.9, tp=1.3), ["photo"], [("photo", 1.0, 0.9), ("text", 0.9, 1.3)]),
        (losses(_=1.0, t=1.0, p=1.1, tp=1.1), ["text"], [("text", 1.0, 1.0), ("photo", 1.0, 1.1)]),
        # either can stand for the other, both cannot go
        (losses(_=1.0, t=0.9, p=0.8, tp=2.0), ["photo"], [("photo", 1.0, 0.8), ("text", 0.8, 2.0)]),
        (
            losses(_=1.0, t=0.9, p=0.8, tp=0.7),
            ["text", "photo"],
            [("photo", 1.0, 0.8), ("text", 0.8, 0.7)],
        ),
    ],
    ids=["both tell", "one harms", "one tells nothing", "twins", "both harm"],
)
def test_what_does_not_lower_the_loss_is_read_no_more(found, unread, asked):
    network = made("text", "photo")
    told = leave_out(network, lambda: found(network))
    assert [(one.column, round(one.shown, 9), round(one.hidden, 9)) for one in told] == asked
    left = zip(network.names, network.unread.tolist(), strict=True)
    assert [name for name, is_left in left if is_left] == unread
    assert [one.column for one in told if not one.is_read] == [
        name for name, *_ in asked if name in unread
    ]


@pytest.mark.parametrize(("gain", "is_read"), [(0.12, True), (0.08, False)])
def test_a_gain_within_its_standard_error_is_none(gain, is_read):
    network = made("text")
    swing = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(50)  # standard error 0.1
    found = leave_out(network, lambda: (gain + swing) * network.unread[1] + 1.0)
    assert [one.error for one in found] == [pytest.approx(0.1)]
    assert [one.is_read for one in found] == [is_read]
    assert network.unread.tolist() == [False, not is_read, False]


def test_where_nothing_can_be_hidden_nothing_is_measured():
    assert leave_out(made(), lambda: pytest.fail("measured")) == []


def test_an_unread_column_changes_no_answer_and_is_kept_with_the_weights():
    network = made("text")
    before = network(inputs(5))
    network.unread[1] = True
    after = network(inputs(5))
    other = network(inputs(5) | {"text": {"v": torch.full((5,), 99.0)}})
    assert torch.equal(after, other)
    assert not torch.equal(before, after)
    assert torch.equal(network.encode(inputs(5))[:, 1], torch.zeros(5))
    again = made("text")
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(inputs(5)), after)


def test_exchanging_an_unread_column_moves_nothing():
    network = made("text")
    network.unread[1] = True
    found = column_encodings(network, "text", {"v": torch.tensor([7.0, 8.0]).numpy()})
    assert torch.equal(found, torch.zeros(2, 1))
    some = torch.randn(2, 3)
    some[:, 1] = 0.0
    exchange = Exchange(network, some)
    moved = exchange.outputs_with("text", found, torch.arange(2))
    assert (moved == exchange.outputs()).all()
