"""Rows as a person sees them: only where rows may be shown."""

import base64
import dataclasses
import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from penstock import exhibits
from penstock.model import Learnt, Model
from penstock.records import Column, Layout
from penstock.spec import ModelSpec
from penstock.stressed import Stressed

LAYOUT = Layout(
    columns=[
        Column(name="photo", modality="image", arrow_type="binary"),
        Column(name="age", modality="numeric", arrow_type="double"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["<b>bad</b>", "good"],
)


def file(level):
    buffer = io.BytesIO()
    picture = Image.new("L", (12, 12), int(level))
    picture.paste(255 - int(level), (1, 1, 4, 3))
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def table():
    files = [file(level) for level in range(0, 240, 6)]
    files[3] = None
    labels = [LAYOUT.classes[n % 2] for n in range(40)]
    return pa.table({"photo": pa.array(files, pa.binary()), "age": np.arange(40.0), "y": labels})


@pytest.fixture
def model(table):
    torch.manual_seed(0)
    learnt = Learnt.of(table, LAYOUT, ModelSpec(width=16, members=1))
    return Model(learnt, learnt.network())


def found(model, table, show_rows):
    target = np.arange(40) % 2
    scores = np.full((40, 2), 0.1)
    scores[np.arange(40), target] = 0.9
    scores[7] = [0.95, 0.05]  # labelled 1
    losses = -np.log(scores[np.arange(40), target])
    said = pa.table({"prediction": [LAYOUT.classes[c] for c in scores.argmax(axis=1)]})
    return exhibits.of_test_rows(model, table, said, scores, target, losses, show_rows)


def test_the_worst_row_and_the_suspected_label_are_seen_with_what_was_said(model, table):
    evidence = found(model, table, show_rows=True)
    assert evidence.tables["worst_rows"].rows[0][0] == 7
    assert evidence.tables["suspected_rows"].rows == [[7, "good", "<b>bad</b>", 0.9]]
    worst = evidence.galleries["worst:photo"].exhibits
    assert worst[0].caption == "<b>bad</b>, truly good (loss 3.00)"
    shown = Image.open(io.BytesIO(base64.b64decode(worst[0].picture))).convert("L")
    assert shown.getpixel((100, 100)) == 42
    (suspect,) = evidence.galleries["suspected:photo"].exhibits
    assert suspect.caption == "labelled good, looks like <b>bad</b> (+90%)"


def test_only_what_it_is_wrong_about_is_shown_with_the_name_of_its_file(model, table):
    names = Column(name="photo (file)", modality="identifier", arrow_type="string", role="metadata")
    kept = LAYOUT.model_copy(update={"columns": [*LAYOUT.columns, names]})
    named = Model(dataclasses.replace(model.learnt, layout=kept), model.network)
    table = table.append_column(names.name, pa.array([f"img/{n}.png" for n in range(40)]))
    evidence = found(named, table, show_rows=True)
    (worst,) = evidence.galleries["worst:photo"].exhibits
    assert worst.caption == "<b>bad</b>, truly good (loss 3.00): img/7.png"
    (suspect,) = evidence.galleries["suspected:photo"].exhibits
    assert suspect.caption == "labelled good, looks like <b>bad</b> (+90%): img/7.png"
    for name in ("worst_rows", "suspected_rows"):
        shown = evidence.tables[name]
        assert shown.rows[0][shown.columns.index(names.name)] == "img/7.png"


def test_without_a_mistake_the_least_sure_are_shown_and_called_so(model, table):
    target = np.arange(40) % 2
    scores = np.eye(2)[target] * 0.8 + 0.1
    scores[5] = [0.45, 0.55]
    losses = -np.log(scores[np.arange(40), target])
    said = pa.table({"prediction": table["y"]})
    evidence = exhibits.of_test_rows(model, table, said, scores, target, losses, show_rows=True)
    shown = evidence.galleries["worst:photo"]
    assert shown.title == "Right about all, and least sure of these: photo"
    assert shown.exhibits[0].caption == "good, truly good (loss 0.60)"


def test_what_cannot_be_seen_is_left_out(model, table):
    worst = found(model, table, show_rows=True).galleries["worst:photo"].exhibits
    assert len(worst) < exhibits.NUM_SHOWN  # row 3 has no photo
    assert "worst:age" not in found(model, table, show_rows=True).galleries


def test_without_leave_only_counts_are_told(model, table):
    evidence = found(model, table, show_rows=False)
    assert evidence.galleries == {}
    assert list(evidence.tables) == ["suspected_labels"]
    assert evidence.tables["suspected_labels"].rows == [["good", "<b>bad</b>", 1]]


def test_each_strength_of_each_shift_is_seen_on_a_row_or_on_a_made_up_picture(model, table):
    bench = Stressed(model, table, seed=0)
    bench.trials("photo")
    shown = bench.galleries(["photo", "age"], show_rows=True)
    assert list(shown) == ["shown:photo"]
    captions = [exhibit.caption for exhibit in shown["shown:photo"].exhibits]
    assert captions[0] == "as it is"
    assert any(c.startswith("photo is turned by 20 degrees: ") for c in captions)
    made_up = bench.galleries(["photo", "age"], show_rows=False)["shown:photo"]
    assert made_up.note == exhibits.MADE_UP
    told = [exhibit.caption for exhibit in made_up.exhibits]
    for clause in ("darker by 0.5 stops", "gamma of 2", "moved by 12%", "JPEG, 90 below"):
        assert any(clause in caption for caption in told)
    pictures = {exhibit.picture for exhibit in made_up.exhibits}
    assert len(pictures) == len(made_up.exhibits)  # each differs
    raw = {exhibit.picture for exhibit in shown["shown:photo"].exhibits}
    assert not raw & pictures
