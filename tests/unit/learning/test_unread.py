"""Columns that are read no more, because the network is no better for them."""

import pytest
import torch
from torch import nn

from penstock.learning.encodings import Exchange, column_encodings
from penstock.learning.network import Network, Shape
from penstock.learning.unread import asked, notes, tables


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
    ("found", "silent", "worth"),
    [
        (losses(_=1.0, t=1.2, p=1.1), [], [("text", 1.0, 1.2), ("photo", 1.0, 1.1)]),
        (losses(_=1.0, t=1.2, p=0.9, tp=1.3), ["photo"], [("photo", 1.0, 0.9), ("text", 0.9, 1.3)]),
        (losses(_=1.0, t=1.0, p=1.1, tp=1.1), ["text"], [("text", 1.0, 1.0), ("photo", 1.0, 1.1)]),
        # either can stand for the other, both cannot go
        (losses(_=1.0, t=0.9, p=0.8, tp=2.0), ["photo"], [("photo", 1.0, 0.8), ("text", 0.8, 2.0)]),
        (
            losses(_=1.0, t=0.9, p=0.8, tp=0.7),
            ["photo", "text"],
            [("photo", 1.0, 0.8), ("text", 0.8, 0.7)],
        ),
    ],
    ids=["both tell", "one harms", "one tells nothing", "twins", "both harm"],
)
def test_what_a_column_is_worth_is_asked_by_hiding_it(found, silent, worth):
    network = made("text", "photo")
    told = asked(network, lambda: found(network))
    assert [(one.column, round(one.shown, 9), round(one.hidden, 9)) for one in told] == worth
    assert [one.column for one in told if not one.tells] == silent
    assert not network.unread.any(), "all are read again"


@pytest.mark.parametrize(("gain", "tells"), [(0.12, True), (0.08, False)])
def test_a_gain_within_its_standard_error_is_none(gain, tells):
    network = made("text")
    swing = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(50)  # standard error 0.1
    (one,) = asked(network, lambda: (gain + swing) * network.unread[1] + 1.0)
    assert one.error == pytest.approx(0.1)
    assert one.tells == tells


def test_what_is_not_read_is_said_with_its_losses():
    network = made("text", "photo")
    told = asked(network, lambda: losses(_=1.0, t=1.2, p=0.9, tp=1.3)(network))
    (note,) = notes(told, ["photo"])
    assert note.startswith("photo is not read: the loss on validation rows was 0.9 without it")
    table = tables(told, ["photo"])["worth"]
    assert [(row[0], row[-1]) for row in table.rows] == [("photo", "no"), ("text", "yes")]
    assert tables([], []) == {}


def test_where_nothing_can_be_hidden_nothing_is_measured():
    assert asked(made(), lambda: pytest.fail("measured")) == []


def test_an_unread_column_changes_no_answer_and_is_kept_with_the_weights():
    network = made("text")
    before = network(inputs(5))
    network.hide("text")
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
    network.hide("text")
    found = column_encodings(network, "text", {"v": torch.tensor([7.0, 8.0]).numpy()})
    assert torch.equal(found, torch.zeros(2, 1))
    some = torch.randn(2, 3)
    some[:, 1] = 0.0
    exchange = Exchange(network, some)
    moved = exchange.outputs_with("text", found, torch.arange(2))
    assert (moved == exchange.outputs()).all()


def test_a_network_that_is_read_from_its_weights_hides_the_same():
    network, again = made("text"), made("text")
    assert not torch.equal(again.encode(inputs(3))[:, 1], torch.zeros(3))
    network.hide("text")
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.encode(inputs(3))[:, 1], torch.zeros(3))
    again.hide("text", for_good=False)
    assert torch.equal(again.encode(inputs(3))[:, 1], torch.tensor([1.0, 2.0, 3.0]))
