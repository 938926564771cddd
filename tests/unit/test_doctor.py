"""Doctor: finds what is wrong, says what to do, leaves nothing behind."""

import importlib.metadata
import time

import pytest

from penstock.doctor import findings
from penstock.errors import BadInput


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    for name in ("PENSTOCK_HOME", "PENSTOCK_STORE", "MLFLOW_TRACKING_URI", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_name(found):
    return {finding.what: finding for finding in found}


def test_all_is_well_here_and_nothing_is_made(empty):
    started = time.monotonic()
    found = by_name(findings())
    assert time.monotonic() - started < 30  # 2 s on an idle machine
    for name in ("prefect", "torch", "mlflow", "great-expectations", "pandas", "fastapi"):
        assert found[name].ok
        assert found[name].found == importlib.metadata.version(name)
    assert found["Python"].ok
    assert "GiB free" in found["memory"].found
    assert str(empty / ".penstock") in found["home"].found
    assert "made by the first run" in found["MLflow"].found
    assert found["Prefect"].ok
    assert list(empty.iterdir()) == []


def test_a_version_out_of_range_and_a_missing_package_are_told(monkeypatch):
    asked = ["prefect==0.1", "no-such-thing>=1", "torch<1; extra == 'x'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)
    found = by_name(findings())
    assert not found["prefect"].ok
    assert "asked for ==0.1" in found["prefect"].found
    assert found["prefect"].remedy == "pip install 'prefect==0.1'"
    assert found["no-such-thing"].found == "not installed"
    assert "torch" not in found


def test_addresses_that_do_not_answer_are_told_without_their_passwords(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:geheim@127.0.0.1:9")
    monkeypatch.setenv("PREFECT_API_URL", "http://anna:geheim@127.0.0.1:9/api")
    found = by_name(findings())
    for name, remedy in (("MLflow", "MLFLOW_TRACKING_URI"), ("Prefect", "unset PREFECT_API_URL")):
        assert not found[name].ok
        assert "127.0.0.1:9" in found[name].found
        assert "geheim" not in found[name].found
        assert remedy in found[name].remedy


def test_a_shared_store_is_asked_and_left_as_it_is(empty, monkeypatch):
    monkeypatch.setenv("PENSTOCK_STORE", f"file://{empty}/mount")
    found = by_name(findings())
    assert found["shared store"].ok
    assert not (empty / "mount").exists()
    monkeypatch.setenv("PENSTOCK_STORE", "http://anna:geheim@127.0.0.1:9/store")
    shared = by_name(findings())["shared store"]
    assert not shared.ok
    assert "geheim" not in shared.found + shared.remedy


def test_a_corrupt_database_and_a_file_in_the_way_of_home(empty, monkeypatch):
    (empty / "mlflow.db").write_bytes(b"no database" * 100)
    (empty / "home").write_text("a file")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{empty / 'mlflow.db'}")
    monkeypatch.setenv("PENSTOCK_HOME", str(empty / "home" / "inside"))
    found = by_name(findings())
    assert not found["MLflow"].ok
    assert not found["home"].ok
    assert "is no folder" in found["home"].found
    assert "PENSTOCK_HOME" in found["home"].remedy
    assert sorted(path.name for path in empty.iterdir()) == ["home", "mlflow.db"]


def test_a_pipeline_is_looked_at(empty):
    folder = empty / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "rows.csv").write_text("age,bought\n1,yes\n2,no\n")
    pipeline = folder / "pipeline.yaml"
    pipeline.write_text("name: shop\ndata: {source: rows.csv, target: bought}\n")
    found = by_name(findings("shop"))
    assert found["pipeline"].ok
    assert "rows.csv" in found["pipeline"].found
    assert str(empty / ".penstock") in found["home"].found

    pipeline.write_text("name: shop\ndata: {source: rows.csv, target: brought}\n")
    told = by_name(findings(str(folder)))["pipeline"]
    assert not told.ok
    assert "did you mean bought?" in told.found
    with pytest.raises(BadInput):
        findings("shops")


def test_a_gpu_that_is_asked_for_is_missed(empty):
    import torch

    (empty / "rows.csv").write_text("age,bought\n1,yes\n2,no\n")
    (empty / "pipeline.yaml").write_text(
        "name: shop\ndata: {source: rows.csv, target: bought}\ncompute: {device: cuda}\n"
    )
    assert by_name(findings(str(empty)))["device"].ok == torch.cuda.is_available()


def test_telemetry_is_off_unless_somebody_says_otherwise(monkeypatch):
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.delenv("PREFECT_SERVER_ANALYTICS_ENABLED", raising=False)
    assert by_name(findings())["telemetry"].found == "off"
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    assert "MLFLOW_DISABLE_TELEMETRY=false" in by_name(findings())["telemetry"].found
