"""Patterns: what is shared is found, and every value that it came from matches it."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from penstock.measure.contract.patterns import expectations, shared


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (["AB-1", "CD-23"], "^[A-Z]{2}-[0-9]{1,2}$"),
        (["a.b", "c.d"], r"^[a-z]\.[a-z]$"),
        (["x[1]", "y[22]"], r"^[a-z]\[[0-9]{1,2}\]$"),
        (["2020-01-02"], "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        (["New York", "Paris"], "^[A-Za-z ]{1,16}$"),
        (["a-b", "c]d", "e^f", "g\\h"], r"^[a-z\-\\\]\^]{1,6}$"),
        (["Köln", "Ulm"], ""),
        (["", ""], ""),
        (["x" * 65], ""),
        (["tab\tbed", "x"], ""),
    ],
)
def test_shared(values, pattern):
    assert shared(pa.array(values)) == pattern
    assert not pattern or all(re.match(pattern, value) for value in values)


def test_few_values_make_no_pattern():
    column = pa.chunked_array([[f"A{n}" for n in range(10)]])
    assert expectations(column, "x") == []


def test_numbers_make_no_pattern():
    assert expectations(pa.chunked_array([list(range(100))]), "x") == []
