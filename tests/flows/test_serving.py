"""The champion, served by MLflow and loaded by MLflow, scores as the training run did."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.services, pytest.mark.xdist_group("flows")]

LOAD = """
import sys
import mlflow
import pandas as pd

rows = pd.read_parquet(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/shop@champion")
model.predict(rows).to_parquet(sys.argv[2])
assert "flows" not in sys.modules and "prefect" not in sys.modules
"""


def test_served_loaded_and_trained_scores_are_equal(
    project, shop_table, tmp_path, wait_for, free_port
):
    answer = project.penstock("train", project.pipeline("shop", shop_table()), "--json")
    assert answer.status == 0, answer.err
    environment = project.environment | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.home / 'mlflow.db'}",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    trained = trained_scores(project)
    rows = trained[["age", "income", "town"]]
    rows.to_parquet(tmp_path / "rows.parquet")

    out = tmp_path / "scores.parquet"
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "rows.parquet"), str(out)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = pd.read_parquet(out)
    assert np.abs(loaded["probability_yes"] - trained["probability_yes"]).max() <= 1e-6
    assert (loaded["prediction"] == trained["prediction"]).all()

    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/shop@champion"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)],
            cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", server)
        served = ask(port, {"dataframe_records": json.loads(rows.to_json(orient="records"))})
        assert np.abs(served["probability_yes"] - trained["probability_yes"]).max() <= 1e-6
        nulls = {"columns": ["age", "income", "town"], "data": [[None, None, None], [40, 1e4, "?"]]}
        answered = ask(port, {"dataframe_split": nulls})
        assert answered["probability_yes"].between(0, 1).all()
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


def ask(port: int, body: dict) -> pd.DataFrame:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return pd.DataFrame(json.load(answer)["predictions"])


def trained_scores(project) -> pd.DataFrame:
    """Test rows beside what the training run predicted for them."""
    tables = [pd.read_parquet(p) for p in (project.home / "store").glob("??/*.parquet")]
    (predictions,) = [t for t in tables if "_row_loss" in t]
    (test,) = [t for t in tables if "bought" in t and len(t) == len(predictions)]
    return pd.concat([test, predictions], axis=1)
