import numpy as np
import pytest

from penstock.evidence import Figure
from penstock.measure import curves


def scores_of(ones):
    return np.c_[1 - np.asarray(ones), ones]


def named(figure, name):
    return next(series for series in figure.series if series.name == name)


def test_roc_of_a_perfect_order_goes_through_the_upper_left():
    target = np.array([0, 0, 1, 1])
    figures = curves.of_classes(scores_of([0.1, 0.2, 0.8, 0.9]), target, ["no", "yes"])
    line = named(figures["roc"], "yes")
    assert line.y[1:] == [1.0] * (len(line.y) - 1)
    assert set(figures) == {"reliability", "roc", "precision_recall"}


def test_reliability_by_hand():
    # fifteen bins of two rows, each states 0.5 and holds one right
    figure = curves.reliability(np.full(30, 0.5), np.arange(30) % 2 == 0, "confidence")
    series = named(figure, "model")
    assert series.x == [0.5] * 15
    assert series.y == [0.5] * 15
    assert series.low[0] == pytest.approx(max(0, 0.5 - 1.96 * np.sqrt(0.25 / 2)))


def test_recall_by_class_by_hand_and_a_class_without_rows_is_a_gap():
    scores = np.eye(3)[[0, 0, 1, 0]]
    figure = curves.recall_by_class(scores, np.array([0, 0, 0, 1]), ["a", "b", "c"])
    assert figure.series[0].x == ["a", "b", "c"]
    assert figure.series[0].y == [2 / 3, 0.0, None]


@pytest.mark.parametrize("target", [[0, 0, 0], [1, 1, 1], [0], [1]])
def test_rows_of_one_class_only_have_figures_too(target):
    target = np.array(target)
    figures = curves.of_classes(scores_of(np.full(len(target), 0.5)), target, ["no", "yes"])
    for figure in figures.values():
        assert Figure.model_validate_json(figure.model_dump_json()) == figure


def test_many_classes_show_the_most_frequent_ones():
    target = np.repeat(np.arange(40), np.arange(1, 41))
    scores = np.full((len(target), 40), 1 / 40)
    figures = curves.of_classes(scores, target, [f"c{n}" for n in range(40)])
    assert {s.name for s in figures["roc"].series} == {"c39", "c38", "c37", "c36", "c35", "chance"}
    assert len(figures["recall"].series[0].x) == 30


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e15])
def test_residuals_are_all_counted(scale):
    rng = np.random.default_rng(0)
    target = rng.normal(size=500) * scale
    figures = curves.of_values(target + rng.normal(size=500) * scale, target, "price <b>")
    bars = figures["residuals"].series[0]
    assert sum(bars.y) == 500
    assert bars.x == sorted(bars.x)
    assert max(map(abs, bars.x)) < 5 * scale


@pytest.mark.parametrize("value", [0.0, 1e20, -3.5])
def test_equal_residuals_fill_one_bin(value):
    figures = curves.of_values(np.zeros(7), np.full(7, value), "y")
    assert sorted(figures["residuals"].series[0].y)[-1] == 7


def test_at_most_some_hundred_dots():
    figures = curves.of_values(np.zeros(100_000), np.arange(100_000.0), "y")
    assert len(figures["predicted"].series[0].x) <= 2 * curves.MAX_POINTS


def test_scores_that_are_no_numbers_are_not_drawn():
    nothing = np.full(4, np.nan)
    target = np.array([0, 1, 0, 1])
    assert curves.of_classes(scores_of(nothing), target, ["a", "b"]) == {}
    assert curves.of_values(nothing, target * 1.0, "y") == {}
    figures = curves.of_values(np.array([1.0, np.nan, 2.0, np.inf]), target * 1.0, "y")
    assert sum(figures["residuals"].series[0].y) == 2
