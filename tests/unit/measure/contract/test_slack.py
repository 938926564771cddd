"""Slack: honest samples stay within it, nearly always."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.measure.contract import slack


@pytest.mark.parametrize("n", [500, 2_000])
@pytest.mark.parametrize("level", [0.05, 0.5, 0.95])
def test_another_samples_quantile_stays_within_its_rank_slack(n, level):
    rng = np.random.default_rng(n)
    first = np.sort(rng.normal(size=(4_000, n)), axis=1)
    second = np.quantile(rng.normal(size=(4_000, n)), level, axis=1)
    reach = slack.rank_slack(level, n)
    low = first[:, max(int((level - reach) * (n - 1)), 0)]
    high = first[:, min(int(np.ceil((level + reach) * (n - 1))), n - 1)]
    strays = (second > high) if level + reach < 1 else np.zeros(4_000, bool)
    strays |= (second < low) if level - reach > 0 else False
    assert strays.mean() <= 0.001


@pytest.mark.parametrize("share", [0.0, 0.03, 0.5])
def test_another_samples_share_stays_within_its_slack(share):
    rng = np.random.default_rng(1)
    first, second = rng.binomial(1_000, share, (2, 20_000)) / 1_000
    reach = np.array([slack.share_slack(p, 1_000) for p in first])
    assert np.mean(second > first + reach) <= 0.002


def test_unseen_levels_stay_within_their_share():
    rng = np.random.default_rng(2)
    strays = []
    for _ in range(300):
        first, second = rng.zipf(1.5, (2, 1_000)) % 500
        _, counts = np.unique(first, return_counts=True)
        expected = slack.unseen_share((counts == 1).sum(), (counts == 2).sum(), 1_000)
        strays.append(np.mean(~np.isin(second, first)) > expected)
    assert np.mean(strays) <= 0.01


def test_mostly_is_rounded_down_and_never_negative():
    assert slack.mostly(0.00005) == 0.9999
    assert slack.mostly(1.3) == 0.0
    assert slack.mostly(0.0) == 1.0
