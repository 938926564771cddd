import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.records import Column, Layout, Snapshot
from penstock.spec import SplitSpec
from penstock.stages.split import split

PARTS = ("train", "valid", "test")


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def make(store, columns, target="y", task="classification", roles=None):
    table = pa.table(columns)
    roles = {target: "target", "row": "metadata"} | (roles or {})
    layout = Layout(
        columns=[
            Column(
                name=name,
                modality="numeric" if pa.types.is_floating(column.type) else "category",
                arrow_type=str(column.type),
                role=roles.get(name, "feature"),
            )
            for name, column in zip(table.column_names, table.columns, strict=True)
        ],
        target=target,
        task=task,
        classes=sorted(set(map(str, columns[target]))) if task == "classification" else [],
    )
    return Snapshot(rows=store.keep_table(table), layout=layout, source="test")


def people(n=200, seed=0, **more):
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.25, "yes", "no")
    return {"row": np.arange(n), "a": rng.normal(size=n), "y": y, **more}


def rows_of(parts, store, column="row"):
    return [store.table(getattr(parts, name))[column].to_pylist() for name in PARTS]


def check(parts, name):
    return next(c for c in parts.evidence.checks if c.name == name)


def test_every_row_is_in_one_part_in_its_order_with_the_asked_shares(store):
    parts = split(make(store, people()), SplitSpec(), store)
    train, valid, test = rows_of(parts, store)
    assert (len(train), len(valid), len(test)) == (140, 20, 40)
    assert sorted(train + valid + test) == list(range(200))
    assert all(part == sorted(part) for part in (train, valid, test))
    balance = [rows.count("yes") / len(rows) for rows in rows_of(parts, store, "y")]
    assert max(balance) - min(balance) <= 0.03
    table = parts.evidence.tables["parts"]
    assert table.columns == ["part", "rows", "share of no", "share of yes"]
    assert [row[1] for row in table.rows] == [140, 20, 40]


def test_the_seed_decides(store):
    snapshot = make(store, people())
    one = split(snapshot, SplitSpec(seed=1), store)
    assert split(snapshot, SplitSpec(seed=1), store).fingerprint == one.fingerprint
    assert split(snapshot, SplitSpec(seed=2), store).fingerprint != one.fingerprint


def test_a_regression_is_divided_at_random(store):
    columns = people() | {"y": np.random.default_rng(0).normal(size=200)}
    parts = split(make(store, columns, task="regression"), SplitSpec(), store)
    assert [len(rows) for rows in rows_of(parts, store)] == [140, 20, 40]
    assert "median" in parts.evidence.tables["parts"].columns


def test_equal_rows_stay_on_one_side(store):
    columns = people()
    for name in ("a", "y"):
        columns[name][100:140] = columns[name][:40]
    parts = split(make(store, columns), SplitSpec(), store)
    side = {row: part for part, rows in enumerate(rows_of(parts, store)) for row in rows}
    assert all(side[row] == side[row + 100] for row in range(40))
    assert check(parts, "equal_rows").value == 0


def test_a_table_of_few_different_rows_is_no_leak_and_is_told(store):
    columns = people()
    columns["a"] = np.round(columns["a"])
    parts = split(make(store, columns), SplitSpec(), store)
    assert [len(rows) for rows in rows_of(parts, store)] == [140, 20, 40]
    found = check(parts, "equal_rows")
    assert (found.low, found.burden) == (0, "disprove")
    assert any("few different rows" in note for note in parts.evidence.notes)


def test_rare_classes_are_in_train_and_are_told(store):
    columns = people()
    columns["y"] = columns["y"].astype("<U4")
    columns["y"][:1], columns["y"][1:3] = "once", "two"
    parts = split(make(store, columns), SplitSpec(), store)
    assert {"once", "two"} <= set(rows_of(parts, store, "y")[0])
    assert any("once" in note and "test" in note for note in parts.evidence.notes)


