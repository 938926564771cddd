import numpy as np
import pytest

from penstock.measure import boosting
from penstock.measure.leaks import alone


def test_no_row_is_predicted_by_a_model_that_saw_it():
    # an identifier tells each row's own target by heart, and nothing of any other
    rng = np.random.default_rng(0)
    target = rng.normal(size=300)
    folds = alone.fold_of(target, 3, seed=0)
    guess = boosting.out_of_fold(rng.permutation(300)[:, None] * 1.0, [False], target, folds, 0)
    assert abs(alone.correlation(guess, target)) < 0.2
    assert np.isfinite(guess).all()


def test_numbers_codes_and_holes_are_read():
    rng = np.random.default_rng(0)
    code, x = rng.integers(0, 6, 900).astype(float), rng.normal(size=900)
    level = np.array([2.0, -1.0, 0.5, 3.0, -2.0, 1.0])
    target = level[code.astype(int)] + x + 0.1 * rng.normal(size=900)
    x[::10] = np.nan
    folds = alone.fold_of(target, 3, seed=0)
    guess = boosting.out_of_fold(np.column_stack([code, x]), [True, False], target, folds, 0)
    assert alone.correlation(guess[~np.isnan(x)], target[~np.isnan(x)]) > 0.95


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_numbers(seed):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 2)), rng.normal(size=200)
    folds = alone.fold_of(y, 3, seed)
    first, again = (boosting.out_of_fold(x, [False] * 2, y, folds, seed) for _ in range(2))
    assert (first == again).all()


def test_without_a_known_value_the_mean_of_the_other_folds_is_predicted():
    folds = np.array([0, 0, 1, 1])
    found = boosting.out_of_fold(np.full((4, 1), np.nan), [False], np.arange(4.0), folds, 0)
    assert found.tolist() == [2.5, 2.5, 0.5, 0.5]
