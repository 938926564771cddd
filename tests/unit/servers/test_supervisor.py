"""The loop that watches, over parts that only sleep."""

import os
import signal
import subprocess
import sys
import time

import pytest

from penstock import standing
from penstock.servers import processes
from penstock.servers.supervisor import backoff

WATCH = """
import sys
from pathlib import Path
from penstock.servers import supervisor
from penstock.servers.parts import Place
from penstock.standing import House

home = Path(sys.argv[1])
Place.health = lambda self, part: ""
Place.command = lambda self, part: [sys.executable, "-c", "import time; time.sleep(60)"]

def one_shot(place, *words):
    (home / "said").open("a").write(" ".join(words) + "\\n")
    refused = (home / "refuses").is_file()
    (home / "refuses").unlink(missing_ok=True)
    return int(refused)

supervisor.one_shot = one_shot
sys.exit(supervisor.watch(home, House("t0ken-" + home.name, str(home), "127.0.0.1", 1, 2), True))
"""


def wait_until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def home(tmp_path):
    supervisor = subprocess.Popen([sys.executable, "-c", WATCH, str(tmp_path)])
    wait_until(lambda: states(tmp_path) == ["up"] * 3)
    yield tmp_path
    supervisor.kill()
    supervisor.wait()
    processes.end(f"t0ken-{tmp_path.name}", patience=0)


def states(home):
    house = standing.read(home)
    return [part.state for part in house.parts] if house else []


def part(home, name):
    return next(part for part in standing.read(home).parts if part.name == name)


def said(home):
    file = home / "said"
    return file.read_text().splitlines() if file.is_file() else []


def test_it_starts_deploys_once_and_ends_all_when_asked(home):
    wait_until(lambda: f"deploy {home}" in said(home))
    house = standing.read(home)
    assert all(one.process.alive for one in house.parts)
    os.kill(house.supervisor.pid, signal.SIGTERM)
    wait_until(lambda: not house.supervisor.alive)
    assert not any(one.process.alive for one in house.parts)
    assert standing.read(home) is None
    assert said(home) == ["recover --restart", f"deploy {home}"]  # no flow run, nothing to cancel


def test_a_part_that_dies_is_started_again_and_written_down(home):
    before = part(home, "mlflow")
    os.kill(before.process.pid, signal.SIGKILL)
    wait_until(lambda: part(home, "mlflow").restarts == 1 and part(home, "mlflow").state == "up")
    after = part(home, "mlflow")
    assert after.process != before.process
    assert after.last_death.endswith("killed by SIGKILL")
    assert part(home, "prefect").restarts == 0


def test_a_worker_that_dies_takes_its_flow_runs_along_before_they_are_entered_anew(home):
    token, folder = standing.read(home).token, home
    environment = os.environ | {processes.TOKEN: token, processes.PART: "worker"}
    code = "import time; time.sleep(60)"
    flow_run = processes.start([sys.executable, "-c", code], environment, home / "log", folder)
    os.kill(part(home, "worker").process.pid, signal.SIGKILL)
    assert flow_run.wait(30) == -signal.SIGKILL
    wait_until(lambda: part(home, "worker").restarts == 1 and part(home, "worker").state == "up")
    assert said(home).count("recover --restart") == 2


def test_no_worker_starts_until_what_the_last_one_left_is_in_order(home):
    wait_until(lambda: f"deploy {home}" in said(home))
    (home / "refuses").touch()
    os.kill(part(home, "worker").process.pid, signal.SIGKILL)
    wait_until(lambda: said(home).count("recover --restart") == 2)
    assert part(home, "worker").state == "restarting"
    wait_until(lambda: part(home, "worker").state == "up")
    assert said(home).count("recover --restart") == 3
    assert part(home, "worker").restarts == 1


def test_the_delay_grows_to_a_minute():
    delays = [backoff(n) for n in range(1, 12)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (1.0, 60.0)
