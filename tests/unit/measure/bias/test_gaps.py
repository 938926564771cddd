"""Gaps between groups: the numbers by hand, the error rates by simulation."""

import numpy as np
import pytest
from scipy import stats

from penstock.measure.bias import gaps
from penstock.measure.bias.score_intervals import difference_interval, ratio_interval


def counts(*pairs):
    hits, totals = zip(*pairs, strict=True)
    return np.array(hits), np.array(totals)


def test_the_normal_quantile_belongs_to_the_level():
    assert pytest.approx(stats.norm.ppf((1 + gaps.LEVEL) / 2)) == gaps.NORMAL


def test_two_groups_are_told_apart_as_by_an_exact_permutation_test():
    """Fisher's exact test deals the same hits to the same groups."""
    for hits in range(20, 60, 3):
        gap = gaps.ratio(*counts((hits, 120), (62, 130)), seed=1)
        share = np.array([hits / 120, 62 / 130])
        x = np.arange(0, 121)
        total = hits + 62
        there = stats.hypergeom.pmf(x, 250, total, 120)
        distance = np.abs(x / 120 - (total - x) / 130)
        p_value = there[distance >= abs(share[0] - share[1]) - 1e-12].sum()
        if abs(p_value - (1 - gaps.LEVEL)) > 0.003:  # beyond what random deals may err
            assert gap.told == (p_value < 1 - gaps.LEVEL), (hits, p_value)


def test_the_interval_excludes_no_effect_exactly_when_the_gap_is_told():
    rng = np.random.default_rng(3)
    for seed in range(60):
        totals = rng.integers(20, 300, 3)
        hits = rng.binomial(totals, rng.uniform(0.2, 0.5, 3))
        ratio, difference = gaps.ratio(hits, totals, seed), gaps.difference([(hits, totals)], seed)
        assert ratio.told == (not ratio.low <= 1 <= ratio.high)
        assert difference.told == (not difference.low <= 0 <= difference.high)
        assert ratio.low <= ratio.value <= ratio.high
        assert difference.low <= difference.value <= difference.high


def test_a_small_noisy_group_does_not_hide_the_gap_of_two_large_ones():
    gap = gaps.ratio(*counts((300, 1000), (150, 1000), (4, 30)), seed=0)
    assert (gap.value, gap.less, gap.more, gap.told) == (0.5, 1, 0, True)


def test_without_a_told_gap_the_widest_is_shown():
    gap = gaps.ratio(*counts((30, 100), (29, 100), (25, 100)), seed=0)
    assert gap.value == pytest.approx(25 / 30) and not gap.told


@pytest.mark.parametrize("hits", [[0, 0], [30, 30]])
def test_groups_that_do_not_vary_at_all(hits):
    totals = np.array([30, 30])
    gap = gaps.ratio(np.array(hits), totals, 0)
    if not any(hits):
        assert gap is None
    else:
        assert gap.value == 1 and gap.low < 0.9 and gap.high > 1.1 and not gap.told
    assert not gaps.difference([(np.array(hits), totals)], 0).told


def test_a_group_of_which_nobody_is_selected_has_the_ratio_0():
    gap = gaps.ratio(*counts((0, 200), (60, 200)), seed=0)
    assert gap.value == gap.low == 0 and gap.high < 0.3 and gap.told


def test_the_larger_of_two_families_decides_and_empty_groups_are_passed_over():
    true = counts((80, 100), (40, 100), (0, 0))
    false = counts((10, 100), (12, 100), (50, 100))
    gap = gaps.difference([true, false], seed=0)
    assert (gap.family, gap.more, gap.less) == (0, 0, 1)
    assert gap.value == pytest.approx(0.4)
    gap = gaps.difference([counts((80, 100), (75, 100), (0, 0)), false], seed=0)
    assert (gap.family, gap.more, gap.less) == (1, 2, 0)


def test_intervals_at_ends_of_the_range():
    """The statistic at each end is the critical value: checked against the closed pooled form."""
    low, high = ratio_interval(0, 50, 20, 50, 2.0)
    assert low == 0 and 0 < high < 1
    low, high = ratio_interval(50, 50, 50, 50, 2.0)
    assert low == pytest.approx(1 / high)
    assert difference_interval(50, 50, 0, 50, 2.0)[1] == pytest.approx(1)
    low, high = difference_interval(0, 50, 0, 50, 2.0)
    assert low == pytest.approx(-high)
    assert high == pytest.approx(4 / 54)  # Wilson's upper end of 0 of 50 at 2 standard errors


def test_a_rise_is_that_of_the_group_with_the_larger_loss():
    losses = np.r_[np.tile([1.0, 3.0], 100), np.tile([4.0, 8.0], 50)]
    codes = np.repeat([0, 1], [200, 100])
    gap = gaps.rise(losses, codes, [0, 1], seed=0)
    overall = (200 * 2 + 100 * 6) / 300
    assert gap.value == pytest.approx(6 / overall - 1)
    assert gap.more == 1 and gap.told and 0 < gap.low < gap.value < gap.high
    se = np.sqrt(np.var(losses[:200], ddof=1) / 200 + np.var(losses[200:], ddof=1) / 100) * 2 / 3
    assert (gap.value - gap.low) / (gap.high - gap.value) == pytest.approx(1)
    assert 2 < (gap.value - gap.low) * overall / se < 3


def test_a_group_that_is_not_tested_counts_only_among_all_rows():
    losses = np.r_[np.full(100, 1.0), np.full(100, 1.0), np.full(4, 100.0)]
    losses += np.random.default_rng(0).normal(0, 0.01, 204)
    gap = gaps.rise(losses, np.repeat([0, 1, 2], [100, 100, 4]), [0, 1], seed=0)
    assert gap.value < 0 and gap.more in (0, 1) and not gap.told


def test_a_perfect_model_has_no_worst_group():
    gap = gaps.rise(np.zeros(100), np.arange(100) % 2, [0, 1], seed=0)
    assert (gap.value, gap.low, gap.high, gap.told) == (0, 0, 0, False)


def told_share(draw, num):
    return np.mean([draw(seed) for seed in range(num)])


def test_equal_mean_losses_are_told_apart_as_rarely_as_promised():
    """Skewed losses, small groups of another spread: one in eighty, and chance."""

    def one(seed):
        rng = np.random.default_rng(seed)
        losses = rng.gamma(0.4, size=250)
        return gaps.rise(losses, np.repeat([0, 1, 2], [170, 50, 30]), [0, 1, 2], seed).told

    assert told_share(one, 200) <= 0.03


def test_equal_error_rates_are_told_apart_as_rarely_as_promised():
    def one(seed):
        rng = np.random.default_rng(seed)
        totals = np.array([100, 40, 60])
        families = [(rng.binomial(totals, rate), totals) for rate in (0.8, 0.1)]
        return gaps.difference(families, seed).told

    assert told_share(one, 300) <= 0.03
