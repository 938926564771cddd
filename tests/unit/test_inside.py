"""What moved an answer inside a text or a sound, on data whose telling part is known."""

import re

import numpy as np
import pyarrow as pa
import pytest
import torch

from penstock.inside import Inside, Moved, columns_of
from penstock.measure.sounds import wav
from penstock.model import Learnt, Model
from penstock.records import Column, Layout
from penstock.spec import ModelSpec
from penstock.stages.explain import Study

SMALL = ModelSpec(width=32, members=2, batch_size=32)
FILLER = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def trained(values, kind, modality, target, classes):
    """A model of one column that has learnt a few steps."""
    name = "c" if modality == "text" else "s"
    layout = Layout(
        columns=[
            Column(name=name, modality=modality, arrow_type=str(kind)),
            Column(name="y", modality="category", arrow_type="string", role="target"),
        ],
        target="y",
        task="classification" if classes else "regression",
        classes=list(classes),
    )
    table = pa.table({name: pa.array(values, kind), "y": target})
    learnt = Learnt.of(table, layout, SMALL)
    torch.manual_seed(0)
    network = learnt.network()
    model = Model(learnt, network)
    rows = model.encoded(table)
    goal = torch.from_numpy(learnt.encode_target(table))
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    network.train()
    for _ in range(40):
        inputs, _ = rows.take(torch.arange(len(values)), torch.device("cpu"))
        outputs = network(inputs).flatten(0, 1)
        goals = goal.repeat_interleave(2)
        loss = (
            torch.nn.functional.cross_entropy(outputs, goals)
            if classes
            else ((outputs[:, 0] - goals) ** 2).mean()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    return Study(model, table, table, seed=0)


def letters(rng, telling):
    words = [str(word) for word in rng.choice(FILLER, 8)]
    words[int(rng.integers(8))] = telling
    return " ".join(words)


@pytest.fixture(scope="module")
def mails():
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, 120)
    texts = [letters(rng, "Lottery" if kind else "meeting") for kind in kinds]
    target = [("ham", "spam")[kind] for kind in kinds]
    return Inside(trained(texts, pa.string(), "text", target, ("ham", "spam")), "c")


def test_the_telling_words_stand_first_and_last_with_their_intervals(mails):
    (table,) = mails.tables().values()
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert {row["towards"] for row in rows} == {"spam"}
    assert (rows[0]["part"], rows[-1]["part"]) == ("lottery", "meeting")
    assert rows[0]["low"] > 0 > rows[-1]["high"]
    assert all(row["rows"] >= 5 for row in rows)


def test_no_row_is_shown_unless_it_may_be(mails):
    assert mails.galleries(show_rows=False) == {}
    (gallery,) = mails.galleries(show_rows=True).values()
    assert 1 <= len(gallery.exhibits) <= 6
    for exhibit in gallery.exhibits:
        strongest = max(exhibit.text, key=lambda run: abs(run[1]))
        assert strongest[0].lower() in ("lottery", "meeting")
        assert "right" in exhibit.caption or "wrong: it is" in exhibit.caption


def test_words_of_few_rows_are_not_named(mails):
    few = [Moved(n, 1, ["Jane", "the"][: 1 + (n < 9)], np.ones(1 + (n < 9))) for n in range(4)]
    alone = Inside.__new__(Inside)
    alone.bench, alone.name, alone.rows = mails.bench, "c", few
    assert alone.tables() == {}


def test_a_value_has_more_and_less_and_examples_say_both_numbers():
    rng = np.random.default_rng(1)
    kinds = rng.integers(0, 2, 120)
    texts = [letters(rng, "villa" if kind else "cellar") for kind in kinds]
    study = trained(texts, pa.string(), "text", kinds * 100.0, ())
    inside = Inside(study, "c")
    (table,) = inside.tables().values()
    assert table.rows[0][:2] == ["more", "villa"]
    assert table.rows[-1][:2] == ["more", "cellar"]
    (gallery,) = inside.galleries(show_rows=True).values()
    assert "truly 100" in gallery.exhibits[0].caption or "truly 0" in gallery.exhibits[0].caption


def test_a_beep_is_found_where_it_sounds_and_the_mean_shows_no_row():
    rng = np.random.default_rng(2)
    time, kinds = np.arange(4_000) / 8_000, rng.integers(0, 2, 60)
    beeps = (time > 0.2) & (time < 0.3)
    tones = [beeps * np.sin(2 * np.pi * (300, 2_500)[kind] * time) for kind in kinds]
    files = [wav((t + 0.1 * rng.normal(size=4_000)).astype(np.float32), 8_000) for t in tones]
    study = trained(files, pa.binary(), "audio", [f"k{k}" for k in kinds], ("k0", "k1"))
    inside = Inside(study, "s")
    strength = {True: [], False: []}
    for row in inside.rows:
        for name, worth in zip(row.names, row.worth, strict=True):
            low, high, first, last = map(float, re.findall(r"[\d.]+", name))
            is_beep = any(low < tone < high for tone in (300, 2_500)) and first < 0.3 and last > 0.2
            strength[is_beep].append(abs(worth))
    assert np.mean(strength[True]) > 1.4 * np.mean(strength[False])
    found = inside.galleries(show_rows=False)
    assert list(found) == ["mean:s"]
    assert not found["mean:s"].exhibits[0].sound
    shown = inside.galleries(show_rows=True)["examples:s"].exhibits
    assert all(exhibit.picture and exhibit.sound for exhibit in shown)
    assert columns_of(study, np.ones(1)) == ["s"]
