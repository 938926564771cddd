import pytest

from penstock.records import Column, Layout
from penstock.spec import DecisionSpec
from penstock.tables.decision import decision_mistakes

SEX = Column(name="sex", modality="category", arrow_type="string", role="metadata")
PIC = Column(name="pic", modality="image", arrow_type="binary")


def layout(*classes):
    target = Column(name="y", modality="category", arrow_type="string", role="target")
    task = "classification" if classes else "regression"
    return Layout(columns=[SEX, PIC, target], target="y", task=task, classes=list(classes))


TWO, THREE, NUMBER = layout("no", "yes"), layout("a", "b", "c"), layout()


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        ({}, TWO),
        ({"threshold": "cost", "costs": [[0, 1], [4, 0]]}, TWO),
        ({"threshold": "cost", "costs": [[1, 2], [0.5, 0.5]]}, TWO),
        ({"threshold": "cost", "costs": [[0, 1, 2], [1, 0, 1], [2, 1, 0]]}, THREE),
        ({"threshold": "metric"}, THREE),
        ({}, NUMBER),
        ({"threshold": "probable"}, NUMBER),
    ],
)
def test_sound_settings_have_no_mistake(spec, asked):
    assert decision_mistakes(DecisionSpec(**spec), asked, "") == []


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ([[0, 1], [1]], "rows of [2, 1]"),
        ([[0, 1, 2], [1, 0, 2], [1, 2, 0]], "2 rows of 2"),
        ([[0, -1], [1, 0]], "at least 0"),
        ([[0, float("nan")], [1, 0]], "at least 0"),
        ([[0, float("inf")], [1, 0]], "at least 0"),
        ([[1, 0], [0, 1]], "in the row of no, yes"),
        ([[1, 1], [2, 2]], "some mistake costs more"),
    ],
)
def test_a_cost_matrix_that_cannot_decide_is_told(costs, told):
    spec = DecisionSpec(threshold="cost", costs=costs)
    assert told in str(decision_mistakes(spec, TWO, "")[0])


def test_cost_and_costs_go_together():
    assert "no costs" in str(decision_mistakes(DecisionSpec(threshold="cost"), TWO, "")[0])
    spec = DecisionSpec(threshold="metric", costs=[[0, 1], [1, 0]])
    assert "threshold: metric" in str(decision_mistakes(spec, TWO, "")[0])


@pytest.mark.parametrize("spec", [{"threshold": "metric"}, {"costs": [[0.0]]}])
def test_a_number_has_no_thresholds_or_costs(spec):
    assert "y is a number" in str(decision_mistakes(DecisionSpec(**spec), NUMBER, "")[0])


@pytest.mark.parametrize(
    ("asked", "by", "told"),
    [
        (THREE, "sex", "a target of 3 classes"),
        (NUMBER, "sex", "a target of regression"),
        (TWO, "age", "use one of: sex, pic, y"),
        (TWO, "y", "not made by the target"),
        (TWO, "pic", "pic is image"),
    ],
)
def test_groups_that_cannot_have_thresholds_are_told(asked, by, told):
    assert told in str(decision_mistakes(DecisionSpec(), asked, by)[0])


def test_a_column_of_groups_may_be_no_feature():
    assert decision_mistakes(DecisionSpec(), TWO, "sex") == []


def test_all_mistakes_are_told_at_once():
    spec = DecisionSpec(threshold="metric", costs=[[0, 1]])
    assert len(decision_mistakes(spec, THREE, "age")) == 4
