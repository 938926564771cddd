import numpy as np
import pytest

from penstock.measure.departure import Departure, kinds_of, weights_of


def sides(away, n=300, m=200, seed=0):
    """Rows of two classes, far apart, and unseen ones moved within each class."""
    rng = np.random.default_rng(seed)
    kinds = [rng.integers(0, 2, size) for size in (n, m)]
    rows = [rng.normal(size=(len(k), 4)) + 9 * k[:, None] for k in kinds]
    rows[1] = rows[1] + np.array(away)
    return *rows, kinds


def test_rows_that_are_moved_are_found_to_be_moved_so_far_that_way():
    found = Departure.of(*sides([1.0, 0, 0, 0]), seed=0)
    assert found.way == pytest.approx([0.5, 0, 0, 0], abs=0.12)
    assert found.low < 0.5 < found.high  # rows stand 2 from their mean: 1 in each of 4 numbers
    assert found.distance == pytest.approx(0.5, abs=0.08)
    assert found.shown


@pytest.mark.parametrize("seed", range(5))
def test_rows_drawn_alike_are_no_farther_than_by_lot(seed):
    found = Departure.of(*sides([0, 0, 0, 0], seed=seed), seed=0)
    assert found.distance < 0.12
    assert found.chance < 0.2


def test_other_shares_of_the_classes_are_no_difference():
    rng = np.random.default_rng(1)
    kinds = [(rng.random(400) < share).astype(int) for share in (0.2, 0.8)]
    seen, unseen = (rng.normal(size=(400, 3)) + 9 * kind[:, None] for kind in kinds)
    assert not Departure.of(seen, unseen, kinds, 0).shown
    plain = unseen.mean(axis=0) - seen.mean(axis=0)
    assert (plain > 4).all()


def test_a_move_of_the_same_way_is_like_it_and_others_are_not():
    found = Departure.of(*sides([1.0, 1.0, 0, 0]), seed=0)
    value, low, high = found.likeness(np.array([2.0, 2.0, 0, 0]))
    assert 0.95 < low <= value <= high <= 1
    assert abs(found.likeness(np.array([1.0, -1.0, 0, 0]))[0]) < 0.2
    assert found.likeness(np.array([-1.0, -1.0, 0, 0]))[2] < -0.9


def test_what_moves_add_up_to_is_a_share_and_opposite_ones_add_nothing():
    found = Departure.of(*sides([1.0, 1.0, 0, 0]), seed=0)
    first, second = np.eye(4)[:2]
    assert found.accounted([first, second]) > 0.95
    assert found.accounted([first]) == pytest.approx(0.5, abs=0.15)
    assert found.accounted([-first, -second]) == 0
    assert found.accounted([]) == 0


def test_weights_of_each_class_add_up_on_both_sides():
    kinds, unseen = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 0, 1, 1, 1], dtype=bool)
    found = weights_of(kinds, unseen, np.ones(6))
    assert found.tolist() == pytest.approx([-1 / 3, 1 / 3, -2 / 3, 1 / 3, 1 / 3, 0])


def test_values_are_cut_at_the_seen_ones_quantiles():
    seen, unseen = kinds_of(np.arange(100.0), np.array([-1.0, 50.0, 1e9]))
    assert np.bincount(seen).tolist() == [20] * 5
    assert unseen.tolist() == [0, 2, 4]
