"""Column tests: scipy as the independent route, hand-computed tails."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from penstock.measure import sketches
from penstock.measure.drift import column_tests as tests

RNG = np.random.default_rng(0)


def test_homogeneity_is_pearsons_chi_square():
    before, now = np.array([50.0, 30.0, 20.0]), np.array([20.0, 25.0, 40.0])
    expected = stats.chi2_contingency([before, now], correction=False).pvalue
    assert tests.homogeneity(before, now) == pytest.approx(expected)


def test_cells_with_few_expected_rows_are_counted_together():
    before, now = np.array([500.0, 400.0, 3.0, 2.0, 1.0]), np.array([50.0, 40.0, 6.0, 6.0, 8.0])
    merged = [[500, 406], [50, 60]]  # together they expect 2.8 rows: with the smallest cell
    expected = stats.chi2_contingency(merged, correction=False).pvalue
    assert tests.homogeneity(before, now) == pytest.approx(expected)


def test_one_cell_or_no_rows_show_nothing():
    assert tests.homogeneity(np.array([10.0, 0.0]), np.array([5.0, 0.0])) == 1.0
    assert tests.homogeneity(np.array([10.0, 5.0]), np.array([0.0, 0.0])) == 1.0


def test_the_distance_is_scipys():
    before, now = RNG.dirichlet(np.ones(6)), RNG.dirichlet(np.ones(6))
    assert tests.distance(before, now) == pytest.approx(jensenshannon(before, now, base=2))


def test_missing_values_by_fisher_where_they_are_few():
    expected = stats.fisher_exact([[1, 999], [4, 96]]).pvalue
    assert tests.missing_p(1, 1000, 4, 100) == pytest.approx(expected)


def test_a_new_value_is_beyond_the_range_as_often_as_exchangeability_says():
    values = pa.array(np.arange(99.0))
    sketch = sketches.learn(values)
    assert tests.outside_chance(sketch) == pytest.approx(2 / 100)
    assert tests.outside(sketch, pa.array([-1.0, 0.0, 98.0, 99.0, None])).tolist() == [
        True, False, False, True, False,
    ]  # fmt: skip


def test_an_unseen_level_is_outside_unless_the_sketch_left_levels_out():
    few = sketches.learn(pa.array(["a"] * 60 + ["b"] * 40))
    assert tests.outside(few, pa.array(["a", "new", None])).tolist() == [False, True, False]
    many = sketches.learn(pa.array([f"level {i}" for i in range(200)]))
    assert not tests.outside(many, pa.array(["new"])).any()
    assert tests.outside_chance(many) == 0.0


@pytest.mark.parametrize(
    ("values", "shift"),
    [
        (RNG.normal(0.5, 1, 500), 0.5),
        (RNG.normal(0, 1, 500) * 12, None),
        (np.full(500, 99.0), None),
    ],
)
def test_a_changed_column_is_found(values, shift):
    sketch = sketches.learn(pa.array(RNG.normal(0, 1, 5000)))
    found = tests.compare("x", "value", sketch, pa.array(values))
    assert found.p_value < 1e-6
    assert found.distance > 0.1
    if shift:
        assert found.shift == pytest.approx(shift, abs=0.15)


def test_a_column_that_is_gone_is_found_and_one_without_rows_is_not_tested():
    sketch = sketches.learn(pa.array(RNG.normal(0, 1, 5000)))
    gone = tests.compare("x", "value", sketch, pa.nulls(200, pa.float64()))
    assert gone.p_value < 1e-100 and gone.missing_now == 1.0
    assert tests.compare("x", "value", sketch, pa.array([], pa.float64())) is None


def test_new_levels_and_values_beyond_the_range_are_found_when_few():
    towns = sketches.learn(pa.array(["a", "b"] * 5000))
    some = pa.array(["a", "b"] * 495 + ["c"] * 10)
    assert tests.compare("town", "level", towns, some).p_value < 1e-6
    ages = sketches.learn(pa.array(np.tile(np.arange(18.0, 91.0), 100)))
    odd = pa.array(np.r_[np.tile(np.arange(18.0, 91.0), 10), [500.0] * 5])
    assert tests.compare("age", "value", ages, odd).p_value < 1e-3


def test_clean_columns_are_called_changed_as_seldom_as_promised():
    sketch = sketches.learn(pa.array(RNG.lognormal(0, 1, 20_000)))
    found = [
        tests.compare("x", "value", sketch, pa.array(RNG.lognormal(0, 1, 400))).p_value
        for _ in range(400)
    ]
    assert np.mean(np.array(found) < 0.05) < 0.08


def test_a_constant_column_has_no_shift_until_it_changes():
    sketch = sketches.learn(pa.array([3.0] * 100))
    assert tests.compare("x", "value", sketch, pa.array([3.0] * 50)).shift == 0.0
    assert tests.compare("x", "value", sketch, pa.array([4.0] * 50)).p_value < 1e-6
