"""Settings with servers that ``penstock up`` started, and with such as are gone."""

import logging
import os

import pytest

from penstock import settings, standing
from penstock.standing import House, Process


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("PENSTOCK_HOME", "MLFLOW_TRACKING_URI", "PREFECT_API_URL", "PENSTOCK_STORE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".penstock").mkdir()

    def stand(supervisor):
        house = House("t", str(tmp_path), "127.0.0.1", 4321, 5321, supervisor=supervisor)
        standing.write(tmp_path / ".penstock", house)
        return tmp_path / "data" / "churn"

    return stand


def test_servers_that_stand_are_used_without_a_word(project, caplog):
    found = settings.read(project(Process.of(os.getpid())))
    assert found.tracking_uri == "http://127.0.0.1:5321"
    assert found.prefect_api_url == "http://127.0.0.1:4321/api"
    assert caplog.text == ""


def test_the_environment_comes_first(project, monkeypatch):
    folder = project(Process.of(os.getpid()))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere:5000")
    found = settings.read(folder)
    assert found.tracking_uri == "http://elsewhere:5000"
    assert found.prefect_api_url == "http://127.0.0.1:4321/api"
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere:4200/api")
    assert settings.read(folder).prefect_api_url == "http://elsewhere:4200/api"


def test_servers_that_are_gone_break_no_run_and_are_told(project, caplog):
    with caplog.at_level(logging.WARNING):
        found = settings.read(project(Process(os.getpid(), "1")))
    assert found.tracking_uri.startswith("sqlite:///")
    assert found.prefect_api_url == ""
    assert "penstock up" in caplog.text


def test_a_torn_state_file_is_no_servers(project):
    folder = project(Process.of(os.getpid()))
    (folder.parents[1] / ".penstock" / standing.FILE_NAME).write_text('{"token":')
    assert settings.read(folder).prefect_api_url == ""
