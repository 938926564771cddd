"""The servers, and the state of the house: ``up``, ``down``, ``status``, ``doctor``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from penstock.cli.app import CRASHED, OK, app, say


@app.command
def up(
    *,
    prefect_port: int = 0,
    mlflow_port: int = 0,
    host: str = "",
    foreground: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Start Prefect, MLflow and a worker, and deploy every pipeline under data/.

    A second call says what runs and deploys again. Run it in the project's folder.

    Parameters
    ----------
    prefect_port
        Port of the Prefect page and its API; default: 4200.
    mlflow_port
        Port of the MLflow page and its API; default: 5000.
    host
        Address to listen on, default: 127.0.0.1; others demand passwords for both servers.
    foreground
        Stay and watch over the parts until SIGTERM, for a service manager.
    """
    from penstock import settings
    from penstock.servers import control

    project = Path.cwd().resolve()
    asked = control.Asked(host, prefect_port, mlflow_port)
    return control.up(settings.home_of(project), project, say, asked, foreground)


@app.command
def down() -> int:
    """End what penstock up started; runs are cancelled, history and models are kept."""
    from penstock import settings
    from penstock.servers import control

    return control.down(settings.home_of(Path.cwd()), say)


@app.command
def status(*, json_: Annotated[bool, Parameter(name="--json", negative="")] = False) -> int:
    """Say what runs, since when, at which address, and what is deployed.

    Exit status: 0 when all parts run, else 1.

    Parameters
    ----------
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock import settings
    from penstock.servers.status import status, table

    found = status(settings.home_of(Path.cwd()))
    print(json.dumps(found) if json_ else table(found))
    return OK if found["up"] else CRASHED


@app.command
def doctor(pipeline: str = "", /) -> int:
    """Say what is here and what is missing: versions, device, store, MLflow.

    Parameters
    ----------
    pipeline
        Whose store and MLflow are tried; default: those of the working directory.
    """
    from penstock.doctor import findings

    found = findings(pipeline)
    for line in found:
        print(f"{'ok  ' if line.ok else 'FAIL'} {line.what}: {line.found}")
        if not line.ok:
            print(f"     to do: {line.remedy}")
    return OK if all(line.ok for line in found) else CRASHED
