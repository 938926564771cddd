"""The train flow through the command line, on a real Prefect server and a real MLflow database."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]

CACHED = [
    "ingest", "validate", "split", "objective", "fit", "decide", "evaluate", "stress", "explain",
    "bias", "profile",
]  # fmt: skip


def client(project):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{project.home / 'mlflow.db'}")


def test_a_run_registers_and_the_same_run_again_costs_nothing(project, shop_table):
    folder = project.pipeline("shop", shop_table())

    first = project.penstock("train", folder, "--json")
    assert first.status == 0, first.err
    assert first.json["verdict"] == "registered"
    assert first.json["cached"] == []
    assert first.json["metrics"]["roc_auc"] > 0.8
    assert first.out.count("\n") == 1
    assert "fit: 3 of 3" in first.err
    report = Path(first.json["report"])
    assert report.is_file() and "shop" in report.read_text()

    mlflow = client(project)
    version = mlflow.get_model_version_by_alias("shop", "champion")
    assert str(version.version) == first.json["version"] == "1"
    run = mlflow.get_run(first.json["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["evaluate/roc_auc"] == pytest.approx(first.json["metrics"]["roc_auc"])
    assert run.data.tags["prefect.flow_run_id"] == first.json["flow_run_id"]
    losses = mlflow.get_metric_history(run.info.run_id, "fit/valid_loss")
    assert [point.step for point in losses] == [1, 2, 3]
    assert {data.dataset.name for data in run.inputs.dataset_inputs} == {"train", "valid", "test"}
    names = {file.path for file in mlflow.list_artifacts(run.info.run_id)}
    assert {
        "report.html", "decision.json", "spec.yaml", "model_card.md", "decision_record.json",
    } <= names  # fmt: skip

    second = project.penstock("train", folder, "--json")
    assert second.status == 0, second.err
    assert second.json["verdict"] == "kept_champion"
    assert second.json["cached"] == CACHED
    assert second.json["metrics"] == first.json["metrics"]
    assert len(mlflow.search_model_versions("name = 'shop'")) == 1
    again = mlflow.get_metric_history(second.json["run_id"], "fit/valid_loss")
    assert [point.value for point in again] == [point.value for point in losses]

    changed = project.penstock("train", folder, "--json", "--set", "gates.metric_floor.limit=0.999")
    assert changed.status == 3
    assert changed.json["verdict"] == "refused"
    assert changed.json["cached"] == CACHED
    assert changed.outcomes["metric_floor"] == "refuse"


def test_what_is_gone_from_the_store_is_computed_again_with_a_note(project, shop_table):
    folder = project.pipeline("shop", shop_table())
    first = project.penstock("train", folder, "--json")
    weights = [
        p for p in (project.home / "store").rglob("*.safetensors") if "scratch" not in str(p)
    ]
    assert len(weights) == 1
    weights[0].unlink()

    second = project.penstock("train", folder, "--json")
    assert second.status == 0, second.err
    assert "is gone from the store; computed again" in second.err
    assert second.json["cached"] == [stage for stage in CACHED if stage != "fit"]
    assert second.json["metrics"] == first.json["metrics"]
    assert weights[0].is_file()


def test_one_line_of_a_metric_changed_runs_exactly_its_dependants_again(
    project, tmp_path, shop_table
):
    folder = project.pipeline("shop", shop_table())
    code = tmp_path / "code"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "src" / "penstock", code / "penstock", ignore=ignore)
    shutil.copytree(REPOSITORY / "flows", code / "flows", ignore=ignore)
    first = project.penstock("train", folder, "--json", PYTHONPATH=str(code))
    assert first.status == 0, first.err
    assert first.json["metrics"]["accuracy"] > 0.7

    metrics = code / "penstock" / "measure" / "metrics.py"
    text = metrics.read_text()
    line = "    return float(np.mean(decided == target))"
    assert text.count(line) == 1
    metrics.write_text(text.replace(line, line.replace("==", "!=")))

    second = project.penstock("train", folder, "--json", PYTHONPATH=str(code))
    assert second.json["cached"] == ["ingest", "validate", "split", "fit"]
    flipped = 1 - first.json["metrics"]["accuracy"]
    assert second.json["metrics"]["accuracy"] == pytest.approx(flipped)


def test_shuffled_labels_are_refused(project, shop_table):
    table = shop_table()
    table["bought"] = np.random.default_rng(1).permutation(table["bought"])
    answer = project.penstock("train", project.pipeline("shop", table), "--json")
    assert answer.status == 3
    assert answer.json["verdict"] == "refused"
    assert answer.outcomes["beats_trivial"] == "refuse"
    assert answer.json["version"] is None
    assert client(project).search_registered_models() == []
    assert client(project).get_run(answer.json["run_id"]).info.status == "FINISHED"


def test_a_noisy_copy_of_the_label_is_refused_by_its_name_before_training(project, shop_table):
    table = shop_table(2000)
    flip = np.random.default_rng(2).random(len(table)) < 0.2
    table["paid"] = np.where(flip ^ (table["bought"] == "yes"), "A", "B")
    answer = project.penstock("train", project.pipeline("shop", table), "--json")
    assert answer.status == 3
    telltale = [c for c in answer.json["checks"] if c["name"] == "telltale_column"]
    assert [check["outcome"] for check in telltale] == ["refuse"]
    assert "paid" in telltale[0]["why"] and telltale[0]["remedy"]
    assert "fit" not in answer.json["seconds"]


def test_a_killed_run_goes_on_to_the_weights_of_an_undisturbed_one(project, tmp_path, shop_table):
    more = "compute: {threads: 1}\n"
    folder = project.pipeline("shop", shop_table(3000), more)
    epochs = ("--set", "model.epochs=40", "--set", "model.patience=40")
    undisturbed = project.penstock(
        "train", folder, "--json", *epochs, PENSTOCK_HOME=str(tmp_path / "other")
    )
    assert undisturbed.status == 0, undisturbed.err

    command = [sys.executable, "-m", "penstock.cli", "train", folder, "--json", *epochs]
    started = subprocess.Popen(
        command, cwd=project.folder, env=project.environment, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 300
    for line in started.stderr:
        if line.startswith("fit: ") or time.monotonic() > end:
            break
    started.send_signal(signal.SIGKILL)
    started.communicate(timeout=60)
    checkpoints = list((project.home / "store" / "scratch").rglob("last.safetensors"))
    assert len(checkpoints) == 1

    resumed = project.penstock("train", folder, "--json", *epochs)
    assert resumed.status == 0, resumed.err
    assert resumed.json["cached"] == ["ingest", "validate", "split", "objective"]
    assert resumed.json["metrics"] == undisturbed.json["metrics"]
    tags = client(project).get_model_version_by_alias("shop", "champion").tags
    project.home = tmp_path / "other"
    assert (
        client(project).get_model_version_by_alias("shop", "champion").tags["penstock.model"]
        == tags["penstock.model"]
    )
