import datetime as dt

import numpy as np
import pyarrow as pa
import torch

from penstock.learning import losses
from penstock.learning.encoded import Encoded
from penstock.learning.loop import Schedule, Training
from penstock.modalities import timestamp
from penstock.model import Learnt, Model
from penstock.records import Column, Layout
from penstock.spec import ModelSpec
from penstock.stages.explain import Shuffled


def learn(values, kind=None):
    column = pa.chunked_array([pa.array(values, kind or pa.timestamp("us"))])
    return timestamp.learn(column, np.arange(len(values)) % 2, ModelSpec()), column


def test_calendar_parts_that_vary_are_counted_from_1_and_missing_is_0():
    days = [dt.datetime(2024, 1, 29) + dt.timedelta(days=n) for n in range(7)]  # from a Monday
    state, column = learn([*days, None])
    assert set(state.parts) == {"weekday", "day", "month"}
    found = timestamp.encode(column, state)
    assert found["weekday"].tolist() == [1, 2, 3, 4, 5, 6, 7, 0]
    assert found["month"].tolist() == [1, 1, 1, 2, 2, 2, 2, 0]
    assert found["day"].tolist() == [29, 30, 31, 1, 2, 3, 4, 0]


def test_the_same_moment_is_encoded_alike_in_any_zone_and_unit():
    moments = [dt.datetime(2024, 1, 1, n) for n in range(20)]
    state, column = learn(moments)
    wanted = timestamp.encode(column, state)
    for kind in (pa.timestamp("ns"), pa.timestamp("s"), pa.timestamp("us", "UTC")):
        found = timestamp.encode(pa.chunked_array([pa.array(moments, kind)]), state)
        for name in wanted:
            np.testing.assert_allclose(found[name], wanted[name], atol=1e-5)


def test_time_is_elapsed_days():
    state, _ = learn([dt.datetime(1970, 1, 1), dt.datetime(1970, 1, 3)])
    assert state.elapsed.center == 1


def test_a_day_of_enough_rows_has_a_level_and_later_days_none():
    storm, calm = dt.datetime(2024, 3, 9), dt.datetime(2024, 3, 10)
    hours = [dt.timedelta(hours=n) for n in range(20)]
    rows = [*(storm + n for n in hours), *(calm + n for n in hours), calm + dt.timedelta(days=1)]
    column = pa.chunked_array([pa.array([*rows, None])])
    state = timestamp.learn(column, np.repeat([0, 1], [20, 22]), ModelSpec())
    assert state.parts == ["hour", "weekday", "day", "date"]
    date = timestamp.encode(column, state)["date"].tolist()
    assert date == [1] * 20 + [2] * 20 + [0, 0]
    assert state.credibility["date"] == [1, 1, 1]  # the day tells the class
    assert max(state.credibility["hour"][1:]) == 3 / 13  # the hour does not


def test_one_day_is_no_news():
    state, _ = learn([dt.datetime(2024, 1, 1, n) for n in range(20)])
    assert state.parts == ["hour"]


def test_a_cycle_ends_where_it_begins():
    year = [dt.datetime(2023, 1, 1) + dt.timedelta(hours=7 * n) for n in range(1_200)]
    state, _ = learn(year)
    assert state.cycles == ["day", "week", "year"]

    def cycles(*moments):
        return timestamp.encode(pa.chunked_array([pa.array(moments)]), state)["cycles"]

    late, early, noon = cycles(
        dt.datetime(2023, 6, 1, 23, 59), dt.datetime(2023, 6, 2, 0, 1), dt.datetime(2023, 6, 1, 12)
    )[:, :2]
    assert np.linalg.norm(late - early) < 0.01
    assert np.linalg.norm(late - noon) > 1.9
    sunday, monday = cycles(dt.datetime(2023, 6, 4, 23, 59), dt.datetime(2023, 6, 5, 0, 1))[:, 2:4]
    assert np.linalg.norm(sunday - monday) < 0.01
    assert monday[1] > 0.999  # a week begins on Monday
    old, new, summer = cycles(
        dt.datetime(2023, 12, 31), dt.datetime(2024, 1, 1), dt.datetime(2024, 7, 1)
    )[:, 4:]
    assert np.linalg.norm(old - new) < 0.05
    assert np.linalg.norm(old - summer) > 1.9


