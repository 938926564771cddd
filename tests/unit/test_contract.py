"""Contracts: what is read from good files, and what a user is told about bad ones."""

from __future__ import annotations

import json

import pytest

from penstock.contract import read_contract, write_contract
from penstock.errors import BadInput

RANGE = "expect_column_values_to_be_between"


def test_a_written_contract_reads_back_equal(tmp_path):
    contract = [
        {
            "type": RANGE,
            "kwargs": {"column": "größe", "min_value": -1.5, "max_value": None, "mostly": 0.99},
            "meta": {"severity": "warning", "quarantine": True},
        },
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "x", "value_set": ["no", "1", "null", "2020-01-01"]},
            "meta": {"severity": "error", "quarantine": False},
        },
    ]
    path = tmp_path / "contract.yaml"
    write_contract(path, contract, "Proposed from x.csv\nEdit freely")
    assert read_contract(path) == contract
    assert path.read_text(encoding="utf-8").startswith("# Proposed from x.csv\n# Edit freely\n")
    assert [file.name for file in tmp_path.iterdir()] == ["contract.yaml"]


def test_no_file_is_no_expectation(tmp_path):
    assert read_contract(tmp_path / "contract.yaml") == []


def test_an_empty_list_is_no_expectation(tmp_path):
    path = tmp_path / "contract.yaml"
    path.write_text("expectations:\n")
    assert read_contract(path) == []


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_a_suite_of_great_expectations_drops_in(tmp_path, indent):
    suite = {
        "name": "warehouse",
        "id": "0a",
        "meta": {"great_expectations_version": "1.24.1"},
        "notes": None,
        "expectations": [
            {"type": RANGE, "kwargs": {"column": "a", "min_value": 0}, "severity": severity,
             "id": "7", "meta": {}, "description": "d"}
            for severity in ("critical", "warning", "info")
        ],
    }  # fmt: skip
    path = tmp_path / "suite.json"
    path.write_text(json.dumps(suite, indent=indent))
    read = read_contract(path)
    assert [one["meta"]["severity"] for one in read] == ["error", "warning", "warning"]
    assert read[0]["kwargs"] == {"column": "a", "min_value": 0}


def test_severity_is_error_unless_said_and_meta_wins(tmp_path):
    path = tmp_path / "contract.yaml"
    path.write_text(
        f"- type: {RANGE}\n  kwargs: {{column: a, min_value: 2020-01-02}}\n"
        f"- type: {RANGE}\n  kwargs: {{column: a, min_value: 0}}\n  severity: critical\n"
        "  meta: {severity: warning, quarantine: true}\n"
    )
    first, second = read_contract(path)
    assert first["meta"] == {"severity": "error", "quarantine": False}
    assert first["kwargs"]["min_value"] == "2020-01-02"
    assert second["meta"] == {"severity": "warning", "quarantine": True}


def test_all_mistakes_are_told_with_their_lines(tmp_path):
    path = tmp_path / "contract.yaml"
    path.write_text(
        "expectations:\n"
        "  - type: expect_column_values_to_be_betwen\n"
        "    kwargs: {column: a, min_value: 0}\n"
        f"  - type: {RANGE}\n"
        "    kwargs:\n"
        "      column: a\n"
        "      minimum: 0\n"
        "      mostly: 98\n"
        "    meta:\n"
        "      severity: fatal\n"
        "      quarantine: often\n"
        "  - expectation_type: expect_column_to_exist\n"
        "    kwargs: {column: a}\n"
        "  - type: expect_column_values_to_be_in_set\n"
        "    kwargs: {column: a}\n"
        "  - 7\n"
        "expectation: []\n"
    )
    with pytest.raises(BadInput) as caught:
        read_contract(path)
    told = {
        (int(mistake.where.rpartition(":")[2]), mistake.found, mistake.remedy)
        for mistake in caught.value.mistakes
    }
    assert (2, "expect_column_values_to_be_betwen", f"did you mean {RANGE}?") in told
    assert (7, "minimum") in {(line, found) for line, found, _ in told}
    assert (8, "98") in {(line, found) for line, found, _ in told}
    assert (10, "'fatal'", "use one of: error, critical, warning, info") in told
    assert (11, "'often'", "") in told
    assert (12, "expectation_type", "rename it to type") in told
    assert (15, "it is absent", "add value_set to its kwargs") in told
    assert (16, "7", "") in told
    assert (17, "expectation", "did you mean expectations?") in told
    assert len(told) == len(caught.value.mistakes) == 9


@pytest.mark.parametrize("text", ["just words", "expectations: 3\n", "a: [1\n", "", "{'x': }"])
def test_a_file_that_is_no_contract_is_bad_input(tmp_path, text):
    path = tmp_path / "contract.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"contract\.yaml"):
        read_contract(path)
