import numpy as np
import pyarrow as pa
import pytest

from penstock.errors import BadInput
from penstock.measure import division
from penstock.measure.ranking import examples, recommenders
from penstock.measure.ranking.interactions import codes_of
from penstock.records import Column, Layout

COLUMNS = [
    Column(name="who", modality="category", arrow_type="string", role="user"),
    Column(name="film", modality="category", arrow_type="string", role="target"),
    Column(name="when", modality="numeric", arrow_type="int64", role="time"),
    Column(name="genre", modality="category", arrow_type="string", role="item"),
    Column(name="town", modality="category", arrow_type="string", role="item"),
    Column(name="mood", modality="category", arrow_type="string", role="item"),
    Column(name="stars", modality="numeric", arrow_type="double", role="feedback"),
]
LAYOUT = Layout(
    columns=COLUMNS, target="film", task="ranking", relevant_from=3.0,
)  # fmt: skip


def rows(*each):
    genre = {"x": "war", "y": "love", "z": "war", "w|v": "fun"}
    return pa.table(
        {
            "who": [who for who, *_ in each],
            "film": [film for _, film, *_ in each],
            "when": [when for _, _, when, _ in each],
            "genre": [genre[film] for _, film, *_ in each],
            "town": [f"town of {who}" for who, *_ in each],
            "mood": ["low", "high", "low", "high", "odd", "even"][: len(each)],
            "stars": [stars for *_, stars in each],
        }
    )


PARTS = {
    "train": rows(("b", "x", 5, 4.0), ("a", "y", 2, 5.0), ("a", "x", 1, 1.0), ("a", "z", 3, 3.0)),
    "valid": rows(("a", "w|v", 4, 5.0)),
    "test": rows(
        ("b", "z", 9, 5.0), ("b", "y", 8, 4.0), ("b", "w|v", 7, 1.0), ("a", "x", 6, 5.0)
    ),
}  # fmt: skip


def test_examples_are_a_past_and_what_came_next():
    made, layout, found = examples.made(PARTS, LAYOUT)
    train = made["train"].to_pylist()
    # a disliked x: it is remembered, but nothing to be recommended
    assert [(r["who"], r["history"], r["film"]) for r in train] == [
        ("b", "", "x"), ("a", "x", "y"), ("a", "y|x", "z"),
    ]  # fmt: skip
    assert [(r["who"], r["history"], r["film"]) for r in made["valid"].to_pylist()] == [
        ("a", "z|y|x", "w¦v")
    ]
    # a takes nothing new in test; b dislikes w|v, and takes y before z
    assert [(r["who"], r["history"], r["film"]) for r in made["test"].to_pylist()] == [
        ("b", "x", "y|z")
    ]
    assert layout.catalogue == ["x", "y", "z"]
    assert [c.name for c in layout.features] == ["who", "town", "history"]
    assert [c.name for c in layout.columns if c.role == "item"] == ["genre"]
    assert [r["history_now"] for r in train] == ["x", None, "w¦v|z|y|x"]
    assert [r["history_later"] for r in train] == ["z|y|w¦v", None, "x"]
    assert "Not read: mood" in found.notes[0]
    assert made["test"]["genre"].to_pylist() == [None]


def test_a_bar_that_no_rating_reaches_is_refused_and_one_that_all_reach_is_told():
    with pytest.raises(BadInput, match="nobody in train and valid and test") as found:
        examples.made(PARTS, LAYOUT.model_copy(update={"relevant_from": 9.0}))
    assert "lower data.feedback_from (9)" in found.value.message
    _, _, said = examples.made(PARTS, LAYOUT.model_copy(update={"relevant_from": 0.0}))
    assert any("No stars is below" in note for note in said.notes)


def test_the_past_never_holds_what_came_later():
    rng = np.random.default_rng(0)
    count = 600
    who, film = rng.integers(0, 20, count), rng.integers(0, 40, count)
    when = rng.permutation(count)
    part = division.per_user(who, when.astype(float), 0.1, 0.2)
    columns = [COLUMNS[0], COLUMNS[1], COLUMNS[2]]
    table = pa.table({"who": who.astype(str), "film": film.astype(str), "when": when})
    parts = {name: table.filter(pa.array(part == code)) for code, name in enumerate(division.PARTS)}
    made, _, _ = examples.made(parts, LAYOUT.model_copy(update={"columns": columns}))
    for row in made["test"].to_pylist():
        mine = who.astype(str) == row["who"]
        before = set(film[mine & (part < 2)].astype(str))
        later = set(film[mine & (part == 2)].astype(str))
        assert set(row["history"].split("|")) == before
        assert set(row["film"].split("|")) == later - before
    for row in made["train"].to_pylist():
        mine = (who.astype(str) == row["who"]) & (film.astype(str) == row["film"])
        now = when[mine & (part == 0)].min()
        earlier = film[(who.astype(str) == row["who"]) & (when < now) & (part == 0)].astype(str)
        order = np.argsort(when[(who.astype(str) == row["who"]) & (when < now) & (part == 0)])
        assert (row["history"] or "").split("|") == (earlier[order][::-1].tolist() or [""])


def test_item_neighbours_are_those_of_a_dense_sum():
    rng = np.random.default_rng(1)
    dense = (rng.random((30, 12)) < 0.3).astype(float)
    codes = np.where(dense > 0, np.arange(12), -1)
    seen = recommenders.matrix_of(codes, 12)
    together = dense.T @ dense
    norm = np.sqrt(np.diag(together))
    alike = together / (norm[:, None] * norm + recommenders.SHRUNK)
    np.fill_diagonal(alike, 0)
    np.testing.assert_allclose(recommenders.item_knn(seen)(seen), dense @ alike, atol=1e-12)
    np.testing.assert_allclose(recommenders.popularity(seen)(seen)[3], dense.sum(axis=0))


def test_factors_find_the_two_tastes_of_a_table_that_has_two():
    taste = np.arange(40) % 2
    rng = np.random.default_rng(2)
    dense = (rng.random((40, 20)) < np.where(taste[:, None] == np.arange(20) % 2, 0.6, 0.02)) * 1.0
    seen = recommenders.matrix_of(np.where(dense > 0, np.arange(20), -1), 20)
    scores = recommenders.matrix_factorisation(seen)(seen)
    mine = taste[:, None] == np.arange(20) % 2
    assert scores[mine].mean() > 5 * abs(scores[~mine].mean())


@pytest.mark.parametrize("text", ["b|a", " b | a ", "b||a"])
def test_lists_are_read_however_they_are_spaced(text):
    assert codes_of(pa.chunked_array([[text]]), ["a", "b"], -1, -2).tolist() == [[1, 0]]
