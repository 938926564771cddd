"""Retraining through the command line: on new rows, when due, one after the other."""

import json
import subprocess
import sys

import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lifecycle")]

RULES = "retrain: {cooldown_days: 0.0001, min_new_rows: 50}\n"


def client(project):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{project.home / 'mlflow.db'}")


def orders(project):
    lines = (project.home / "retraining" / "shop.jsonl").read_text().splitlines()
    found = {}
    for line in lines:
        order = json.loads(line)
        found[order["id"]] = order
    return list(found.values())


def test_it_trains_on_new_rows_when_due_and_two_at_once_take_turns(project, shop_table):
    folder = project.pipeline("shop", shop_table(), RULES)
    assert project.penstock("train", folder, "--json").json["version"] == "1"

    idle = project.penstock("retrain", folder, "--if-due", "--json")
    assert (idle.status, idle.json["verdict"]) == (0, "not_due"), idle.err
    assert "0 new labelled rows" in idle.json["why"]

    table = pd.concat([shop_table(), shop_table(1600, seed=7)])
    table.to_csv(project.folder / folder / "rows.csv", index=False)
    command = [sys.executable, "-m", "penstock.cli", "retrain", folder, "--json"]
    both = [
        subprocess.Popen(
            [*command, "--reason", f"number {number}"], cwd=project.folder,
            env=project.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in (1, 2)
    ]  # fmt: skip
    said = [process.communicate(timeout=400) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("this one waits" in err for _, err in said) == 1
    verdicts = sorted(json.loads(out.splitlines()[-1])["verdict"] for out, _ in said)
    assert verdicts in (["kept_champion", "registered"], ["kept_champion", "kept_champion"])

    declined, first, second = orders(project)
    assert (declined["status"], declined["num_new_rows"]) == ("declined", 0)
    assert (first["status"], second["status"]) == ("done", "done")
    assert (first["num_new_rows"], second["num_new_rows"]) == (1600, 0)
    assert {first["reason"], second["reason"]} == {"number 1", "number 2"}
    assert first["ended_at"] <= second["asked_at"]

    model = client(project).get_registered_model("shop")
    champion = str(model.aliases["champion"])
    assert champion == ("2" if "registered" in verdicts else "1")
    tags = client(project).get_model_version("shop", champion).tags
    assert tags["penstock.champion_before"] == ("1" if champion == "2" else "none")
    assert project.penstock("verify", folder).status == 0
