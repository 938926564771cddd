"""On servers that ``penstock up`` started: a person's yes, alarms, retraining on drift, cancelling.

The tests stand in one story, in this order, in one house.
"""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from penstock.servers.processes import members
from penstock.standing import read

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.xdist_group("servers")]

PIPELINE = """\
name: shop
data: {source: rows.csv, target: bought}
model: {epochs: 3, width: 16, members: 1}
objective: {trial_rows: 0}
registry: {approval: human}
retrain: {cooldown_days: 0, min_new_rows: 0}
compute: {threads: 1}
"""


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what is sent to it."""

    said: list = []

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        type(self).said.append(json.loads(self.rfile.read(length)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        """Nothing on the tests' terminal."""


class House:
    """A project with servers of its own, and a web hook."""

    def __init__(self, folder: Path, hook: str):
        self.folder, self.home = folder, folder / "home"
        self.prefect, self.mlflow = free_port(), free_port()
        self.environment = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("PREFECT", "MLFLOW", "PENSTOCK"))
        } | {"PENSTOCK_HOME": str(self.home), "PENSTOCK_ALARM_URL": hook}

    def penstock(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "penstock.cli", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=400,
        )  # fmt: skip

    def up(self) -> None:
        ports = ("--prefect-port", str(self.prefect), "--mlflow-port", str(self.mlflow))
        done = self.penstock("up", *ports)
        assert done.returncode == 0, done.stdout + done.stderr

    def ask(self, path: str, content: dict | None = None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.prefect}/api{path}",
            data=None if content is None else json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def start(self, flow: str, **parameters) -> str:
        deployment = self.ask(f"/deployments/name/{flow}/shop")["id"]
        path = f"/deployments/{deployment}/create_flow_run"
        return self.ask(path, {"parameters": parameters, "state": {"type": "SCHEDULED"}})["id"]

    def state(self, run: str) -> dict:
        return self.ask(f"/flow_runs/{run}")["state"]

    @property
    def registry(self) -> MlflowClient:
        return MlflowClient(f"http://127.0.0.1:{self.mlflow}")

    @property
    def aliases(self) -> dict[str, str]:
        return {k: str(v) for k, v in self.registry.get_registered_model("shop").aliases.items()}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = tmp_path_factory.mktemp("project")
    pipeline = folder / "data" / "shop"
    pipeline.mkdir(parents=True)
    (pipeline / "pipeline.yaml").write_text(PIPELINE)
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, 600)
    bought = np.where(rng.random(600) < 1 / (1 + np.exp(-(age - 45) / 5)), "yes", "no")
    lines = [f"{a},{b}" for a, b in zip(age, bought, strict=True)]
    (pipeline / "rows.csv").write_text("\n".join(["age,bought", *lines]) + "\n")
    house = House(folder, f"http://127.0.0.1:{server.server_port}/hook")
    house.up()
    yield house
    token = read(house.home).token
    house.penstock("down")
    server.shutdown()
    server.server_close()
    assert members(token) == []


def wait_until(what, seconds: float = 180):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.5)
    return found


def test_a_person_approves_a_suspended_run_after_a_restart_of_the_servers(house):
    trained = house.penstock("train", "shop", "--json")
    assert trained.returncode == 6, trained.stderr
    assert house.aliases == {"challenger": "1"}
    news = wait_until(lambda: [s for s in Hook.said if "awaiting" in s["event"]])
    assert "waits for a person's yes" in news[0]["text"]

    run = house.start("promote")
    wait_until(lambda: house.state(run)["name"] == "Suspended")
    keys = house.state(run)["state_details"]["run_input_keyset"]
    schema = house.ask(f"/flow_runs/{run}/input/{keys['schema']}")
    assert set(schema["properties"]) == {"approve", "name", "reason"}
    text = house.ask(f"/flow_runs/{run}/input/{keys['description']}")
    assert "May version 1 of shop become the champion?" in text

    assert house.penstock("down").returncode == 0
    house.up()
    assert house.state(run)["name"] == "Suspended"
    answer = {"approve": True, "name": "Ada", "reason": "Read the report."}
    told = house.ask(f"/flow_runs/{run}/resume", {"run_input": answer})
    assert told["status"] == "ACCEPT", told
    wait_until(lambda: house.state(run)["type"] in ("COMPLETED", "FAILED", "CRASHED"))
    assert house.state(run)["name"] == "Registered", house.state(run)
    assert house.aliases == {"champion": "1"}
    verified = house.penstock("verify", "shop")
    assert verified.returncode == 0, verified.stdout


