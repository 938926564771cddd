"""The checks on gaps between groups: what passes, fails and cannot be judged."""

import numpy as np
import pyarrow as pa
import pytest
from fairlearn import metrics as fair

from penstock.errors import BadInput
from penstock.measure.bias import fairness
from penstock.measure.bias.by_group import Groups, Scored
from penstock.measure.bias.fairness import Judging
from penstock.measure.judging import judged
from penstock.records import Layout
from penstock.spec import BiasSpec, Gates

TWO = Layout(columns=[], target="income", task="classification", classes=["low", "high"])
MORE = Layout(columns=[], target="kind", task="classification", classes=["a", "b", "c"])
NUMBER = Layout(columns=[], target="price", task="regression")


def column(values):
    return pa.chunked_array([pa.array(values, pa.string())])


def scored(target, decided, losses=None):
    scores = np.tile([0.5, 0.5], (len(target), 1))
    losses = np.full(len(target), 0.7) if losses is None else losses
    return Scored(np.asarray(target), scores, np.asarray(decided), losses, TWO, "accuracy")


def selected(**groups):
    """Groups given as (rows, selected rows); every other row is truly positive."""
    names, target, decided = [], [], []
    for name, (rows, hits) in groups.items():
        names += [None if name == "missing" else name] * rows
        target += [0, 1] * (rows // 2) + [0] * (rows % 2)
        decided += np.random.default_rng(rows).permutation(np.arange(rows) < hits).tolist()
    return scored(np.array(target), np.array(decided, dtype=np.int64)), names


def outcomes(rows, names, criterion="demographic_parity", train=None, min_rows=30, seed=0):
    by = Groups.of(column(train or names), column(names), "sex")
    checks = Judging(rows, by, criterion, min_rows, seed).checks()
    gates = Gates()
    return {(c.name, c.subject): judged(c, gates.of(c.name)) for c in checks}


def words(found):
    return {key: check.outcome for key, check in found.items()}


def test_a_told_ratio_beyond_four_fifths_is_refused_by_name():
    check = outcomes(*selected(f=(500, 120), m=(500, 240)))["demographic_parity", "sex"]
    assert (check.outcome, check.blocks, check.value, check.limit) == ("refuse", True, 0.5, 0.8)
    assert check.low < 0.5 < check.high < 1
    assert "24.0% of 500 rows of f" in check.why and "48.0% of 500 rows of m" in check.why
    assert "'high'" in check.why
    assert "bias.mitigation" in check.remedy and "sex" in check.remedy


def test_the_same_ratio_by_chance_passes_and_says_so():
    check = outcomes(*selected(f=(40, 8), m=(40, 12)))["demographic_parity", "sex"]
    assert check.value == pytest.approx(2 / 3)
    assert check.outcome == "pass" and "Chance alone" in check.why


def test_a_told_ratio_within_four_fifths_passes():
    check = outcomes(*selected(f=(5000, 2200), m=(5000, 2500)))["demographic_parity", "sex"]
    assert check.value == pytest.approx(0.88) and check.high < 1 and check.outcome == "pass"


def test_only_the_criterion_is_gated_and_the_others_are_notes():
    rows, names = selected(f=(500, 120), m=(500, 240))
    found = outcomes(rows, names, "worst_group")
    assert words(found) == {
        ("demographic_parity", "sex"): "note",
        ("equalized_odds", "sex"): "note",
        ("worst_group", "sex"): "pass",
    }
    assert outcomes(rows, names, "equalized_odds")["equalized_odds", "sex"].outcome == "refuse"


def test_a_group_too_small_is_insufficient_by_name_and_the_rest_is_judged():
    found = outcomes(*selected(f=(500, 230), m=(500, 240), x=(29, 0)))
    small = found["demographic_parity", "sex[x]"]
    assert (small.outcome, small.blocks) == ("insufficient", True)
    assert "29 test rows; 30 are needed" in small.why
    for way in ("bias.min_rows: 29", "merge", "gates.demographic_parity.action: warn", "more rows"):
        assert way in small.remedy
    assert found["demographic_parity", "sex"].outcome == "pass"
    enough = outcomes(*selected(f=(500, 230), m=(500, 240), x=(30, 0)))
    assert ("demographic_parity", "sex[x]") not in enough
    assert enough["demographic_parity", "sex"].outcome == "refuse"


def test_a_small_group_is_a_note_where_its_gate_only_warns():
    rows, names = selected(f=(500, 230), m=(500, 240), x=(29, 0))
    by = Groups.of(column(names), column(names), "sex")
    gate = Gates.model_validate({"demographic_parity": {"action": "warn"}}).demographic_parity
    checks = [judged(c, gate) for c in Judging(rows, by, "demographic_parity", 30, 0).checks()]
    assert not any(check.blocks for check in checks)


def test_a_level_of_the_training_rows_without_a_test_row_is_insufficient():
    rows, names = selected(f=(100, 40), m=(100, 40))
    found = outcomes(rows, names, train=[*names, "x"])
    assert "x of sex has 0 test rows" in found["demographic_parity", "sex[x]"].why


def test_missing_values_are_a_group_when_there_are_enough():
    found = outcomes(*selected(f=(300, 150), m=(300, 150), missing=(300, 60)))
    check = found["demographic_parity", "sex"]
    assert check.outcome == "refuse" and "(missing)" in check.why


def test_few_missing_or_unseen_values_are_insufficient_but_block_nothing():
    rows, names = selected(f=(300, 150), m=(300, 150), missing=(10, 0), new=(10, 0))
    train = [None if name == "new" else name for name in names]
    found = outcomes(rows, names, train=train)
    for group in ("(missing)", "(other)"):
        check = found["demographic_parity", f"sex[{group}]"]
        assert (check.outcome, check.blocks) == ("insufficient", False)


def test_one_value_only_is_nothing_to_compare():
    found = outcomes(*selected(m=(300, 150)))
    check = found["demographic_parity", "sex"]
    assert (check.outcome, check.blocks) == ("insufficient", True)
    assert "All 300 test rows are m of sex" in check.why
    assert "data.sensitive" in check.remedy
    assert len(found) == 1


def test_one_large_group_among_small_ones_is_nothing_to_compare():
    found = outcomes(*selected(m=(300, 150), f=(20, 3)))
    assert words(found) == {
        ("demographic_parity", "sex"): "insufficient",
        ("demographic_parity", "sex[f]"): "insufficient",
    }
    assert "1 of 2 groups" in found["demographic_parity", "sex"].why


def test_a_group_of_one_class_has_no_equalised_odds():
    rows, names = selected(f=(100, 40), m=(100, 40), x=(100, 40))
    target = np.where(np.array(names) == "x", 0, rows.target)
    rows = scored(target, rows.decided)
    found = outcomes(rows, names, "equalized_odds")
    check = found["equalized_odds", "sex[x]"]
    assert (check.outcome, check.blocks) == ("insufficient", True)
    assert "0 of 100 test rows of x are 'high'" in check.why
    assert found["equalized_odds", "sex"].value is not None
    as_note = outcomes(rows, names)["equalized_odds", "sex[x]"]
    assert (as_note.outcome, as_note.blocks) == ("insufficient", False)


def test_nobody_selected_is_no_pass():
    check = outcomes(*selected(f=(100, 0), m=(100, 0)))["demographic_parity", "sex"]
    assert check.outcome == "insufficient" and "none of 200 rows" in check.why


def test_no_positive_row_at_all_is_no_pass_of_equalised_odds():
    rows = scored(np.zeros(40, dtype=np.int64), np.zeros(40, dtype=np.int64))
    found = outcomes(rows, ["f", "m"] * 20, "equalized_odds", min_rows=30)
    assert found["equalized_odds", "sex"].outcome == "insufficient"
    found = outcomes(rows, ["f", "m"] * 20, "equalized_odds", min_rows=20)
    assert found["equalized_odds", "sex[f]"].outcome == "insufficient"


def test_a_group_with_twice_the_loss_is_refused_by_name():
    rng = np.random.default_rng(0)
    names = ["f"] * 300 + ["m"] * 900
    losses = rng.gamma(1, size=1200) * np.where(np.array(names) == "f", 2.5, 1)
    target = np.arange(1200) % 2
    found = outcomes(scored(target, target, losses), names, "worst_group")
    check = found["worst_group", "sex"]
    assert check.outcome == "refuse"
    assert check.value == pytest.approx(losses[:300].mean() / losses.mean() - 1)
    assert "300 rows of f" in check.why


@pytest.mark.parametrize("layout", [MORE, NUMBER])
def test_only_the_worst_group_is_offered_beyond_two_classes(layout):
    assert fairness.criterion_of(BiasSpec(), layout) == "worst_group"
    assert fairness.criterion_of(BiasSpec(criterion="worst_group"), layout) == "worst_group"
    with pytest.raises(BadInput, match=layout.target) as caught:
        fairness.criterion_of(BiasSpec(criterion="equalized_odds"), layout)
    assert "worst_group" in caught.value.mistakes[0].remedy


def test_the_summary_is_fairlearns():
    rng = np.random.default_rng(5)
    names = rng.choice(["f", "m", "x"], 2000)
    target = rng.integers(0, 2, 2000)
    decided = (rng.random(2000) < 0.3 + 0.1 * (names == "m") + 0.2 * target).astype(np.int64)
    rows = scored(target, decided, rng.random(2000))
    by = Groups.of(column(names), column(names), "sex")
    found = fairness.summary(rows, by, 30)
    of = {"y_true": target, "y_pred": decided, "sensitive_features": names}
    for name in ("demographic_parity_difference", "demographic_parity_ratio",
                 "equalized_odds_difference"):  # fmt: skip
        assert found[name] == pytest.approx(getattr(fair, name)(**of))
    accuracy = fair.MetricFrame(
        metrics=lambda y_true, y_pred: np.mean(y_true == y_pred), **of
    ).group_min()
    assert found["worst_group_accuracy"] == pytest.approx(accuracy)
    losses = [rows.losses[names == name].mean() for name in "fmx"]
    assert found["worst_group_rise"] == pytest.approx(max(losses) / rows.losses.mean() - 1)


def refused(rates, num_rows, num_sets, seed=0):
    """Share of simulated sets that the default gate refuses, and that the bare rule would."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"g{i}" for i in range(len(rates))], num_rows)
    by = Groups.of(column(names), column(names), "sex")
    target = np.arange(len(names)) % 2
    gate, ours, bare = Gates().demographic_parity, 0, 0
    for number in range(num_sets):
        decided = (rng.random(len(names)) < np.repeat(rates, num_rows)).astype(np.int64)
        check = Judging(scored(target, decided), by, "demographic_parity", 30, number).parity()
        ours += judged(check, gate).blocks
        shares = by.count(decided == 1) / num_rows
        bare += shares.min() / shares.max() < gate.limit
    return ours / num_sets, bare / num_sets


def test_equal_groups_are_refused_in_at_most_one_set_of_fifty():
    ours, bare = refused([0.3, 0.3], 100, 500)
    assert ours <= 0.02 and bare > 0.25
    assert refused([0.2] * 4, 100, 250)[0] <= 0.028


@pytest.mark.parametrize("rate", [0.43, 0.5])
def test_a_ratio_of_0_7_is_refused_in_at_least_nine_sets_of_ten(rate):
    assert refused([rate, 0.7 * rate], 500, 250)[0] >= 0.9
