import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from penstock.measure.leaks import alone, leakage, synergy

N = 1_500


def honest(seed=0, n=N, classes=2):
    """Five columns that depend on one another, and a label that depends on most of them."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n, 1))
    x = 0.7 * base + 0.7 * rng.normal(size=(n, 4))
    code = rng.integers(0, 6, n).astype(float)
    hidden = x @ [1.0, 0.7, 0.4, 0.2] + 0.5 * code + rng.logistic(size=n)
    label = np.searchsorted(np.quantile(hidden, np.linspace(0, 1, classes + 1)[1:-1]), hidden)
    return rng, np.column_stack([x, code]), label, hidden


def search(features, label, is_classification=True, categorical=None):
    d = features.shape[1]
    names = ["a", "b", "c", "d", "code", *"zw"][:d]
    categorical = categorical or [name == "code" for name in names]
    return leakage.telltales(features, names, categorical, label, is_classification, seed=0)


def named(*args, **kwargs):
    return [found.name for found in search(*args, **kwargs).telltales]


def flip(rng, label, share):
    classes = label.max() + 1
    other = (label + rng.integers(1, classes, len(label))) % classes
    return np.where(rng.random(len(label)) < share, other, label)


@pytest.mark.parametrize(("seed", "classes"), [(0, 2), (1, 3)])
def test_honest_columns_are_not_accused(seed, classes):
    _, features, label, hidden = honest(seed, classes=classes)
    assert named(features, label) == []
    assert named(features, hidden, is_classification=False) == []


@pytest.mark.parametrize(("share", "classes"), [(0.0, 2), (0.05, 3), (0.2, 2), (0.2, 3)])
def test_a_copy_of_the_label_is_named_through_20_percent_noise(share, classes):
    rng, features, label, _ = honest(classes=classes)
    z = flip(rng, label, share).astype(float)
    codes = [False] * 4 + [True, True]
    assert named(np.column_stack([features, z]), label, categorical=codes) == ["z"]


def test_a_copy_weaker_than_everything_else_is_told_by_its_independence():
    rng, features, label, _ = honest()
    z = flip(rng, label, 0.2)
    (found,) = search(np.column_stack([features, z]), label).telltales
    assert found.signature == "copy"
    assert found.alone < found.rest
    assert found.alone == pytest.approx(roc_auc_score(label, z), abs=0.01)
    assert abs(found.given_label) < 0.07 < abs(found.given_column)


def test_the_source_of_a_noisy_label_is_named():
    rng, features, label, _ = honest()
    (found,) = search(np.column_stack([features, label]), flip(rng, label, 0.2)).telltales
    assert (found.name, found.signature) == ("z", "sufficient")


def test_nulls_more_levels_and_a_second_copy_do_not_hide_it():
    rng, features, label, _ = honest()
    codes = flip(rng, label, 0.1) * 3.0 + rng.integers(0, 3, N)
    codes[rng.random(N) < 0.3] = np.nan
    assert named(np.column_stack([features, codes]), label) == ["z"]
    assert sorted(named(np.column_stack([features, label, 2 - label]), label)) == ["w", "z"]


@pytest.mark.parametrize(
    "copy",
    [
        lambda rng, y: 12 * y,
        lambda rng, y: -np.exp(y / 5),
        lambda rng, y: y + rng.normal(0, 0.2 * y.std(), len(y)),
    ],
)
def test_a_copy_of_a_value_is_named(copy):
    rng, features, _, hidden = honest()
    z = copy(rng, hidden)
    assert named(np.column_stack([features, z]), hidden, is_classification=False) == ["z"]


@pytest.mark.parametrize(("scale", "noise"), [(1, 0), (50, 0), (3, 0.2)])
def test_a_label_in_the_difference_of_two_columns_is_named(scale, noise):
    rng, features, label, _ = honest()
    key = rng.normal(0, scale, N)
    w = key + label + rng.normal(0, noise, N)
    assert named(np.column_stack([features, key, w]), label) == ["z + w"]


def test_a_label_in_the_agreement_of_two_columns_is_named():
    rng, features, label, _ = honest()
    key = rng.integers(0, 2, N)
    pair = np.column_stack([features, key, key ^ flip(rng, label, 0.1)])
    assert named(pair, label, categorical=[False] * 4 + [True] * 3) == ["z + w"]


def test_columns_independent_given_the_label_by_nature_are_not_accused():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, N)
    features = np.where(rng.random((N, 5)) < 0.8, label[:, None], 1 - label[:, None])
    assert named(features.astype(float), label) == []


def test_few_rows_empty_and_constant_columns_are_no_crash():
    label = np.array([0, 1] * 6)
    empty = np.full((12, 2), np.nan)
    found = search(np.column_stack([empty, np.ones(12)]), label)
    assert found.telltales == []
    assert [c.skill for c in found.columns] == [0.5] * 3
    found = search(np.column_stack([empty, np.ones(12)]), label + 0.5, is_classification=False)
    assert [c.skill for c in found.columns] == [0.0] * 3


def test_each_column_alone_has_its_interval_around_the_truth():
    _, features, label, _ = honest()
    columns = {c.name: c for c in search(features, label).columns}
    truth = roc_auc_score(label, features[:, 0])
    assert columns["a"].low < truth < columns["a"].high


def test_the_same_rows_give_the_same_answer():
    rng, features, label, _ = honest()
    features = np.column_stack([features, flip(rng, label, 0.1)])
    assert search(features, label) == search(features, label)


def test_more_pairs_than_can_be_looked_at_are_told(monkeypatch):
    monkeypatch.setattr(synergy, "MAX_PAIRS", 3)
    _, features, label, _ = honest()
    assert any("drawn at random" in note for note in search(features, label).notes)


def test_area_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    label, scores = rng.integers(0, 2, 200), rng.integers(0, 9, 200).astype(float)
    assert alone.area(scores, label) == pytest.approx(roc_auc_score(label, scores))


def test_a_level_for_each_row_tells_nothing_out_of_fold():
    label = np.random.default_rng(0).integers(0, 2, 400)
    scores = alone.out_of_fold_mean(np.arange(400), label, alone.fold_of(label, 3, 0))
    assert abs(alone.area(scores, label) - 0.5) < 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_numbers_made_by_the_label_are_not_accused_however_few_they_are(seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, 700)
    shifts = rng.uniform(0.5, 2.5, 2 + seed % 3)
    features = rng.normal(size=(700, len(shifts))) + label[:, None] * shifts
    assert named(features, label) == []


@pytest.mark.parametrize("n", [120, 300])
def test_an_exact_copy_is_named_in_few_rows_and_what_is_not_looked_for_is_told(n):
    _, features, label, hidden = honest(n=n)
    found = search(np.column_stack([features, 3 * label]), label)
    assert [t.name for t in found.telltales] == ["z"]
    assert any(f"Only {n} rows" in note and "noisy copy" in note for note in found.notes)
    copied = np.column_stack([features, -12 * hidden])
    assert named(copied, hidden, is_classification=False) == ["z"]


def test_a_difference_of_large_numbers_is_named_in_few_rows():
    rng, features, label, _ = honest(n=700)
    key = rng.normal(0, 50, 700)
    assert named(np.column_stack([features, key, key + label]), label) == ["z + w"]
