"""Later rows are asked as the rows of the test part were."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from penstock.measure.ranking.requests import asked
from penstock.records import Column, Layout

COLUMNS = [
    Column(name="who", modality="category", arrow_type="string"),
    Column(name="film", modality="category", arrow_type="string", role="target"),
    Column(name="stars", modality="numeric", arrow_type="double", role="feedback"),
    Column(name="history", modality="set", arrow_type="string", optional=True),
]
LEARNT = SimpleNamespace(
    layout=Layout(
        columns=COLUMNS, target="film", task="ranking", relevant_from=3.0,
        catalogue=["v", "w", "x", "y", "z"],
    ),
    target={"users": ["a", "b"], "past": "history"},
    # a took v, then w, then x in the test part; b took y, and z in the test part
    arrays={
        "past_items": np.array([0, 1, 2, 3, 4], dtype=np.int32),
        "past_starts": np.array([0, 3, 5]),
        "past_known": np.array([2, 1]),
    },
)  # fmt: skip


def rows(**columns):
    return pa.table(columns)


def said(table):
    return {
        r["who"]: (r["history"], set(r["film"].split("|")))
        for r in asked(table, LEARNT).to_pylist()
    }


def test_the_rows_of_the_test_part_are_asked_as_they_were_there():
    own = rows(who=["a", "b"], film=["x", "z"])
    assert said(own) == {"a": ("w|v", {"x"}), "b": ("y", {"z"})}


def test_what_came_after_the_test_part_is_asked_with_all_that_is_known():
    later = rows(who=["b", "a", "a", "new"], film=["v", "z", "y", "x"])
    assert said(later) == {
        "a": ("x|w|v", {"y", "z"}), "b": ("z|y", {"v"}), "new": ("", {"x"}),
    }  # fmt: skip


def test_what_a_user_takes_again_is_not_to_be_found():
    again = rows(who=["a", "a", "a", "b"], film=["v", "y", "y", "y"])
    assert said(again) == {"a": ("x|w|v", {"y"})}


def test_what_the_test_part_took_again_is_not_known_before_it():
    arrays = {
        "past_items": np.array([0, 1, 0, 2], dtype=np.int32),  # v, w; in the test part v and x
        "past_starts": np.array([0, 4, 4]),
        "past_known": np.array([2, 0]),
    }
    again = SimpleNamespace(layout=LEARNT.layout, target=LEARNT.target, arrays=arrays)
    table = rows(who=["a", "a"], film=["v", "x"])
    (row,) = asked(table, again).to_pylist()
    assert (row["history"], row["film"]) == ("w|v", "x")


def test_what_is_not_liked_is_not_to_be_found_nor_what_nobody_took():
    rated = rows(who=["a", "a", None, "b"], film=["y", "z", "y", None], stars=[5.0, 1.0, 5.0, 5.0])
    assert said(rated) == {"a": ("x|w|v", {"y"})}


def test_an_item_that_training_never_had_is_to_be_found_and_counts_as_missed():
    assert said(rows(who=["a"], film=["brand new"])) == {"a": ("x|w|v", {"brand new"})}


def test_rows_that_bring_their_past_or_no_item_stay_as_they_are():
    for table in (rows(who=["a", "a"]), rows(who=["a"], film=["x"], history=["y"])):
        assert asked(table, LEARNT) is table
