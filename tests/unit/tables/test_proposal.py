"""A proposed contract: its own data pass, honest samples pass, planted faults do not."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from penstock.adapters.expectations import GreatExpectations
from penstock.modalities import category, numeric, text, timestamp
from penstock.modalities import set as sets
from penstock.records import Column, Layout
from penstock.tables.proposal import propose

N = 3_000


def make(seed, n=N):
    rng = np.random.default_rng(seed)
    start = datetime(2024, 1, 1)
    return pa.table(
        {
            "age": rng.integers(18, 90, n),
            "income": rng.lognormal(8, 1, n),
            "balance": rng.normal(100, 500, n),
            "gain": np.where(rng.random(n) < 0.8, 0.0, rng.lognormal(6, 1, n)),
            "rooms": pa.array(rng.poisson(3, n).astype(float), mask=rng.random(n) < 0.2),
            "colour": rng.choice(["red", "green", "blue"], n),
            "note": [f"called {k} times about it" for k in rng.integers(0, 9, n)],
            "tags": ["|".join(rng.choice(list("abcdefgh"), 2, replace=False)) for _ in range(n)],
            "seen": [start + timedelta(minutes=int(k)) for k in rng.integers(0, 500_000, n)],
            "photo": [bytes([k % 250]) for k in range(n)],
            "key": [f"AB-{k:05d}" for k in rng.permutation(n)],
            "label": rng.choice(["yes", "no"], n),
        }
    )


KINDS = {
    "age": "numeric", "income": "numeric", "balance": "numeric", "gain": "numeric",
    "rooms": "numeric", "colour": "category", "note": "text", "tags": "set",
    "seen": "timestamp", "photo": "image", "key": "identifier", "label": "category",
}  # fmt: skip


@pytest.fixture(scope="module")
def layout():
    roles = {"label": "target", "key": "left_out"}
    columns = [
        Column(name=name, modality=kind, arrow_type="", role=roles.get(name, "feature"))
        for name, kind in KINDS.items()
    ]
    return Layout(columns=columns, target="label", task="classification")


@pytest.fixture(scope="module")
def contract(layout):
    return propose(make(0), layout)


def failures(table, contract):
    results = GreatExpectations().run(table, contract)
    return [(one["type"], one["kwargs"].get("column")) for one in results if not one["success"]]


def about(contract, name):
    return [one for one in contract if one["kwargs"].get("column") == name]


def test_the_data_it_came_from_pass_and_lose_no_row(contract):
    results = GreatExpectations().run(make(0), contract)
    assert [one["observed"] or one["exception"] for one in results if not one["success"]] == []
    assert [one for one in results if one["quarantine"] and len(one["failed_rows"])] == []


def test_it_is_plain_json(contract):
    assert json.loads(json.dumps(contract, allow_nan=False)) == contract


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_sample_of_the_same_world_passes(contract, seed):
    assert failures(make(seed), contract) == []


def test_a_bootstrap_resample_fails_no_error(contract):
    rows = np.random.default_rng(9).integers(0, N, N)
    errors = [one for one in contract if one["meta"]["severity"] == "error"]
    assert failures(make(0).take(pa.array(rows)), errors) == []


def _some(share):
    rows = np.zeros(N, bool)
    rows[np.random.default_rng(1).choice(N, round(share * N), replace=False)] = True
    return pa.array(rows)


@pytest.mark.parametrize("name", ["age", "income", "balance", "gain", "rooms"])
@pytest.mark.parametrize("factor", [1.609, 12.0])
def test_a_change_of_unit_is_caught(contract, name, factor):
    table = make(2)
    column = pc.multiply(table[name], factor).cast(table[name].type, safe=False)
    faulty = table.set_column(table.column_names.index(name), name, column)
    assert failures(faulty, about(contract, name))


@pytest.mark.parametrize(
    ("name", "share", "value"),
    [("age", 0.02, -1), ("income", 0.02, -1.0), ("gain", 0.02, -1.0), ("rooms", 0.02, -1.0),
     ("balance", 0.02, -1.0), ("colour", 0.02, "mauve"), ("tags", 0.02, "a|zz"),
     ("label", 0.02, "maybe"), ("note", 0.02, ""), ("seen", 0.02, datetime(1900, 1, 1)),
     ("age", 0.05, None), ("colour", 0.05, None), ("photo", 0.05, None), ("seen", 0.05, None)],
)  # fmt: skip
def test_sentinels_new_levels_and_gaps_are_caught(contract, name, share, value):
    table = make(2)
    column = table[name]
    faulty = pc.if_else(_some(share), pa.scalar(value, column.type), column)
    table = table.set_column(table.column_names.index(name), name, faulty)
    assert failures(table, about(contract, name))


def test_a_lost_column_and_a_cut_file_are_caught(contract):
    assert ("expect_table_columns_to_match_set", None) in failures(make(2).drop("age"), contract)
    kinds = {kind for kind, _ in failures(make(2, n=300), contract)}
    assert "expect_table_row_count_to_be_between" in kinds


def test_a_repeated_key_is_a_warning_only(contract):
    of_key = about(contract, "key")
    assert {one["meta"]["severity"] for one in of_key} == {"warning"}
    kinds = {one["type"].removeprefix("expect_column_values_to_") for one in of_key}
    assert kinds == {"be_unique", "match_regex"}
    assert of_key[1]["kwargs"]["regex"] == "^[A-Z]{2}-[0-9]{5}$"


def of(module, values):
    proposed = module.expectations(pa.chunked_array([values]), "x")
    return {one["type"].removeprefix("expect_column_"): one for one in proposed}


def test_a_range_never_crosses_zero_when_the_data_do_not():
    low = of(numeric, pa.array([5.0, 100.0]))["values_to_be_between"]["kwargs"]
    assert (low["min_value"], low["max_value"]) == (0, 124)  # 100 + 0.25 * 95 = 123.75
    high = of(numeric, pa.array([-100.0, -5.0]))["values_to_be_between"]["kwargs"]
    assert (high["min_value"], high["max_value"]) == (-124, 0)


def test_the_levels_beside_a_heap_of_zeros_are_watched():
    values = np.concatenate([np.zeros(900), np.arange(1, 101)])
    ranges = of(numeric, pa.array(values))["quantile_values_to_be_between"]["kwargs"]
    levels = ranges["quantile_ranges"]["quantiles"]
    assert {0.91, 0.925, 0.95, 0.975, 0.99} <= set(levels)


def test_known_sentinels_in_the_data_are_not_forbidden():
    values = np.concatenate([np.linspace(-200, 200, 999), [-99.0] * 300])
    forbidden = of(numeric, pa.array(values))["values_to_not_be_in_set"]["kwargs"]["value_set"]
    assert -99 not in forbidden
    assert {-1, -999} <= set(forbidden)


@pytest.mark.parametrize(
    "values",
    [[], [None, None], [float("nan")], [float("inf"), 1.0], [0.0], [1e300, -1e300], [5e-324, 1.0]],
)
def test_odd_numbers_still_make_a_contract(values):
    column = pa.chunked_array([pa.array(values, pa.float64())])
    json.dumps(numeric.expectations(column, "x"), allow_nan=False)


def test_levels_are_listed_while_new_ones_are_news():
    few = of(category, pa.array(["a", "b"] * 500))["values_to_be_in_set"]
    assert few["kwargs"]["value_set"] == ["a", "b"]
    assert few["meta"]["quarantine"]
    open_set = of(category, pa.array([f"Lane {k}" for k in range(1000)]))
    assert set(open_set) == {"values_to_match_regex"}
    assert open_set["values_to_match_regex"]["kwargs"]["regex"] == "^[A-Z][a-z]{3} [0-9]{1,3}$"


def test_a_moment_may_be_later_but_not_absurd():
    kwargs = of(timestamp, pa.array([datetime(2020, 1, 1), datetime(2021, 1, 1)]))[
        "values_to_be_between"
    ]["kwargs"]
    assert (kwargs["min_value"], kwargs["max_value"]) == ("2009-12-31", "2031-01-02")
    extreme = pa.array([datetime(1, 1, 1), datetime(9999, 12, 31)])
    kwargs = of(timestamp, extreme)["values_to_be_between"]["kwargs"]
    assert (kwargs["min_value"], kwargs["max_value"]) == ("0001-01-01", "9999-12-31")


def test_texts_may_not_be_empty_nor_endless():
    kwargs = of(text, pa.array(["four", "a longer text"]))["value_lengths_to_be_between"]["kwargs"]
    assert (kwargs["min_value"], kwargs["max_value"]) == (1, 52)


def test_lists_are_left_alone():
    assert of(sets, pa.array([["a", "b"], None])) == {}
