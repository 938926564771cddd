"""On servers that ``penstock up`` started: a person's yes, alarms, retraining on drift, cancelling.

The tests stand in one story, in this order, in one house.
"""

import json
import time

import pytest

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.xdist_group("servers")]


def told(house, event):
    """What the web hook was told about our model."""
    ours = [one for one in house.said if one["payload"]["pipeline"] == "tickets"]
    return [one for one in ours if one["event"] == event]


def test_a_person_approves_a_suspended_run_after_a_restart_of_the_servers(house):
    trained = house.penstock("train", "tickets", "--json")
    assert trained.returncode == 6, trained.stderr
    assert house.aliases("tickets") == {"challenger": "1"}
    news = house.wait_until(lambda: told(house, "penstock.awaiting_approval"))
    assert "waits for a person's yes" in news[0]["text"]

    run = house.start("promote", "tickets")
    house.wait_until(lambda: house.state(run)["name"] == "Suspended")
    keys = house.state(run)["state_details"]["run_input_keyset"]
    schema = house.ask(f"/flow_runs/{run}/input/{keys['schema']}")
    assert set(schema["properties"]) == {"approve", "name", "reason"}
    text = house.ask(f"/flow_runs/{run}/input/{keys['description']}")
    assert "May version 1 of tickets become the champion?" in text

    assert house.penstock("down").returncode == 0
    done = house.up()
    assert done.returncode == 0, done.stdout + done.stderr
    assert house.state(run)["name"] == "Suspended"
    answer = {"approve": True, "name": "Ada", "reason": "Read the report."}
    resumed = house.ask(f"/flow_runs/{run}/resume", {"run_input": answer})
    assert resumed["status"] == "ACCEPT", resumed
    house.wait_until(lambda: house.state(run)["type"] in ("COMPLETED", "FAILED", "CRASHED"))
    assert house.state(run)["name"] == "Registered", house.state(run)
    assert house.aliases("tickets") == {"champion": "1"}
    verified = house.penstock("verify", "tickets")
    assert verified.returncode == 0, verified.stdout


def test_a_refusal_and_an_alarm_reach_the_web_hook_and_the_alarm_retrains(house):
    refused = house.penstock("train", "tickets", "--set", "gates.metric_floor.limit=0.9999")
    assert refused.returncode == 3, refused.stderr
    news = house.wait_until(lambda: told(house, "penstock.refused"))
    assert "metric_floor" in news[0]["text"]
    assert news[0]["payload"]["blocking"][0]["remedy"]

    before = len(house.ask("/flow_runs/filter", {"flows": {"name": {"any_": ["retrain"]}}}))
    emit = (
        "from pathlib import Path; from flows.events import DRIFT, emit;"
        "from penstock.services import Services;"
        "path = Path('data/tickets/pipeline.yaml').resolve();"
        "emit(DRIFT, Services(path), 'The age has changed.');"
        "from prefect.events.worker import EventsWorker; EventsWorker.instance().drain()"
    )
    done = house.run("-c", emit)
    assert done.returncode == 0, done.stderr
    news = house.wait_until(lambda: told(house, "penstock.drift"))
    assert news[0]["text"].endswith("The age has changed.")

    def retrained():
        runs = house.ask("/flow_runs/filter", {"flows": {"name": {"any_": ["retrain"]}}})
        return len(runs) > before and [r for r in runs if r["state"]["type"] == "COMPLETED"]

    (run,) = house.wait_until(retrained)
    assert run["parameters"]["reason"] == "The age has changed."
    (order,) = {
        json.loads(line)["id"]: json.loads(line)
        for line in (house.home / "retraining" / "tickets.jsonl").read_text().splitlines()
    }.values()
    assert (order["status"], order["verdict"]) == ("done", "kept_champion")
    assert order["reason"] == "The age has changed."
    assert house.aliases("tickets") == {"champion": "1"}


def test_a_cancelled_run_stops_training_and_its_mlflow_run_is_killed(house):
    long = {"model": {"epochs": 10000, "patience": 10000, "seed": 5}}
    run = house.start("train", "tickets", overrides=long)

    house.wait_until(lambda: house.tracked(run))
    house.wait_until(lambda: "fit" in house.running_stages(run))
    time.sleep(3)
    cancel = house.run("-m", "prefect", "flow-run", "cancel", run)
    assert cancel.returncode == 0, cancel.stderr
    house.wait_until(lambda: house.state(run)["type"] == "CANCELLED")
    house.wait_until(lambda: house.tracked(run)[0].info.status == "KILLED", 60)
    assert [str(version.version) for version in house.versions("tickets")] == ["1"]
