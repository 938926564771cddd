import math

import pytest

from penstock.learning.sizing import schedule_of, shape_of, sized
from penstock.spec import ModelSpec


def test_what_the_spec_says_is_taken():
    spec = ModelSpec(
        epochs=3, batch_size=7, learning_rate=0.5, weight_decay=0.0, width=9, depth=1,
        dropout=0.0, column_dropout=0.0, members=1, patience=2, seed=5,
    )  # fmt: skip
    assert sized(spec, 1000) == spec
    schedule, shape = schedule_of(spec), shape_of(spec)
    assert (schedule.epochs, schedule.batch_size, schedule.patience) == (3, 7, 2)
    assert (schedule.learning_rate, schedule.weight_decay, schedule.seed) == (0.5, 0.0, 5)
    assert (shape.width, shape.depth, shape.dropout, shape.members) == (9, 1, 0.0, 1)


@pytest.mark.parametrize("num_rows", [1, 3, 100, 10_000, 10_000_000])
def test_what_it_leaves_open_is_sized_for_any_number_of_rows(num_rows):
    schedule = schedule_of(sized(ModelSpec(), num_rows))
    assert schedule.epochs >= 1
    assert schedule.batch_size >= 1
    assert math.log2(schedule.batch_size).is_integer()
    larger = schedule_of(sized(ModelSpec(), num_rows * 10))
    assert larger.batch_size >= schedule.batch_size
    assert larger.epochs <= schedule.epochs
