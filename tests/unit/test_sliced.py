import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from penstock import chunks, modalities, sliced
from penstock.records import Column, Layout


def column(name, kind, arrow_type="string", role="feature"):
    return Column(name=name, modality=kind, arrow_type=arrow_type, role=role)


def layout(*columns, target="y", task="classification"):
    return Layout(columns=[*columns], target=target, task=task, classes=["a", "b"])


def png(grey):
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def weak(table, losses, *columns, train=None, others=None, **said):
    train = table if train is None else train
    return sliced.weak(train, table, layout(*columns, **said), losses, others or {}, 0)


def test_a_dark_part_of_the_photos_is_named_and_how_often_training_saw_it():
    greys = np.arange(1000) * 250 // 1000
    photos = pa.table({"photo": [png(grey) for grey in greys]})
    train = pa.table({"photo": [png(200)] * 90 + [png(10)] * 10})
    losses = np.where(greys < 50, 2.0, 1.0) + np.arange(1000) % 7 / 100
    others = {"trivial": np.full(1000, 9.0), "linear_model": losses**2}
    photo = column("photo", "image", "binary")
    found = weak(photos, losses, photo, train=train, others=others)
    (check,) = found.checks
    assert check.subject == "photo brightness 0 to 0.192 (darkest fifth)"
    assert check.value == pytest.approx(2 / 1.2 - 1, abs=0.12)
    assert "Of 100 training rows 10.0% are such, of the test rows 20.0%." in check.why
    assert "The linear model baseline's loss is +1" in check.why
    assert "training has met such rows too" in check.remedy
    rarer = weak(photos, losses, photo, train=pa.table({"photo": [png(200)] * 100}))
    assert rarer.checks[0].remedy.startswith("bring more training rows")
    figure = found.figures["slices"]
    assert figure.title == "Loss by photo brightness"
    assert len(figure.series[0].y) == 6
    told = {row[0] for row in found.tables["slices"].rows}
    assert told == {"photo brightness"}  # equal sizes, and no contrast: no slices


@pytest.mark.parametrize(
    ("kind", "values", "weak_rows", "subject"),
    [
        ("numeric", np.arange(1000.0), np.arange(1000) >= 800, "x 800 to 999 (highest fifth)"),
        ("category", ["u", None] * 500, np.arange(1000) % 2 == 1, "x = (missing)"),
        (
            "text",
            ["good film"] * 800 + ["a much longer text than others " * 3] * 200,
            np.arange(1000) >= 800,
            "x characters = 93",
        ),
        (
            "timestamp",
            np.datetime64("2024-01-01T00:00:00", "us")
            + np.arange(1000) * np.timedelta64(1, "h").astype("timedelta64[us]"),
            np.arange(1000) // 24 % 7 == 2,
            "x weekday = Wed",
        ),
        (
            "set",
            ["|".join("abcdefgh"[: 1 + i % 8]) for i in range(1000)],
            np.arange(1000) % 8 == 7,
            "x members = 8 (largest 12%)",
        ),
    ],
)
def test_every_kind_of_column_makes_slices(kind, values, weak_rows, subject):
    table = pa.table({"x": pa.array(values)})
    found = weak(table, np.where(weak_rows, 2.0, 1.0), column("x", kind))
    assert found.checks[0].subject == subject
    assert found.tables["slices"].rows[0][3] == 2.0


def test_hours_without_rows_enough_are_insufficient():
    start = np.datetime64("2024-01-01T00:00:00", "us")
    hours = np.timedelta64(1, "h").astype("timedelta64[us]")
    table = pa.table({"at": start + np.arange(1000) * hours})
    found = weak(table, np.ones(1000), column("at", "timestamp", "timestamp[us]"))
    told = {tuple(row[:2]): row[-1] for row in found.tables["slices"].rows}
    assert told["at weekday", "Mon"] == "+0%"
    assert told["at hour", "3"] == "insufficient"
    assert ("at", "2024-01-01 to 2024-01-09 07:00 (earliest fifth)") in told


def test_what_is_no_view_of_a_row_makes_no_slice():
    table = pa.table({"y": ["a", "b"] * 100, "code": ["u", "v"] * 100, "path": ["p", "q"] * 100})
    none = weak(
        table,
        np.ones(200),
        column("y", "category", role="target"),
        column("code", "category", role="left_out"),
        column("path", "identifier", role="metadata"),
    )
    assert (none.checks, none.tables) == ([], {})


def test_metadata_and_groups_make_slices_too():
    table = pa.table({"device": ["old", "new"] * 200, "who": ["x", "x", "y", "y"] * 100})
    found = weak(
        table,
        np.where(np.arange(400) % 2, 1.0, 3.0),
        column("device", "category", role="metadata"),
        column("who", "category", role="group"),
    )
    assert found.checks[0].subject == "device = old"
    assert {row[0] for row in found.tables["slices"].rows} == {"device", "who"}


def test_the_text_that_a_task_reads_makes_slices_though_it_is_the_target():
    table = pa.table({"t": ["word " * (1 + i % 100) for i in range(1000)]})
    losses = np.where(np.arange(1000) % 100 < 20, 2.0, 1.0)
    read = column("t", "text", role="target")
    found = weak(table, losses, read, target="t", task="next_token")
    assert found.checks[0].subject == "t characters 5 to 100 (shortest fifth)"


def test_files_are_looked_at_a_few_at_a_time_and_not_all(monkeypatch):
    monkeypatch.setitem(sliced.MOST, "bytes", 300)
    photos = pa.table({"photo": [png(grey) for grey in np.arange(1000) % 250]})
    looks = []
    plug = modalities.load("image")
    real = plug.views
    monkeypatch.setattr(plug, "views", lambda values: looks.append(len(values)) or real(values))
    found = weak(photos, np.ones(1000), column("photo", "image", "binary"))
    assert max(looks) <= chunks.AT_ONCE
    assert sum(row[2] for row in found.tables["slices"].rows) == 300
    assert sum(looks) == 300 + 500


def test_examples_of_users_are_not_compared_with_training_rows():
    table = pa.table({"history": ["|".join("abcdefgh"[: 1 + i % 8]) for i in range(1000)]})
    losses = np.where(np.arange(1000) % 8 < 2, 2.0, 1.0)
    past = column("history", "set")
    (check,) = weak(table, losses, past, target="item", task="ranking").checks
    assert check.subject.startswith("history members 1 to 2 (smallest")
    assert check.why.endswith("on the other half of the test rows.")
    assert "training" not in check.remedy
