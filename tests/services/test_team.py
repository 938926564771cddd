"""What compose.yaml says, run without containers: its commands and its environments, on a real
PostgreSQL, an S3 endpoint, and the two servers; train, score and monitor through the worker.

Only names and ports of the containers are put at loopback; a service that is not started here
(postgres, s3) is one that the fixtures stand for.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from asking import ask

from penstock.servers.processes import TOKEN, end

pytestmark = pytest.mark.xdist_group("team")
real = pytest.mark.services

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
SECONDS = 480
SECRETS = {
    "POSTGRES_PASSWORD": "postgres-secret",
    "S3_ACCESS_KEY": "bucket-name",
    "S3_SECRET_KEY": "bucket-secret",
    "PREFECT_LOGIN": "team:prefect-secret",
    "MLFLOW_PASSWORD": "mlflow-secret-12",
    "MLFLOW_SECRET_KEY": "flask-secret",
}
REFERENCE = re.compile(r"\$\$|\$\{(\w+)(?:(:[-?])([^}]*))?\}")


def filled(text, values):
    """What Compose makes of ``$$``, ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?why}``."""

    def value(match):
        name, kind, other = match.groups()
        if name is None:
            return "$"
        if found := values.get(name):
            return found
        assert kind == ":-", f"{name} is not said: {other}"
        return other

    return REFERENCE.sub(value, text)


def image_environment():
    """The ``ENV`` lines of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^ENV (.+)$", text, re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


def shop(num_rows, seed):
    """Customers of whom age, visits and town tell who buys; a day of two months each."""
    random = np.random.default_rng(seed)
    age = random.normal(45, 12, num_rows).round(1)
    visits = random.poisson(4, num_rows)
    town = random.choice(["Rome", "Oslo", "Lima"], num_rows)
    pull = 0.12 * (age - 45) + 0.9 * (visits - 4) + np.where(town == "Oslo", 1.2, -0.6)
    bought = random.random(num_rows) < 1 / (1 + np.exp(-pull))
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(num_rows) % 60, unit="D")
    return pd.DataFrame(
        {
            "customer": [f"c-{seed}-{row:05d}" for row in range(num_rows)],
            "day": days.strftime("%Y-%m-%d"),
            "age": age,
            "visits": visits,
            "town": town,
            "bought": np.where(bought, "yes", "no"),
        }
    )


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


PIPELINE = """\
name: shop
data: {source: rows.csv, target: bought, key: customer, time: day, features: {day: exclude}}
model: {epochs: 3, width: 32, members: 2}
objective: {trial_rows: 600}
score: {source: new.csv, output: scores/}
"""


