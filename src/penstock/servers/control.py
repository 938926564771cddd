"""What ``penstock up`` and ``down`` do.

home, project, ports -> a house that stands, or none
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from penstock import standing
from penstock.errors import Mistake, PenstockError
from penstock.servers import processes
from penstock.servers.entrance import check
from penstock.servers.parts import PYTHON, Place
from penstock.servers.supervisor import one_shot, watch
from penstock.standing import House

START_SECONDS = 240.0
"""How long servers and worker may take to answer on a busy machine (house choice)."""
STOP_SECONDS = 150.0
MIGRATION_SECONDS = 600.0

UPGRADE_MLFLOW = (
    "import os; from mlflow.db import upgrade; upgrade([os.environ['MLFLOW_BACKEND_STORE_URI']])"
)
"""The address is read from the environment: a command line is seen by everybody."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What the user says of the servers; empty or 0: as it is, or the default.

    Attributes
    ----------
    host : str
        Default: loopback.
    prefect_port, mlflow_port : int
        Defaults: those of the two products, 4200 and 5000.
    """

    host: str = ""
    prefect_port: int = 0
    mlflow_port: int = 0

    def house(self, project: Path) -> House:
        """The house that is to stand."""
        return House(
            token=secrets.token_hex(8),
            project=str(project),
            host=self.host or "127.0.0.1",
            prefect_port=self.prefect_port or 4200,
            mlflow_port=self.mlflow_port or 5000,
        )


class ServersFailed(PenstockError, RuntimeError):
    """The servers could not be started or stopped (exit status 1)."""


def up(home: Path, project: Path, tell: Tell, asked: Asked, foreground: bool = False) -> int:
    """Start the house unless it stands, and deploy the project's pipelines.

    Parameters
    ----------
    home : Path
        ``PENSTOCK_HOME``.
    project : Path
        The folder that holds ``data/``.
    tell : callable
        Is told what happens, a line at a time.
    asked : Asked
        Host and ports.
    foreground : bool
        Watch in this process until SIGTERM, as a service manager wants it.

    Returns
    -------
    int
        0, or 1 when a pipeline could not be deployed.

    Raises
    ------
    BadInput
        When a port is in use, or an address is open to others without authentication.
    ServersFailed
        When a part does not come up.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        house = standing.read(home)
        if house is not None and house.stands:
            _tell_differences(house, project, asked, tell)
            if foreground:
                raise ServersFailed(
                    Mistake("one house a home", _who(house), str(home), "penstock down, then again")
                )
        else:
            _clear(home, house, tell)
            house = asked.house(project)
            check(house)
            _migrate(Place(home, house), tell)
            if not foreground:
                _start_supervisor(home, house)
    if foreground:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        return watch(home, house, deploys=True)
    house = _wait_until_up(home, tell)
    return deploy(home, house, tell)


def deploy(home: Path, house: House, tell: Tell) -> int:
    """Deploy every pipeline of the project; what was said about it is told."""
    place = Place(home, house)
    log = place.log("deploy")
    before = log.stat().st_size if log.is_file() else 0
    status = one_shot(place, "deploy", house.project)
    with log.open("rb") as stream:
        stream.seek(before)
        tell(stream.read().decode(errors="replace").rstrip())
    return 1 if status else 0


def down(home: Path, tell: Tell) -> int:
    """End everything that ``up`` started; flow runs are cancelled first.

    Raises
    ------
    ServersFailed
        When something of it does not end.
    """
    house = standing.read(home)
    if house is None:
        tell(f"Nothing runs that penstock up started in {home}.")
        return 0
    with _alone(home):
        processes.send([house.supervisor], 15)
        if processes.wait_gone([house.supervisor], STOP_SECONDS):
            tell("The supervisor does not end when asked; killed.")
            processes.send([house.supervisor], 9)
        _clear(home, house, tell)
    if left := processes.members(house.token):
        pids = ", ".join(str(process.pid) for process in left)
        raise ServersFailed(Mistake("down ends everything", f"processes {pids} run", str(home)))
    tell("Prefect, MLflow and the worker are down; history and models are kept.")
    return 0


