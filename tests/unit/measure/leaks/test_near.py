import numpy as np

from penstock.measure.leaks import near


def test_copies_with_small_changes_are_found_and_rows_of_one_kind_are_not():
    rng = np.random.default_rng(0)
    kinds = 5 * rng.normal(size=(4, 30))
    rows = (kinds[np.arange(900) % 4] + rng.normal(size=(900, 30))).astype(np.float32)
    train, honest = rows[:600], rows[600:]
    copied = train[::12] + rng.normal(0, 0.05, (50, 30)).astype(np.float32)
    found, nearest = near.copies(train, np.concatenate([honest, copied]))
    assert not found[:300].any()
    assert found[300:].all()
    assert nearest[300:].tolist() == list(range(0, 600, 12))


def test_what_is_flat_has_no_copy_and_few_rows_tell_nothing():
    train = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    train[:20] = 0
    assert not near.copies(train, np.zeros((3, 8), np.float32))[0].any()
    assert not near.copies(train[30:40], train[30:33])[0].any()
