"""``penstock monitor`` on a champion that a real run registered."""

import json

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lifecycle")]

KEYED = (
    "data: {source: rows.csv, target: bought, key: id, time: day, sensitive: [town],"
    " features: {id: exclude, day: exclude}}\n"
)


@pytest.fixture
def shop(project, shop_table):
    """A pipeline whose model is champion, and a maker of later rows."""

    def rows(num, seed):
        table = shop_table(num, seed)
        rng = np.random.default_rng(seed)
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 60, num), "D")
        return table.assign(id=[f"c{seed}-{i}" for i in range(num)], day=days.strftime("%Y-%m-%d"))

    folder = project.pipeline("shop", rows(1500, 0))
    path = project.folder / folder / "pipeline.yaml"
    path.write_text(
        f"name: shop\n{KEYED}model: {{epochs: 3, width: 32, members: 2}}\n"
        "objective: {trial_rows: 0}\n"
        "gates: {demographic_parity: {action: note}, stress_drop: {action: note}}\n"
    )
    trained = project.penstock("train", folder, "--json")
    assert trained.status == 0, trained.err
    return folder, rows


def test_steady_windows_end_with_0_and_broken_ones_with_4(project, shop):
    folder, rows = shop
    later = rows(900, 7)
    later.drop(columns="bought").to_csv(project.folder / "later.csv", index=False)
    later[["id", "bought"]].to_csv(project.folder / "labels.csv", index=False)
    broken = later.drop(columns="bought").assign(income=later.income / 1000)
    broken.to_csv(project.folder / "broken.csv", index=False)

    steady = project.penstock("monitor", folder, "--current", "later.csv", "--json")
    assert steady.status == 0, steady.err
    assert steady.out.count("\n") == 1
    assert steady.json["outcome"] == "steady" and steady.json["num_labelled"] == 0

    months = ["2024-01-01..2024-02-01", "2024-02-01..2024-03-01"]
    for month in [*months, months[0]]:  # looked at again, a window replaces its line
        told = project.penstock(
            "monitor", folder, "--current", "later.csv", "--labels", "labels.csv",
            "--window", month, "--json",
        )  # fmt: skip
        assert told.status == 0, told.err
        assert told.json["num_labelled"] == told.json["num_rows"]
        assert told.json["realised"]["value"] > 0.8
    lines = (project.home / "monitoring" / "shop.jsonl").read_text().splitlines()
    assert [json.loads(line)["window"] for line in lines][1:] == months

    alarm = project.penstock("monitor", folder, "--current", "broken.csv")
    assert alarm.status == 4, alarm.err
    assert "ALARM" in alarm.out and "income" in alarm.out
    page = (project.home / "reports" / "shop" / "monitoring" / "latest.html").read_text()
    assert "Alarm" in page and "income" in page and "<script" not in page

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project.home / 'mlflow.db'}")
    run = client.get_run(steady.json["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.tags["penstock.outcome"] == "steady"
    assert run.data.metrics["monitor/alarm"] == 0
    assert {f.path for f in client.list_artifacts(run.info.run_id)} >= {"report.html", "drift.json"}


def test_bad_input_ends_with_2_and_says_all_of_it(project, shop):
    folder, _ = shop
    told = project.penstock("monitor", folder, "--current", "nowhere.csv", "--window", "May")
    assert told.status == 2
    assert "2 mistakes" in told.err and "nowhere.csv" in told.err and "A..B" in told.err


def test_without_a_champion_nothing_is_watched(project, shop_table):
    folder = project.pipeline("new", shop_table())
    told = project.penstock("monitor", folder)
    assert told.status == 2
    assert "only a champion is watched" in told.err
