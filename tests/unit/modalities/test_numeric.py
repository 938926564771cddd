import numpy as np
import pyarrow as pa
import pytest

from penstock.modalities import numeric
from penstock.spec import ModelSpec


def learn(values, target=None, kind=None):
    column = pa.chunked_array([pa.array(values, kind)])
    target = np.arange(len(values)) % 2 if target is None else target
    return numeric.learn(column, target, ModelSpec()), column


def test_bins_cut_where_the_target_changes():
    values = np.linspace(0, 10, 1001)
    state, _ = learn(values, (values > 3.3).astype(np.int64))
    edges = np.array(state.edges) * state.scale + state.center
    assert edges.min() == pytest.approx(0, abs=1e-6)
    assert edges.max() == pytest.approx(10, abs=1e-6)
    assert np.abs(edges - 3.305).min() < 0.02


def test_a_target_of_numbers_cuts_bins_too():
    values = np.linspace(0, 10, 1001)
    state, _ = learn(values, np.where(values > 7.7, 5.0, -5.0) * 1e12)
    edges = np.array(state.edges) * state.scale + state.center
    assert np.abs(edges - 7.705).min() < 0.02


def test_few_values_have_levels_and_unseen_ones_are_unknown():
    state, _ = learn([1, 2, 3] * 10 + [9], kind=pa.int64())
    assert state.levels == [1, 2, 3]  # 9 stands once
    assert state.credibility == [1, 0.5, 0.5, 0.5]  # the target tells nothing
    found = numeric.encode(pa.chunked_array([pa.array([3, 1, 9, 2.5, None])]), state)
    assert found["level"].tolist() == [3, 1, 0, 0, 0]
    assert np.isnan(found["value"][-1])


def test_many_values_have_no_levels():
    state, column = learn(np.linspace(0, 1, 2000))
    assert state.levels == []
    assert state.credibility == [1]
    assert set(numeric.encode(column, state)) == {"value"}


def test_numbers_that_name_things_have_levels_and_numbers_that_measure_have_none():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 1000, 20_000)
    named = rng.normal(size=1000)[ids] + rng.normal(size=20_000)
    measured = ids / 300 + rng.normal(size=20_000)
    assert len(learn(ids, named, pa.int64())[0].levels) == 1000
    assert learn(ids, measured, pa.int64())[0].levels == []
    classes = (named > 0).astype(np.int64)
    assert len(learn(ids, classes, pa.int64())[0].levels) == 1000
    assert learn(ids, rng.permutation(classes), pa.int64())[0].levels == []


def test_infinite_is_missing_and_nulls_do_not_teach():
    state, _ = learn([1.0, None, 2.0, float("inf"), float("nan"), 3.0])
    assert state == learn([1.0, 2.0, 3.0], np.array([0, 0, 1]))[0]
    found = numeric.encode(pa.chunked_array([[float("inf"), float("-inf"), float("nan")]]), state)
    assert np.isnan(found["value"]).all()


def test_knots_hold_the_distribution():
    values = np.random.default_rng(0).exponential(size=5000)
    state, _ = learn(values)
    assert state.knots == sorted(state.knots)
    assert state.scores == sorted(state.scores)
    middle = np.interp(
        np.median(values), np.array(state.knots) * state.scale + state.center, state.scores
    )
    assert middle == pytest.approx(0, abs=0.02)


def test_the_contract_proposed_for_huge_values_holds_for_them():
    column = pa.chunked_array([[1e308, -1e308, 5.0] * 40])
    (found,) = [
        one["kwargs"]
        for one in numeric.expectations(column, "n")
        if one["type"] == "expect_column_values_to_be_between"
    ]
    assert found["min_value"] <= -1e308
    assert found["max_value"] >= 1e308
