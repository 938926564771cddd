"""``penstock up``, ``status`` and ``down``: real servers on free ports, one house for all tests."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from asking import ask

from penstock.servers.processes import members
from penstock.standing import Process, read

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.xdist_group("servers")]


def test_everything_runs_and_status_says_where(house):
    answer = house.penstock("status")
    assert answer.returncode == 0
    for words in ("prefect  up", "mlflow   up", "worker   up", f":{house.prefect}", "logs/mlflow"):
        assert words in answer.stdout
    assert "train/shop: 0 3 * * 1 Europe/Rome" in answer.stdout
    found = house.status
    assert found["up"]
    assert all(Path(part["log"]).is_file() for part in found["parts"])
    assert all(part["restarts"] == 0 for part in found["parts"])


def test_the_deployment_is_what_the_files_say(house):
    found = house.deployment("train", "shop")
    assert found["description"] == "# Shop\n\nWho *buys*.\n"
    assert found["tags"] == ["penstock", "train"]
    assert found["parameters"] == {"pipeline": "data/shop"}
    assert found["global_concurrency_limit"]["limit"] == 1
    assert found["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert found["schedules"][0]["schedule"]["timezone"] == "Europe/Rome"


def test_the_server_refuses_a_wrong_value(house):
    deployed = house.deployment("train", "shop")["id"]
    path = f"/deployments/{deployed}/create_flow_run"
    overrides = {"model": {"epochs": -1}}
    with pytest.raises(urllib.error.HTTPError) as caught:
        house.ask(path, {"parameters": {"overrides": overrides}, "state": {"type": "SCHEDULED"}})
    assert caught.value.code == 409
    assert "overrides.model.epochs" in caught.value.read().decode()


def test_both_pages_ask_this_port_and_mlflow_answers_loopback(house):
    found = ask(f"http://127.0.0.1:{house.prefect}/ui-settings")
    assert found["api_url"] == f"http://127.0.0.1:{house.prefect}/api"
    assert found["available_uis"] == ["v1", "v2"]
    for host in ("127.0.0.1", "localhost"):
        with urllib.request.urlopen(f"http://{host}:{house.mlflow}/", timeout=30) as answer:
            assert answer.status == 200


def test_up_again_says_what_runs_and_deploys_again(house):
    before = {part["name"]: part["pid"] for part in house.status["parts"]}
    done = house.penstock("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Runs already" in done.stdout
    assert "deployed train/shop" in done.stdout
    assert {part["name"]: part["pid"] for part in house.status["parts"]} == before


def test_a_run_in_another_shell_uses_these_servers(house):
    """Its data is too small to train on: refused or not, its run is on both servers."""
    done = house.penstock("train", "shop", "--json")
    assert done.returncode in (0, 3), done.stderr
    assert "Starting Prefect" not in done.stderr
    run = json.loads(done.stdout)
    tracked = f"http://127.0.0.1:{house.mlflow}/api/2.0/mlflow/runs/get?run_id={run['run_id']}"
    assert ask(tracked)["run"]["info"]["artifact_uri"].startswith("mlflow-artifacts:/")
    assert house.ask(f"/flow_runs/{run['flow_run_id']}")["name"] == "train shop"


def test_no_secret_stands_in_logs_or_state(house):
    files = [path for path in house.home.glob("logs/*") if path.is_file()]
    assert len(files) > 3
    for path in [*files, house.home / "servers.json"]:
        assert house.secret not in path.read_text(errors="replace")


def test_another_house_on_its_ports_is_refused_with_both_named(house, tmp_path):
    other = type(house)(tmp_path)
    other.prefect, other.mlflow = house.prefect, house.mlflow
    done = other.up()
    assert done.returncode == 2
    assert f"port {house.prefect}" in done.stderr
    assert f"port {house.mlflow}" in done.stderr
    assert house.status["up"]  # the stranger was left alone


def test_down_leaves_nothing_behind_but_history(house):
    """Last: there is no house after it."""
    standing = read(house.home)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    done = house.penstock("down")
    assert done.returncode == 0, done.stderr
    assert bystander.poll() is None
    bystander.communicate()
    assert members(standing.token) == []
    assert not standing.supervisor.alive
    assert read(house.home) is None
    for port in (house.prefect, house.mlflow):
        with socket.socket() as server:
            assert server.connect_ex(("127.0.0.1", port)) != 0
    assert (house.home / "prefect" / "prefect.db").is_file()
    assert (house.home / "mlflow.db").is_file()
    assert house.penstock("status").returncode == 1
    assert house.penstock("down").returncode == 0
    assert not Process(standing.supervisor.pid, standing.supervisor.started).alive
