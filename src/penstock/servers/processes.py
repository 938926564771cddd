"""Start processes, find all that came of them, and end them: ours only, by id and start time.

A worker puts its flow runs into sessions of their own, so a process group does not hold them.
What we start therefore carries a token in its environment, which its children inherit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from penstock.standing import Process

TOKEN = "PENSTOCK_HOUSE"  # noqa: S105  the name of a variable
PART = "PENSTOCK_PART"

LOG_BYTES = 10_000_000
"""Size at which a log is set aside; one older log is kept (house choice)."""


def start(
    command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own; what it says goes to the end of its log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def members(token: str, part: str = "") -> list[Process]:
    """All living processes that carry the token, of one part or of all; never this process.

    On a system without ``/proc`` nothing is found: there, process groups have to do.
    """
    wanted = [f"{TOKEN}={token}".encode()] + ([f"{PART}={part}".encode()] if part else [])
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            carried = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # somebody else's, or gone
            continue
        if all(item in carried for item in wanted) and int(folder.name) != os.getpid():
            found.append(Process.of(int(folder.name)))
    return [process for process in found if process.alive]


def send(processes: Iterable[Process], number: int) -> None:
    """Send a signal to each that still is the process that was meant."""
    for process in processes:
        if process.alive:
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue  # it ended between the look and the signal, as was wanted


def send_group(process: Process, number: int) -> None:
    """Send a signal to the process group that this process leads."""
    if process.alive:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def wait_gone(processes: Iterable[Process], seconds: float) -> list[Process]:
    """Wait for the end of all; returns those that still run after that time."""
    end = time.monotonic() + seconds
    left = [process for process in processes if process.alive]
    while left and time.monotonic() < end:
        time.sleep(0.1)
        left = [process for process in left if process.alive]
    return left


def end(token: str, known: Iterable[Process] = (), part: str = "", patience: float = 10.0) -> int:
    """End what carries the token, and the groups of the known processes: asked first, then killed.

    Parameters
    ----------
    token : str
        As for :func:`members`.
    known : iterable of Process
        Leaders of process groups, by id and start time.
    part : str
        Only what carries this part's name; empty: everything.
    patience : float
        Seconds between SIGTERM and SIGKILL; 0: SIGKILL at once.

    Returns
    -------
    int
        How many there were.
    """
    known = [process for process in known if process.alive]
    found = {process.pid: process for process in [*known, *members(token, part)]}
    if patience:
        send(found.values(), signal.SIGTERM)
        wait_gone(found.values(), patience)
    for leader in known:
        send_group(leader, signal.SIGKILL)
    late = [*found.values(), *members(token, part)]
    send(late, signal.SIGKILL)
    wait_gone(late, 5.0)
    return len(found)


def rotate(log: Path, most: int = LOG_BYTES) -> bool:
    """Set a log aside when it is too long: copied, then emptied, since its writer holds it open.

    The writer appends (``O_APPEND``), so it goes on at the new end. What it writes in the
    instant between the copy and the cut is lost.
    """
    if not log.is_file() or log.stat().st_size <= most:
        return False
    older = log.with_name(f"{log.name}.1")
    with log.open("rb") as stream:
        stream.seek(-most, os.SEEK_END)
        older.write_bytes(stream.read())
    os.truncate(log, 0)
    return True


def tail(log: Path, num_lines: int = 15) -> str:
    """The last lines of a log; empty when there is none."""
    if not log.is_file():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 20_000))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-num_lines:])
