import numpy as np
import pytest
from scipy.stats import binomtest

from penstock.measure.leaks import overlap


def test_test_rows_that_stand_in_train_are_a_share_with_its_interval():
    estimate, chance = overlap.equal_rows(np.arange(1000), np.arange(900, 1100))
    assert (estimate.value, chance) == (0.5, 0)
    # chance has an interval too, so that this one is a little wider than the binomial's
    low, high = binomtest(100, 200).proportion_ci(method="wilson")
    assert estimate.low == pytest.approx(low, abs=0.01)
    assert estimate.high == pytest.approx(high, abs=0.01)


def test_few_different_rows_are_no_leak():
    rng = np.random.default_rng(0)
    estimate, chance = overlap.equal_rows(rng.integers(0, 20, 1000), rng.integers(0, 20, 200))
    assert chance == 1
    assert (estimate.value, estimate.low) == (0, 0)


@pytest.mark.parametrize(("hits", "total"), [(0, 5), (3, 10), (400, 400), (17, 1000)])
def test_the_interval_of_a_share_is_wilsons(hits, total):
    expected = binomtest(hits, total).proportion_ci(method="wilson")
    assert overlap.wilson(hits, total) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_groups_in_more_than_one_part_are_named_once():
    parts = [np.array([4, 4, 1]), np.array([1, 2]), np.array([1, 3, 4])]
    assert overlap.shared_groups(parts).tolist() == [1, 4]
    assert overlap.shared_groups([np.array([1]), np.array([], int), np.array([2])]).tolist() == []


def test_test_rows_before_the_last_train_row_are_counted():
    assert overlap.not_later(np.array([1.0, 5.0]), np.array([4.0, 5.0, 6.0, 7.0])) == 0.5


def test_parts_of_one_table_look_alike_and_shifted_ones_do_not():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(600, 3)), rng.normal(size=(300, 3))
    alike = overlap.part_difference(train, test, [False] * 3, seed=0)
    assert alike.low < 0.5
    apart = overlap.part_difference(train, test + np.array([2, 0, 0]), [False] * 3, seed=0)
    assert apart.low > 0.85  # two normal classes two sd apart: ROC AUC 0.92
    assert apart.low < 0.921 < apart.high + 0.03


def test_rows_of_whole_groups_are_counted_by_group():
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        # a day repeats the timetable of one of two seasons: equal rows come and go by the day
        days = np.concatenate(
            [rng.integers(0, 300, 100) + 300 * rng.integers(2) for _ in range(40)]
        )
        groups = np.repeat(np.arange(40), 100)
        test = groups >= 30
        sides = (days[~test], days[test], groups[~test], groups[test])
        refused += overlap.equal_rows(*sides)[0].low > 0.01
    assert refused <= 4
    ids = np.arange(4000)
    ids[test] = ids[~test][:1000]
    estimate, chance = overlap.equal_rows(ids[~test], ids[test], *sides[2:])
    assert estimate.low > 0.99
    assert chance == 0
