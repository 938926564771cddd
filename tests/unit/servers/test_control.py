import os
import socket

import pytest

from penstock import standing
from penstock.errors import BadInput
from penstock.servers import control
from penstock.servers.control import Asked
from penstock.servers.status import status, table
from penstock.standing import House, Part, Process


def up(tmp_path, **said):
    told = []
    try:
        control.up(tmp_path / "home", tmp_path, told.append, Asked(**said))
    except BadInput as error:
        assert not told  # nothing was begun
        return error.mistakes
    pytest.fail("it went up")


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_in_use_is_named_with_what_to_do(tmp_path, taken, free_port):
    (found,) = up(tmp_path, prefect_port=taken, mlflow_port=free_port)
    assert found.where == f"port {taken} (--prefect-port)"
    assert "another program listens there" in found.found
    assert f":{taken}" in found.remedy


def test_one_port_does_not_serve_two(tmp_path, free_port):
    assert any("port of its own" in m.rule for m in up(
        tmp_path, prefect_port=free_port, mlflow_port=free_port))  # fmt: skip


def test_an_open_address_demands_passwords_and_says_how(tmp_path, monkeypatch, free_port):
    for name in ("PREFECT_SERVER_API_AUTH_STRING", "MLFLOW_AUTH_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    found = up(tmp_path, host="0.0.0.0", prefect_port=free_port, mlflow_port=1)
    told = "\n".join(map(str, found))
    assert "export PREFECT_SERVER_API_AUTH_STRING=" in told
    assert "MLFLOW_AUTH_ADMIN_PASSWORD=" in told


def test_up_waits_for_a_part_that_died_and_was_not_missed_yet(tmp_path, monkeypatch):
    here = Process.of(os.getpid())
    dead = Process(here.pid, "long ago")

    def stand(mlflow):
        parts = (Part("prefect", "up", here), Part("mlflow", "up", mlflow))
        house = House("t0ken", str(tmp_path), "127.0.0.1", 1, 2, here, parts)
        standing.write(tmp_path, house)

    stand(dead)
    monkeypatch.setattr(control, "START_SECONDS", 0.0)
    with pytest.raises(control.ServersFailed, match="mlflow answers within"):
        control._wait_until_up(tmp_path, lambda line: None)
    stand(here)
    assert control._wait_until_up(tmp_path, lambda line: None).stands


def test_status_and_down_of_nothing(tmp_path):
    found = status(tmp_path)
    assert not found["up"]
    assert "penstock up" in table(found)
    told = []
    assert control.down(tmp_path, told.append) == 0
    assert "Nothing runs" in told[0]


@pytest.fixture
def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
