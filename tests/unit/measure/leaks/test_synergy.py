import numpy as np
import pytest

from penstock.measure.leaks import synergy
from penstock.measure.leaks.alone import binned

N = 1_000


def pairs(features, target, categorical=None, **kwargs):
    categorical = np.zeros(features.shape[1], bool) if categorical is None else categorical
    coarse = [binned(x, c, 16) for x, c in zip(features.T, categorical, strict=True)]
    asked = {"taken": set(), "skip": set(), "most": 2} | kwargs
    return synergy.best_pairs(features, categorical, coarse, [target.astype(float)], **asked)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda k, y: k, lambda k, y: k + y),
        (lambda k, y: np.exp(k), lambda k, y: np.exp(k + y)),
        (lambda k, y: np.round(k) % 2, lambda k, y: (np.round(k) + y) % 2),
    ],
    ids=["difference", "ratio", "agreement"],
)
def test_two_columns_that_tell_only_together_come_first(rng, first, second):
    y, key = rng.integers(0, 2, N), rng.normal(0, 3, N)
    x = np.column_stack([rng.normal(size=(N, 3)), first(key, y), second(key, y)])
    assert pairs(x, y)[0][0] == (3, 4)


def test_columns_that_add_up_are_no_pair(rng):
    x = rng.normal(size=(N, 4))
    assert pairs(x, x.sum(1) > 0)[0] == []


def test_columns_that_need_no_partner_are_left_out(rng):
    y, key = rng.integers(0, 2, N), rng.normal(0, 3, N)
    x = np.column_stack([rng.normal(size=(N, 2)), key, key + y])
    assert (2, 3) not in pairs(x, y, taken={2})[0]
    assert (2, 3) not in pairs(x, y, skip={3})[0]
    assert pairs(x[:, 2:], y, taken={0}) == ([], "")


def test_the_joint_view_holds_difference_sum_ratio_and_product():
    joint = synergy.joint(np.array([[6.0, 3.0], [1.0, 0.0], [np.nan, 2.0]]), np.zeros(2, bool))
    assert joint[0, :6].tolist() == [6, 3, 3, 9, 2, 18]
    assert np.isnan(joint[1, 4])  # a ratio to 0 is missing, not infinite
    assert np.isnan(joint[2, 2:]).all()


def test_codes_are_not_added():
    assert synergy.joint(np.ones((3, 2)), np.array([True, False])).shape == (3, 2)
