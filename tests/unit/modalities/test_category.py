import numpy as np
import pyarrow as pa

from penstock.modalities import category
from penstock.spec import ModelSpec

GOAL = np.zeros(0, np.int64)


def codes(column, state):
    return category.encode(pa.chunked_array([column]), state)["level"].tolist()


def test_rare_levels_are_pooled_with_unseen_ones_and_missing_is_its_own():
    column = pa.array(["b"] * 5 + ["a"] * 3 + ["rare"] * 2 + [None])
    state = category.learn(pa.chunked_array([column]), GOAL, ModelSpec())
    assert state.levels == ["a", "b"]
    assert codes(pa.array(["a", "b", "rare", "new", None]), state) == [2, 3, 0, 0, 1]


def test_integers_floats_and_booleans_are_levels_by_their_spelling():
    state = category.learn(pa.chunked_array([pa.array([1, 2] * 5)]), GOAL, ModelSpec())
    assert codes(pa.array([1.0, 2.0, None]), state) == [2, 3, 1]
    assert codes(pa.array(["1", "2.0"]), state) == [2, 0]
    state = category.learn(pa.chunked_array([pa.array([True, False] * 5)]), GOAL, ModelSpec())
    assert codes(pa.array([False, True, None]), state) == [2, 3, 1]
