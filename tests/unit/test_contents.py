import numpy as np
import pyarrow as pa

from penstock import contents
from penstock.measure import division
from penstock.measure.leaks import findings
from penstock.records import Column, Layout

WORDS = np.array([f"word{n}" for n in range(500)])


def layout(**kinds):
    columns = [
        Column(name=name, modality=kind, arrow_type="string" if kind != "numeric" else "double")
        for name, kind in kinds.items()
    ]
    return Layout(columns=columns, target="y", task="classification")


def letters(count, rng):
    return [" ".join(rng.choice(WORDS, 40)) for _ in range(count)]


def test_texts_are_told_by_length_language_and_what_is_missing():
    texts = ["this is the house of the cat"] * 30 + ["das ist nicht die Katze"] * 10 + [None] * 10
    table = pa.table({"t": texts, "x": np.arange(50.0)})
    found = contents.views(table, layout(t="text", x="numeric"))
    assert list(found) == ["t"]
    tables = contents.tables(found)
    numbers = {
        row[1]: dict(zip(tables["contents"].columns, row, strict=True))
        for row in tables["contents"].rows
    }
    assert (numbers["words"]["median"], numbers["words"]["least"]) == (7, 5)
    assert numbers["words"]["missing %"] == 20
    kinds = {row[1]: row[-1] for row in tables["kinds"].rows}
    assert kinds["language"] == "English 75.0%, German 25.0%"


def test_lengths_are_drawn():
    texts = ["word " * n for n in range(1, 200)]
    found = contents.views(pa.table({"t": texts}), layout(t="text"))
    (figure,) = contents.figures(found).values()
    assert figure.x == "characters"
    assert sum(figure.series[0].y) >= 190


def test_nearly_equal_rows_are_families_by_all_their_texts_together():
    rng = np.random.default_rng(0)
    body, heads = letters(6, rng), letters(6, rng)
    body[1], heads[1] = body[0] + " and a word more", heads[0]
    body[2] = body[0]  # under another head
    table = pa.table({"head": heads, "body": body})
    columns = contents.readable(layout(head="text", body="text", x="numeric"))
    assert [column.name for column in columns] == ["head", "body"]
    found = contents.families(table, columns)
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 5


def test_the_check_counts_test_rows_whose_family_was_trained_on():
    part = np.array([division.TRAIN] * 6 + [division.TEST] * 4)
    family = np.array([0, 0, 1, 2, 3, 4, 0, 1, 8, 9])
    check = findings.near_families(part, family, ["body"])
    assert check.value == 0.5
    assert 0.1 < check.low < 0.5 < check.high < 0.9
    assert (check.name, check.subject) == ("near_copies", "body")
    assert "50.0% of 4 test rows" in check.why
    assert "33.3% of the train rows" in check.why
