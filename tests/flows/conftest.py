"""A real Prefect server for the flow tests, and the real command line."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REPOSITORY = Path(__file__).parents[2]
SECONDS = 300


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory):
    """Address of a Prefect server on loopback that ends with the session."""
    home = tmp_path_factory.mktemp("prefect")
    port = _free_port()
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1"], env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}/api"
    try:
        _wait_for(f"{url}/health", server)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(url: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise TimeoutError(url)


@dataclass
class Answer:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out.splitlines()[-1])

    @property
    def outcomes(self) -> dict[str, str]:
        return {check["name"]: check["outcome"] for check in self.json["checks"]}


class Project:
    """A folder with pipelines and a home of its own."""

    def __init__(self, folder: Path, prefect_url: str):
        self.folder = folder
        self.home = folder / "home"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT", "MLFLOW", "PENSTOCK"))
        } | {"PREFECT_API_URL": prefect_url, "PENSTOCK_HOME": str(self.home)}

    def penstock(self, *arguments: str, **environment: str) -> Answer:
        command = [sys.executable, "-m", "penstock.cli", *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def pipeline(self, name: str, table: pd.DataFrame, more: str = "") -> str:
        """Write a table and its pipeline.yaml; returns the pipeline's folder."""
        folder = self.folder / name
        folder.mkdir()
        table.to_csv(folder / "rows.csv", index=False)
        (folder / "pipeline.yaml").write_text(
            f"name: {name}\ndata: {{source: rows.csv, target: bought}}\n"
            f"model: {{epochs: 3, width: 32, members: 2}}\n"
            f"objective: {{trial_rows: 0}}\n{more}"
        )
        return name


@pytest.fixture
def project(tmp_path, prefect_url):
    return Project(tmp_path, prefect_url)


def shop(num_rows: int = 800, seed: int = 0) -> pd.DataFrame:
    """Customers of a shop: the chance to buy rises with income, falls with age, by town."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, num_rows)
    income = rng.lognormal(10, 0.5, num_rows).round(2)
    town = rng.choice(["Rome", "Oslo", "Bonn"], num_rows)
    strength = 2 * np.log(income / 22_000) - (age - 45) / 15 + 1.5 * (town == "Oslo")
    bought = np.where(rng.random(num_rows) < 1 / (1 + np.exp(-2 * strength)), "yes", "no")
    return pd.DataFrame({"age": age, "income": income, "town": town, "bought": bought})


@pytest.fixture
def shop_table():
    """Makes the table of a shop's customers."""
    return shop


@pytest.fixture
def free_port():
    """Finds a port of loopback that nobody listens to."""
    return _free_port


@pytest.fixture
def wait_for():
    """Waits until an address answers, or its process has ended."""
    return _wait_for
