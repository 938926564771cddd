"""Great Expectations behind its door: what it answers, and that it leaves nothing behind."""

from __future__ import annotations

import tempfile
import warnings
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from penstock.adapters.expectations import GreatExpectations
from penstock.vocabulary import VOCABULARY

BETWEEN = "expect_column_values_to_be_between"
OF_TYPE = "expect_column_values_to_be_of_type"


LOW = [0, 2, 4]
"""Rows whose town has fewer than four letters."""


def expect(kind, severity="error", quarantine=False, **kwargs):
    return {
        "type": kind,
        "kwargs": kwargs,
        "meta": {"severity": severity, "quarantine": quarantine},
    }


def one(table, expectation):
    return GreatExpectations().run(table, [expectation])[0]


@pytest.fixture
def table():
    return pa.table(
        {
            "age": pa.array([20, None, -1, 130, 40, 50], pa.int64()),
            "ratio": pa.array([0.5, 0.25, None, float("nan"), 2.0, 0.1]),
            "town": pa.array(["Ulm", "Bonn", "Ulm", None, "", "Köln"]).dictionary_encode(),
            'odd "name`': pa.array([True, False, None, True, True, True]),
            "day": pa.array([date(2020, 1, 1) + timedelta(days=n) for n in range(6)]),
            "seen": pa.array(
                [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(6)],
                pa.timestamp("ms", "Europe/Berlin"),
            ),
            "photo": pa.array([b"\x89PNG", None, b"\xff", b"", b"1", b"2"]),
            "small": pa.array([1, 2, 3, 4, 5, 200], pa.uint8()),
        }
    )


@pytest.mark.parametrize(
    ("expectation", "rows"),
    [
        (expect("expect_column_values_to_not_be_null", column="age"), [1]),
        (expect("expect_column_values_to_not_be_null", column="ratio"), [2, 3]),
        (expect("expect_column_values_to_not_be_null", column="photo"), [1]),
        (expect(BETWEEN, column="age", min_value=0, max_value=120), [2, 3]),
        (expect(BETWEEN, column="ratio", max_value=1), [4]),
        (expect(BETWEEN, column="small", max_value=99), [5]),
        (expect(BETWEEN, column="day", min_value="2020-01-02", max_value="2020-01-05"), [0, 5]),
        (expect(BETWEEN, column="seen", min_value="2020-01-02", max_value="2020-01-05"), [0, 4, 5]),
        (expect(BETWEEN, column="seen", min_value="2020-01-02T00:00:00Z"), [0]),
        (expect("expect_column_values_to_be_in_set", column="town", value_set=["Ulm"]), [1, 4, 5]),
        (expect("expect_column_values_to_be_in_set", column="age", value_set=[20, 40, 50]), [2, 3]),
        (expect("expect_column_values_to_match_regex", column="town", regex="^[A-Z]"), [4]),
        (expect("expect_column_value_lengths_to_be_between", column="town", min_value=4), LOW),
        (expect("expect_column_values_to_be_unique", column="town"), [0, 2]),
        (expect("expect_column_values_to_be_in_set", column='odd "name`', value_set=[True]), [1]),
    ],
)  # fmt: skip
def test_failing_rows_are_positions(table, expectation, rows):
    result = one(table, expectation)
    assert result["exception"] == ""
    assert not result["success"]
    assert result["failed_rows"].tolist() == rows
    assert result["observed"].startswith(f"{len(rows)} of 6 rows")


def test_order_and_words_of_equal_expectations_are_kept(table):
    suite = [
        expect(BETWEEN, "warning", True, column="age", max_value=200),
        expect("expect_table_row_count_to_be_between", min_value=10),
        expect(OF_TYPE, column="age", type_="int64"),
        expect(BETWEEN, "warning", True, column="age", max_value=200),
        expect(BETWEEN, "error", False, column="age", max_value=20),
    ]
    results = GreatExpectations().run(table, suite)
    assert [result["success"] for result in results] == [True, False, True, True, False]
    assert [result["type"] for result in results] == [one["type"] for one in suite]
    assert [result["severity"] for result in results[:2]] == ["warning", "error"]
    assert [result["quarantine"] for result in results[:2]] == [True, False]
    assert results[1]["observed"] == "6"
    assert results[1]["failed_rows"] is None


def test_mostly_lets_few_rows_pass_and_still_names_them(table):
    result = one(table, expect(BETWEEN, column="age", min_value=0, max_value=200, mostly=0.7))
    assert result["success"]
    assert result["failed_rows"].tolist() == [2]


def test_quantiles_are_held_and_shown(table):
    ranges = {"quantiles": [0.0, 1.0], "value_ranges": [[-1, -1], [None, 100]]}
    result = one(
        table,
        expect("expect_column_quantile_values_to_be_between", column="age", quantile_ranges=ranges),
    )
    assert not result["success"]
    assert result["observed"] == "0: -1, 1: 130"


