import numpy as np
import pytest

from penstock.measure import division


def shares(part):
    return (np.bincount(part, minlength=3) / len(part)).tolist()


def test_rows_equal_in_every_column_have_one_number():
    a, b = np.array([0, 0, 1, -1, -1]), np.array([2, 2, 2, 2, 3])
    units = division.units_of([a, b])
    assert units[0] == units[1]
    assert len(set(units.tolist())) == 4


def test_every_stratum_has_the_asked_shares():
    strata = np.repeat([0, 1, 2], [1000, 200, 50])
    part = division.stratified(np.arange(1250), strata, 0.1, 0.2, seed=3)
    for stratum in range(3):
        assert shares(part[strata == stratum]) == pytest.approx([0.7, 0.1, 0.2], abs=0.01)


def test_rows_of_one_unit_stay_together_and_the_seed_decides():
    units = np.random.default_rng(0).integers(0, 300, 1000)
    part = division.stratified(units, np.zeros(1000, int), 0.1, 0.2, seed=0)
    assert all(len(set(part[units == unit].tolist())) == 1 for unit in np.unique(units))
    assert shares(part) == pytest.approx([0.7, 0.1, 0.2], abs=0.02)
    again = division.stratified(units, np.zeros(1000, int), 0.1, 0.2, seed=0)
    other = division.stratified(units, np.zeros(1000, int), 0.1, 0.2, seed=1)
    assert (part == again).all()
    assert (part != other).any()


def test_a_class_of_one_row_is_in_train_and_no_part_is_empty():
    strata = np.array([0] * 5 + [1])
    part = division.stratified(np.arange(6), strata, 0.1, 0.1, seed=0)
    assert part[5] == division.TRAIN
    assert np.bincount(part).tolist() == [4, 1, 1]


def test_groups_of_unlike_size_are_divided_near_the_shares():
    sizes = np.random.default_rng(0).geometric(0.05, 120)
    groups = np.repeat(np.arange(120), sizes)
    strata = np.random.default_rng(1).integers(0, 2, len(groups))
    part = division.grouped(groups, strata, 0.1, 0.2, seed=0)
    assert all(len(set(part[groups == group].tolist())) == 1 for group in range(120))
    assert shares(part) == pytest.approx([0.7, 0.1, 0.2], abs=0.03)
    assert strata[part == division.TEST].mean() == pytest.approx(0.5, abs=0.06)


def test_one_huge_group_stays_in_train():
    groups = np.repeat(np.arange(11), [900] + [10] * 10)
    part = division.grouped(groups, np.zeros(1000, int), 0.05, 0.05, seed=0)
    assert (part[:900] == division.TRAIN).all()
    assert set(part.tolist()) == {0, 1, 2}


def test_later_rows_are_tested_and_equal_times_stay_together():
    times = np.random.default_rng(0).integers(0, 50, 1000)
    part = division.by_time(times, 0.1, 0.2)
    latest = [times[part == which].max() for which in range(3)]
    earliest = [times[part == which].min() for which in range(3)]
    assert latest[0] < earliest[1] <= latest[1] < earliest[2]
    assert shares(part) == pytest.approx([0.7, 0.1, 0.2], abs=0.03)


def test_two_different_times_leave_a_part_empty():
    assert division.VALID not in division.by_time(np.array([1, 1, 2]), 0.2, 0.2)


def test_users_of_few_rows_give_their_share_together():
    users = np.repeat(np.arange(1000), 3)
    part = division.per_user(users, np.tile([1.0, 2, 3], 1000), 0.1, 0.2)
    shares = np.bincount(part, minlength=3) / len(part)
    np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.01)
    assert (part.reshape(-1, 3)[:, 0] == division.TRAIN).all()
    alone = division.per_user(np.arange(9), np.zeros(9), 0.4, 0.4)
    assert (alone == division.TRAIN).all()
