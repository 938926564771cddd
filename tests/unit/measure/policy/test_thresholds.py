import numpy as np
import pytest
from scipy.special import expit

from penstock.measure import metrics
from penstock.measure.policy.thresholds import (
    QUALITIES,
    Cuts,
    accuracy,
    balanced_accuracy,
    balanced_gain,
    f1,
    paired_gain,
    thrift,
    tuned,
)


def rare(rows, seed, slope=1.5):
    """Calibrated probabilities of a class of about one row in ten."""
    rng = np.random.default_rng(seed)
    chance = expit(slope * rng.normal(size=rows) - 2.7)
    return chance, rng.random(rows) < chance


def noise(rows, seed):
    """Probabilities around one half that say nothing of an even class."""
    rng = np.random.default_rng(seed)
    return expit(0.5 * rng.normal(size=rows)), rng.random(rows) < 0.5


def measured(measure, chance, positive, threshold):
    over = chance >= threshold
    hits, alarms = (over & positive).sum(), (over & ~positive).sum()
    return float(measure(hits, alarms, positive.sum(), (~positive).sum()))


def test_every_metric_of_decisions_has_its_sum_from_counts():
    assert set(QUALITIES) == {n for n, m in metrics.METRICS.items() if m.reads == "decisions"}


@pytest.mark.parametrize("name", sorted(QUALITIES))
def test_sums_from_counts_are_those_of_the_metrics_at_every_threshold(name):
    chance, positive = rare(300, 0)
    cuts, scores = Cuts.of(chance, positive), np.c_[1 - chance, chance]
    target = positive.astype(np.int64)
    wanted = [
        metrics.of(name).measure(target, scores, (chance >= limit).astype(np.int64))
        for limit in cuts.threshold
    ]
    np.testing.assert_allclose(cuts.quality(QUALITIES[name]), wanted, atol=1e-12)


@pytest.mark.parametrize("name", sorted(QUALITIES))
@pytest.mark.parametrize("positive", [0.0, 1.0])
def test_sums_of_one_class_are_those_of_the_metrics(name, positive):
    target = np.full(9, int(positive))
    chance = np.linspace(0.1, 0.9, 9)
    scores, chosen = np.c_[1 - chance, chance], (chance >= 0.5).astype(np.int64)
    wanted = metrics.of(name).measure(target, scores, chosen)
    assert measured(QUALITIES[name], chance, target == 1, 0.5) == pytest.approx(wanted)


def test_cuts_stand_between_scores_and_reach_from_all_to_none():
    chance = np.array([0.0, 0.5, 0.5, 1.0], dtype=np.float32)
    cuts = Cuts.of(chance, np.array([False, True, False, True]))
    assert cuts.threshold.tolist() == [0.0, 0.25, 0.75, np.nextafter(1.0, 2.0)]
    assert cuts.tp.tolist() == [2, 2, 1, 0]
    assert cuts.fp.tolist() == [2, 1, 0, 0]
    assert cuts.thinned(2).threshold.tolist() == [0.0, np.nextafter(1.0, 2.0)]


def test_thrift_is_minus_the_mean_cost():
    costs = [[1.0, 5.0], [9.0, 2.0]]
    # 2 true positives of 3, 1 false positive of 4: 3 * 1 + 1 * 5 + 1 * 9 + 2 * 2 over 7 rows
    assert float(thrift(costs)(2, 1, 3, 4)) == pytest.approx(-3.0)


def test_a_tuned_threshold_beats_half_for_f1_of_a_rare_class():
    better = 0
    for seed in range(20):
        found = tuned(*rare(1500, seed), f1, 0.5, seed)
        new = rare(20_000, 1000 + seed)
        better += found.shown and measured(f1, *new, found.threshold) > measured(f1, *new, 0.5)
    assert better >= 19


@pytest.mark.parametrize("measure", [accuracy, balanced_accuracy])
def test_half_stays_where_there_is_nothing_to_gain(measure):
    shown = [tuned(*noise(400, seed), measure, 0.5, seed).shown for seed in range(200)]
    assert sum(shown) <= 10


def test_half_stays_for_accuracy_of_calibrated_probabilities():
    shown = [tuned(*rare(400, seed, 3.0), accuracy, 0.5, seed).shown for seed in range(100)]
    assert sum(shown) <= 5


@pytest.mark.parametrize(("rows", "hits"), [(49, 20), (500, 9), (500, 491), (0, 0)])
def test_too_few_rows_or_one_class_tune_nothing(rows, hits):
    chance = np.linspace(0, 1, rows)
    found = tuned(chance, np.arange(rows) < hits, f1, 0.5, 0)
    assert (found.threshold, found.shown) == (0.5, False)


def test_the_same_seed_gives_the_same_threshold():
    assert tuned(*rare(500, 0), f1, 0.5, 3) == tuned(*rare(500, 0), f1, 0.5, 3)


def test_the_interval_of_a_paired_gain_is_that_of_a_bootstrap_over_rows():
    chance, positive = rare(800, 4)
    rng = np.random.default_rng(0)
    value, low, high = paired_gain(chance >= 0.3, chance >= 0.5, positive, f1, rng)
    gains = []
    for _ in range(500):
        rows = rng.integers(800, size=800)
        sides = [measured(f1, chance[rows], positive[rows], t) for t in (0.3, 0.5)]
        gains.append(sides[0] - sides[1])
    wanted = np.quantile(gains, [0.025, 0.975])
    assert value == pytest.approx(
        measured(f1, chance, positive, 0.3) - measured(f1, chance, positive, 0.5)
    )
    assert (low, high) == pytest.approx(tuple(wanted), abs=0.02)


def test_balanced_gain_is_the_difference_of_balanced_accuracies():
    rng = np.random.default_rng(0)
    target = rng.choice(3, 900, p=[0.7, 0.25, 0.05])
    mine, theirs = (np.where(rng.random(900) < p, target, 0) for p in (0.8, 0.5))
    value, low, high = balanced_gain(target, mine, theirs)
    scores, measure = np.zeros((900, 3)), metrics.of("balanced_accuracy").measure
    wanted = measure(target, scores, mine) - measure(target, scores, theirs)
    assert value == pytest.approx(wanted)
    assert 0 < low < value < high
