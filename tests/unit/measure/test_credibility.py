import numpy as np
import pytest

from penstock.measure.credibility import MOST_ROWS, believed_half, credibility


def test_believed_half_by_hand():
    # level means 1 and 5, each of 1 and -1 beside it; between 32, within 2, 3 rows a level
    values = np.array([0.0, 1.0, 2.0, 4.0, 5.0, 6.0])
    # mean squares: between 3 * (2**2 + 2**2) / 1 = 24, within (2 + 2) / 4 = 1
    assert believed_half(np.repeat([1, 2], 3), values) == pytest.approx(1 / ((24 - 1) / 3))


@pytest.mark.parametrize("within", [0.5, 1.0, 2.0])
def test_finds_the_variances_that_made_the_rows(within):
    rng = np.random.default_rng(0)
    codes = rng.integers(1, 2001, 40_000)
    values = rng.normal(size=2001)[codes] + rng.normal(scale=within, size=40_000)
    assert believed_half(codes, values) == pytest.approx(within**2, rel=0.1)


def test_classes_are_judged_by_all_their_shares():
    rng = np.random.default_rng(1)
    codes = rng.integers(1, 2001, 60_000)
    chance = rng.dirichlet([2.0, 2.0, 2.0], 2001).cumsum(axis=1)
    target = (rng.random((60_000, 1)) > chance[codes]).sum(axis=1)
    # Dirichlet of 6 in all: variance between is 1 / (6 + 1) of the whole, within 6 / 7
    assert believed_half(codes, target) == pytest.approx(6, rel=0.1)


def test_levels_that_tell_nothing_are_believed_by_their_rows_alone():
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 500, 3_000)
    target = rng.integers(0, 2, 3_000)
    counts = np.bincount(codes, minlength=500)
    found = credibility(codes, 500, target)
    assert found[1:] == pytest.approx(counts[1:] / (counts[1:] + MOST_ROWS), abs=0.03)
    assert found[0] == 1


@pytest.mark.parametrize(
    "target", [np.zeros(4), np.array([1e300, -1e300, 1e300, 5e-324]), np.full(4, 1e300)]
)
def test_any_target_gives_shares(target):
    found = credibility(np.array([1, 1, 2, 2]), 4, target)
    assert all(0 <= share <= 1 for share in found)
    assert found[3] == 0


def test_no_rows():
    assert credibility(np.zeros(0, np.int64), 2, np.zeros(0)) == [1, 0]
