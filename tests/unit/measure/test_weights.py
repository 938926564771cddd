import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from penstock.measure import weights


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.array([0] * 7 + [1] * 2 + [2])
    counts = weights.cells(np.zeros(10, np.int64), labels, 1, 3)
    found = weights.balanced(counts)[0][labels]
    np.testing.assert_allclose(found, compute_sample_weight("balanced", labels))
    assert found.mean() == pytest.approx(1)


def test_a_class_without_a_row_does_not_change_the_others():
    assert weights.balanced(np.array([[3, 1, 0]]))[0].tolist() == [4 / 6, 2.0, 1.0]


def test_reweighing_makes_label_and_group_independent_by_hand():
    counts = np.array([[3, 2], [1, 4]])  # ten applicants: women 3 no, 2 yes; men 1 no, 4 yes
    found = weights.independent(counts)
    np.testing.assert_allclose(found, [[2 / 3, 1.5], [2.0, 0.75]])
    weighted = found * counts
    shares = weighted / weighted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares[0], shares[1])


def test_both_at_once_balance_the_classes_and_keep_them_independent():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 50, (3, 4))
    weighted = weights.balanced(counts) * weights.independent(counts) * counts
    np.testing.assert_allclose(weighted.sum(axis=0), weighted.sum() / 4)
    np.testing.assert_allclose(
        weighted, np.outer(weighted.sum(axis=1), weighted.sum(axis=0)) / weighted.sum()
    )


def test_unequal_weights_are_worth_fewer_rows():
    assert weights.effective_rows(np.array([1.0, 3.0])) == 1.6


def test_quarters_of_a_constant_are_one():
    assert weights.quartiles(np.array([2.0, 2.0])).tolist() == [2.0]
