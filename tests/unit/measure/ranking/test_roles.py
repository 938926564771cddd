import pyarrow as pa

from penstock.measure.ranking import roles
from penstock.records import Column, Layout

ROWS = pa.table(
    {
        "who": ["a", "a", "b", "b"],
        "film": ["x", "y", "x", "z"],
        "genre": ["war", "love", "war", None],
        "town": ["Ulm", "Ulm", "Bonn", "Bonn"],
        "stars": [1.0, 2.0, 3.0, 4.0],
        "seenAt": [5, 6, 7, 9],
        "born": pa.array([1, 1, 2, 2], pa.timestamp("us")),
    }
)


def layout(**said):
    kinds = {"who": "user", "film": "target"} | said
    columns = [
        Column(name=name, modality="category", arrow_type="string", role=kinds.get(name, "item"))
        for name in ROWS.column_names
    ]
    return Layout(columns=columns, target="film", task="ranking")


def test_a_column_tells_of_the_item_the_user_the_moment_or_nothing_that_is_known():
    found = roles.settled(ROWS, layout())
    assert {c.name: c.role for c in found.columns} == {
        "who": "user", "film": "target", "genre": "item", "town": "feature",
        "stars": "left_out", "seenAt": "time", "born": "feature",
    }  # fmt: skip


def test_of_two_moments_none_is_taken_nor_where_one_was_said():
    twice = ROWS.append_column("rated_at", pa.array([9, 8, 7, 6]))
    columns = [*layout().columns, Column(name="rated_at", modality="numeric", arrow_type="int64",
                                         role="item")]  # fmt: skip
    found = roles.settled(twice, layout().model_copy(update={"columns": columns}))
    assert found.named("time") == []
    assert found.column("seenAt").role == "left_out"
    said = roles.settled(ROWS, layout(stars="time"))
    assert said.named("time") == ["stars"]
