"""A year of generated flights through ``benchmarks/year.py``: what its reader would see."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import year

SCRIPT = Path(year.__file__)
SMALL = "model: {epochs: 6, width: 32, members: 2}\nobjective: {trial_rows: 0}\n"
STRIKE = "2013-05"


def flights(until: str, rows_a_month: int, seed: int = 0) -> pd.DataFrame:
    """nycflights13's columns; late in the evening, and from May on with three carriers too.

    Nothing but the labels changes, so that only they can tell.
    """
    rng = np.random.default_rng(seed)
    days = pd.date_range("2013-01-01", pd.Period(until, "M").end_time.normalize(), freq="D")
    per_month = days.to_series().groupby(days.to_period("M")).transform("size").to_numpy()
    day = np.repeat(days, np.round(rows_a_month / per_month).astype(int))
    num = len(day)
    hour = rng.integers(5, 22, num)
    minute = rng.choice([0, 15, 30, 45, 59], num)
    carrier = rng.choice(["AA", "B6", "DL", "EV", "UA", "WN"], num)
    dest = rng.choice(["ATL", "BOS", "LAX", "MIA", "ORD", "SFO"], num)
    distance = pd.Series(dest).map(
        {"ATL": 762, "BOS": 187, "LAX": 2475, "MIA": 1096, "ORD": 733, "SFO": 2586}
    )
    strike = (day >= f"{STRIKE}-01") & np.isin(carrier, ["AA", "EV", "UA"])
    chance = 1 / (1 + np.exp(-(hour - 19) / 2.5)) * 0.4 + 0.05 + 0.6 * strike
    arrival = np.where(rng.random(num) < chance, 40.0, -5.0)
    arrival[rng.random(num) < 0.02] = np.nan
    clock = day + pd.to_timedelta(hour, "h")
    return pd.DataFrame(
        {
            "year": day.year, "month": day.month, "day": day.day,
            "dep_time": hour * 100.0 + minute, "sched_dep_time": hour * 100 + minute,
            "dep_delay": arrival, "arr_time": hour * 100.0 + minute,
            "sched_arr_time": (hour + 2) % 24 * 100 + minute, "arr_delay": arrival,
            "carrier": carrier, "flight": rng.integers(1, 60, num), "tailnum": "N1",
            "origin": rng.choice(["EWR", "JFK", "LGA"], num), "dest": dest, "air_time": 99.0,
            "distance": distance, "hour": hour, "minute": minute,
            "time_hour": clock.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )  # fmt: skip


def test_only_what_is_known_at_planning_is_kept_and_a_cancelled_flight_has_no_label():
    table = flights("2013-01", 400)
    found = year.prepared(table)
    known = {*year.PLANNED, "weekday", "id", "time_hour", "date", "late", "of"}
    assert set(found) == known and not known & {"dep_time", "dep_delay", "arr_time", "air_time"}
    assert found["id"].is_unique and set(found["of"]) == {"2013-01"}
    assert found["late"].isna().sum() == table["arr_delay"].isna().sum() > 0
    assert (found["late"] == "late").sum() == (table["arr_delay"] > 15).sum()
    assert found.loc[found["date"] == "2013-01-01", "weekday"].unique() == ["Tuesday"]
    assert year.window_of("2013-12") == "2013-12-01..2014-01-01"
    drawn = year.prepared(flights("2013-02", 400), rows=50)
    assert drawn.groupby("of").size().tolist() == [50, 50]


def test_a_gain_has_an_interval_over_days_not_over_rows():
    rng = np.random.default_rng(1)
    days = pd.Series(np.repeat([f"day {n}" for n in range(20)], 100))
    good_day = np.repeat(rng.random(20) < 0.5, 100)  # the second model is blind on the others
    target = rng.integers(0, 2, len(days))
    sure = np.where(target == 1, 0.8, 0.2) + rng.normal(0, 0.2, len(days)).clip(-0.1, 0.1)
    chances = sure, np.where(good_day, sure, 0.5)
    both = [np.column_stack([1 - chance, chance]) for chance in chances]
    by_day = year.intervals(year.measured(target, both, days, rng))
    by_row = year.intervals(year.measured(target, both, pd.Series(range(len(days))), rng))
    assert by_day["gain"][0] == by_row["gain"][0] > 0 and by_day["saved"][0] > 0
    width = {name: found["gain"][2] - found["gain"][1] for name, found in
             (("day", by_day), ("row", by_row))}  # fmt: skip
    assert width["day"] > 2 * width["row"]


@pytest.mark.slow
@pytest.mark.xdist_group("lifecycle")
def test_a_fall_that_only_labels_show_retrains_and_the_retrained_model_is_better(project):
    table, found = project.folder / "flights.parquet", project.folder / "year.json"
    flights("2013-07", 2000).to_parquet(table)
    picture = project.folder / "year.png"
    command = [sys.executable, SCRIPT, table, "--out", picture, "--json", found, "--more", SMALL]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True,
        timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(found.read_text())
    months = {month["name"]: month for month in said["months"]}
    assert list(months) == ["2013-04", "2013-05", "2013-06", "2013-07"]

    april, may, june, july = months.values()
    assert "alarm" not in (april["early"]["outcome"], april["late"]["outcome"])
    assert may["early"]["outcome"] != "alarm" and may["early"]["num_labelled"] == 0
    assert (may["late"]["outcome"], may["late"]["harm"]) == ("alarm", "realised")
    assert may["late"]["num_labelled"] < may["late"]["num_rows"]
    same = may["late"]["realised"]["value"] - may["realised"]["auc"][0]
    assert abs(same) < 1e-5, "the monitor's number is that of the predictions that were given out"

    assert [month["order"] for month in (april, may, june)] == [{}, {}, {}]
    assert july["order"]["verdict"] == "registered"
    assert july["order"]["reason"] == may["late"]["why"]
    assert [month["version"] for month in months.values()] == ["1", "1", "1", "2"]

    assert may["realised"]["auc"][0] < april["realised"]["auc"][0] - 0.05
    assert july["realised"]["gain"][1] > 0.03 and said["after"]["gain"][1] > 0.03
    assert said["after"]["saved"][1] > 0
    assert picture.read_bytes()[:4] == b"\x89PNG" and picture.stat().st_size > 20_000
    assert "| 2013-05 | version 1 |" in done.stdout and "labels |" in done.stdout
    assert "Before 2013-07 retrained: registered." in done.stdout
