import numpy as np
import pytest
from scipy import stats

from penstock.measure.comparison import Tried, corrected_interval, deciding_rows, gains


def test_without_overlap_the_interval_is_student_s():
    differences = np.random.default_rng(0).normal(1, 1, 9)
    mean, low, high = corrected_interval(differences, 0.0, 0.95)
    wanted = stats.t.interval(0.95, 8, differences.mean(), stats.sem(differences))
    assert (low, high) == pytest.approx(wanted)
    assert mean == pytest.approx(differences.mean())


def test_overlapping_training_rows_widen_it_as_nadeau_and_bengio_say():
    differences = np.random.default_rng(0).normal(1, 1, 8)
    plain, corrected = (corrected_interval(differences, share, 0.95) for share in (0.0, 1 / 7))
    ratio = (corrected[2] - corrected[1]) / (plain[2] - plain[1])
    assert ratio == pytest.approx(np.sqrt((1 / 8 + 1 / 7) * 8))


def test_folds_in_which_a_metric_is_not_defined_do_not_count():
    found = corrected_interval(np.array([1.0, np.nan, 2.0, 3.0]), 0.5, 0.95)
    assert found == corrected_interval(np.array([1.0, 2.0, 3.0]), 0.5, 0.95)
    assert np.isnan(corrected_interval(np.array([1.0, np.nan, 2.0]), 0.5, 0.95)).all()


def tried(**values):
    each = {name: {"mae": np.array(v), "roc_auc": np.array(v)} for name, v in values.items()}
    return Tried(each, 100, {})


def test_a_gain_is_positive_where_the_other_one_is_better_in_either_direction():
    found = tried(chosen=[0.6, 0.7, 0.8], other=[0.5, 0.5, 0.5])
    assert found.gain("mae", "chosen", "other")[0] == pytest.approx(0.2 / 0.7)
    assert found.gain("roc_auc", "chosen", "other")[0] == pytest.approx(-0.2)


def test_no_error_at_all_is_no_gain():
    assert gains("lower", np.zeros(2), np.zeros(2), as_share=True).tolist() == [0.0, 0.0]


def test_a_third_of_normal_squares_decides_and_a_handful_of_heavy_ones():
    rng = np.random.default_rng(0)
    assert deciding_rows(rng.normal(size=9000) ** 2) == pytest.approx(3000, rel=0.1)
    assert deciding_rows(rng.standard_t(1.5, size=9000) ** 2) < 30
