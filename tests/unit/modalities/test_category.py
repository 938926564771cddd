import numpy as np
import pyarrow as pa

from penstock.modalities import category
from penstock.spec import ModelSpec


def learn(column):
    return category.learn(pa.chunked_array([column]), np.arange(len(column)) % 2, ModelSpec())


def codes(column, state):
    return category.encode(pa.chunked_array([column]), state)["level"].tolist()


def test_rare_levels_are_pooled_with_unseen_ones_and_missing_is_its_own():
    column = pa.array(["b"] * 5 + ["a"] * 3 + ["rare"] * 2 + [None])
    state = learn(column)
    assert state.levels == ["a", "b"]
    assert codes(pa.array(["a", "b", "rare", "new", None]), state) == [2, 3, 0, 0, 1]


def test_integers_floats_and_booleans_are_levels_by_their_spelling():
    state = learn(pa.array([1, 2] * 5))
    assert codes(pa.array([1.0, 2.0, None]), state) == [2, 3, 1]
    assert codes(pa.array(["1", "2.0"]), state) == [2, 0]
    state = learn(pa.array([True, False] * 5))
    assert codes(pa.array([False, True, None]), state) == [2, 3, 1]


def test_levels_that_tell_are_believed_and_others_only_with_many_rows():
    column = pa.array(["a"] * 10 + ["b"] * 90)
    unseen, missing, *levels = learn(column).credibility  # the target alternates
    assert (unseen, missing) == (1, 0)
    assert levels == [0.5, 0.9]
    told = category.learn(pa.chunked_array([column]), np.repeat([0, 1], [10, 90]), ModelSpec())
    assert told.credibility == [1, 0, 1, 1]
