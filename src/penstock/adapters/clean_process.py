"""Load and score a packaged model where nothing but the package can help it.

A model that works where it was trained may lean on that place: on a module of the project,
a file, the network. So it is scored once in a child process with an empty folder, an empty
environment and no network, before anybody may rely on it.

package, raw rows -> predictions
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import Mistake, NotServable

if TYPE_CHECKING:
    import pyarrow as pa

TIME_LIMIT_SECONDS = 120.0
"""For the start, without the rows (house choice: forty times what two cores need)."""

ROWS_PER_SECOND, BYTES_PER_SECOND, LONGEST_SECONDS = 200.0, 20_000.0, 3600.0
"""Slowest model that is waited for, and how long at most (house choice: a text of 2,500 letters
takes a model of text a fortieth of a second on two cores, and five times that on busy ones)."""

KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
"""What the interpreter and its libraries need to start."""

TAIL_CHARACTERS = 1500


def rescore(package: Path, table: pa.Table, time_limit: float = 0.0) -> pa.Table:
    """Predictions for raw rows, from ``mlflow.pyfunc.load_model`` in a clean process.

    Parameters
    ----------
    package : Path
        The folder with ``MLmodel``.
    table : pa.Table
        Raw rows; columns that the model does not read are left out.
    time_limit : float
        Seconds; 0: :func:`patience`.

    Returns
    -------
    pa.Table
        Columns as ``penstock.model.Model.predict`` gives them, in the order of the rows.

    Raises
    ------
    NotServable
        With the end of what the child wrote to standard error.
    """
    import pyarrow.feather as feather

    limit = time_limit or patience(table)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        work.mkdir()
        rows, answer = Path(folder) / "rows.arrow", Path(folder) / "predictions.arrow"
        feather.write_feather(table, rows, compression="uncompressed")
        child = Path(__file__).with_name("clean_child.py")
        command = [sys.executable, "-I", str(child), str(package.resolve()), str(rows), str(answer)]
        _run(command, work, limit, package)
        predictions = feather.read_table(answer, memory_map=False)
    if predictions.num_rows != table.num_rows:
        found = f"{predictions.num_rows} predictions for {table.num_rows} rows"
        raise NotServable(Mistake("a model gives one prediction a row", found, str(package)))
    return predictions


def patience(table: pa.Table) -> float:
    """Seconds that a model may take for these rows; long values are waited for longer.

    Examples
    --------
    >>> import pyarrow as pa
    >>> patience(pa.table({"text": ["x" * 2500] * 1200})) > 240
    True
    """
    work = table.num_rows / ROWS_PER_SECOND + table.nbytes / BYTES_PER_SECOND
    return TIME_LIMIT_SECONDS + min(LONGEST_SECONDS, work)


def _run(command: list[str], work: Path, limit: float, package: Path) -> None:
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environment |= {
        "HOME": str(work),
        "TMPDIR": str(work),
        "LANG": "C.UTF-8",
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin starve one another on a busy machine
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_TRACKING_URI": f"sqlite:///{work / 'none.db'}",
    }
    try:
        done = subprocess.run(
            command,
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        found = f"no answer after {limit:.0f} seconds"
        raise NotServable(_mistake(found, package)) from error
    if done.returncode:
        tail = done.stderr.strip()[-TAIL_CHARACTERS:] or f"exit status {done.returncode}"
        raise NotServable(_mistake(tail, package))


def _mistake(found: str, package: Path) -> Mistake:
    return Mistake(
        rule="the packaged model loads and scores by itself, in an empty folder, offline",
        found=found,
        where=package.name,
        remedy="read the last lines above; plug-ins of other packages have to be installed",
    )