def test_whole_groups_stand_on_one_side(store):
    group = np.random.default_rng(1).integers(0, 25, 200).astype(str).astype(object)
    group[:5] = None
    snapshot = make(store, people(who=pa.array(group)), roles={"who": "group"})
    parts = split(snapshot, SplitSpec(strategy="group", column="who"), store)
    train, valid, test = (set(rows) for rows in rows_of(parts, store, "who"))
    assert not train & valid | train & test | valid & test
    sizes = [len(rows) for rows in rows_of(parts, store)]
    assert np.abs(np.array(sizes) / 200 - [0.7, 0.1, 0.2]).max() < 0.05
    assert check(parts, "group_overlap").value == 0
    assert any("5 rows have no who" in note for note in parts.evidence.notes)


def test_a_group_on_both_sides_is_counted_and_named(store):
    fold = ["train"] * 100 + ["test"] * 100
    who = [f"w{i}" for i in range(99)] + ["both", "both"] + [f"v{i}" for i in range(99)]
    snapshot = make(store, people(fold=fold, who=who), roles={"fold": "split", "who": "group"})
    parts = split(snapshot, SplitSpec(strategy="column", column="fold"), store)
    found = check(parts, "group_overlap")
    # "both" is in train (or in valid, carved from it) and in test
    assert found.value == 1
    assert "both" in found.why


def test_the_latest_rows_are_test_and_equal_times_stay_together(store):
    day = np.random.default_rng(0).integers(0, 30, 200)
    times = [dt.datetime(2024, 1, 1) + dt.timedelta(days=int(d)) for d in day]
    snapshot = make(store, people(when=times), roles={"when": "time"})
    parts = split(snapshot, SplitSpec(strategy="time", column="when"), store)
    train, valid, test = rows_of(parts, store, "when")
    assert max(train) < min(valid) <= max(valid) < min(test)
    assert abs(len(test) - 40) <= 10
    assert check(parts, "time_overlap").value == 0


def test_a_split_column_is_followed_whatever_its_case(store):
    fold = ["Train "] * 120 + ["VALID"] * 30 + ["test"] * 50
    snapshot = make(store, people(fold=fold), roles={"fold": "split"})
    parts = split(snapshot, SplitSpec(strategy="column", column="fold"), store)
    assert rows_of(parts, store)[1] == list(range(120, 150))


def test_valid_is_carved_from_train_when_the_column_names_none(store):
    fold = ["train"] * 150 + ["test"] * 50
    snapshot = make(store, people(fold=fold), roles={"fold": "split"})
    parts = split(snapshot, SplitSpec(strategy="column", column="fold"), store)
    train, valid, test = rows_of(parts, store)
    assert (len(train), len(valid)) == (135, 15)
    assert test == list(range(150, 200))


def test_test_rows_that_stand_in_train_are_measured(store):
    columns = people(fold=["train"] * 150 + ["test"] * 50)
    for name in ("a", "y"):
        columns[name][150:160] = columns[name][:10]
    snapshot = make(store, columns, roles={"fold": "split"})
    spec = SplitSpec(strategy="column", column="fold", valid=0.01)
    found = check(split(snapshot, spec, store), "equal_rows")
    assert found.value == pytest.approx(0.2, abs=0.04)
    assert found.low < found.value < found.high


def test_parts_that_differ_are_told(store):
    columns = people(400, fold=["train"] * 300 + ["test"] * 100)
    columns["a"][300:] += 3
    snapshot = make(store, columns, roles={"fold": "split"})
    parts = split(snapshot, SplitSpec(strategy="column", column="fold"), store)
    assert check(parts, "part_difference").low > 0.9
    alike = split(make(store, people(400)), SplitSpec(), store)
    assert check(alike, "part_difference").low < 0.6


def test_a_noisy_copy_of_the_label_is_refused_by_its_name(store):
    columns = people(1500)
    rng = np.random.default_rng(0)
    columns["b"] = columns["a"] + rng.normal(size=1500)
    columns["y"] = np.where(columns["a"] + rng.normal(size=1500) > 0, "yes", "no")
    other = np.where(columns["y"] == "yes", "no", "yes")
    columns["leak"] = np.where(rng.random(1500) < 0.2, other, columns["y"])
    parts = split(make(store, columns), SplitSpec(), store)
    found = check(parts, "telltale_column")
    assert (found.value, found.subject) == (1, "leak")
    assert "leak: ROC AUC" in found.why
    table = parts.evidence.tables["columns_alone"]
    flagged = {row[0]: row[-1] for row in table.rows}
    assert flagged == {"leak": "copy", "a": "", "b": ""}
    del columns["leak"]
    clean = check(split(make(store, columns), SplitSpec(), store), "telltale_column")
    assert (clean.value, clean.subject) == (0, "")


