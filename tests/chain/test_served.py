"""Served scores are those of the training, for every kind of column and of target.

One table holds all modalities, so one server answers for them; each task has one of its own. The
server is ``mlflow models serve`` in a process of its own, over the package that is registered.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import test_every_kind as kinds

from penstock.adapters.tracking.package import package
from penstock.stages.register import files_of

pytestmark = [pytest.mark.slow, pytest.mark.services, pytest.mark.xdist_group("flows")]
NUM_ROWS = 300
SECONDS = 120


@contextmanager
def served(folder, **environment):
    """Port of ``mlflow models serve`` over a package; it ends with the block."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "package")]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PATH": path, **environment},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        end = time.monotonic() + SECONDS
        while True:
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.3)
        yield port
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
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return pd.DataFrame(json.load(answer)["predictions"])


def trained(chain, folder):
    """The test rows, and what the training said of them; the package lies in the folder."""
    files = files_of(chain.fitted, chain.policy, None, chain.store)
    package(files, folder / "package")
    rows = chain.store.table(chain.parts.test).to_pandas()
    said = chain.store.table(chain.scorecard.predictions).to_pandas()
    return rows[[column.name for column in chain.scorer.reads]], said


def assert_equal(answered, said):
    assert len(answered) == len(said)
    for name in answered:
        if said[name].dtype.kind == "f":
            given = pd.to_numeric(answered[name]).to_numpy()
            np.testing.assert_allclose(given, said[name], rtol=0, atol=1e-6, err_msg=name)
        else:
            assert answered[name].astype(str).tolist() == said[name].astype(str).tolist(), name


def test_every_kind_of_column(tmp_path):
    rng = np.random.default_rng(3)
    ups = rng.random(NUM_ROWS) < 0.5
    table = pd.DataFrame(
        {kind: [make(int(up), rng) for up in ups] for kind, make in kinds.VALUES.items()}
    )
    table["y"] = np.where(ups ^ (rng.random(NUM_ROWS) < 0.1), "yes", "no")
    table.to_parquet(tmp_path / "rows.parquet")
    chain = kinds.Chain(tmp_path, "rows.parquet", data={"features": kinds.SAID})
    rows, said = trained(chain, tmp_path)
    assert {c.modality for c in chain.fitted.layout.features} == set(kinds.VALUES)
    media = [name for name in rows if isinstance(rows[name].iloc[0], bytes)]
    assert len(media) == 2

    carried, named, files = rows.copy(), rows.copy(), tmp_path / "files"
    files.mkdir()
    for name in media:
        carried[name] = [base64.b64encode(value).decode() for value in rows[name]]
        named[name] = [f"{name}.{number}.bin" for number in range(len(rows))]
        for path, value in zip(named[name], rows[name], strict=True):
            (files / path).write_bytes(value)
    (tmp_path / "secret.bin").write_bytes(rows[media[0]].iloc[0])
    with served(tmp_path, PENSTOCK_FILES_ROOT=str(files)) as port:
        assert_equal(ask(port, carried), said)
        assert_equal(ask(port, named), said)
        nothing = carried.head(2).assign(**dict.fromkeys(rows))
        assert ask(port, nothing)["probability_yes"].between(0, 1).all()
        for path in ("../secret.bin", str(tmp_path / "secret.bin"), "none.bin"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                ask(port, named.head(1).assign(**{media[0]: path}))
            with caught.value as refusal:
                assert refusal.code == 400
                assert "PENSTOCK_FILES_ROOT" in refusal.read().decode()


@pytest.mark.parametrize("task", ["regression", "ordinal", "count", "ranking", "next_token"])
def test_every_task(task, tmp_path):
    rng = np.random.default_rng(4)
    table, more = kinds.OWN[task](rng) if task in kinds.OWN else kinds.signals(task, rng)
    table.to_parquet(tmp_path / "rows.parquet")
    chain = kinds.Chain(tmp_path, "rows.parquet", **more)
    rows, said = trained(chain, tmp_path)
    with served(tmp_path) as port:
        assert_equal(ask(port, rows), said)
