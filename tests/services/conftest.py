"""One house for all tests: a project, and the servers that ``penstock up`` started for it."""

import json
import os
import random
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

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


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class House:
    """A project with servers of its own."""

    secret = "n0t-to-be-seen"

    def __init__(self, folder: Path):
        self.folder = folder
        self.home = folder / "home"
        self.prefect, self.mlflow = free_port(), free_port()
        self.environment = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("PREFECT", "MLFLOW", "PENSTOCK"))
        } | {"PENSTOCK_HOME": str(self.home), "SOME_TOKEN": self.secret}

    def penstock(self, *arguments: str, seconds: int = 280) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "penstock.cli", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=seconds,
        )  # fmt: skip

    def up(self) -> subprocess.CompletedProcess:
        ports = ("--prefect-port", str(self.prefect), "--mlflow-port", str(self.mlflow))
        return self.penstock("up", *ports)

    @property
    def status(self) -> dict:
        return json.loads(self.penstock("status", "--json").stdout)

    def part(self, name: str) -> dict:
        return next(part for part in self.status["parts"] if part["name"] == name)

    def ask(self, path: str, content: dict | None = None) -> dict:
        return self.asked(f"http://127.0.0.1:{self.prefect}/api{path}", content)

    def ask_mlflow(self, path: str) -> dict:
        return self.asked(f"http://127.0.0.1:{self.mlflow}/api/2.0/mlflow{path}")

    @staticmethod
    def asked(address: str, content: dict | None = None) -> dict:
        request = urllib.request.Request(
            address,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def deployment(self, flow: str, name: str) -> dict:
        return self.ask(f"/deployments/name/{flow}/{name}")


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
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    tables = {"shop": "age,bought\n" + "20,no\n60,yes\n" * 10, "loans": loans()}
    for name, spec in {"shop": SHOP, "loans": LOANS}.items():
        pipeline = folder / "data" / name
        pipeline.mkdir(parents=True)
        (pipeline / "pipeline.yaml").write_text(spec)
        (pipeline / "rows.csv").write_text(tables[name])
    (folder / "data" / "shop" / "card.md").write_text("# Shop\n\nWho *buys*.\n")
    house = House(folder)
    done = house.up()
    assert done.returncode == 0, done.stdout + done.stderr
    token = read(house.home).token
    yield house
    house.penstock("down")
    assert members(token) == []
