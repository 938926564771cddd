"""Served scores are those of the training run, for every kind of column and of target.

One table holds all modalities, so one server answers for them; each task has one of its own.
"""

import base64
import importlib.util
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.services, pytest.mark.xdist_group("flows")]
NUM_ROWS = 400
TASKS = ["regression", "ordinal", "count"]


@pytest.fixture(scope="module")
def kinds():
    """Rows of every kind, from the tests of the chain."""
    path = Path(__file__).parents[1] / "chain" / "test_every_kind.py"
    spec = importlib.util.spec_from_file_location("rows_of_every_kind", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def served(project, name, port, wait_for, **environment):
    """The champion behind ``mlflow models serve``; ends with the block."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{name}@champion"]
    environment = project.environment | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.home / 'mlflow.db'}",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    } | environment  # fmt: skip
    with (project.folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)],
            cwd=project.folder, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", server)
        yield
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


def ask(port, frame):
    body = {"dataframe_split": json.loads(frame.to_json(orient="split", date_format="iso"))}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return pd.DataFrame(json.load(answer)["predictions"])


def trained(project, table, more):
    """Train a pipeline; the test rows, and what the training run predicted for them."""
    folder = project.folder / "pipe"
    folder.mkdir()
    table.to_parquet(folder / "rows.parquet")
    (folder / "pipeline.yaml").write_text(
        f"name: pipe\ndata: {{source: rows.parquet, target: y, {more}}}\n"
        "model: {epochs: 3, width: 32, members: 2, learning_rate: 0.01}\n"
        "objective: {trial_rows: 0}\n"
        "gates: {metric_floor: {limit: -1000000, action: note}}\n"
    )
    answer = project.penstock("train", "pipe", "--json")
    assert answer.status == 0, answer.err
    tables = [pd.read_parquet(path) for path in (project.home / "store").glob("??/*.parquet")]
    (said,) = [found for found in tables if "_row_loss" in found]
    (rows,) = [found for found in tables if "y" in found and len(found) == len(said)]
    return rows.drop(columns="y"), said


def assert_equal(answered, said):
    for name in answered:
        if said[name].dtype.kind == "f":
            assert np.abs(answered[name] - said[name]).max() <= 1e-6, name
        else:
            assert answered[name].astype(str).tolist() == said[name].astype(str).tolist(), name


def test_every_kind_of_column(kinds, project, wait_for, free_port, tmp_path):
    rng = np.random.default_rng(3)
    ups = rng.random(NUM_ROWS) < 0.5
    table = pd.DataFrame(
        {kind: [make(int(up), rng) for up in ups] for kind, make in kinds.VALUES.items()}
    )
    table["y"] = np.where(ups ^ (rng.random(NUM_ROWS) < 0.1), "yes", "no")
    said_kinds = ", ".join(f"{name}: {kind}" for name, kind in kinds.SAID.items())
    rows, said = trained(project, table, f"features: {{{said_kinds}}}")
    assert set(kinds.VALUES) == set(rows)
    media = [name for name in rows if isinstance(rows[name].iloc[0], bytes)]
    assert len(media) == 2

    carried = rows.copy()
    files, named = tmp_path / "files", rows.copy()
    files.mkdir()
    for name in media:
        carried[name] = [base64.b64encode(value).decode() for value in rows[name]]
        named[name] = [f"{name}.{number}.bin" for number in range(len(rows))]
        for path, value in zip(named[name], rows[name], strict=True):
            (files / path).write_bytes(value)
    (tmp_path / "secret.bin").write_bytes(rows[media[0]].iloc[0])
    port = free_port()
    with served(project, "pipe", port, wait_for, PENSTOCK_FILES_ROOT=str(files)):
        assert_equal(ask(port, carried), said)
        assert_equal(ask(port, named), said)
        nothing = carried.head(2).assign(**dict.fromkeys(rows))
        assert ask(port, nothing)["probability_yes"].between(0, 1).all()
        for path in ("../secret.bin", str(tmp_path / "secret.bin"), "none.bin"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                ask(port, named.head(1).assign(**{media[0]: path}))
            assert caught.value.code == 400
            assert "stated root" in caught.value.read().decode()


@pytest.mark.parametrize("task", TASKS)
def test_every_task(task, kinds, project, wait_for, free_port):
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"a": rng.normal(size=NUM_ROWS), "b": rng.choice(["u", "v"], NUM_ROWS)})
    signal = table["a"] + (table["b"] == "u") + rng.normal(0, 0.3, NUM_ROWS) - 0.5
    table["y"] = kinds.TARGETS[task](signal)
    rows, said = trained(project, table, f"task: {task}")
    port = free_port()
    with served(project, "pipe", port, wait_for):
        assert_equal(ask(port, rows), said)
