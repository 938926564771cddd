"""Vectors that are kept by the value that they were made of."""

import logging

import numpy as np
import pyarrow as pa

from penstock.learning.kept import ROWS_A_FILE, Kept


class Maker:
    """Makes a vector of each value, and counts."""

    def __init__(self):
        self.made = []

    def __call__(self, column):
        values = column.to_pylist()
        self.made += values
        lengths = np.array([0 if v is None else len(v) for v in values], dtype=np.int32)
        return np.stack([lengths, 2 * lengths], axis=1).astype(np.float32), lengths


def column(values, kind=None):
    return pa.chunked_array([pa.array(values, kind or pa.string())])


def test_each_value_is_made_once_in_any_order_and_by_any_process(tmp_path):
    make = Maker()
    vectors, lengths = Kept(tmp_path).of(column(["a", "bb", None, "a", "bb"]), make)
    assert sorted(make.made, key=str) == [None, "a", "bb"]
    assert lengths.tolist() == [1, 2, 0, 1, 2]
    assert vectors.tolist() == [[1, 2], [2, 4], [0, 0], [1, 2], [2, 4]]
    make.made.clear()
    vectors, _ = Kept(tmp_path).of(column(["ccc", "bb"]), make)
    assert make.made == ["ccc"]
    assert vectors.tolist() == [[3, 6], [2, 4]]


def test_bytes_and_texts_of_the_same_content_are_the_same_and_nothing_is_not(tmp_path):
    make, kept = Maker(), Kept(tmp_path)
    kept.of(column(["ab", ""]), make)
    kept.of(column([b"ab", None], pa.binary()), make)
    assert make.made == ["ab", "", None]


def test_a_killed_run_loses_no_whole_file(tmp_path):
    class Killed(Exception):
        pass

    make = Maker()

    def killed(some):
        if make.made:
            raise Killed
        return make(some)

    many = column([str(n) for n in range(ROWS_A_FILE + 5)])
    try:
        Kept(tmp_path).of(many, killed)
    except Killed:
        make.made.clear()
    Kept(tmp_path).of(many, make)
    assert len(make.made) == 5


def test_a_file_that_is_cut_short_is_made_again(tmp_path, caplog):
    make = Maker()
    Kept(tmp_path).of(column(["a"]), make)
    (path,) = tmp_path.glob("*.npy")
    path.write_bytes(path.read_bytes()[:-3])
    with caplog.at_level(logging.WARNING, "penstock.learning"):
        vectors, _ = Kept(tmp_path).of(column(["a"]), make)
    assert make.made == ["a", "a"]
    assert vectors.tolist() == [[1, 2]]
    assert "made again" in caplog.text
