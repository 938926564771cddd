"""Rows and hashes of columns in chunks, also of one that no Arrow array can hold."""

import numpy as np
import pyarrow as pa
import pytest

from penstock.chunks import digested, taken

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def wide():
    """Files of 2.2 GiB together, in the room of a twentieth: one chunk stands there 20 times."""
    chunk = pa.array([bytes([number]) * MEBIBYTE for number in range(112)], pa.binary())
    return pa.table({"row": np.arange(20 * 112), "file": pa.chunked_array([chunk] * 20)})


def test_arrow_itself_cannot_take_rows_of_it(wide):
    """Once it can, `taken` has less to do."""
    with pytest.raises(pa.ArrowInvalid, match="offset overflow"):
        wide.take(pa.array([0]))


@pytest.mark.parametrize("places", [[0, 113, 2239], [2239, 113, 113, 0], []])
def test_rows_come_in_the_order_that_was_asked_for(wide, places):
    found = taken(wide, places)
    assert found["row"].to_pylist() == places
    assert [value.as_py()[:1] for value in found["file"]] == [bytes([n % 112]) for n in places]
    assert found.schema == wide.schema


def test_few_files_are_copied_and_no_others(wide):
    before = pa.total_allocated_bytes()
    found = taken(wide, np.arange(0, 2240, 224))
    assert 10 * MEBIBYTE <= pa.total_allocated_bytes() - before < 40 * MEBIBYTE
    assert found.num_rows == 10


@pytest.mark.parametrize("seed", [0, None])
def test_many_files_go_to_disk(wide, seed):
    order = np.arange(0, 2240, 10)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order)
    before = pa.total_allocated_bytes()
    found = taken(wide, order)  # 224 MiB
    assert pa.total_allocated_bytes() - before < MEBIBYTE
    assert found["row"].to_pylist() == order.tolist()
    assert [value.as_buffer()[0] for value in found["file"]] == (order % 112).tolist()


def test_texts_and_missing_values():
    column = pa.chunked_array([["a", None], ["b"], [], [None]])
    assert taken(column, [3, 2, 1, 0]).to_pylist() == [None, "b", None, "a"]
    assert taken(column, np.array([2])).to_pylist() == ["b"]


@pytest.mark.parametrize("place", [-1, 4])
def test_a_row_that_is_not_there_is_refused(place):
    with pytest.raises(IndexError):
        taken(pa.chunked_array([["a", None], ["b"], [None]]), [0, place])


def test_hashes_tell_files_apart():
    files = pa.chunked_array([[b"a", b"", None], [b"a"]])
    first, empty, missing, again = digested(files).to_pylist()
    assert first == again
    assert len({first, empty, missing}) == 3


def test_what_is_no_file_is_not_hashed():
    texts = pa.chunked_array([["a"]])
    assert digested(texts) is texts
