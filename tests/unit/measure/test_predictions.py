"""Tables of predictions: what they say, and how far two differ."""

from __future__ import annotations

import pyarrow as pa
import pytest

from penstock.errors import NotServable
from penstock.measure.predictions import answers_of, difference
from penstock.records import Layout

CLASSES = Layout(columns=[], target="y", task="classification", classes=["no", "yes"])
VALUES = Layout(columns=[], target="y", task="regression")


def test_scores_follow_the_order_of_the_classes() -> None:
    table = pa.table(
        {"probability_yes": [0.25, 1.0], "prediction": ["no", "yes"], "probability_no": [0.75, 0.0]}
    )
    answers = answers_of(table, CLASSES)
    assert answers.scores.tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert answers.decided.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("table", "layout", "said"),
    [
        ({"prediction": ["a"], "probability_a": [1.0]}, CLASSES, "probability_yes"),
        (
            {"prediction": ["x"], "probability_no": [0.5], "probability_yes": [0.5]},
            CLASSES,
            "1 are not",
        ),
        ({"prediction": [1.0], "probability_no": [1.0]}, VALUES, "probability_no"),
        ({"prediction": ["high"]}, VALUES, "numbers"),
        ({"score": [1.0]}, VALUES, "score"),
    ],
)
def test_a_model_that_answers_another_question_is_told(
    table: dict[str, list[object]], layout: Layout, said: str
) -> None:
    with pytest.raises(NotServable, match=said):
        answers_of(pa.table(table), layout)


def test_difference_is_absolute_for_probabilities_and_relative_to_large_values() -> None:
    one = pa.table({"prediction": ["a"], "probability_a": [0.5], "_row_loss": [9.0]})
    other = pa.table({"prediction": ["a"], "probability_a": [0.75]})
    assert difference(one, other) == 0.25
    assert difference(pa.table({"prediction": [1e6]}), pa.table({"prediction": [1e6 + 1]})) == 1e-6
    assert difference(one, other.set_column(0, "prediction", pa.array(["b"]))) == 1.0
    none = pa.table({"prediction": pa.array([None], pa.float64())})
    assert difference(pa.table({"prediction": [1.0]}), none) == 1.0
    assert difference(none, none) == 0.0


def test_a_package_without_a_column_is_not_servable() -> None:
    with pytest.raises(NotServable, match="probability_a"):
        difference(pa.table({"probability_a": [0.5]}), pa.table({"prediction": ["a"]}))
