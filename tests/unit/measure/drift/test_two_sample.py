"""The classifier: what it must find, what it must not, and what its weights are worth."""

import numpy as np
import pyarrow as pa
import pytest

from penstock.measure import sketches
from penstock.measure.drift import two_sample

RNG = np.random.default_rng(0)
PLAIN = np.array([False, False])


def normal(num, shift=0.0, turn=0.0):
    rows = RNG.normal(0, 1, (num, 2))
    rows[:, 1] = turn * rows[:, 0] + np.sqrt(1 - turn**2) * rows[:, 1]
    rows[:, 0] += shift
    return rows


def test_equal_worlds_are_told_apart_as_seldom_as_promised():
    found = [two_sample.tell_apart(normal(200), normal(200), PLAIN, i).p_value for i in range(8)]
    assert np.mean(np.array(found) < 0.1) <= 0.25
    assert min(found) > 1e-4


def test_a_change_that_no_column_shows_by_itself_is_found():
    found = two_sample.tell_apart(normal(600), normal(600, turn=0.9), PLAIN, 0)
    assert found.p_value < 1e-6
    assert 0.5 < found.low < found.area < found.high <= 1


def test_another_world_is_without_support_and_a_shift_of_mixture_is_not():
    reference = normal(1000)
    assert two_sample.tell_apart(reference, normal(500, shift=12), PLAIN, 0).unsupported > 0.95
    others = normal(3000)
    chance = np.where(others[:, 0] > 0, 5.0, 1.0)
    mixed = others[RNG.choice(3000, 500, replace=False, p=chance / chance.sum())]
    found = two_sample.tell_apart(reference, mixed, PLAIN, 0)
    assert found.p_value < 0.01
    assert found.unsupported < 0.15


def test_weights_are_larger_where_the_window_has_more_rows():
    reference = normal(1500)
    found = two_sample.tell_apart(reference, normal(1500, shift=1.0), PLAIN, 0)
    assert found.weights.mean() == pytest.approx(1.0)
    truth = np.exp(reference[:, 0] - 0.5)  # the ratio of the two densities
    assert np.corrcoef(np.log(found.weights), np.log(truth))[0, 1] > 0.7


def test_too_few_rows_or_no_column_say_nothing():
    assert two_sample.tell_apart(normal(49), normal(500), PLAIN, 0) is None
    nothing = np.empty((200, 0))
    assert two_sample.tell_apart(nothing, nothing, np.empty(0, bool), 0) is None


def test_a_matrix_holds_levels_by_place_and_unseen_ones_after_them():
    known = sketches.learn(pa.array(["a", "b", "b"]))
    numbers = sketches.learn(pa.array([1.0, 2.0]))
    views = {
        "t": {"level": pa.array(["b", "new", None])},
        "x": {"value": pa.array([1.0, np.inf, None])},
    }
    found, names = two_sample.matrix(views, {"t": {"level": known}, "x": {"value": numbers}})
    assert names.tolist() == [True, False]
    np.testing.assert_array_equal(found, [[1, 1], [2, np.nan], [np.nan, np.nan]])
