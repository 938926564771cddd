"""Validate: what is removed, what is measured, and what a person is told."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from penstock.adapters.store import LocalStore
from penstock.records import Column, Layout, Snapshot
from penstock.stages.validate import validate

BETWEEN = "expect_column_values_to_be_between"


class Judge:
    """Answers as it is told: failed rows, success and exception by position."""

    def __init__(self, *answers):
        self.answers = answers

    def run(self, table, suite):
        results = []
        for expectation, answer in zip(suite, self.answers, strict=True):
            rows = answer.get("rows")
            results.append(
                {
                    "type": expectation["type"],
                    "kwargs": expectation["kwargs"],
                    **expectation["meta"],
                    "success": answer["success"],
                    "observed": answer.get("observed", ""),
                    "failed_rows": None if rows is None else np.array(rows, np.int64),
                    "exception": answer.get("exception", ""),
                }
            )
        return results


def between(column="age", severity="error", quarantine=True, **kwargs):
    kwargs = {"column": column, "min_value": 0, "max_value": 120, **kwargs}
    return {
        "type": BETWEEN,
        "kwargs": kwargs,
        "meta": {"severity": severity, "quarantine": quarantine},
    }


def layout_of(table, task="classification", target="label"):
    columns = [
        Column(
            name=field.name,
            modality="category",
            arrow_type=str(field.type),
            role="target" if field.name == target else "feature",
        )
        for field in table.schema
    ]
    return Layout(columns=columns, target=target, task=task)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def people(n=10):
    return pa.table(
        {
            "age": list(range(n)),
            "town": ["Ulm", None] * (n // 2),
            "label": ["yes", "no"] * (n // 2),
        }
    )


def snapshot_of(store, table, **changes):
    layout = changes.pop("layout", None) or layout_of(table)
    return Snapshot(rows=store.keep_table(table), layout=layout, source="test", **changes)


def check(snapshot, name):
    return next(one for one in snapshot.evidence.checks if one.name == name)


def test_clean_rows_stay_the_same_file(store):
    before = snapshot_of(store, people())
    after = validate(before, [between()], Judge({"success": True, "rows": []}), store)
    assert after.rows == before.rows
    assert after.quarantine is None
    assert after.layout == before.layout
    assert check(after, "failed_expectations").value == 0
    assert check(after, "quarantined_rows").value == 0
    assert after.fingerprint == before.fingerprint


def test_bad_rows_go_to_quarantine_with_all_their_reasons(store):
    before = snapshot_of(store, people())
    contract = [between(), between("town", quarantine=False), between("label")]
    judge = Judge(
        {"success": False, "rows": [3, 1]},
        {"success": True, "rows": [5]},
        {"success": False, "rows": [3, 4]},
    )
    after = validate(before, contract, judge, store)
    assert store.table(after.rows)["age"].to_pylist() == [0, 2, 5, 6, 7, 8, 9]
    gone = store.table(after.quarantine)
    assert gone["age"].to_pylist() == [1, 3, 4]
    first, second = "age: to be between (0 to 120)", "label: to be between (0 to 120)"
    assert gone["_reason"].to_pylist() == [first, f"{first}; {second}", second]
    assert check(after, "quarantined_rows").value == pytest.approx(0.3)
    assert check(after, "failed_expectations").value == 0
    reasons = {row[0]: row[1] for row in after.evidence.tables["quarantine"].rows}
    assert reasons == {first: 1, second: 1, f"{first}; {second}": 1}


def test_mostly_is_the_border_between_bad_rows_and_a_bad_file(store):
    before = snapshot_of(store, people())
    contract = [between(mostly=0.9), between(quarantine=False), between(mostly=0.5)]
    judge = Judge(
        {"success": False, "rows": [1, 2], "observed": "2 of 10 rows"},
        {"success": False, "rows": [1], "observed": "1 of 10 rows"},
        {"success": True, "rows": [1]},
    )
    after = validate(before, contract, judge, store)
    failed = check(after, "failed_expectations")
    assert failed.value == 2
    assert (
        "age: to be between (0 to 120, in at least 90% of rows; found 2 of 10 rows)" in failed.why
    )
    outcomes = [row[2] for row in after.evidence.tables["expectations"].rows]
    assert outcomes == ["failed", "failed", "rows set aside"]
    assert store.table(after.quarantine)["age"].to_pylist() == [1, 2]


def test_severity_decides_which_check_counts_a_failure(store):
    before = snapshot_of(store, people())
    contract = [between(severity="warning", quarantine=False), between(quarantine=False)]
    judge = Judge({"success": False, "rows": [1]}, {"success": True, "rows": []})
    after = validate(before, contract, judge, store)
    assert check(after, "failed_warnings").value == 1
    assert check(after, "failed_expectations").value == 0


def test_an_expectation_that_could_not_be_computed_fails_closed(store):
    before = snapshot_of(store, people())
    judge = Judge({"success": False, "exception": "there is no column 'height'"})
    after = validate(before, [between("height")], judge, store)
    failed = check(after, "failed_expectations")
    assert failed.value == 1
    assert "there is no column 'height'" in failed.why
    assert after.rows == before.rows


def test_when_most_rows_are_bad_none_is_removed_and_the_share_says_so(store):
    before = snapshot_of(store, people())
    judge = Judge({"success": False, "rows": list(range(6))})
    after = validate(before, [between()], judge, store)
    assert after.rows == before.rows
    assert after.quarantine.num_rows == 6
    assert check(after, "quarantined_rows").value == pytest.approx(0.6)
    assert any("none was removed" in note for note in after.evidence.notes)


def test_without_a_contract_a_warning_is_counted(store):
    after = validate(snapshot_of(store, people()), [], Judge(), store)
    warning = check(after, "failed_warnings")
    assert warning.value == 1
    assert "no contract" in warning.why
    assert check(after, "failed_expectations").value == 0


def test_records_that_ingest_could_not_read_stay_in_the_quarantine(store):
    table = people().append_column("path", pa.array([str(n) for n in range(10)]))
    broken = store.keep_table(pa.table({"path": ["b.png"], "reason": ["no image"]}))
    before = snapshot_of(store, table, quarantine=broken)
    untouched = validate(before, [between()], Judge({"success": True, "rows": []}), store)
    assert untouched.quarantine == broken
    after = validate(before, [between()], Judge({"success": False, "rows": [7]}), store)
    gone = store.table(after.quarantine)
    assert gone["_path"].to_pylist() == ["b.png", None]
    assert gone["_reason"].to_pylist() == ["no image", "age: to be between (0 to 120)"]
    assert gone["path"].to_pylist() == [None, "7"]
    assert check(after, "quarantined_rows").value == pytest.approx(0.1)


def test_a_column_named_reason_of_the_data_is_not_overwritten(store):
    table = people().append_column("_reason", pa.array(["mine"] * 10))
    judge = Judge({"success": False, "rows": [0]})
    after = validate(snapshot_of(store, table), [between()], judge, store)
    gone = store.table(after.quarantine)
    assert gone["_reason"].to_pylist() == ["mine"]
    assert gone["_reason_"].to_pylist() == ["age: to be between (0 to 120)"]


def test_duplicates_and_contradictions_are_counted_and_kept(store):
    table = pa.table(
        {
            "a": [1, 1, 1, 2, 2, None, None],
            "b": [["x"], ["x"], ["x"], ["x", "y"], ["y", "x"], None, None],
            "label": ["yes", "yes", "no", "yes", "no", "no", "no"],
        }
    )
    after = validate(snapshot_of(store, table), [], Judge(), store)
    assert check(after, "duplicate_rows").value == pytest.approx(2 / 7)  # rows 1 and 6
    assert check(after, "conflicting_labels").value == pytest.approx(3 / 7)  # rows 0 to 2
    assert after.rows.num_rows == 7


def test_a_column_left_out_does_not_hide_a_duplicate(store):
    table = pa.table({"id": [1, 2], "a": [5, 5], "label": ["x", "x"]})
    layout = layout_of(table)
    columns = [layout.columns[0].model_copy(update={"role": "left_out"}), *layout.columns[1:]]
    layout = layout.model_copy(update={"columns": columns})
    after = validate(snapshot_of(store, table, layout=layout), [], Judge(), store)
    assert check(after, "duplicate_rows").value == 0.5


def test_numbers_as_target_have_no_conflicting_labels(store):
    table = pa.table({"a": [1, 1], "label": [0.5, 0.7]})
    layout = layout_of(table, task="regression")
    after = validate(snapshot_of(store, table, layout=layout), [], Judge(), store)
    names = [one.name for one in after.evidence.checks]
    assert "conflicting_labels" not in names
    assert any("not measured" in note for note in after.evidence.notes)


def test_the_figure_shows_what_is_missing_largest_first(store):
    table = people().append_column("ratio", pa.array([float("nan")] * 3 + [1.0] * 7))
    after = validate(snapshot_of(store, table), [], Judge(), store)
    bars = after.evidence.figures["missing"].series[0]
    shown = list(zip(bars.x, bars.y, strict=True))
    assert shown == [("town", 0.5), ("ratio", 0.3), ("age", 0.0), ("label", 0.0)]


def test_progress_is_told_to_the_end(store):
    told = []
    validate(
        snapshot_of(store, people()),
        [],
        Judge(),
        store,
        lambda done, total, note="": told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
