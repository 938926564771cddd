import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_ratio,
    equalized_odds_difference,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score

from penstock.measure.bias.by_group import Groups
from penstock.measure.policy import effects
from penstock.measure.policy.effects import Outcome, rates_of, spread

NAMES = ["a", "b", "c", "(other)"]


def grouped(codes, names=NAMES):
    return Groups("group", list(names), np.asarray(codes), np.ones(len(names), dtype=bool))


def draw(seed=0, rows=600):
    rng = np.random.default_rng(seed)
    chance = rng.random(rows)
    target = (rng.random(rows) < chance).astype(np.int64)
    scores = np.c_[1 - chance, chance]
    return target, scores, rng.integers(0, 3, rows)


def test_rates_and_gaps_are_those_of_fairlearn():
    target, scores, codes = draw()
    decided = scores.argmax(axis=1)
    frame = MetricFrame(
        metrics={
            "selection": selection_rate,
            "tpr": true_positive_rate,
            "fpr": false_positive_rate,
            "accuracy": accuracy_score,
        },
        y_true=target,
        y_pred=decided,
        sensitive_features=codes,
    ).by_group
    found = rates_of(target, decided, grouped(codes, NAMES[:3]))
    for name in frame.columns:
        np.testing.assert_allclose(found[name], frame[name])
    gaps = spread(found, np.ones(3, dtype=bool))
    known = {"sensitive_features": codes}
    assert gaps["demographic_parity"] == pytest.approx(
        demographic_parity_ratio(target, decided, **known)
    )
    assert gaps["equalized_odds"] == pytest.approx(
        equalized_odds_difference(target, decided, **known)
    )


def test_rates_of_an_empty_group_and_of_one_class_are_undefined():
    found = rates_of(np.array([1, 1, 0]), np.array([1, 0, 0]), grouped([0, 0, 1], NAMES[:3]))
    np.testing.assert_array_equal(found["fpr"], [np.nan, 0.0, np.nan])
    gaps = spread(found, np.array([True, True, False]))
    assert gaps["demographic_parity"] == 0
    assert np.isnan(gaps["equalized_odds"])
    assert np.isnan(spread(found, np.array([True, False, False]))["demographic_parity"])


def test_nobody_selected_has_no_ratio():
    found = rates_of(np.array([1, 0]), np.array([0, 0]), grouped([0, 1], NAMES[:2]))
    assert np.isnan(spread(found, np.ones(2, dtype=bool))["demographic_parity"])


def test_before_and_after_show_what_changed():
    target, scores, _ = draw()
    sides = (
        Outcome(scores, scores.argmax(axis=1)),
        Outcome(scores, (scores[:, 1] >= 0.2).astype(np.int64)),
    )
    rows = {row[0]: row[1:] for row in effects.table(
        target, sides, "f1", [[0.0, 1.0], [4.0, 0.0]], "yes", 0
    ).rows}  # fmt: skip
    assert rows["log_loss"][0] == rows["log_loss"][1]
    assert rows["accuracy"] == [pytest.approx(np.mean(s.decided == target)) for s in sides]
    assert rows["share decided yes"] == [np.mean(s.decided) for s in sides]
    assert rows["mean cost"][1] < rows["mean cost"][0]
    assert rows["expected calibration error"][0] < 0.1


def test_each_group_with_rows_has_a_line_and_too_small_ones_no_gap():
    target, scores, codes = draw()
    sides = (
        Outcome(scores, scores.argmax(axis=1)),
        Outcome(scores, (scores[:, 1] >= np.array([0.2, 0.5, 0.5])[codes]).astype(np.int64)),
    )
    table = effects.group_table(target, sides, grouped(codes), {"a": 0.2}, 0.5)
    assert [row[:4] for row in table.rows] == [
        ["a", int((codes == 0).sum()), 0.2, True],
        ["b", int((codes == 1).sum()), 0.5, False],
        ["c", int((codes == 2).sum()), 0.5, False],
    ]
    gaps = effects.gap_table(target, sides, grouped(codes), ["c"])
    two = codes < 2
    wanted = demographic_parity_ratio(
        target[two], sides[1].decided[two], sensitive_features=codes[two]
    )
    assert gaps.rows[0][2] == pytest.approx(wanted)
    assert "too few rows: c" in gaps.note


def test_the_promise_tells_how_large_the_sets_are():
    held = np.array([[True, False], [True, True], [True, False], [False, False]])
    rows = dict(effects.promise_table(held, 0.3, 0.9, 4).rows)
    assert rows["mean classes in a set"] == 1.0
    assert rows["share of sets of 0"] == 0.25
    assert rows["share of sets of 1"] == 0.5


def test_the_price_names_accuracy_and_both_gaps():
    target, scores, codes = draw()
    never = Outcome(scores, np.where(codes == 0, 1, scores.argmax(axis=1)))
    sides = (Outcome(scores, target), never)
    text = effects.price(target, sides, grouped(codes), [])
    after = np.mean(never.decided == target)
    assert f"accuracy from 1.0000 to {after:.4f}" in text
    assert "equalized_odds from 0.000 to" in text
