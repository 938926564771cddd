"""Sketches are exact counts, and those of two halves add up to that of the whole."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from penstock.measure import sketches
from penstock.measure.sketches import Levels, Numbers

NUMBERS = pa.array([*np.random.default_rng(0).lognormal(3, 2, 997), None, float("nan"), np.inf])
TEXT = pa.array([*(f"level {n % 70}" for n in range(900)), *["often"] * 99, None])


@pytest.mark.parametrize(
    "values", [NUMBERS, TEXT, pa.nulls(5, pa.float64()), pa.nulls(5, pa.string())]
)
def test_halves_add_up_to_the_whole(values: pa.Array) -> None:
    whole = sketches.learn(values)
    cut = len(values) // 3
    parts = [whole.of(values.slice(0, cut)), whole.of(values.slice(cut))]
    merged = parts[0].merged(parts[1])  # type: ignore[arg-type]
    exact = {"mean", "squares"}
    assert merged.model_dump(exclude=exact) == whole.model_dump(exclude=exact)
    if isinstance(whole, Numbers) and isinstance(merged, Numbers) and whole.mean is not None:
        assert merged.mean == pytest.approx(whole.mean, rel=1e-12)
        assert merged.variance == pytest.approx(whole.variance, rel=1e-12)


def test_numbers_are_counted_in_bins_of_equal_row_count() -> None:
    sketch = sketches.learn(NUMBERS)
    assert isinstance(sketch, Numbers)
    known = np.array(NUMBERS.slice(0, 997).to_pylist())
    assert len(sketch.counts) == sketches.NUM_BINS
    assert (min(sketch.counts), max(sketch.counts)) == (49, 50)
    assert sketch.missing == 3
    assert (sketch.low, sketch.high) == (known.min(), known.max())
    assert sketch.mean == pytest.approx(known.mean())
    assert sketch.variance == pytest.approx(known.var())


def test_few_numbers_are_counted_one_by_one_and_new_ones_in_the_open_bins() -> None:
    sketch = sketches.learn(pa.array([0.0] * 90 + [1.0] * 9 + [5.0]))
    assert isinstance(sketch, Numbers)
    assert sketch.counts == [90, 9, 1]
    assert sketch.of(pa.array([-7.0, 0.5, 99.0])).counts == [1, 1, 1]


def test_levels_beyond_the_most_frequent_are_others() -> None:
    sketch = sketches.learn(TEXT)
    assert isinstance(sketch, Levels)
    assert sketch.num_distinct == 71
    assert len(sketch.levels) == sketches.MAX_LEVELS
    assert dict(zip(sketch.levels, sketch.counts, strict=True))["often"] == 99
    assert sum(sketch.counts) + sketch.other + sketch.missing == len(TEXT)
    assert sketch.of(pa.array(["new", "often", None])).other == 1


def test_another_frame_is_refused_and_json_is_the_same_sketch() -> None:
    one, two = sketches.learn(pa.array([1.0, 2.0])), sketches.learn(pa.array([1.0, 3.0, 4.0]))
    with pytest.raises(ValueError, match="edges"):
        one.merged(two)  # type: ignore[arg-type]
    for sketch in (one, sketches.learn(TEXT)):
        assert sketches.read(json.loads(sketch.model_dump_json())) == sketch