@pytest.mark.parametrize(
    "expectation",
    [
        expect(BETWEEN, column="absent", min_value=0),
        expect(BETWEEN, column="town", min_value=0),
        expect(BETWEEN, column="age", min_value=9, max_value=1),
        expect(BETWEEN, column="seen", min_value="yesterday-ish"),
        expect(OF_TYPE, column="absent", type_="int64"),
        expect("expect_column_values_to_match_regex", column="town", regex="(["),
        expect("expect_nothing_that_exists", column="age"),
        expect("expect_column_values_to_be_in_set", column="age", value_set=5),
    ],
)
def test_what_cannot_be_computed_fails_closed_and_says_why(table, expectation):
    fine = expect("expect_column_to_exist", column="age")
    broken, other = GreatExpectations().run(table, [expectation, fine])
    assert not broken["success"]
    assert broken["exception"]
    assert broken["failed_rows"] is None
    assert other["success"]


@pytest.mark.parametrize(
    ("values", "asked", "misfits"),
    [
        (pa.array([1, None], pa.int32()), "int64", []),
        (pa.array([1.0, 2.5, None, 7.0]), "int64", [1]),
        (pa.array([1.0, float("nan"), float("inf")]), "int64", [2]),
        (pa.array([1, 2]), "double", []),
        (pa.array(["1", None, "2"]), "int64", [0, 2]),
        (pa.array([1, 2]), "string", [0, 1]),
        (pa.array(["a"], pa.large_string()), "object", []),
        (pa.array(["a"]).dictionary_encode(), "string", []),
        (pa.array([None, None]), "double", []),
        (pa.array([date(2020, 1, 1)]), "datetime64[ns]", []),
        (pa.array([True]), "int64", [0]),
    ],
)
def test_types_are_answered_from_the_arrow_schema(values, asked, misfits):
    result = one(pa.table({"x": values}), expect(OF_TYPE, column="x", type_=asked))
    assert result["failed_rows"].tolist() == misfits
    assert result["success"] == (not misfits)
    assert result["observed"].startswith(str(values.type))


def test_a_type_list_is_kept_by_any_of_its_types():
    table = pa.table({"x": [1.5, 2.0]})
    kind = "expect_column_values_to_be_in_type_list"
    assert one(table, expect(kind, column="x", type_list=["string", "double"]))["success"]
    assert not one(table, expect(kind, column="x", type_list=["string", "bool"]))["success"]


def test_large_whole_numbers_with_gaps_keep_their_last_digit():
    near = 2**60
    table = pa.table({"id": pa.array([near, near + 1, None, near + 2])})
    assert one(table, expect("expect_column_values_to_be_unique", column="id"))["success"]


def test_moments_beyond_nanoseconds_are_compared_too():
    moments = pa.array([datetime(2020, 1, 1), datetime(9999, 12, 31)], pa.timestamp("us"))
    result = one(pa.table({"x": moments}), expect(BETWEEN, column="x", max_value="2100-01-01"))
    assert result["failed_rows"].tolist() == [1]


def test_nothing_is_printed_logged_or_left_behind(table, tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GreatExpectations().run(table, [expect(BETWEEN, column="age", min_value=0)])
    assert list(tmp_path.iterdir()) == []
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_a_census_sized_table_takes_seconds():
    import time

    rng = np.random.default_rng(0)
    table = pa.table({f"x{k}": rng.integers(0, 100, 50_000) for k in range(15)})
    suite = [
        expectation
        for name in table.column_names
        for expectation in (
            expect("expect_column_values_to_not_be_null", column=name, mostly=0.98),
            expect(BETWEEN, column=name, min_value=0, max_value=100),
            expect("expect_column_values_to_be_in_set", column=name, value_set=list(range(100))),
            expect(OF_TYPE, column=name, type_="int64"),
        )
    ]
    GreatExpectations().run(table.slice(0, 10), suite[:1])
    started = time.process_time()
    assert all(result["success"] for result in GreatExpectations().run(table, suite))
    assert time.process_time() - started < 6


def test_the_vocabulary_is_that_of_the_installed_version():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations.expectations  # noqa: F401
        from great_expectations.expectations.registry import (
            get_expectation_impl,
            list_registered_expectation_implementations,
        )
    need_sql = {
        "expect_query_results_to_match_comparison",
        "expect_table_row_count_to_equal_other_table",
        "unexpected_rows_expectation",
    }
    names = set(list_registered_expectation_implementations())
    assert set(VOCABULARY) == names - need_sql
    for name, arguments in VOCABULARY.items():
        fields = get_expectation_impl(name).__fields__
        assert set(arguments) <= set(fields), name
        required = {word for word, field in fields.items() if field.required}
        assert required <= {word for word, needed in arguments.items() if needed}, name
