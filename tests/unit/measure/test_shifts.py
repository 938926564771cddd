import numpy as np
import pyarrow as pa
import pytest

from penstock.measure.shifts import emptied, exchanged, hit, replaced

WORDS = pa.chunked_array([["a", "b", None], [f"w{n}" for n in range(97)]])


def rng():
    return np.random.default_rng(0)


def test_the_rows_of_a_small_share_are_among_those_of_a_large_one():
    small, large = hit(1000, 0.1, rng()), hit(1000, 0.3, rng())
    assert (small.sum(), large.sum()) == (100, 300)
    assert not (small & ~large).any()


def test_a_share_of_the_known_values_goes():
    assert emptied(WORDS, 1.0, rng()).null_count == 100
    assert emptied(WORDS, 0.1, rng()).null_count == 1 + 10
    found = replaced(WORDS, 0.1, pa.scalar("new"), rng())
    assert found.null_count == 1
    assert found.to_pylist().count("new") == 10


def test_exchanged_values_are_the_same_ones_in_other_rows():
    found = exchanged(WORDS, 0.3, rng()).to_pylist()
    before = WORDS.to_pylist()
    assert sorted(map(str, found)) == sorted(map(str, before))
    assert sum(a != b for a, b in zip(found, before, strict=True)) == 30


@pytest.mark.parametrize("values", [[], [None], ["a"]])
def test_hardly_any_rows(values):
    column = pa.chunked_array([pa.array(values, pa.string())])
    for shift in (emptied, exchanged):
        assert len(shift(column, 0.1, rng())) == len(values)