def test_a_table_of_images_only_is_divided(store):
    snapshot = make(store, {k: v for k, v in people().items() if k != "a"} | {"i": ["key"] * 200})
    image = {"modality": "image", "arrow_type": "binary"}
    columns = [c.model_copy(update=image if c.name == "i" else {})
               for c in snapshot.layout.columns]  # fmt: skip
    layout = snapshot.layout.model_copy(update={"columns": columns})
    parts = split(snapshot.model_copy(update={"layout": layout}), SplitSpec(), store)
    names = [c.name for c in parts.evidence.checks]
    assert names == ["equal_rows", "near_copies", "telltale_column"]
    assert "none can carry y" in check(parts, "telltale_column").why


@pytest.mark.parametrize(
    ("columns", "spec", "words"),
    [
        ({}, {"strategy": "group"}, ["split.column", "nothing", "row, a, y"]),
        ({}, {"strategy": "time", "column": "no"}, ["'no'"]),
        ({}, {"strategy": "group", "column": "y"}, ["does not depend on the target"]),
        ({}, {"test": 0.6, "valid": 0.4}, ["leave rows for train"]),
        ({"c": ["train"] * 200}, {"strategy": "column", "column": "c"}, ["no test"]),
        (
            {"c": ["dev", None] + ["test"] * 198},
            {"strategy": "column", "column": "c"},
            ["'dev' in 1 rows", "null in 1 rows", "no train"],
        ),
        ({"c": ["u", "v"] * 100}, {"strategy": "group", "column": "c"}, ["three groups", "2 in"]),
        ({"c": [1.0] * 200}, {"strategy": "time", "column": "c"}, ["three different times"]),
        ({"c": ["u"] * 200}, {"strategy": "time", "column": "c"}, ["timestamps or numbers"]),
        (
            {"c": [None, *range(199)]},
            {"strategy": "time", "column": "c"},
            ["1 rows without", "quarantine"],
        ),
        ({"y": [None] + ["u", "v"] * 99 + ["u"]}, {}, ["every row has its target"]),
        ({"y": ["u"] * 200}, {}, ["at least two classes"]),
    ],
)
def test_what_cannot_be_followed_is_bad_input_that_says_what_to_do(store, columns, spec, words):
    with pytest.raises(BadInput) as error:
        split(make(store, people(**columns)), SplitSpec(**spec), store)
    for word in words:
        assert word in error.value.message
    assert not list((store.root / "unfinished").iterdir())


def test_progress_is_told(store):
    steps = []
    split(make(store, people()), SplitSpec(), store, lambda *step: steps.append(step[:2]))
    assert steps[-1] == (4, 4)


def test_a_text_that_says_the_label_is_named(store):
    columns = people(400)
    said = [f"order {n} was closed as {y} by us" for n, y in enumerate(columns["y"])]
    snapshot = make(store, columns | {"note": said, "body": [f"word {n % 7}" for n in range(400)]})
    texts = [
        c.model_copy(update={"modality": "text"}) if c.name in ("note", "body") else c
        for c in snapshot.layout.columns
    ]
    layout = snapshot.layout.model_copy(update={"columns": texts})
    parts = split(snapshot.model_copy(update={"layout": layout}), SplitSpec(), store)
    found = check(parts, "telltale_words")
    assert found.value == 1
    assert "in note 'no' tells" in found.why or "in note 'yes' tells" in found.why
    assert "body" not in found.why
    assert "data.features.note: exclude" in found.remedy
    honest = split(make(store, people()), SplitSpec(), store)
    assert "telltale_words" not in {c.name for c in honest.evidence.checks}
