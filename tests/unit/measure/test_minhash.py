import numpy as np
import pytest

from penstock.measure import minhash


def signed(sets):
    row = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    code = np.array([item for one in sets for item in one], dtype=np.uint64)
    hashed = code * np.uint64(0x9E3779B97F4A7C15)
    return minhash.signatures(row, hashed, len(sets))


@pytest.mark.parametrize("shared", [0, 25, 50, 80, 95, 100])
def test_signatures_agree_as_often_as_sets_are_alike(shared):
    left, right = list(range(100)), list(range(100 - shared, 200 - shared))
    jaccard = shared / (200 - shared)
    found = signed([left, right])
    assert minhash.alike(found[:1], found[1:])[0] == pytest.approx(jaccard, abs=0.12)


def test_families_hold_what_is_nearly_equal_and_nothing_else():
    base, other = list(range(200)), list(range(1000, 1200))
    sets = [base, base[:-8] + [5000] * 8, base[10:], other, other[:50] + base[:50], list(range(9))]
    found = minhash.clusters(signed(sets))
    assert found[0] == found[1] == found[2]
    assert len(set(found[[0, 3, 4, 5]].tolist())) == 4


def test_rows_of_too_few_codes_are_alone_though_they_are_equal():
    found = minhash.clusters(signed([[1, 2, 3], [1, 2, 3], list(range(20)), list(range(20))]))
    assert found[0] != found[1]
    assert found[2] == found[3]


def test_many_rows_of_chance_have_no_family():
    rng = np.random.default_rng(0)
    sets = [rng.integers(0, 400, 30).tolist() for _ in range(1500)]
    assert np.bincount(minhash.clusters(signed(sets))).max() == 1


def test_no_rows_and_no_codes():
    assert minhash.clusters(
        minhash.signatures(np.zeros(0, np.int64), np.zeros(0, np.uint64), 3)
    ).tolist()
    assert minhash.signatures(np.zeros(0, np.int64), np.zeros(0, np.uint64), 0).shape == (0, 128)