class Team:
    """The services of compose.yaml, on loopback."""

    def __init__(self, folder, postgres_port, s3_url):
        self.folder = folder
        self.project, self.home = folder / "project", folder / "home"
        self.ports = {name: free_port() for name in ("prefect", "mlflow", "worker")}
        self.values = SECRETS | {
            "PREFECT_PORT": str(self.ports["prefect"]),
            "MLFLOW_PORT": str(self.ports["mlflow"]),
        }
        said = {"prefect": "4200", "mlflow": "5000", "worker": "8080"}
        self.places = {
            "@postgres/": f"@127.0.0.1:{postgres_port}/",
            "http://s3:8333": s3_url,
            "http://prefect:4200": self.address("prefect"),
            "http://mlflow:5000": self.address("mlflow"),
            "0.0.0.0": "127.0.0.1",
            "/home/penstock/home": str(self.home),
            "/project": str(self.project),
            "/etc/penstock/mlflow-auth.ini": str(folder / "mlflow-auth.ini"),
        } | {f"127.0.0.1:{port}": f"127.0.0.1:{self.ports[name]}" for name, port in said.items()}
        self.numbers = {port: str(self.ports[name]) for name, port in said.items()}
        self.running = {}
        self.token = uuid.uuid4().hex

    def address(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def here(self, text):
        """The text of a service, as Compose fills it in, with its places put at loopback."""
        text = filled(str(text), self.values)
        text = self.numbers.get(text, text)
        for place, ours in self.places.items():
            text = text.replace(place, ours)
        return text

    def environment(self, name):
        base = {
            key: os.environ[key] for key in ("LANG", "TZ", "OMP_NUM_THREADS") if key in os.environ
        }
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        said = image_environment() | SERVICES[name].get("environment", {})
        base |= {"PATH": programs, "HOME": str(self.folder), TOKEN: self.token}
        return base | {key: self.here(value) for key, value in said.items()}

    def run(self, name, command=()):
        """``docker compose run SERVICE COMMAND``."""
        parts = [self.here(part) for part in command or SERVICES[name]["command"]]
        return subprocess.run(
            parts,
            env=self.environment(name),
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def start(self, name):
        with (self.folder / f"{name}.log").open("w") as log:
            self.running[name] = subprocess.Popen(
                [self.here(part) for part in SERVICES[name]["command"]],
                env=self.environment(name),
                cwd=self.project,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def healthy(self, name):
        """Wait until the service's own health check says so."""
        check = SERVICES[name]["healthcheck"]["test"]
        assert check[0] == "CMD"
        late = time.monotonic() + SECONDS
        while subprocess.run(
            [self.here(part) for part in check[1:]],
            env=self.environment(name),
            capture_output=True,
            timeout=60,
        ).returncode:
            log = (self.folder / f"{name}.log").read_text()[-2000:]
            assert self.running[name].poll() is None, f"{name} ended: {log}"
            assert time.monotonic() < late, f"{name} does not answer: {log}"
            time.sleep(0.5)

    def stop(self):
        """End all that carries our token: the runs of a worker that had to be killed too."""
        end(self.token, patience=20)
        for process in self.running.values():
            process.wait(timeout=30)

    def ask(self, name, path, body=None, login=""):
        """What a server says to a client who knows its password."""
        return ask(self.address(name) + path, body, login)

    def prefect(self, path, body=None):
        return self.ask("prefect", f"/api{path}", body, SECRETS["PREFECT_LOGIN"])

    def mlflow(self, path):
        login = f"admin:{SECRETS['MLFLOW_PASSWORD']}"
        return self.ask("mlflow", f"/api/2.0/mlflow{path}", login=login)

    def flow(self, name, **parameters):
        """Start a deployment's run on the worker, and wait for its end."""
        found = self.prefect(f"/deployments/name/{name}/shop")
        made = self.prefect(
            f"/deployments/{found['id']}/create_flow_run",
            {"parameters": parameters, "state": {"type": "SCHEDULED"}},
        )
        late = time.monotonic() + SECONDS
        while time.monotonic() < late:
            run = self.prefect(f"/flow_runs/{made['id']}")
            if run["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                return run
            time.sleep(0.5)
        raise TimeoutError(run["state"])


@pytest.fixture(scope="module")
def team(tmp_path_factory, postgres_server, s3_server):
    import psycopg

    folder = tmp_path_factory.mktemp("team")
    team = Team(folder, postgres_server, s3_server)
    pipeline = team.project / "data" / "shop"
    pipeline.mkdir(parents=True)
    team.home.mkdir()
    shop(800, 0).to_csv(pipeline / "rows.csv", index=False)
    later = shop(400, 1)
    later.drop(columns="bought").to_csv(pipeline / "new.csv", index=False)
    later[["customer", "bought"]].to_csv(pipeline / "truth.csv", index=False)
    (pipeline / "pipeline.yaml").write_text(PIPELINE)
    (folder / "mlflow-auth.ini").write_text(team.here(COMPOSE["configs"]["mlflow_auth"]["content"]))
    address = f"host=127.0.0.1 port={postgres_server} user=penstock dbname=postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        for line in COMPOSE["configs"]["databases"]["content"].splitlines():
            connection.execute(line)
    try:
        for name in ("setup", "prefect", "mlflow", "deploy", "worker"):
            if SERVICES[name].get("healthcheck"):
                team.start(name)
            else:
                done = team.run(name)
                assert done.returncode == 0, done.stdout + done.stderr
            if name == "mlflow":  # the two servers come up side by side
                team.healthy("prefect")
        team.healthy("mlflow")
        team.healthy("worker")
        yield team
    finally:
        team.stop()
        shutil.rmtree(folder)


def files(s3_url, prefix):
    """Keys in the bucket."""
    import boto3

    said = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    with contextlib.closing(
        boto3.client("s3", endpoint_url=s3_url, region_name="us-east-1", **said)
    ) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="penstock", Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


def asked(postgres_port, database, query):
    """Rows of a query."""
    import psycopg

    address = f"host=127.0.0.1 port={postgres_port} user=penstock dbname={database}"
    with psycopg.connect(address) as connection:
        return connection.execute(query).fetchall()


def test_ports_are_open_to_this_machine_only():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 2
    for port in published:
        assert filled(port, {}).startswith("127.0.0.1:")


def test_no_secret_is_in_the_file_and_none_has_a_default():
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for name in SECRETS:
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", text)
        assert uses, name
        assert all(use.startswith(":?") for use in uses), name
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|ACCESS_KEY|AUTH_STRING", key):
                assert str(value).startswith("${"), f"{name}: {key}"


def test_the_example_names_every_variable_and_holds_no_secret():
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    said = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert set(said) == {name for name, _, _ in REFERENCE.findall(text) if name}
    assert {name for name, value in said.items() if not value} == set(SECRETS)
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_services_wait_for_what_they_need_and_keep_their_state():
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            once = "healthcheck" not in SERVICES[other]
            wanted = "service_completed_successfully" if once else "service_healthy"
            assert how["condition"] == wanted, f"{name} waits for {other}"
        kept = [volume.split(":")[0] for volume in service.get("volumes", [])]
        assert kept, f"{name} keeps nothing"
        assert any(volume in COMPOSE["volumes"] for volume in kept), name
        for source in service.get("configs", []):
            assert source["source"] in COMPOSE["configs"]


@real
@pytest.mark.parametrize("name", ["prefect", "mlflow"])
def test_a_stranger_is_refused(team, name):
    path = {
        "prefect": "/api/admin/version",
        "mlflow": "/api/2.0/mlflow/experiments/get?experiment_id=0",
    }
    with pytest.raises(urllib.error.HTTPError) as caught:
        team.ask(name, path[name])
    with caught.value as answer:
        assert answer.code == 401


@real
def test_train_score_and_monitor_share_databases_and_bucket(team, postgres_server, s3_server):
    run = team.flow("train")
    assert run["state"]["name"] == "Registered", run["state"]
    version = team.mlflow("/model-versions/get?name=shop&version=1")["model_version"]
    assert version["aliases"] == ["champion"]
    told = team.prefect("/artifacts/filter", {})
    links = " ".join(str(artifact["data"]) for artifact in told)
    assert f"{team.address('mlflow')}/#/" in links.replace("localhost", "127.0.0.1")

    shutil.rmtree(team.home)  # a worker on another machine has nothing but what is shared
    window = ["--window", "2024-01-01..2024-03-01"]
    done = team.run("worker", ["penstock", "score", "shop", *window, "--json"])
    assert done.returncode == 0, done.stderr
    scored = json.loads(done.stdout)
    assert (scored["scored"], scored["version"]) == (400, "1")
    labels = ["--labels", "data/shop/truth.csv"]
    done = team.run("worker", ["penstock", "monitor", "shop", *window, *labels, "--json"])
    assert done.returncode == 0, done.stderr
    watched = json.loads(done.stdout)
    assert (watched["num_rows"], watched["outcome"]) == (400, "steady")

    flows = "SELECT f.name, r.state_type FROM flow_run r JOIN flow f ON f.id = r.flow_id"
    ended = {(name, state) for name, state in asked(postgres_server, "prefect", flows)}
    assert ended == {(name, "COMPLETED") for name in ("train", "score", "monitor")}
    models = "SELECT name, version FROM model_versions"
    assert asked(postgres_server, "mlflow", models) == [("shop", 1)]
    assert asked(postgres_server, "mlflow_auth", "SELECT username FROM users") == [("admin",)]
    store = files(s3_server, "store")
    assert any(re.fullmatch(r"store/[0-9a-f]{2}/[0-9a-f]{64}\.parquet", name) for name in store)
    assert sum("/predictions/" in name for name in store) == 1
    assert any("/monitoring/" in name for name in store)
    assert any(name.endswith(".safetensors") for name in files(s3_server, "mlflow"))
    assert not list(team.home.glob("store")) and not list(team.home.glob("*.db"))


@real
def test_nothing_said_a_secret_in_a_log(team):
    for path in team.folder.glob("*.log"):
        text = path.read_text(errors="replace")
        assert not [name for name, secret in SECRETS.items() if secret in text], path.name
