"""What ``penstock up`` left standing: a small file in ``PENSTOCK_HOME`` that says which
processes run, since when, and at which address.

A process is known by its id *and* its start time, so that an id that the system has given to
somebody else is never taken for ours. The file holds no secret.

home -> House, or None when nothing was started
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "servers.json"


@dataclass(frozen=True)
class Process:
    """One process.

    Attributes
    ----------
    pid : int
        Its id; 0: none.
    started : str
        When it started, in the system's own words: clock ticks since boot on Linux.
    """

    pid: int = 0
    started: str = ""

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has this id now."""
        return cls(pid, started(pid))

    @property
    def alive(self) -> bool:
        """Whether it still runs, and is the one that was meant."""
        return bool(self.started) and started(self.pid) == self.started


@dataclass(frozen=True)
class Part:
    """A server or the worker.

    Attributes
    ----------
    name : str
        ``prefect``, ``mlflow`` or ``worker``.
    state : str
        ``starting``, ``up``, ``restarting`` or ``down``.
    process : Process
        The newest one.
    address : str
        Where it answers; empty for the worker.
    since : str
        When the newest process started, ISO 8601 with offset.
    restarts : int
        How often it died and was started again since ``penstock up``.
    last_death : str
        When and how it died last; empty when it never did.
    log : str
        Path of its log.
    """

    name: str
    state: str = "down"
    process: Process = field(default_factory=Process)
    address: str = ""
    since: str = ""
    restarts: int = 0
    last_death: str = ""
    log: str = ""


@dataclass(frozen=True)
class House:
    """Everything that one ``penstock up`` started.

    Attributes
    ----------
    token : str
        Stands in the environment of every process that belongs to it.
    project : str
        Folder whose pipelines are deployed.
    host : str
        Address that the servers listen on.
    prefect_port, mlflow_port : int
        Their ports.
    supervisor : Process
        Who watches over the parts.
    parts : tuple of Part
        In the order in which they start.
    """

    token: str
    project: str
    host: str
    prefect_port: int
    mlflow_port: int
    supervisor: Process = field(default_factory=Process)
    parts: tuple[Part, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether somebody watches over it."""
        return self.supervisor.alive

    @property
    def prefect_api_url(self) -> str:
        """Prefect's API, as a client on this machine reaches it."""
        return f"http://{reachable(self.host)}:{self.prefect_port}/api"

    @property
    def tracking_uri(self) -> str:
        """MLflow, as a client on this machine reaches it."""
        return f"http://{reachable(self.host)}:{self.mlflow_port}"


def reachable(host: str) -> str:
    """The address under which this machine reaches a server that listens on ``host``.

    Examples
    --------
    >>> reachable("0.0.0.0"), reachable("::1"), reachable("localhost")
    ('127.0.0.1', '[::1]', 'localhost')
    """
    if host in ("0.0.0.0", ""):  # noqa: S104  compared, not bound
        return "127.0.0.1"
    host = "::1" if host == "::" else host
    return f"[{host}]" if ":" in host else host


def started(pid: int) -> str:
    """When the process with this id started; empty when there is none, or it is only a zombie."""
    if pid <= 0:
        return ""
    status = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # the name stands in parentheses and may hold anything; start time is field 22
            fields = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    asked = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    return "" if not answer or answer[0].startswith("Z") else " ".join(answer[1:])


def read(home: Path) -> House | None:
    """The house of this home; None when none was started or the file is not one of ours."""
    try:
        raw = json.loads((home / FILE_NAME).read_text(encoding="utf-8"))
        return _house(raw)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write(home: Path, house: House) -> None:
    """Write the file, whole or not at all."""
    path = home / FILE_NAME
    unfinished = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    unfinished.write_text(json.dumps(asdict(house), indent=2), encoding="utf-8")
    unfinished.replace(path)


def remove(home: Path) -> None:
    """Say that nothing stands any more."""
    (home / FILE_NAME).unlink(missing_ok=True)


def _house(raw: dict[str, Any]) -> House:
    parts = [Part(**{**part, "process": Process(**part["process"])}) for part in raw["parts"]]
    return House(**{**raw, "supervisor": Process(**raw["supervisor"]), "parts": tuple(parts)})
