import numpy as np
import pytest
from scipy import stats

from penstock.measure import labels


def test_entropy_is_scipy_s():
    counts = np.array([7, 2, 0, 1])
    assert labels.entropy_bits(counts) == pytest.approx(stats.entropy(counts, base=2))


def test_classes_are_shown_from_the_most_frequent_with_their_entropy():
    found = labels.of_classes(np.array([1, 3]), ["no", "yes"])
    assert found.tables["balance"].rows == [["yes", 3, 0.75], ["no", 1, 0.25]]
    assert "0.811 bits" in found.notes[0] and "1.000" in found.notes[0]


def test_the_shape_of_a_heavy_tail_differs_from_a_normal_one():
    rng = np.random.default_rng(0)
    normal = labels.shape_of(rng.normal(size=20_000))
    heavy = labels.shape_of(rng.standard_t(2, size=20_000))
    assert normal["tail_weight"] == pytest.approx(labels.NORMAL_TAIL, rel=0.05)
    assert normal["outliers"] == pytest.approx(0.007, abs=0.003)
    assert heavy["tail_weight"] == pytest.approx(8.5, rel=0.1)
    assert heavy["outliers"] > 0.05
    skewed = rng.lognormal(size=500)
    assert labels.shape_of(skewed)["skewness"] == pytest.approx(stats.skew(skewed))


@pytest.mark.parametrize("values", [[3.0] * 5, [1e300, -1e300, 0.0], [0.0, 0.0, 0.0, 9.0]])
def test_odd_numbers_have_a_look_too(values):
    found = labels.of_values(np.array(values), "y")
    assert sum(found.figures["balance"].series[0].y) <= 1.0 + 1e-9
    assert found.tables["balance"].rows