def test_a_refusal_and_an_alarm_reach_the_web_hook_and_the_alarm_retrains(house):
    refused = house.penstock("train", "shop", "--set", "gates.metric_floor.limit=0.9999")
    assert refused.returncode == 3, refused.stderr
    news = wait_until(lambda: [s for s in Hook.said if s["event"] == "penstock.refused"])
    assert "metric_floor" in news[0]["text"]
    assert news[0]["payload"]["blocking"][0]["remedy"]

    before = len(house.ask("/flow_runs/filter", {"flows": {"name": {"any_": ["retrain"]}}}))
    emit = (
        "from pathlib import Path; from flows.events import DRIFT, emit;"
        "from penstock.services import Services;"
        "emit(DRIFT, Services(Path('data/shop/pipeline.yaml').resolve()), 'The age has changed.');"
        "from prefect.events.worker import EventsWorker; EventsWorker.instance().drain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", emit], cwd=house.folder, capture_output=True, text=True, timeout=100,
        env=house.environment | {"PREFECT_API_URL": f"http://127.0.0.1:{house.prefect}/api"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    news = wait_until(lambda: [s for s in Hook.said if s["event"] == "penstock.drift"])
    assert news[0]["text"].endswith("The age has changed.")

    def retrained():
        runs = house.ask("/flow_runs/filter", {"flows": {"name": {"any_": ["retrain"]}}})
        return len(runs) > before and [r for r in runs if r["state"]["type"] == "COMPLETED"]

    (run,) = wait_until(retrained)
    assert run["parameters"]["reason"] == "The age has changed."
    (order,) = {
        json.loads(line)["id"]: json.loads(line)
        for line in (house.home / "retraining" / "shop.jsonl").read_text().splitlines()
    }.values()
    assert (order["status"], order["verdict"]) == ("done", "kept_champion")
    assert order["reason"] == "The age has changed."
    assert house.aliases == {"champion": "1"}


def test_a_cancelled_run_stops_training_and_its_mlflow_run_is_killed(house):
    long = {"model": {"epochs": 10000, "patience": 10000, "seed": 5}}
    run = house.start("train", overrides=long)

    def begun():
        query = f"tags.`prefect.flow_run_id` = '{run}'"
        ids = [one.experiment_id for one in house.registry.search_experiments()]
        return house.registry.search_runs(ids, query)

    (tracked,) = wait_until(begun)

    def fitting():
        tasks = house.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return any(t["name"] == "fit" and t["state"]["type"] == "RUNNING" for t in tasks)

    wait_until(fitting)
    time.sleep(3)
    cancel = subprocess.run(
        [sys.executable, "-m", "prefect", "flow-run", "cancel", run], capture_output=True,
        text=True, timeout=100,
        env=house.environment | {"PREFECT_API_URL": f"http://127.0.0.1:{house.prefect}/api"},
    )  # fmt: skip
    assert cancel.returncode == 0, cancel.stderr
    wait_until(lambda: house.state(run)["type"] == "CANCELLED")
    wait_until(lambda: house.registry.get_run(tracked.info.run_id).info.status == "KILLED", 60)
    assert [s.version for s in house.registry.search_model_versions("name='shop'")] in (
        [1], ["1"],
    )  # fmt: skip
