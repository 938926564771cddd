"""Deployments: what each pipeline gets, against a hand-written Prefect server."""

from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
import yaml
from prefect.exceptions import ObjectAlreadyExists

from flows import deploy as deploying
from flows.deploy import GONE, TABLE, deploy
from penstock import pipeline_file

ROOT = Path(__file__).parents[3]
LEAST = "name: {name}\ndescription: Who leaves\ndata: {{source: rows.csv, target: y}}\n"


class Server:
    """Keeps what it is told, as Prefect's server does."""

    def __init__(self):
        self.pools, self.flows, self.automations = {}, {}, {}
        self.deployments = {}

    def create_work_pool(self, pool):
        if pool.name in self.pools:
            raise ObjectAlreadyExists(Exception("there is one"))
        self.pools[pool.name] = pool

    def create_flow_from_name(self, name) -> UUID:
        return self.flows.setdefault(name, uuid4())

    def create_deployment(self, flow_id, name, paused=None, **said):
        known = self.deployments.get((flow_id, name))
        self.deployments[flow_id, name] = SimpleNamespace(
            id=known.id if known else uuid4(), name=name, **said,
            paused=(known.paused if known else False) if paused is None else paused,
        )  # fmt: skip
        return self.deployments[flow_id, name].id

    def read_deployments(self, deployment_filter, limit, offset):
        wanted = set(deployment_filter.tags.all_)
        found = [d for d in self.deployments.values() if wanted <= set(d.tags)]
        return found[offset : offset + limit]

    def update_deployment(self, id, update):
        found = next(d for d in self.deployments.values() if d.id == id)
        found.paused, found.tags = update.paused, update.tags

    def read_automations_by_name(self, name):
        return [a for a in self.automations.values() if a.name == name]

    def create_automation(self, automation):
        key = uuid4()
        self.automations[key] = SimpleNamespace(id=key, **dict(automation))

    def update_automation(self, id, automation):
        assert id in self.automations
        self.automations[id] = SimpleNamespace(id=id, **dict(automation))

    def delete_automation(self, id):
        del self.automations[id]

    @property
    def by_name(self):
        """Deployments of the train flow by their pipeline."""
        found = self.deployments.values()
        return {d.name: d for d in found if d.entrypoint == "flows.train.train"}


@pytest.fixture
def project(tmp_path):
    def write(name, more=""):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pipeline.yaml").write_text(LEAST.format(name=name) + more)
        return folder

    write.folder = tmp_path
    return write


def run(project, server):
    told = []
    return deploy(project.folder, server, told.append), told


def test_each_pipeline_gets_a_deployment_of_each_flow(project):
    (project("churn") / "card.md").write_text("# Churn\n\nWho *leaves*.")
    project("stay", "schedule:\n  train: {cron: 0 3 * * 1, timezone: Europe/Rome}\n")
    server = Server()
    assert run(project, server)[0] == 0
    assert len(server.deployments) == 2 * len(TABLE)
    churn, stay = server.by_name["churn"], server.by_name["stay"]
    assert churn.description == "# Churn\n\nWho *leaves*."
    assert stay.description == "Who leaves"
    assert churn.parameters == {"pipeline": "data/churn"}
    assert churn.job_variables == {"working_dir": str(project.folder)}
    assert (churn.concurrency_limit, churn.concurrency_options.collision_strategy) == (1, "ENQUEUE")
    assert churn.schedules == []
    (planned,) = stay.schedules
    assert (planned.schedule.cron, planned.schedule.timezone) == ("0 3 * * 1", "Europe/Rome")
    assert planned.active


def test_deploying_again_changes_nothing_but_what_the_file_says(project):
    project("churn", "schedule: {train: 0 3 * * 1}\n")
    server = Server()
    run(project, server)
    before = server.by_name["churn"]
    before.paused = True
    before.schedules[0].active = False
    project("churn", "schedule: {train: 0 4 * * 1}\n")
    run(project, server)
    after = server.by_name["churn"]
    assert (after.id, after.paused) == (before.id, True)
    assert after.schedules[0].schedule.cron == "0 4 * * 1"
    assert not after.schedules[0].active  # somebody paused it in the UI
    assert (len(server.automations), len(server.pools)) == (2, 1)


def test_a_pipeline_that_is_gone_is_paused_and_comes_back(project):
    folder = project("churn")
    project("stay")
    server = Server()
    run(project, server)
    (folder / "pipeline.yaml").unlink()
    _, told = run(project, server)
    assert "paused churn: its folder under data/ is gone" in told
    assert server.by_name["churn"].paused
    assert not server.by_name["stay"].paused
    assert not any("gone" in line for line in run(project, server)[1])  # told once
    project("churn")
    run(project, server)
    assert not server.by_name["churn"].paused
    assert GONE not in server.by_name["churn"].tags


def test_another_project_on_the_same_server_is_left_alone(project, tmp_path):
    project("churn")
    server = Server()
    run(project, server)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    deploy(elsewhere, server, lambda text: None)
    assert not server.by_name["churn"].paused


def test_a_file_with_mistakes_is_told_and_does_not_hold_up_the_others(project):
    project("broken", "modle: {}\nschedule: {train: every day}\n")
    project("churn")
    server = Server()
    num_wrong, told = run(project, server)
    assert num_wrong == 1
    assert set(server.by_name) == {"churn"}
    (line,) = [line for line in told if line.startswith("not deployed")]
    assert "did you mean model?" in line
    assert "pipeline.yaml:5" in line


def test_the_zombie_automation_takes_no_end_of_ours_for_a_death(project):
    server = Server()
    project("churn")
    run(project, server)
    (automation,) = server.read_automations_by_name(deploying.ZOMBIES)
    assert automation.trigger.expect == {"prefect.flow-run.*"}


def test_an_alarm_of_the_monitor_starts_the_retraining_of_its_own_pipeline(project):
    project("churn")
    project("stay", "retrain: {on_drift: false}\n")
    server = Server()
    run(project, server)
    run(project, server)
    churn, stay = (
        server.read_automations_by_name(f"penstock: retrain {name} on drift")
        for name in ("churn", "stay")
    )
    assert [len(churn), len(stay)] == [1, 1]
    assert (churn[0].enabled, stay[0].enabled) == (True, False)
    assert churn[0].trigger.expect == {"penstock.drift"}
    match = churn[0].trigger.match.model_dump()
    assert match == {"prefect.resource.id": "penstock.pipeline.churn"}
    (action,) = churn[0].actions
    named = [d for (_, name), d in server.deployments.items() if name == "churn"]
    (retrain,) = [d for d in named if d.tags == ["penstock", "retrain"]]
    assert action.deployment_id == retrain.id

    (project.folder / "data" / "churn" / "pipeline.yaml").unlink()
    run(project, server)
    assert server.read_automations_by_name("penstock: retrain churn on drift") == []


def test_prefect_yaml_holds_the_same_deployments():
    said = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    found = {(d["entrypoint"], d["name"]): d for d in said}
    files = sorted(ROOT.glob("data/*/pipeline.yaml"))
    assert set(found) == {(entry.entrypoint, p.parent.name) for entry in TABLE for p in files}
    for entry in TABLE:
        for path in files:
            pipeline, one = pipeline_file.read(path), found[entry.entrypoint, path.parent.name]
            assert one["description"] == pipeline.description
            assert one["parameters"] == {"pipeline": f"data/{path.parent.name}"} | entry.parameters
            assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
            planned = [
                (s.schedule.cron, s.schedule.timezone) for s in deploying.schedules(entry, pipeline)
            ]
            assert planned == [(s["cron"], s["timezone"]) for s in one.get("schedules", [])]
