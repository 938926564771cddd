import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_ratio,
    equalized_odds_difference,
)
from scipy.special import expit

from penstock.measure.policy.levelling import Grouped, each_at_best, levelled
from penstock.measure.policy.thresholds import accuracy, f1, thrift

NAMES = ["a", "b", "c"]


def draw(rows, seed, shift=1.2, shares=(0.5, 0.5)):
    """Calibrated probabilities that are higher in group b."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(len(shares), rows, p=shares)
    chance = expit(1.5 * rng.normal(size=rows) - 1.5 + shift * (codes == 1))
    return Grouped(chance.astype(np.float32), rng.random(rows) < chance, codes, NAMES)


def decide(rows, thresholds):
    limits = np.array([thresholds.get(name, 0.5) for name in rows.names])
    return rows.chance >= limits[rows.codes]


def gap(criterion, rows, chosen):
    measure = {
        "demographic_parity": demographic_parity_ratio,
        "equalized_odds": equalized_odds_difference,
    }[criterion]
    return measure(rows.positive, chosen, sensitive_features=rows.codes)


def test_selection_rates_are_levelled_on_rows_nobody_saw():
    ratios = []
    for seed in range(6):
        found = levelled(draw(4000, seed), "demographic_parity", accuracy, 0.5)
        new = draw(10_000, 100 + seed)
        assert gap("demographic_parity", new, decide(new, {})) < 0.6
        ratios.append(gap("demographic_parity", new, decide(new, found.thresholds)))
    assert np.mean(ratios) > 0.93
    assert min(ratios) > 0.8


def test_odds_are_levelled_on_rows_nobody_saw():
    gaps = []
    for seed in range(6):
        found = levelled(draw(4000, seed), "equalized_odds", accuracy, 0.5)
        new = draw(10_000, 100 + seed)
        assert gap("equalized_odds", new, decide(new, {})) > 0.15
        gaps.append(gap("equalized_odds", new, decide(new, found.thresholds)))
    assert np.mean(gaps) < 0.07
    assert max(gaps) < 0.15


@pytest.mark.parametrize("criterion", ["demographic_parity", "equalized_odds"])
def test_the_gap_told_is_that_of_the_rows_but_for_smoothing(criterion):
    rows = draw(5000, 0)
    found = levelled(rows, criterion, accuracy, 0.5)
    mine = gap(criterion, rows, decide(rows, found.thresholds))
    wanted = 1 - mine if criterion == "demographic_parity" else mine
    assert found.gap == pytest.approx(wanted, abs=0.005)


def test_the_common_rate_is_the_best_between_those_of_before():
    rows = draw(3000, 1)
    found = levelled(rows, "demographic_parity", accuracy, 0.5)
    mine = np.mean(decide(rows, found.thresholds) == rows.positive)
    usual = decide(rows, {})
    ends = sorted(usual[rows.codes == code].mean() for code in (0, 1))
    others = []
    for rate in np.linspace(*ends, 30):
        limits = {
            name: float(np.quantile(rows.chance[rows.codes == code], 1 - rate))
            for code, name in enumerate(NAMES[:2])
        }
        others.append(np.mean(decide(rows, limits) == rows.positive))
    assert mine >= max(others) - 0.001
    rate = decide(rows, found.thresholds).mean()
    assert ends[0] - 0.01 <= rate <= ends[1] + 0.01


def test_what_decisions_are_to_be_good_at_moves_the_common_rate():
    rows = draw(4000, 2)
    usual = {
        "misses are dear": levelled(rows, "demographic_parity", thrift([[0, 1], [3, 0]]), 0.25),
        "accuracy": levelled(rows, "demographic_parity", accuracy, 0.5),
    }
    rates = {name: decide(rows, found.thresholds).mean() for name, found in usual.items()}
    assert rates["misses are dear"] > rates["accuracy"] + 0.05


def test_scores_of_a_few_levels_are_levelled_as_well_as_they_can_be():
    rows = draw(6000, 3)
    coarse = Grouped(np.round(rows.chance, 1), rows.positive, rows.codes, NAMES)
    found = levelled(coarse, "demographic_parity", accuracy, 0.5)
    before = gap("demographic_parity", coarse, decide(coarse, {}))
    after = gap("demographic_parity", coarse, decide(coarse, found.thresholds))
    assert after > before + 0.2
    assert found.gap == pytest.approx(1 - after, abs=0.01)


def test_groups_of_few_rows_keep_the_shared_threshold_and_are_named():
    rows = draw(3000, 4, shares=(0.6, 0.38, 0.02))
    found = levelled(rows, "demographic_parity", accuracy, 0.5)
    assert set(found.thresholds) == {"a", "b"}
    assert found.small == ["c"]


def test_one_group_alone_is_not_levelled():
    rows = draw(1000, 5, shares=(0.97, 0.03))
    found = levelled(rows, "equalized_odds", accuracy, 0.5)
    assert (found.thresholds, found.small) == ({}, ["b"])
    assert np.isnan(found.gap)


def test_a_group_of_one_class_has_no_odds_to_level():
    rows = draw(2000, 6)
    one = Grouped(rows.chance, rows.positive & (rows.codes == 0), rows.codes, NAMES)
    assert levelled(one, "equalized_odds", accuracy, 0.5).small == ["b"]
    assert set(levelled(one, "demographic_parity", accuracy, 0.5).thresholds) == {"a", "b"}


def test_nobody_is_left_without_a_yes_for_the_sake_of_equal_odds():
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 2, 4000)
    positive = rng.random(4000) < 0.4
    told = np.where(codes == 0, 0.4, 2.5)  # scores say much less of group a
    chance = expit(told * (2 * positive - 1) + rng.normal(size=4000))
    rows = Grouped(chance, positive, codes, NAMES)
    found = levelled(rows, "equalized_odds", accuracy, 0.5)
    chosen = decide(rows, found.thresholds)
    assert all(chosen[codes == code].mean() > 0.05 for code in (0, 1))


def test_groups_that_are_alike_stay_as_they_are():
    rows = draw(4000, 8, shift=0.0)
    for criterion in ("demographic_parity", "equalized_odds"):
        found = levelled(rows, criterion, accuracy, 0.5)
        assert all(abs(limit - 0.5) < 0.06 for limit in found.thresholds.values())


def test_each_group_gets_its_best_threshold_only_where_that_is_shown():
    rng = np.random.default_rng(9)
    codes = rng.integers(0, 2, 4000)
    truth = rng.random(4000)
    stated = np.where(codes == 0, truth, expit(np.log(truth / (1 - truth)) - 1.5))
    rows = Grouped(stated, rng.random(4000) < truth, codes, NAMES)
    found = each_at_best(rows, accuracy, 0.5, 0)
    assert set(found.thresholds) == {"b"}
    assert found.thresholds["b"] == pytest.approx(expit(-1.5), abs=0.08)
    worst = [
        np.mean((decide(rows, limits) == rows.positive)[codes == 1])
        for limits in ({}, found.thresholds)
    ]
    assert worst[1] > worst[0] + 0.02


def test_the_same_rows_give_the_same_thresholds():
    rows = draw(1000, 10)
    for criterion in ("demographic_parity", "equalized_odds"):
        assert levelled(rows, criterion, f1, 0.5) == levelled(rows, criterion, f1, 0.5)


def test_rare_decisions_of_many_rows_are_levelled_too():
    rng = np.random.default_rng(11)
    codes = rng.integers(0, 2, 60_000)
    chance = expit(1.2 * rng.normal(size=60_000) - 5 + codes)
    rows = Grouped(chance, rng.random(60_000) < chance, codes, NAMES)
    usual = 0.2
    limits = np.full(3, usual)[codes]
    assert gap("demographic_parity", rows, chance >= limits) < 0.4
    found = levelled(rows, "demographic_parity", f1, usual)
    chosen = decide(rows, found.thresholds)
    assert gap("demographic_parity", rows, chosen) > 0.98
    assert 0.0005 < chosen.mean() < 0.03
