import numpy as np
import pyarrow as pa
import pytest

from penstock.measure.slices import MIN_ROWS, by_level
from penstock.records import Column, Layout


def layout(**roles):
    columns = [
        Column(name=name, modality="category", arrow_type="string", role=role)
        for name, role in roles.items()
    ]
    return Layout(columns=columns, target="y", task="classification", classes=["a", "b"])


def test_the_weak_level_is_named_and_measured_on_rows_that_did_not_choose_it():
    rng = np.random.default_rng(0)
    town = rng.choice(["Ulm", "Bonn", "Köln"], 3000)
    losses = rng.normal(1.0, 0.1, 3000) + (town == "Bonn") * 1.0
    found = by_level(pa.table({"town": town}), layout(town="feature"), losses, seed=0)
    (check,) = found.checks
    assert check.subject == "town = Bonn"
    overall = losses.mean()
    assert check.value == pytest.approx(2 / overall - 1, abs=0.03)
    assert check.low < check.value < check.high
    assert found.table.rows[0][:2] == ["town", "Bonn"]
    assert sum(row[2] for row in found.table.rows) == 3000


def test_levels_that_are_alike_seem_worst_by_chance_only():
    rng = np.random.default_rng(0)
    losses, levels = rng.exponential(size=4000), rng.integers(0, 20, 4000).astype(str)
    above = 0
    for seed in range(20):
        (check,) = by_level(pa.table({"c": levels}), layout(c="feature"), losses, seed=seed).checks
        above += check.low > 0
    assert above <= 4


def test_few_rows_are_insufficient_and_no_category_is_nothing():
    table = pa.table({"c": ["u", "v"] * 20})
    found = by_level(table, layout(c="feature"), np.ones(40), seed=0)
    assert not found.checks[0].enough
    assert all(row[-1] == "insufficient" for row in found.table.rows)
    assert by_level(table, layout(c="left_out"), np.ones(40), seed=0).checks == []


def test_missing_values_are_a_slice_and_so_are_truths_and_codes():
    n = 4 * MIN_ROWS
    table = pa.table({"c": pa.array([True, None] * (n // 2)), "d": pa.array([1, 2] * (n // 2))})
    losses = np.where(np.arange(n) % 2, 2.0, 1.0)
    found = by_level(table, layout(c="feature", d="metadata"), losses, seed=0)
    means = {(row[0], row[1]): row[3] for row in found.table.rows}
    assert means == {("c", "true"): 1, ("c", "(missing)"): 2, ("d", "1"): 1, ("d", "2"): 2}


def test_a_model_without_any_loss_has_no_weak_slice():
    n = 4 * MIN_ROWS
    found = by_level(pa.table({"c": ["u"] * n}), layout(c="feature"), np.zeros(n), seed=0)
    assert not found.checks[0].enough
