"""What dies in the middle of a training costs time, and nothing else.

A part of the house, its supervisor, or all of it at once (a power cut) is killed; then ``penstock
up``. The trainings differ in their patience alone, which is never used up: each one learns, none
finds another's weights in the cache, and all have to end with the weights of an undisturbed one.
"""

import os
import re
import signal
from datetime import UTC, datetime

import pytest

from penstock import ledger, tags
from penstock.adapters.store import LocalStore
from penstock.learning import checkpoints
from penstock.records import Objective, Split
from penstock.servers.processes import members
from penstock.spec import Pipeline
from penstock.stages.fit import fit
from penstock.standing import read

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.xdist_group("servers")]

EPOCHS = 150
LIVING = ["RUNNING", "PENDING", "CANCELLING"]


@pytest.fixture(scope="module")
def undisturbed(house):
    """Learns what a training learnt, in one go; once, since all of them learn the same."""
    known = []

    def learnt(record):
        if not known:
            spec = Pipeline.model_validate(record.spec)
            parts = Split.model_validate(record.stages["split"].record)
            goal = Objective.model_validate(record.stages["objective"].record)
            given = (parts.train, parts.valid, parts.layout, goal, spec.model, spec.compute)
            store = LocalStore(house.home / "store")
            known.append(fit(*given, store, lambda *told: None, "undisturbed"))
        return known[0]

    return learnt


def begin(house, name, number):
    """Start a training; ``number`` is another one for each."""
    overrides = {
        "model": {"epochs": EPOCHS, "patience": EPOCHS + number},
        "registry": {"model": name, "approval": "auto"},
        "compute": {"threads": 1},
    }
    return house.start("train", "loans", overrides=overrides)


def learning(house, run):
    """Wait until the training is in the middle of *fit*; how many epochs it has behind it."""

    def epochs():
        if "fit" not in house.running_stages(run):
            return 0
        found = [checkpoints.load(path.parent) for path in left_over(house)]
        return len(found[0][1]["train_loss"]) if found and found[0] else 0

    return house.wait_until(epochs)


def left_over(house):
    """Checkpoints of trainings that are not finished."""
    return list(house.home.glob(f"store/scratch/*/{checkpoints.FILE_NAME}"))


def up(house):
    done = house.up()
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def ends_well(house, run, name, undisturbed):
    """See the training to its end, and that nothing is lost, doubled or left running.

    Returns how often it began.
    """
    house.wait_until(lambda: house.state(run)["type"] in ("COMPLETED", "FAILED"))
    assert house.state(run)["name"] == "Registered", house.story(run)
    living = {"state": {"type": {"any_": LIVING}}}
    assert house.ask("/flow_runs/filter", {"flow_runs": living}) == []
    house.wait_until(lambda: house.ask("/task_runs/filter", {"task_runs": living}) == [])

    attempts = house.ask(f"/flow_runs/{run}")["run_count"]
    tracked = house.tracked(run)
    ends = sorted(one.info.status for one in tracked)
    assert ends == ["FINISHED"] + ["KILLED"] * (attempts - 1)
    (version,) = house.versions(name)
    assert str(version.version) == "1"
    assert version.run_id in [one.info.run_id for one in tracked]
    assert house.aliases(name) == {"champion": "1"}

    named = version.tags[tags.DECISION], version.tags[tags.DECISION_BYTES]
    record = ledger.read_record(*named, LocalStore(house.home / "store"))
    calm = undisturbed(record)
    assert record.files["weights"] == calm.weights.sha256
    (finished,) = [one.info.run_id for one in tracked if one.info.status == "FINISHED"]
    for curve, values in calm.history.items():
        points = house.registry.get_metric_history(finished, f"fit/{curve}")
        assert [(point.step, point.value) for point in points] == list(enumerate(values, start=1))
    assert left_over(house) == []
    return attempts


def test_the_worker_is_killed_and_its_run_goes_on_from_the_last_epoch(house, undisturbed):
    before = house.part("worker")
    run = begin(house, "killed-worker", 1)
    behind = learning(house, run)
    os.kill(before["pid"], signal.SIGKILL)
    now = datetime.now(UTC).isoformat()
    assert "Runs already" in up(house).stdout
    tells_of_a_death(before, house.part("worker"))
    assert ends_well(house, run, "killed-worker", undisturbed) == 2
    asked = {"flow_run_id": {"any_": [run]}, "timestamp": {"after_": now}}
    said = " ".join(log["message"] for log in house.ask("/logs/filter", {"logs": asked}))
    assert all(int(epoch) > behind for epoch in re.findall(r"fit: (\d+) of", said))


def test_the_servers_are_killed_and_the_run_waits_for_them(house, undisturbed):
    """First Prefect, while the network learns; then MLflow, where the version is about to be."""
    run = begin(house, "killed-servers", 2)
    learning(house, run)
    for part in ("prefect", "mlflow"):
        before = house.part(part)
        os.kill(before["pid"], signal.SIGKILL)
        assert "Runs already" in up(house).stdout
        tells_of_a_death(before, house.part(part))
    assert ends_well(house, run, "killed-servers", undisturbed) <= 2  # it went on, or began anew


def test_a_run_that_begins_while_mlflow_is_away_waits_for_it(house):
    os.kill(house.part("mlflow")["pid"], signal.SIGKILL)
    run = house.start("train", "shop")
    house.wait_until(lambda: house.state(run)["type"] in ("COMPLETED", "FAILED"))
    assert house.state(run)["name"] == "Refused", house.story(run)  # twenty rows are too few
    assert [one.info.status for one in house.tracked(run)] == ["FINISHED"]


def tells_of_a_death(before, after):
    assert after["state"] == "up"
    assert after["pid"] != before["pid"]
    assert after["restarts"] == before["restarts"] + 1
    assert "SIGKILL" in after["last_death"]


def test_the_supervisor_is_killed_and_the_house_is_built_again_with_its_history(house, undisturbed):
    known = house.deployment("train", "shop")["id"]
    run = begin(house, "killed-supervisor", 3)
    learning(house, run)
    old = read(house.home)
    os.kill(old.supervisor.pid, signal.SIGKILL)
    house.wait_until(lambda: not old.supervisor.alive)
    answer = house.penstock("status")
    assert answer.returncode == 1
    assert "penstock up" in answer.stdout
    up(house)
    assert not any(part.process.alive for part in old.parts)
    assert house.deployment("train", "shop")["id"] == known
    assert ends_well(house, run, "killed-supervisor", undisturbed) <= 2


def test_the_power_fails_when_the_version_was_just_made(house, undisturbed):
    run = begin(house, "killed-house", 4)
    house.wait_until(lambda: house.versions("killed-house"))
    token = read(house.home).token
    for process in members(token):
        os.kill(process.pid, signal.SIGKILL)
    house.wait_until(lambda: not members(token))
    up(house)
    assert ends_well(house, run, "killed-house", undisturbed) <= 2
