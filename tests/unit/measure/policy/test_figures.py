import numpy as np
import pytest

from penstock.measure.bias.by_group import Groups
from penstock.measure.policy import figures as policy_figures
from penstock.measure.policy.effects import Outcome
from penstock.measure.policy.thresholds import Cuts, thrift


def test_selection_rates_stand_inside_their_intervals_for_groups_with_rows():
    rng = np.random.default_rng(0)
    codes, scores = rng.integers(0, 3, 600), np.full((600, 2), 0.5)
    sides = tuple(Outcome(scores, (rng.random(600) < p).astype(np.int64)) for p in (0.3, 0.6))
    names = ["a", "b", "c", "(other)"]
    by = Groups("g", names, codes, np.ones(4, dtype=bool))
    figure = policy_figures.selection(sides, by, "yes")
    for series in figure.series:
        assert series.x == ["a", "b", "c"]
        for low, y, high in zip(series.low, series.y, series.high, strict=True):
            assert low < y < high
    assert figure.series[1].y[0] == sides[1].decided[codes == 0].mean()


def test_a_cost_over_the_threshold_is_least_where_it_is_marked():
    rng = np.random.default_rng(0)
    chance = rng.random(20_000)
    cuts = Cuts.of(chance, rng.random(20_000) < chance)
    figure = policy_figures.threshold(cuts, thrift([[0, 1], [4, 0]]), "mean cost", 0.2, "yes", -1.0)
    line = figure.series[0]
    assert line.x[int(np.argmin(line.y))] == pytest.approx(0.2, abs=0.05)
    assert min(line.y) > 0
    assert (0.2, "chosen") in figure.marks


def test_reliability_is_drawn_before_and_after():
    rng = np.random.default_rng(0)
    chance = rng.random(600)
    target, scores = (rng.random(600) < chance).astype(np.int64), np.c_[1 - chance, chance]
    sides = (Outcome(scores, target), Outcome(np.full_like(scores, 0.5), target))
    figure = policy_figures.reliability(target, sides, "yes")
    assert [series.name for series in figure.series] == ["before", "after", "perfect"]
    assert set(figure.series[1].x) == {0.5}
    same = policy_figures.reliability(target, (sides[0], sides[0]), "yes")
    assert [series.name for series in same.series] == ["as it was", "perfect"]


def test_the_share_held_grows_with_the_radius():
    figure = policy_figures.radius(np.arange(101.0), 90.0, 0.9, "error")
    line = figure.series[0]
    assert np.interp(90.0, line.x, line.y) == pytest.approx(0.9)