def test_a_cycle_of_which_a_part_was_seen_is_none_and_missing_moments_turn_nowhere():
    month = [dt.datetime(2024, 3, 1) + dt.timedelta(days=n) for n in range(30)]
    state, column = learn([*month, None])
    assert state.cycles == ["week"]
    assert timestamp.encode(column, state)["cycles"][-1].tolist() == [0, 0]
    assert learn([None, None])[0].cycles == []


def pair(n, late, seed=0):
    """Orders over three years, and their arrivals: up to two days later, or late ones."""
    rng = np.random.default_rng(seed)
    ordered = np.datetime64("2021-01-01", "us") + rng.integers(0, 3 * 365 * 86_400, n).astype(
        "timedelta64[s]"
    )
    hours = np.where(late, rng.uniform(40, 70, n), rng.uniform(0, 40, n))
    return ordered, ordered + (hours * 3600).astype("timedelta64[s]")


def test_the_time_between_two_columns_is_a_number_of_the_later_listed_one():
    ordered, arrived = pair(60, np.arange(60) % 2 == 0)
    here, there = (pa.chunked_array([pa.array(values)]) for values in (arrived, ordered))
    target = np.arange(60) % 2
    state = timestamp.learn(here, target, ModelSpec())
    state = timestamp.learn_beside(here, {"ordered": there}, state, target, ModelSpec())
    found = timestamp.encode_beside(here, {"ordered": there}, state)
    assert list(state.beside) == ["ordered"]
    days = (arrived - ordered) / np.timedelta64(1, "D")
    raw = found["0_value"] * state.beside["ordered"].scale + state.beside["ordered"].center
    np.testing.assert_allclose(raw, days, atol=1e-4)
    nothing = pa.chunked_array([pa.nulls(60, pa.timestamp("us"))])
    assert np.isnan(timestamp.encode_beside(nothing, {"ordered": there}, state)["0_value"]).all()
    same = timestamp.learn_beside(here, {"same": here}, state, target, ModelSpec())
    assert same.beside == {}, "a distance that never varies is no number"


def test_a_network_learns_what_only_the_distance_tells_and_stress_and_shuffling_see_it():
    late = np.random.default_rng(1).random(900) < 0.5
    ordered, arrived = pair(900, late)
    table = pa.table({"ordered": ordered, "arrived": arrived, "y": np.where(late, "late", "ok")})
    columns = [
        Column(name=name, modality="timestamp", arrow_type="timestamp[us]")
        for name in ("ordered", "arrived")
    ]
    columns.append(Column(name="y", modality="category", arrow_type="string", role="target"))
    layout = Layout(columns=columns, target="y", task="classification", classes=["late", "ok"])
    seen, unseen = table.slice(0, 600), table.slice(600)
    learnt = Learnt.of(seen, layout, ModelSpec(width=32, members=2))
    again = Learnt.from_json(learnt.to_json())
    assert again.columns == learnt.columns
    torch.manual_seed(0)
    network = learnt.network()
    rows = Encoded.of(learnt.encode(seen), 600, learnt.encode_target(seen))
    schedule = Schedule(15, 64, 15, 0.01, 0.01, 0)
    training = Training(network, losses.of("cross_entropy"), schedule, None, torch.device("cpu"))
    training.fit(rows, rows, lambda done, total, note="": None)
    bench = Shuffled(Model(again, network), unseen, seed=0)
    right = (bench.before.decided == bench.target).mean()
    assert right > 0.95
    for name in ("ordered", "arrived"):
        assert bench.importance(name, "accuracy").drop[1] > 0.2
    moved = pa.chunked_array([pa.array(ordered[600:] - np.timedelta64(30, "h"))])
    scores = bench.scores_with("ordered", moved)
    assert (scores.argmax(axis=1) == 0).mean() > 0.8, "thirty hours earlier most are late"
