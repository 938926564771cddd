"""What each column is taken for, what is predicted, and what is said of what was lost."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.measure.judging import judged
from penstock.spec import Data, Gates, SplitSpec
from penstock.stages.ingest import check_columns, ingest

N = 40
LABELS = ["no", "yes"] * (N // 2)


class Handed:
    """A source of a table in memory, in small batches."""

    def __init__(self, table, kinds=None, unreadable=()):
        self.schema = table.schema
        self.kinds = kinds or {}
        self.unreadable = list(unreadable)
        self.description, self.roots = "handed", ()
        self._table = table

    def fingerprint(self):
        return "0"

    def batches(self, progress=None):
        yield from self._table.to_batches(max_chunksize=7)


def text(**columns):
    """As a text format hands it: strings only."""
    columns = {"x": [f"{i}.5" for i in range(N)]} | columns
    return pa.table({name: pa.array(map(str, v), pa.string()) for name, v in columns.items()})


def taken(tmp_path, table, *, split=None, kinds=None, **said):
    data = Data(source="s", **({"target": "y"} | said))
    store = LocalStore(tmp_path)
    snapshot = ingest(Handed(table, kinds), data, split or SplitSpec(), store)
    return snapshot, store.table(snapshot.rows)


def column_of(tmp_path, values, name="c", **said):
    """Modality, type, role and stored values of one column of text."""
    snapshot, rows = taken(tmp_path, text(**{name: values, "y": LABELS}), **said)
    column = snapshot.layout.column(name)
    return column.modality, column.arrow_type, column.role, rows.column(name).to_pylist()


def refused(tmp_path, table, **said):
    with pytest.raises(BadInput) as caught:
        taken(tmp_path, table, **said)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()], "nothing is left behind"
    return str(caught.value)


def cycle(*values):
    return [values[i % len(values)] for i in range(N)]


# ---------------------------------------------------------------- columns of text


@pytest.mark.parametrize(
    ("values", "modality", "arrow_type", "first"),
    [
        (cycle("3", " 4 ", "NA", "5"), "numeric", "int64", [3, 4, None, 5]),
        (cycle("1.5", "2", "-3e2"), "numeric", "double", [1.5, 2.0, -300.0]),
        (cycle("1,234", "56", "7,654,321"), "numeric", "int64", [1234, 56, 7654321]),
        (cycle("1,5", "2,25"), "numeric", "double", [1.5, 2.25]),
        (cycle("$1,200.50", "-$3"), "numeric", "double", [1200.5, -3.0]),
        (cycle("12%", "3.5 %"), "numeric", "double", [12.0, 3.5]),
        (cycle("inf", "1", "2.5"), "numeric", "double", [None, 1.0, 2.5]),
        (cycle("00501", "10001"), "category", "string", ["00501", "10001"]),
        (cycle("True", "false", ""), "category", "bool", [True, False, None]),
        (cycle("a", "None", "NA"), "category", "string", ["a", "None", None]),
        (cycle("1", "b", "c", "d", "2"), "category", "string", ["1", "b"]),
    ],
)
def test_text_is_read_as_what_it_says(tmp_path, values, modality, arrow_type, first):
    found = column_of(tmp_path, values)
    assert found[:3] == (modality, arrow_type, "feature")
    assert found[3][: len(first)] == first


@pytest.mark.parametrize(
    ("values", "iso"),
    [
        (cycle("2024-02-29", "2024-03-01 10:30"), "2024-02-29T00:00:00"),
        (cycle("29.02.2024", "1.3.2024"), "2024-02-29T00:00:00"),
        (cycle("02/29/2024 1:05 PM", "03/01/2024 12:00 AM"), "2024-02-29T13:05:00"),
        (cycle("29/02/2024", "01/03/2024"), "2024-02-29T00:00:00"),
        (cycle("29 Feb 2024", "1 March 2024"), "2024-02-29T00:00:00"),
        (
            cycle("2024-02-29T01:00:00.25+02:00", "2024-03-01T00:00:00Z"),
            "2024-02-28T23:00:00.250000+00:00",
        ),
    ],
)
def test_times_in_their_common_forms(tmp_path, values, iso):
    modality, _, role, rows = column_of(tmp_path, values)
    assert (modality, role, rows[0].isoformat()) == ("timestamp", "feature", iso)


def test_a_day_that_could_be_a_month_stays_text(tmp_path):
    assert column_of(tmp_path, cycle("01/02/2024", "03/04/2024"))[0] == "category"


def test_a_few_words_among_numbers_become_null_and_are_named(tmp_path):
    values = ["?" if i % 4 == 0 else str(i) for i in range(N)]
    snapshot, rows = taken(tmp_path, text(c=values, y=LABELS))
    assert rows.column("c").null_count == 10
    lost = snapshot.evidence.tables["could_not_be_read"]
    assert lost.rows == [["c", "'?' is not a numeric value", 10, "null"]]


def test_infinite_numbers_become_null_and_are_counted(tmp_path):
    table = pa.table({"c": [1.5, np.inf, -np.inf, 2.5] * 10, "y": LABELS})
    snapshot, rows = taken(tmp_path, table)
    assert rows.column("c").null_count == 20
    assert snapshot.evidence.tables["could_not_be_read"].rows == [["c", "infinite", 20, "null"]]


# ---------------------------------------------------------------- what is left out


@pytest.mark.parametrize(
    ("name", "values", "modality"),
    [
        ("code", [f"K-{i}" for i in range(N)], "identifier"),
        ("row", range(100, 100 + N), "identifier"),
        ("order_id", [i * i for i in range(N)], "identifier"),
        ("order_id", [*[i * i for i in range(N - 1)], ""], "identifier"),
        ("c", ["same"] * N, "constant"),
        ("c", [""] * N, "constant"),
    ],
)
def test_identifiers_and_constants_are_left_out(tmp_path, name, values, modality):
    snapshot, _ = taken(tmp_path, text(**{name: values, "y": LABELS}))
    column = snapshot.layout.column(name)
    assert (column.modality, column.role) == (modality, "left_out")
    check = next(c for c in snapshot.evidence.checks if c.name == "left_out_columns")
    assert check.value == 1
    assert name in check.why


@pytest.mark.parametrize(
    ("name", "values", "modality"),
    [
        ("reading_no", [f"{i}.25" for i in range(N)], "numeric"),  # a measurement
        ("income", [i * i for i in range(N)], "numeric"),
        ("user_id", [i % 7 for i in range(N)], "numeric"),
        ("when", [f"2024-01-01 00:{i:02d}" for i in range(N)], "timestamp"),
        ("flag", cycle("Y", ""), "category"),
    ],
)
def test_measurements_are_not_taken_for_identifiers(tmp_path, name, values, modality):
    assert column_of(tmp_path, values, name)[::2][:2] == (modality, "feature")


def test_duplicated_rows_do_not_hide_an_identifier(tmp_path):
    table = pa.table({"x": [0.5, 1.5] * 50, "k": [*range(99), 98], "y": ["a", "b"] * 50})
    snapshot, _ = taken(tmp_path, table)
    assert snapshot.layout.column("k").modality == "identifier"


def test_sentences_are_text_and_repeated_phrases_are_not(tmp_path):
    sentences = [f"the {i} brown foxes jump over {i * 7}" for i in range(N)]
    assert column_of(tmp_path, sentences)[0] == "text"
    assert column_of(tmp_path, cycle("not in family", "head of house"))[0] == "category"


def test_members_that_repeat_are_a_set(tmp_path):
    genres = ["Comedy", "Drama", "War", "Crime", "Sport"]
    values = [f"{genres[i % 5]}|{genres[(i // 5) % 5]}" for i in range(N)]
    assert column_of(tmp_path, values)[0] == "set"
    assert column_of(tmp_path, [f"Town{i % 30}, TX" for i in range(N)])[0] == "category"


def test_what_the_spec_says_wins(tmp_path):
    table = text(
        code=[f"K-{i}" for i in range(N)], z=cycle("1", "2"), w=cycle("1.5", "2"), y=LABELS
    )
    snapshot, _ = taken(
        tmp_path, table, features={"code": "category", "z": "category", "w": "exclude"}
    )
    found = {c.name: (c.modality, c.role) for c in snapshot.layout.columns}
    assert found["code"] == ("category", "feature")
    assert found["z"] == ("category", "feature")
    assert found["w"][1] == "left_out"


@pytest.mark.parametrize("said", ["numeric", "timestamp", "text", "set", "image", "audio"])
def test_a_modality_that_a_type_cannot_have(tmp_path, said):
    table = pa.table({"x": [0.5, 1.5] * 20, "c": pa.array([[1, 2]] * N), "y": LABELS})
    message = refused(tmp_path, table, features={"c": said})
    assert f"the values of a column declared {said} are that" in message


def test_a_column_that_nothing_reads_is_not_stored_but_named(tmp_path):
    table = pa.table({"x": [0.5, 1.5] * 20, "c": pa.array([b"no picture"] * N), "y": LABELS})
    snapshot, rows = taken(tmp_path, table)
    assert rows.column_names == [c.name for c in snapshot.layout.columns] == ["x", "y"]
    assert "c" in [row[0] for row in snapshot.evidence.tables["columns"].rows]
    assert "no modality recognises" in refused(tmp_path / "n", table, sensitive=["c"])


def test_arrow_types_are_widened(tmp_path):
    table = pa.table(
        {
            "i": pa.array(range(N), pa.int8()).cast(pa.int8()),
            "f": pa.array(np.arange(N) / 4, pa.float32()),
            "d": pa.array([i // 2 for i in range(N)], pa.date32()),
            "k": pa.array(cycle("a", "b")).dictionary_encode(),
            "s": pa.array([{"deep": 1}] * N),
            "l": pa.array([["a", "b"]] * N),
            "y": LABELS,
        }
    )
    snapshot, rows = taken(tmp_path, table, features={"i": "numeric"})
    types = {field.name: str(field.type) for field in rows.schema}
    assert types == {
        "i": "int64",
        "f": "double",
        "d": "timestamp[us]",
        "k": "string",
        "l": "string",
        "y": "string",
    }
    check = next(c for c in snapshot.evidence.checks if c.name == "left_out_columns")
    assert "s (unreadable: no modality reads columns of type struct<deep: int64>)" in check.why


# ---------------------------------------------------------------- the target


@pytest.mark.parametrize(
    ("values", "task", "classes", "arrow_type"),
    [
        (cycle("b", "a"), "classification", ["a", "b"], "string"),
        (cycle("10", "9", "1"), "classification", ["1", "9", "10"], "int64"),
        (cycle("1.0", "0.0"), "classification", ["0", "1"], "int64"),
        (cycle("true", "false"), "classification", ["false", "true"], "bool"),
        (cycle("None", "mild"), "classification", ["None", "mild"], "string"),
        (range(N), "regression", [], "double"),
        (cycle("0.5", "1.5"), "regression", [], "double"),
    ],
)
def test_the_task_is_told_from_the_target(tmp_path, values, task, classes, arrow_type):
    snapshot, rows = taken(tmp_path, text(y=values))
    assert (snapshot.layout.task, snapshot.layout.classes) == (task, classes)
    assert str(rows.schema.field("y").type) == arrow_type


def test_the_task_that_is_said_wins(tmp_path):
    snapshot, _ = taken(tmp_path, text(y=cycle("0", "1")), task="regression")
    assert snapshot.layout.task == "regression"
    snapshot, rows = taken(tmp_path, text(y=cycle("0.5", "10.5", "9")), task="classification")
    assert snapshot.layout.classes == ["0.5", "9", "10.5"]
    assert set(rows.column("y").to_pylist()) == {"0.5", "9", "10.5"}


def test_rows_without_a_target_are_dropped_and_said(tmp_path):
    snapshot, rows = taken(tmp_path, text(y=cycle("a", "b", "", "a")))
    assert rows.num_rows == 30
    assert any("10 rows have no value of the target y" in note for note in snapshot.evidence.notes)
    values = {check.name: check.value for check in snapshot.evidence.checks}
    assert values == {
        "num_rows": 30, "unreadable_rows": 0, "left_out_columns": 0, "alike_classes": 0,
    }  # fmt: skip


def test_classes_that_only_their_spelling_tells_apart_are_named(tmp_path):
    snapshot, _ = taken(tmp_path, text(y=cycle("yes", "Yes", "YES.", "no", "A", "a")))
    check = next(c for c in snapshot.evidence.checks if c.name == "alike_classes")
    assert check.value == 2
    assert "'YES.', 'Yes', 'yes'" in check.why
    assert "'A'" not in check.why
    assert judged(check, Gates().alike_classes).outcome == "warn"
    number, _ = taken(tmp_path, text(y=cycle("0.5", "1.5", "2.5")))
    assert "alike_classes" not in {c.name for c in number.evidence.checks}


def test_the_positive_class_is_said_and_can_be_chosen(tmp_path):
    snapshot, _ = taken(tmp_path, text(y=cycle("fraud", "ok")))
    assert snapshot.layout.classes == ["fraud", "ok"]
    said = " ".join(snapshot.evidence.notes)
    assert "ok is the positive class" in said
    assert 'data.order: ["ok", "fraud"] where fraud is the one to find' in said
    turned, _ = taken(tmp_path, text(y=cycle("fraud", "ok")), order=["ok", "fraud"])
    assert turned.layout.classes == ["ok", "fraud"]
    three, _ = taken(tmp_path, text(y=cycle("a", "b", "c")))
    assert "positive class" not in " ".join(three.evidence.notes)


def test_an_order_of_numbers_or_booleans_needs_no_quotes(tmp_path):
    snapshot, _ = taken(tmp_path, text(y=cycle("0", "1")), order=[1, 0])
    assert snapshot.layout.classes == ["1", "0"]
    snapshot, _ = taken(tmp_path, text(y=cycle("true", "false")), order=[True, False])
    assert snapshot.layout.classes == ["true", "false"]
    with pytest.raises(BadInput, match="in quotes"):
        taken(tmp_path, text(y=cycle("yes", "no")), task="classification", order=[True, False])


def test_whole_numbers_are_classes_and_what_else_they_may_be_is_said(tmp_path):
    snapshot, _ = taken(tmp_path, text(y=cycle("1", "2", "3")))
    assert snapshot.layout.task == "classification"
    assert any("ordinal where they are steps, count" in n for n in snapshot.evidence.notes)


@pytest.mark.parametrize(
    ("values", "said", "message"),
    [
        (["a"] * N, {}, "at least two classes"),
        ([""] * N, {}, "no value in any row"),
        ([f"n{i}" for i in range(N)], {}, "40 levels in 40 rows"),
        (cycle("a", "b"), {"task": "regression"}, "values such as 'a', 'b'"),
        (["1.5"] * N, {}, "at least two classes or values"),
        ([f"2024-01-{1 + i % 20}" for i in range(N)], {}, "values of type timestamp"),
    ],
)
def test_a_target_that_cannot_be_learnt(tmp_path, values, said, message):
    assert message in refused(tmp_path, text(y=values), **said)


def test_no_feature_left(tmp_path):
    table = pa.table({"k": [f"K{i}" for i in range(N)], "y": LABELS})
    message = refused(tmp_path, table)
    assert "at least one column is left" in message
    assert "k (left_out: a code" in message


def test_contradictions_of_the_spec_are_reported_together(tmp_path):
    table = text(empty=[""] * N, words=cycle("a", "b"), y=["same"] * N)
    message = refused(tmp_path, table, features={"empty": "numeric", "words": "numeric"})
    assert message.startswith("3 mistakes")
    assert "data.features.empty: a column declared numeric has values" in message
    assert "'a'" in message


# ---------------------------------------------------------------- the split column


def test_a_split_column_is_no_feature_even_if_listed(tmp_path):
    split = SplitSpec(strategy="column", column="part")
    table = text(part=cycle("Train", "test", "VALID"), y=LABELS)
    snapshot, rows = taken(tmp_path, table, split=split, features={"part": "category"})
    assert snapshot.layout.column("part").role == "split"
    assert rows.column("part").to_pylist()[:3] == ["train", "test", "valid"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["train"] * N, "no row of test"),
        (["test"] * N, "no row of train"),
        (cycle("train", "test", "holdout"), "holdout"),
        (cycle("train", "test", ""), "no value"),
        (cycle("0", "1"), "0, 1"),
    ],
)
def test_a_split_column_that_does_not_divide(tmp_path, values, message):
    split = SplitSpec(strategy="column", column="part")
    assert message in refused(tmp_path, text(part=values, y=LABELS), split=split)


def test_group_and_time_columns_keep_their_role(tmp_path):
    table = text(who=cycle("ann", "bob", "cid"), day=cycle("2024-01-01", "2024-01-02"), y=LABELS)
    grouped, _ = taken(tmp_path, table, split=SplitSpec(strategy="group", column="who"))
    assert grouped.layout.named("group") == ["who"]
    timed, _ = taken(tmp_path, table, split=SplitSpec(strategy="time", column="day"))
    assert timed.layout.named("time") == ["day"]
    message = refused(tmp_path / "n", table, split=SplitSpec(strategy="time", column="who"))
    assert "a time column holds times or numbers" in message


# ---------------------------------------------------------------- images


def png(shade):
    file = io.BytesIO()
    Image.new("L", (8, 8), shade).save(file, "PNG")
    return file.getvalue()


def pictures(contents):
    n = len(contents)
    return pa.table(
        {
            "label": [str(i % 2) for i in range(n)],
            "index": [str(i) for i in range(n)],
            "path": [f"{i}.png" for i in range(n)],
            "image": pa.array(contents, pa.binary()),
        }
    )


KINDS = {"label": "category", "index": "category", "path": "metadata", "image": "image"}


def test_broken_images_go_to_quarantine(tmp_path):
    contents = [png(i) for i in range(20)]
    contents[3], contents[4], contents[5] = b"", b"no image", png(1)[:45]
    data = Data(source="s", target="label")
    source = Handed(pictures(contents), KINDS, [("big.png", "too big")])
    store = LocalStore(tmp_path)
    snapshot = ingest(source, data, SplitSpec(), store)
    assert snapshot.rows.num_rows == 17
    roles = {c.name: c.role for c in snapshot.layout.columns}
    assert roles == {"label": "target", "index": "metadata", "path": "metadata", "image": "feature"}
    assert snapshot.layout.classes == ["0", "1"]
    check = next(c for c in snapshot.evidence.checks if c.name == "unreadable_rows")
    assert check.value == pytest.approx(4 / 21)
    assert snapshot.quarantine is not None
    kept = store.table(snapshot.quarantine).to_pylist()
    assert [row["path"] for row in kept] == ["big.png", "3.png", "4.png", "5.png"]
    assert kept[1]["reason"] == "an empty file"


def test_images_in_a_table_are_recognised_by_their_bytes(tmp_path):
    table = pictures([png(i) for i in range(20)]).drop_columns(["path"])
    snapshot, _ = taken(tmp_path, table, target="label")
    assert snapshot.layout.column("image").modality == "image"


def test_all_images_broken(tmp_path):
    message = refused(tmp_path, pictures([b"x"] * 20), target="label", kinds=KINDS)
    assert "20 unreadable" in message


def test_a_class_whose_records_are_all_broken_is_told_by_name(tmp_path):
    table = pictures([png(i) for i in range(20)])
    labels = pa.array(["a", "b", "gone", "b"] * 5)
    broken = pa.array([b"x" if name == "gone" else png(1) for name in labels.to_pylist()])
    table = table.set_column(table.column_names.index("label"), "label", labels)
    table = table.set_column(table.column_names.index("image"), "image", broken)
    snapshot, _ = taken(tmp_path, table, target="label", kinds=KINDS)
    assert snapshot.layout.classes == ["a", "b"]
    assert any("gone (5)" in note for note in snapshot.evidence.notes)
    two = table.filter(pc.not_equal(table["label"], "b"))
    message = refused(tmp_path / "two", two, target="label", kinds=KINDS)
    assert "one value in all rows but 5 unreadable ones" in message


def test_a_number_in_a_path_can_be_a_regression(tmp_path):
    table = pictures([png(i) for i in range(20)])
    snapshot, _ = taken(tmp_path, table, target="index", task="regression", kinds=KINDS)
    assert snapshot.layout.task == "regression"


# ---------------------------------------------------------------- the whole


def test_equal_rows_make_an_equal_snapshot_however_they_come(tmp_path):
    table = text(c=cycle("1,5", "2,5"), y=LABELS)
    one, _ = taken(tmp_path, table)
    two, _ = taken(tmp_path, pa.table(table.slice(0, N)).combine_chunks())
    assert one.rows == two.rows
    assert one.fingerprint == two.fingerprint


def test_no_scratch_file_stays(tmp_path):
    taken(tmp_path, text(y=LABELS))
    assert not list((tmp_path / "scratch" / "ingest").iterdir())


def test_evidence_is_complete(tmp_path):
    snapshot, _ = taken(tmp_path, text(y=LABELS))
    table = snapshot.evidence.tables["columns"]
    assert [row[0] for row in table.rows] == ["x", "y"]
    figure = snapshot.evidence.figures["target"]
    assert (figure.series[0].x, figure.series[0].y) == (["no", "yes"], [20, 20])


def test_names_are_checked_before_anything_is_read():
    data = Data(source="s", target="incme", sensitive=["Sex"], features={"zz9": "numeric"})
    with pytest.raises(BadInput) as caught:
        check_columns(["income", "sex"], data, SplitSpec(strategy="group"))
    remedies = [mistake.remedy for mistake in caught.value.mistakes]
    assert remedies[:3] == [
        "did you mean income?",
        "did you mean sex?",
        "columns: income, sex",
    ]
    assert len(remedies) == 4


@pytest.mark.parametrize(
    ("split", "said"),
    [
        (SplitSpec(strategy="column", column="y"), "the target does not divide the rows"),
        (SplitSpec(column="x"), "split.column goes with"),
        (SplitSpec(strategy="time"), "needs split.column"),
        (SplitSpec(strategy="time", column="z"), "no column 'z'"),
    ],
)
def test_a_split_that_contradicts_itself(split, said):
    with pytest.raises(BadInput, match=said):
        check_columns(["x", "y"], Data(source="s", target="y"), split)


@pytest.mark.parametrize("as_lists", [False, True])
def test_sets_are_read_as_such_written_or_as_lists(tmp_path, as_lists):
    words = ["Comedy", "Drama", "War", "Crime", "Sport"]
    genres = [f"{words[i % 5]}|{words[(i // 5) % 5]}" for i in range(200)]
    column = [cell.split("|") for cell in genres] if as_lists else genres
    snapshot, rows = taken(tmp_path, pa.table({"genres": column, "y": ["a", "b"] * 100}))
    column = snapshot.layout.column("genres")
    assert (column.modality, column.role) == ("set", "feature")
    assert rows["genres"].to_pylist() == genres


def test_ordered_classes_keep_the_order_that_is_said(tmp_path):
    table = text(y=cycle("good", "bad", "best", "fair"))
    order = ["bad", "fair", "good", "best"]
    snapshot, _ = taken(tmp_path, table, task="ordinal", order=order)
    assert (snapshot.layout.task, snapshot.layout.classes) == ("ordinal", order)


@pytest.mark.parametrize(
    ("y", "said", "message"),
    [
        (cycle("low", "high"), {"task": "ordinal"}, "data.order is empty"),
        (cycle("low", "high"), {"task": "ordinal", "order": ["low", "top"]}, "name: high"),
        (
            cycle("a", "b", "c"),
            {"order": ["c", "b", "a"]},
            "order is for two classes or for data.task",
        ),
        (cycle("low", "high"), {"order": ["low", "hi"]}, "found are high, low"),
        (cycle("1.5", "2"), {"task": "count"}, "values with decimals, such as 1.5"),
        (cycle("-1", "2", "3"), {"task": "count"}, "negative values, down to -1"),
    ],
)
def test_a_target_that_its_task_cannot_predict(tmp_path, y, said, message):
    assert message in refused(tmp_path, text(y=y), **said)


@pytest.mark.parametrize("as_lists", [False, True])
def test_several_labels_in_a_row_are_refused_by_name(tmp_path, as_lists):
    names = ["spam", "sale", "news", "work", "kids"]
    rows = [[names[i % 5], names[i * 7 % 4 + 1]] for i in range(N)]
    y = pa.array(rows) if as_lists else pa.array(["|".join(row) for row in rows])
    said = refused(tmp_path, pa.table({"x": np.arange(N) / 3, "y": y}))
    assert "multi-label targets are not predicted" in said
    assert "a pipeline for each" in said


def test_a_weight_is_no_feature(tmp_path):
    snapshot, rows = taken(tmp_path, text(w=cycle("1", "2.5"), y=LABELS), weight="w")
    assert snapshot.layout.named("weight") == ["w"]
    assert [column.name for column in snapshot.layout.features] == ["x"]
    assert rows["w"].to_pylist()[:2] == [1.0, 2.5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (cycle("1", "-2", ""), "13 rows without one, 13 negative ones"),
        (cycle("inf", "1"), "20 rows without one"),
        (["0"] * N, "0 in every row"),
        (cycle("a", "b"), "weight is a finite number"),
    ],
)
def test_a_weight_that_weighs_nothing(tmp_path, values, message):
    assert message in refused(tmp_path, text(w=values, y=LABELS), weight="w")


def test_a_weight_has_no_other_use(tmp_path):
    said = refused(tmp_path, text(w=cycle("1", "2"), y=LABELS), weight="w", sensitive=["w"])
    assert "the weight is a column of its own" in said


def test_ratings_are_numbers(tmp_path):
    who = [f"u{i % 7}" for i in range(N)]
    table = text(y=LABELS, who=who, liked=["yes", "so so"] * (N // 2))
    with pytest.raises(BadInput, match=r"data\.feedback: liked: a rating") as found:
        taken(tmp_path, table, task="ranking", user="who", feedback="liked")
    assert "1 and 0" in found.value.message
