import numpy as np

from penstock.measure import label_errors


def made(num_wrong, seed=0):
    """Probabilities of a sure model of three classes, and labels of which some were changed."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 600)
    logits = rng.normal(0, 1, (600, 3)) + 5 * np.eye(3)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = truth.copy()
    given[:num_wrong] = (truth[:num_wrong] + 1) % 3
    return scores, given, truth


def test_changed_labels_are_found_first_and_right_ones_left_alone():
    scores, given, truth = made(30)
    found = label_errors.suspects(scores, given)
    assert len(set(found.rows.tolist()) & set(range(30))) >= 20
    assert (found.rows >= 30).mean() < 0.1
    assert (found.believed == truth[found.rows]).mean() > 0.95
    assert (np.diff(found.margin) <= 0).all()


def test_nothing_is_suspected_of_a_model_that_is_unsure_alike():
    scores = np.full((50, 2), 0.5)
    assert len(label_errors.suspects(scores, np.arange(50) % 2).rows) == 0


def test_a_class_without_rows_is_never_believed():
    scores = np.tile([0.1, 0.1, 0.8], (20, 1))
    found = label_errors.suspects(scores, np.arange(20) % 2)
    assert 2 not in found.believed


def test_tables_count_pairs_and_name_the_surest_rows():
    scores, given, _ = made(30)
    found = label_errors.suspects(scores, given)
    counted = label_errors.table(found, ["a", "b", "c"], 600)
    assert counted.columns == ["label", "looks like", "rows"]
    assert sum(row[2] for row in counted.rows) == len(found.rows)
    assert f"{len(found.rows)} of 600 test rows" in counted.note
    named = label_errors.rows_table(found, ["a", "b", "c"])
    assert len(named.rows) == min(label_errors.SHOWN_ROWS, len(found.rows))
    row, label, looks, margin = named.rows[0]
    assert label == "abc"[given[row]] != looks
    assert margin > 0.9
