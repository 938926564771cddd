from pathlib import Path

from penstock import settings


def test_home_is_beside_the_project_unless_the_environment_says(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "churn"
    found = settings.read(folder)
    assert found.home == tmp_path / ".penstock"
    assert found.tracking_uri == f"sqlite:///{tmp_path}/.penstock/mlflow.db"
    assert found.store == tmp_path / ".penstock" / "store"
    assert not found.home.exists()
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "there"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    found = settings.read(folder)
    assert found.home == tmp_path / "there"
    assert found.store == tmp_path / "there" / "store"
    assert found.tracking_uri == "http://127.0.0.1:5000"
    monkeypatch.setenv("PENSTOCK_STORE", str(tmp_path / "shared"))
    assert settings.read(folder).store == tmp_path / "shared"


def test_an_empty_variable_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert settings.read(tmp_path / "churn").home == tmp_path / ".penstock"
    assert settings.project_of(Path("/a/data/b")) == Path("/a")


def test_a_store_behind_a_url_has_its_cache_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_STORE", "s3://bucket/penstock")
    found = settings.read(tmp_path / "data" / "churn")
    assert found.store_url == "s3://bucket/penstock"
    assert found.store == tmp_path / ".penstock" / "cache"
