"""Columns that are hidden now and then while learning, and never afterwards."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from penstock.learning import losses
from penstock.learning.encoded import Encoded
from penstock.learning.loop import Schedule, Training
from penstock.learning.network import Network, Shape
from penstock.learning.unread import asked
from penstock.model import Learnt, Model
from penstock.records import Column, Layout
from penstock.spec import ModelSpec

SMALL = Shape(8, 2, 0.0, 2)


class Same(nn.Module):
    """Gives what it is given, and counts the rows."""

    width = 1

    def __init__(self):
        super().__init__()
        self.rows = 0

    def forward(self, arrays):
        self.rows += len(arrays["v"])
        return arrays["v"][:, None]


def made(hidden):
    torch.manual_seed(0)
    missing = {"loud": {"v": torch.tensor([-7.0])}}
    return Network({"quiet": Same(), "loud": Same()}, 1, SMALL, missing, hidden)


def inputs(n):
    return {name: {"v": torch.arange(1.0, n + 1)} for name in ("quiet", "loud")}


def test_a_hidden_value_is_encoded_as_a_missing_one_and_the_others_stay():
    network = made(0.5).train()
    found = network.encode(inputs(2000))
    assert torch.equal(found[:, 0], torch.arange(1.0, 2001))
    hidden = found[:, 1] == -7
    assert torch.equal(found[~hidden, 1], torch.arange(1.0, 2001)[~hidden])
    assert 0.45 < hidden.float().mean() < 0.55
    assert network.encoders[1].rows == int((~hidden).sum()) + 1, "hidden rows cost nothing"


def test_nothing_is_hidden_where_nothing_is_learnt_or_the_share_is_0():
    for network in (made(0.9).eval(), made(0.0).train()):
        assert torch.equal(network.encode(inputs(50))[:, 1], torch.arange(1.0, 51))


@pytest.mark.parametrize("rows", [1, 2])
def test_a_batch_never_hides_all_of_its_rows(rows):
    network = made(0.99).train()
    for _ in range(50):
        assert (network.encode(inputs(rows))[:, 1] != -7).any()


def test_what_a_missing_value_is_like_is_no_weight():
    assert made(0.5).state_dict().keys() == made(0.0).state_dict().keys()
    assert not [name for name in made(0.5).state_dict() if "missing" in name]


def layout_of(table):
    kinds = {"string": "text", "double": "numeric"}
    return Layout(
        columns=[
            Column(
                name=name,
                modality="category" if name == "y" else kinds[str(table[name].type)],
                arrow_type=str(table[name].type),
                role="target" if name == "y" else "feature",
            )
            for name in table.column_names
        ],
        target="y",
        task="classification",
        classes=["a", "b"],
    )


def learnt(**columns):
    table = pa.table(columns | {"y": ["a", "b"] * 20})
    return Learnt.of(table, layout_of(table), ModelSpec(width=16, members=2))


def test_a_text_beside_numbers_is_hidden_and_texts_alone_are_not():
    texts, numbers = [f"some words {n}" for n in range(40)], [float(n) for n in range(40)]
    beside = learnt(t=texts, x=numbers).network()
    assert beside.hidden_share > 0
    assert list(beside.missing) == ["0"]
    assert not len(learnt(t=texts, u=texts).network().missing)
    assert not len(learnt(x=numbers).network().missing)


def trained(share, words):
    """A network that learnt from a text and a number, and its test rows: 200 with their kinds."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 600)
    x = np.where(kind, 1.0, -1.0) + rng.normal(0, 1.0, 600)
    texts = [f"some {words[k]} thing" for k in kind]
    table = pa.table({"t": texts, "x": x, "y": [("a", "b")[k] for k in kind]})
    spec = ModelSpec(width=32, members=2, column_dropout=share)
    learnt = Learnt.of(table.slice(0, 400), layout_of(table), spec)
    torch.manual_seed(0)
    network = learnt.network()
    rows = table.slice(0, 400)
    train = Encoded.of(learnt.encode(rows), 400, learnt.encode_target(rows))
    schedule = Schedule(12, 32, 12, 0.01, 0.01, 0)
    loss = losses.of("cross_entropy")
    training = Training(network, loss, schedule, None, torch.device("cpu"))
    training.fit(train, train, silent)
    test = table.slice(400)
    rows = Encoded.of(learnt.encode(test), 200, learnt.encode_target(test))
    return Model(learnt, network), test, kind[400:], lambda: training.losses(rows)


def right_without_the_text(share):
    """Accuracy where the text is missing, of a network whose text told all and a number much."""
    model, test, kind, _ = trained(share, ("bitter", "sweet"))
    scores = model.scores(test.set_column(0, "t", pa.nulls(200, pa.string())))
    return float((scores.argmax(axis=1) == kind).mean())


def silent(done, total, note=""):
    pass


def test_a_column_that_is_missing_later_costs_little_where_it_was_hidden_while_learning():
    hidden, shown = right_without_the_text(0.5), right_without_the_text(0.0)
    assert hidden > 0.8  # the number alone tells five of six
    assert shown < hidden - 0.08


def test_a_text_that_tells_is_worth_its_loss_and_one_that_tells_nothing_is_not():
    model, *_, losses = trained(0.5, ("bitter", "sweet"))
    (one,) = asked(model.network, losses)
    assert one.tells and one.shown < 0.5 * one.hidden
    model, *_, losses = trained(0.5, ("same", "same"))
    (one,) = asked(model.network, losses)
    assert not one.tells
    assert one.shown == pytest.approx(one.hidden, rel=0.05)
