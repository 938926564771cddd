from dataclasses import replace

import pytest

from penstock.servers.parts import NAMES, Place
from penstock.standing import House


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_BACKEND_STORE_URI", "PREFECT_UI_API_URL"):
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path, House("t0ken", "/srv/churn", "127.0.0.1", 4321, 5321))


def test_both_pages_of_prefect_ask_the_port_that_was_said(place):
    assert place.environment("prefect")["PREFECT_UI_API_URL"] == "http://127.0.0.1:4321/api"


def test_the_worker_speaks_to_these_servers_whatever_the_shell_says(place, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere:4200/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere:5000")
    environment = place.environment("worker")
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert environment["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5321"
    assert environment["PENSTOCK_HOME"] == str(place.home)
    assert environment["PREFECT_LOGGING_EXTRA_LOGGERS"] == "penstock"
    assert "PREFECT_API_URL" not in place.environment("prefect")


def test_no_part_calls_home_unless_the_user_says_so(place, monkeypatch):
    for part in NAMES:
        environment = place.environment(part)
        assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
        assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
        assert environment["DO_NOT_TRACK"] == "1"


def test_secrets_stand_in_no_command_line(place, monkeypatch):
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql://anna:s3cret@db/mlflow")
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "anna:s3cret")
    monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", "s3cret-s3cret")
    for part in NAMES:
        assert "s3cret" not in " ".join(place.command(part))
    assert "s3cret" in place.environment("mlflow")["MLFLOW_BACKEND_STORE_URI"]


def test_passwords_of_the_servers_open_them_to_the_worker(place, monkeypatch):
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "anna:s3cret")
    monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", "s3cret-s3cret")
    environment = place.environment("worker")
    assert environment["PREFECT_API_AUTH_STRING"] == "anna:s3cret"
    assert environment["MLFLOW_TRACKING_USERNAME"] == "admin"
    assert environment["MLFLOW_TRACKING_PASSWORD"] == "s3cret-s3cret"
    assert "basic-auth" in place.command("mlflow")
    users = place.environment("mlflow")
    assert len(users["MLFLOW_FLASK_SERVER_SECRET_KEY"]) == 64
    assert str(place.home) in (place.home / "mlflow-auth.ini").read_text()


def test_mlflow_lets_loopback_in_whatever_hosts_are_allowed(place, monkeypatch):
    assert "MLFLOW_SERVER_ALLOWED_HOSTS" not in place.environment("mlflow")  # its own list has it
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "ml.example.org")
    allowed = place.environment("mlflow")["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert {"ml.example.org", "127.0.0.1:*", "localhost"} <= set(allowed)
    monkeypatch.delenv("MLFLOW_SERVER_ALLOWED_HOSTS")
    wide = Place(place.home, replace(place.house, host="ml.lan"))
    assert "ml.lan:*" in wide.environment("mlflow")["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