def _migrate(place: Place, tell: Tell) -> None:
    """Bring both databases to today's tables, before any client and by one process each."""
    tell("Preparing the databases ...")
    commands = {
        "prefect": [*PYTHON, "prefect", "server", "database", "upgrade", "--yes"],
        "mlflow": [*PYTHON[:-1], "-c", UPGRADE_MLFLOW],
    }
    (place.home / "prefect").mkdir(exist_ok=True)
    with FileLock(f"{place.home / 'mlflow.db'}.lock"):  # a run on the files makes it as well
        running = {
            part: processes.start(command, place.environment(part), place.log(part), place.home)
            for part, command in commands.items()
        }
        for part, process in running.items():
            try:
                failed = process.wait(MIGRATION_SECONDS) != 0
            except subprocess.TimeoutExpired:
                processes.end(place.house.token, [standing.Process.of(process.pid)], part)
                failed = True
            if failed:
                said = processes.tail(place.log(part))
                raise ServersFailed(
                    Mistake(
                        f"the database of {part} is brought up to date", said, str(place.log(part))
                    )
                )


def _start_supervisor(home: Path, house: House) -> None:
    place = Place(home, house)
    environment = dict(os.environ) | {processes.TOKEN: house.token, processes.PART: "supervisor"}
    said = asdict(house)
    del said["supervisor"], said["parts"]
    command = [*PYTHON, "penstock.servers.supervisor", str(home), json.dumps(said)]
    process = processes.start(command, environment, place.log("supervisor"), Path(house.project))
    standing.write(home, replace(house, supervisor=standing.Process.of(process.pid)))


def _wait_until_up(home: Path, tell: Tell) -> House:
    """Wait for all parts; says which comes up when."""
    end = time.monotonic() + START_SECONDS
    told: set[str] = set()
    while True:
        house = standing.read(home)
        if house is None or not house.stands:
            said = processes.tail(home / "logs" / "supervisor.log")
            raise ServersFailed(Mistake("the supervisor runs", said or "it is gone", str(home)))
        up = [part for part in house.parts if part.state == "up" and part.process.alive]
        for part in up:
            if part.name not in told:
                told.add(part.name)
                tell(f"{part.name}: up{f' at {part.address}' if part.address else ''}")
        if house.parts and len(up) == len(house.parts):
            return house
        if time.monotonic() > end:
            late = next(
                part for part in house.parts or [standing.Part("supervisor")] if part not in up
            )
            said = processes.tail(Path(late.log)) if late.log else ""
            raise ServersFailed(
                Mistake(
                    f"{late.name} answers within {START_SECONDS:.0f} s",
                    said,
                    late.log,
                    "penstock down",
                )
            )
        time.sleep(0.2)


def _clear(home: Path, house: House | None, tell: Tell) -> None:
    """End what a house left that nobody watches over any more."""
    if house is None:
        return
    # flow runs first and without asking: one that is asked says "crashed", and is not entered anew
    left = processes.end(house.token, part="worker", patience=0)
    left += processes.end(house.token, [part.process for part in house.parts])
    if left:
        tell(f"Ended {left} processes that an earlier penstock up had left without a supervisor.")
    standing.remove(home)


def _tell_differences(house: House, project: Path, asked: Asked, tell: Tell) -> None:
    tell(f"{_who(house)}.")
    for what, now, wanted in (
        ("host", house.host, asked.host),
        ("Prefect port", house.prefect_port, asked.prefect_port),
        ("MLflow port", house.mlflow_port, asked.mlflow_port),
        ("project", house.project, str(project)),
    ):
        if wanted and now != wanted:
            tell(f"note: the {what} stays {now}; for {wanted}: penstock down, then up again")


def _who(house: House) -> str:
    return f"Runs already, watched over by process {house.supervisor.pid}"


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One ``up`` or ``down`` at a time."""
    (home / "locks").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / "locks" / "servers.lock", timeout=5):
            yield
    except Timeout as error:
        raise ServersFailed(
            Mistake(
                "one penstock up or down at a time", "another one is at work", str(home), "wait"
            )
        ) from error
