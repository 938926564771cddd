import json
import os
import subprocess
import sys

import pytest

from penstock import standing
from penstock.standing import House, Part, Process


def house(**said):
    return House("t0ken", "/srv/churn", "127.0.0.1", 4200, 5000, **said)


def test_what_was_written_is_read_back(tmp_path):
    written = house(
        supervisor=Process.of(os.getpid()),
        parts=(Part("prefect", "up", Process(1, "7"), "http://127.0.0.1:4200", restarts=2),),
    )
    standing.write(tmp_path, written)
    assert standing.read(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == [standing.FILE_NAME]
    standing.remove(tmp_path)
    standing.remove(tmp_path)
    assert standing.read(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"token": 1}', '{"parts": [1], "supervisor": {}}']
)
def test_a_file_that_is_not_ours_says_that_nothing_stands(tmp_path, text):
    (tmp_path / standing.FILE_NAME).write_text(text)
    assert standing.read(tmp_path) is None


def test_a_recycled_id_is_not_the_process_that_was_meant():
    here = Process.of(os.getpid())
    assert here.alive
    assert not Process(here.pid, "1").alive
    assert not Process(here.pid, "").alive
    assert not Process().alive


def test_a_process_that_ended_is_not_alive_even_before_it_is_reaped():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = Process.of(child.pid)
    assert known.alive
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie until somebody asks
    assert not known.alive
    child.wait()
    assert not known.alive


def test_a_house_stands_as_long_as_its_supervisor():
    assert house(supervisor=Process.of(os.getpid())).stands
    assert not house().stands


def test_addresses_are_those_that_this_machine_reaches():
    wild = House("t", "/p", "0.0.0.0", 4201, 5001)
    assert wild.prefect_api_url == "http://127.0.0.1:4201/api"
    assert House("t", "/p", "::1", 4201, 5001).tracking_uri == "http://[::1]:5001"


def test_the_file_is_plain_json_without_surprises(tmp_path):
    standing.write(tmp_path, house(parts=(Part("worker"),)))
    raw = json.loads((tmp_path / standing.FILE_NAME).read_text())
    assert raw["parts"][0]["name"] == "worker"
    assert raw["prefect_port"] == 4200
