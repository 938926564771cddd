"""Row-level rules batch by batch, against Great Expectations on the whole table."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from penstock.adapters.expectations import GreatExpectations
from penstock.measure.contract import rules

ROWS = pa.table(
    {
        "i": pa.array([1, -5, None, 7, 2**40, 3]),
        "f": pa.array([0.5, float("nan"), None, -3.25, 1e9, 2.0]),
        "s": pa.array(["aa", "b1", None, "", "ccc", "aa"]),
        "k": pa.array(["x", "y", None, "x", "z", "x"]).dictionary_encode(),
        "b": pa.array([True, False, None, True, True, False]),
        "t": pa.array([datetime.datetime(2020, 1, d) for d in range(1, 7)], pa.timestamp("us")),
    }
)
KINDS = [
    ("expect_column_values_to_be_between", {"column": "i", "min_value": 0, "max_value": 7}),
    ("expect_column_values_to_be_between", {"column": "i", "min_value": 1, "strict_min": True}),
    ("expect_column_values_to_be_between", {"column": "f", "max_value": 2, "strict_max": True}),
    ("expect_column_values_to_be_between", {"column": "i", "max_value": 2.5}),
    ("expect_column_values_to_be_between", {"column": "t", "min_value": "2020-01-03"}),
    ("expect_column_values_to_be_in_set", {"column": "k", "value_set": ["x", "y"]}),
    ("expect_column_values_to_be_in_set", {"column": "i", "value_set": [1, 3, 7.0]}),
    ("expect_column_values_to_be_in_set", {"column": "b", "value_set": [True]}),
    ("expect_column_values_to_not_be_in_set", {"column": "i", "value_set": [-5, -9]}),
    ("expect_column_values_to_not_be_in_set", {"column": "f", "value_set": [2]}),
    ("expect_column_values_to_not_be_null", {"column": "f"}),
    ("expect_column_values_to_not_be_null", {"column": "k"}),
    ("expect_column_values_to_be_null", {"column": "s"}),
    ("expect_column_values_to_match_regex", {"column": "s", "regex": "^[a-c]+$"}),
    ("expect_column_values_to_match_regex", {"column": "s", "regex": "[0-9]"}),
    ("expect_column_values_to_not_match_regex", {"column": "s", "regex": "1"}),
    ("expect_column_value_lengths_to_be_between", {"column": "s", "min_value": 2, "max_value": 2}),
]


def rule(kind, kwargs):
    return {"type": kind, "kwargs": kwargs, "meta": {"severity": "error", "quarantine": True}}


def test_every_rule_has_a_case_here():
    assert set(rules.RULES) == {kind for kind, _ in KINDS}


@pytest.mark.parametrize(("kind", "kwargs"), KINDS)
def test_a_batch_breaks_a_rule_where_great_expectations_says_so(kind, kwargs):
    (result,) = GreatExpectations().run(ROWS, [rule(kind, kwargs)])
    assert not result["exception"]
    found = np.flatnonzero(rules.reasons(ROWS, [rule(kind, kwargs)]) != "")
    assert found.tolist() == sorted(result["failed_rows"].tolist())
    assert len(found)  # the case tells something


def test_a_row_has_all_its_reasons_and_absent_columns_say_nothing():
    contract = [
        rule("expect_column_values_to_be_between", {"column": "i", "min_value": 0}),
        rule("expect_column_values_to_be_in_set", {"column": "k", "value_set": ["x"]}),
        rule("expect_column_values_to_not_be_null", {"column": "gone"}),
    ]
    found = rules.reasons(ROWS, contract)
    assert found[1] == "i: to be between (0 to any); k: to be in set (x)"
    assert found[0] == ""
    contract[0]["meta"]["quarantine"] = False
    assert rules.reasons(ROWS, contract)[1] == "k: to be in set (x)"


def test_what_a_batch_cannot_answer_is_named():
    contract = [
        rule("expect_column_values_to_be_unique", {"column": "i"}),
        rule("expect_column_values_to_match_regex", {"column": "s", "regex": "(?=a)"}),
        rule("expect_column_values_to_be_between", {"column": "i", "row_condition": "f > 0"}),
        rule("expect_column_values_to_not_be_null", {"column": "i"}),
    ]
    named = rules.unanswered(contract)
    assert named == ["i: to be unique", "s: to match regex", "i: to be between"]
    assert set(rules.reasons(ROWS, contract)) == {"", "i: to not be null"}
