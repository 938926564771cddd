"""One house for all tests: a project, and the servers that ``penstock up`` started for it."""

import http.server
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from asking import ask
from mlflow import MlflowClient

from penstock.servers.processes import members
from penstock.standing import read

SHOP = """\
name: shop
description: Who buys
data: {source: rows.csv, target: bought}
model: {epochs: 2, width: 16, members: 1}
schedule:
  train: {cron: 0 3 * * 1, timezone: Europe/Rome}
"""
LOANS = """\
name: loans
description: Who pays a loan back
data: {source: rows.csv, target: repaid}
objective: {trial_rows: 0}
model: {epochs: 2, width: 16, members: 1}
registry: {approval: human}
"""
# its name stands last: lists of deployments show ten on the first page
TICKETS = """\
name: tickets
data: {source: rows.csv, target: repaid}
model: {epochs: 3, width: 16, members: 1}
objective: {trial_rows: 0}
registry: {approval: human}
retrain: {cooldown_days: 0, min_new_rows: 0}
compute: {threads: 1}
"""


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


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class House:
    """A project with servers of its own."""

    secret = "n0t-to-be-seen"
    said = Hook.said

    def __init__(self, folder: Path, hook: str = ""):
        self.folder = folder
        self.home = folder / "home"
        self.prefect, self.mlflow = free_port(), free_port()
        self.tokens = []
        self.environment = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("PREFECT", "MLFLOW", "PENSTOCK"))
        } | {
            "PENSTOCK_HOME": str(self.home),
            "PENSTOCK_ALARM_URL": hook,
            "PREFECT_WORKER_QUERY_SECONDS": "1",  # a run need not wait long for its worker
            "SOME_TOKEN": self.secret,
        }

    def run(self, *command: str, seconds: int = 400) -> subprocess.CompletedProcess:
        """A command in a shell that uses this house."""
        api = {"PREFECT_API_URL": f"http://127.0.0.1:{self.prefect}/api"}
        return subprocess.run(
            [sys.executable, *command], cwd=self.folder, env=self.environment | api,
            capture_output=True, text=True, timeout=seconds,
        )  # fmt: skip

    def penstock(self, *arguments: str, seconds: int = 400) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "penstock.cli", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=seconds,
        )  # fmt: skip

    def up(self) -> subprocess.CompletedProcess:
        ports = ("--prefect-port", str(self.prefect), "--mlflow-port", str(self.mlflow))
        done = self.penstock("up", *ports)
        if found := read(self.home):
            self.tokens.append(found.token)
        return done

    @property
    def status(self) -> dict:
        return json.loads(self.penstock("status", "--json").stdout)

    def part(self, name: str) -> dict:
        return next(part for part in self.status["parts"] if part["name"] == name)

    def ask(self, path: str, content: dict | None = None):
        return ask(f"http://127.0.0.1:{self.prefect}/api{path}", content)

    def deployment(self, flow: str, name: str) -> dict:
        return self.ask(f"/deployments/name/{flow}/{name}")

    def start(self, flow: str, name: str, **parameters) -> str:
        """Start a deployment's run; returns its id."""
        path = f"/deployments/{self.deployment(flow, name)['id']}/create_flow_run"
        return self.ask(path, {"parameters": parameters, "state": {"type": "SCHEDULED"}})["id"]

    def state(self, run: str) -> dict:
        return self.ask(f"/flow_runs/{run}")["state"]

    def story(self, run: str) -> str:
        """How a run ended, and what its log says: for the message of a test that failed."""
        asked = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"}
        state = self.state(run)
        said = [f"{log['timestamp']} {log['message']}" for log in self.ask("/logs/filter", asked)]
        return "\n".join([f"{state['name']}: {state['message']}", *said])

    def running_stages(self, run: str) -> list[str]:
        running = {"state": {"type": {"any_": ["RUNNING"]}}}
        asked = {"flow_runs": {"id": {"any_": [run]}}, "task_runs": running}
        return [task["name"] for task in self.ask("/task_runs/filter", asked)]

    @property
    def registry(self) -> MlflowClient:
        return MlflowClient(f"http://127.0.0.1:{self.mlflow}")

    def tracked(self, run: str) -> list:
        """MLflow's runs of a flow run."""
        experiments = [one.experiment_id for one in self.registry.search_experiments()]
        return list(self.registry.search_runs(experiments, f"tags.`prefect.flow_run_id` = '{run}'"))

    def versions(self, name: str) -> list:
        return list(self.registry.search_model_versions(f"name='{name}'"))

    def aliases(self, name: str) -> dict[str, str]:
        """The aliases of a registered model; none when there is no such model."""
        models = self.registry.search_registered_models(f"name='{name}'")
        return {alias: str(v) for model in models for alias, v in model.aliases.items()}

    @staticmethod
    def wait_until(what, seconds: float = 240):
        """Wait for something that is true; returns it."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.3)
        return found


def loans(num_rows: int = 800) -> str:
    """A table that a small network learns: who earns more pays back more often."""
    draw = random.Random(0)
    lines = ["age,income,region,repaid"]
    for _ in range(num_rows):
        age, income = draw.randrange(18, 80), round(draw.lognormvariate(10, 0.5))
        region = draw.choice(["north", "south", "west"])
        score = (income - 22_000) / 9_000 + (age - 45) / 20 + (region == "north")
        lines.append(f"{age},{income},{region},{'yes' if score > draw.gauss(0, 0.8) else 'no'}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def hook():
    """Address of a web hook."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def house(tmp_path_factory, hook):
    folder = tmp_path_factory.mktemp("project")
    few = "age,bought\n" + "20,no\n60,yes\n" * 10
    tables = {"shop": few, "loans": loans(), "tickets": loans(600)}
    for name, spec in {"shop": SHOP, "loans": LOANS, "tickets": TICKETS}.items():
        pipeline = folder / "data" / name
        pipeline.mkdir(parents=True)
        (pipeline / "pipeline.yaml").write_text(spec)
        (pipeline / "rows.csv").write_text(tables[name])
    (folder / "data" / "shop" / "card.md").write_text("# Shop\n\nWho *buys*.\n")
    house = House(folder, hook)
    done = house.up()
    assert done.returncode == 0, done.stdout + done.stderr
    yield house
    house.penstock("down")
    assert not [process for token in house.tokens for process in members(token)]
