"""Repeats, with pandas as the oracle."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from penstock.measure.repeats import contradicting, fingerprints, repeated


def test_repeated_rows_are_those_of_pandas():
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "a": rng.integers(0, 30, 5_000),
            "b": pa.array(rng.choice(["x", "y"], 5_000), mask=rng.random(5_000) < 0.2),
            "c": pa.array(rng.choice(["u", "v", "w"], 5_000)).dictionary_encode(),
            "d": rng.integers(0, 3, 5_000) / 2,
        }
    )
    expected = table.to_pandas().astype(object).duplicated().to_numpy()
    assert np.array_equal(repeated(fingerprints(table)), expected)


def test_swapped_values_and_columns_are_different_rows():
    table = pa.table({"a": [1, 2, 1], "b": [2, 1, 2]})
    assert repeated(fingerprints(table)).tolist() == [False, False, True]


def test_bytes_and_lists_are_compared_by_content():
    table = pa.table({"a": [b"1", b"1", b"2"], "b": [[1, 2], [1, 2], [2, 1]]})
    assert repeated(fingerprints(table)).tolist() == [False, True, False]


def test_all_rows_of_a_contradiction_are_told():
    table = pa.table({"a": [1, 1, 1, 2, 2], "label": ["x", "x", "y", "x", "x"]})
    found = contradicting(fingerprints(table.select(["a"])), fingerprints(table))
    assert found.tolist() == [True, True, True, False, False]


def test_files_are_equal_by_their_content():
    files = pa.chunked_array([[b"a" * 9, None], [b"a" * 9, b"", None, b"b"]], pa.binary())
    rows = fingerprints(pa.table({"photo": files}))
    assert repeated(rows).tolist() == [False, False, True, False, True, False]
