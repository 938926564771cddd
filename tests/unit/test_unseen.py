"""Test rows that differ from training rows as one natural shift would have it: it is named."""

import numpy as np
import pyarrow as pa
import pytest

from penstock.adapters.store import LocalStore
from penstock.records import Column, Layout, Objective, Policy
from penstock.spec import Compute, ModelSpec
from penstock.stages.fit import fit
from penstock.stages.stress import stress

SMALL = ModelSpec(epochs=15, width=32, members=2, batch_size=32, learning_rate=0.01)
FILLER = ["red", "blue", "warm", "cold", "slow", "quick", "near", "far"]


def silent(done, total, note=""):
    pass


def text(kind, rng):
    words = rng.choice(FILLER, 10)
    words[rng.integers(10, size=3)] = ("apple", "pear")[kind]
    return " ".join(words)


def rows(count, rng, cut, town):
    kinds = rng.integers(0, 2, count)
    texts = [text(kind, rng) for kind in kinds]
    return pa.table(
        {
            "note": [t[: len(t) // 4] if cut else t for t in texts],
            "town": [town] * count,
            "y": [("no", "yes")[kind] for kind in kinds],
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model of notes from two towns."""
    rng, store = np.random.default_rng(0), LocalStore(tmp_path_factory.mktemp("unseen"))
    train = pa.concat_tables([rows(150, rng, False, town) for town in ("Ulm", "Jena")])
    names = {
        "note": ("text", "feature"),
        "town": ("category", "group"),
        "y": ("category", "target"),
    }
    layout = Layout(
        columns=[
            Column(name=name, modality=kind, arrow_type="string", role=role)
            for name, (kind, role) in names.items()
        ],
        target="y",
        task="classification",
        classes=["no", "yes"],
    )
    kept = store.keep_table(train)
    goal = Objective(loss="cross_entropy", metric="accuracy")
    one = Compute(device="cpu", threads=1)
    return store, fit(kept, kept, layout, goal, SMALL, one, store, silent, "key"), kept


def found(made, test):
    store, fitted, train = made
    kept = store.keep_table(test)
    return stress(fitted, Policy(), kept, 0, store, silent, train).evidence


def test_a_town_whose_form_is_short_is_said_to_be_like_rows_that_are_cut_short(made):
    evidence = found(made, rows(120, np.random.default_rng(1), True, "Bonn"))
    table = evidence.tables["unseen"]
    best = dict(zip(table.columns, table.rows[0], strict=True))
    assert best["stress"] == "cut short"
    assert best["likeness"] > 0.8
    views = evidence.tables["unseen_views"].rows
    assert views[0][1] in ("characters", "words")
    assert views[0][-1].startswith("cut short 0.")
    assert best["from"] > 0
    assert 0 < best["share of the gap"] <= 1
    assert "missing" not in [row[1] for row in table.rows]
    said = " ".join(evidence.notes)
    assert "of the gap" in said
    assert "worse" in said
    assert "Training groups of town stand 0.0" in said
    assert "those of test stand farther, at up to" in said
    groups = evidence.tables["unseen_groups"]
    by_name = {row[0]: dict(zip(groups.columns, row, strict=True)) for row in groups.rows}
    assert set(by_name) == {"Bonn", "Ulm", "Jena"}
    assert by_name["Bonn"]["distance"] > 2 * by_name["Ulm"]["distance"]
    assert by_name["Bonn"]["accuracy"] < by_name["Ulm"]["accuracy"]
    assert "1 unseen group says only so far" in groups.note


def test_a_town_like_the_others_has_nothing_to_explain(made):
    evidence = found(made, rows(120, np.random.default_rng(2), False, "Bonn"))
    assert "unseen" not in evidence.tables
    assert any("no more than chance" in note for note in evidence.notes)


def test_without_training_rows_nothing_is_compared(made):
    store, fitted, _ = made
    kept = store.keep_table(rows(60, np.random.default_rng(3), False, "Bonn"))
    evidence = stress(fitted, Policy(), kept, 0, store, silent).evidence
    assert not [name for name in evidence.tables if name.startswith("unseen")]
