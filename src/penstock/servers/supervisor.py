"""Watch over the parts: start them in order, start again what dies, write down what happens.

House, home -> the house stands until SIGTERM

A part that dies is started again after 1, 2, 4, ... seconds, at most a minute; one that has run
for a while starts from 1 again. When the worker dies its flow runs are ended with it and entered
anew (``flows.recover``): their finished stages are cached, and training goes on from its last
checkpoint. Until that is done no worker starts.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from penstock import standing
from penstock.servers import processes
from penstock.servers.parts import NAMES, PYTHON, Place
from penstock.standing import House, Part, Process

log = logging.getLogger("penstock.servers")

TICK_SECONDS = 0.25
MOST_DELAY_SECONDS = 60.0
CALM_SECONDS = 300.0
"""A part that ran this long is thought healthy again (house choice)."""
PROBE_SECONDS = 2.0
STOP_SECONDS = {"worker": 30.0, "mlflow": 15.0, "prefect": 20.0}
ONE_SHOT_SECONDS = 180.0


class Watched:
    """One part under watch.

    Parameters
    ----------
    place : Place
        The house and its home.
    name : str
        Of the part.
    """

    def __init__(self, place: Place, name: str):
        self.place = place
        self.name = name
        self.popen: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.deaths_in_a_row = 0
        self.tries = 0
        self.due = 0.0
        self.entry = Part(name, address=place.address(name), log=str(place.log(name)))

    def start(self, now: float) -> None:
        """Start it, or start it again; a worker not before what its forerunner left is in order."""
        place = self.place
        if self.name == "worker":  # whatever its forerunner ran has no master any more
            processes.end(place.house.token, part="worker", patience=0)
            if one_shot(place, "recover", "--restart"):  # a server that died meanwhile, say
                self.tries += 1
                self.due = time.monotonic() + backoff(self.tries)
                return
            self.tries = 0
        command, environment = place.command(self.name), place.environment(self.name)
        self.popen = processes.start(
            command, environment, place.log(self.name), Path(place.house.project)
        )
        self.started_at = now
        self.entry = replace(
            self.entry,
            state="starting",
            process=Process.of(self.popen.pid),
            since=datetime.now().astimezone().isoformat(timespec="seconds"),
        )
        log.info("%s: started as process %d", self.name, self.popen.pid)

    def look(self, now: float) -> None:
        """See whether it lives and answers; plan its next start when it died."""
        if self.popen is None:
            return
        status = self.popen.poll()
        if status is None:
            if self.entry.state == "starting" and answers(self.place.health(self.name)):
                self.entry = replace(self.entry, state="up")
                log.info("%s: up", self.name)
            return
        calm = now - self.started_at > CALM_SECONDS
        self.deaths_in_a_row = 1 if calm else self.deaths_in_a_row + 1
        delay = backoff(self.deaths_in_a_row)
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        how = f"{when}: {ending(status)}"
        log.warning("%s: died (%s); starts again in %.0f s", self.name, ending(status), delay)
        # what it left (workers of a server, say) would hold its port
        processes.end(self.place.house.token, [self.entry.process], self.name, patience=0)
        self.popen = None
        self.due = now + delay
        self.entry = replace(
            self.entry, state="restarting", restarts=self.entry.restarts + 1, last_death=how
        )

    def stop(self) -> None:
        """End it: asked first, then killed, with everything that came of it."""
        if self.popen is not None:
            self.popen.terminate()
            try:
                self.popen.wait(STOP_SECONDS[self.name])
            except subprocess.TimeoutExpired:
                log.warning("%s: does not end when asked; killed", self.name)
        processes.end(self.place.house.token, [self.entry.process], self.name, patience=2.0)
        if self.popen is not None:
            self.popen.wait()
        self.entry = replace(self.entry, state="down")
        log.info("%s: down", self.name)


def watch(home: Path, house: House, deploys: bool = False) -> int:
    """Start all parts and watch over them until SIGTERM or SIGINT.

    Parameters
    ----------
    home : Path
        ``PENSTOCK_HOME``.
    house : House
        What is to stand.
    deploys : bool
        Whether to deploy the project's pipelines once the servers answer.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    house = replace(
        house,
        supervisor=Process.of(os.getpid()),
        parts=tuple(Part(name, state="starting") for name in NAMES),
    )
    place = Place(home, house)
    watched = {name: Watched(place, name) for name in NAMES}
    told = None
    try:
        while not stop.is_set():
            now = time.monotonic()
            for part in watched.values():
                part.look(now)
                if part.popen is None and now >= part.due and _may_start(part, watched):
                    part.start(now)
            entries = tuple(part.entry for part in watched.values())
            if entries != told:
                standing.write(home, replace(house, parts=entries))
                told = entries
            if deploys and all(entry.state == "up" for entry in entries):
                deploys = False
                one_shot(place, "deploy", house.project)
            for log_file in (home / "logs").glob("*.log"):
                processes.rotate(log_file)
            stop.wait(TICK_SECONDS)
    finally:
        _stop(place, watched)
    return 0


def _may_start(part: Watched, watched: dict[str, Watched]) -> bool:
    """The worker waits for both servers: it would give up without them."""
    servers = [other for name, other in watched.items() if name != "worker"]
    return part.name != "worker" or all(other.entry.state == "up" for other in servers)


def _stop(place: Place, watched: dict[str, Watched]) -> None:
    """End the flow runs while somebody can write it down, then the parts, last started first."""
    token = place.house.token
    if len(processes.members(token, "worker")) > 1 and watched["prefect"].entry.state == "up":
        one_shot(place, "recover", "--cancel")
    for name in reversed(NAMES):
        watched[name].stop()
    processes.end(token)
    standing.remove(place.home)
    log.info("all parts are down")


def one_shot(place: Place, module: str, *arguments: str) -> int:
    """Run ``python -m flows.<module>`` to its end, as a client of the house.

    Returns
    -------
    int
        Its exit status; 124 when it took too long.
    """
    environment = place.environment("worker") | {processes.PART: module}
    command = [*PYTHON, f"flows.{module}", *arguments]
    running = processes.start(command, environment, place.log(module), Path(place.house.project))
    try:
        status = running.wait(ONE_SHOT_SECONDS)
    except subprocess.TimeoutExpired:
        processes.end(place.house.token, [Process.of(running.pid)], module)
        status = 124
    if status:
        log.error("%s: %s; see %s", module, ending(status), place.log(module))
    return status


def answers(address: str) -> bool:
    """Whether a server answers with success; a part without an address need only live."""
    if not address:
        return True
    try:
        with urllib.request.urlopen(address, timeout=PROBE_SECONDS):  # noqa: S310  our own
            return True
    except (OSError, ValueError):
        return False


def backoff(deaths_in_a_row: int) -> float:
    """Seconds to wait before the next start (house choice: doubled each time, a minute at most).

    Examples
    --------
    >>> [backoff(n) for n in (1, 2, 3, 7, 5000)]
    [1.0, 2.0, 4.0, 60.0, 60.0]
    """
    return min(2.0 ** min(deaths_in_a_row - 1, 10), MOST_DELAY_SECONDS)


def ending(status: int) -> str:
    """How a process ended, for a person.

    Examples
    --------
    >>> ending(-9), ending(3)
    ('killed by SIGKILL', 'ended with status 3')
    """
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def main(arguments: list[str]) -> int:
    """``python -m penstock.servers.supervisor HOME HOUSE``, as ``penstock up`` calls it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    said: dict[str, Any] = json.loads(arguments[1])
    return watch(Path(arguments[0]), House(**said))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
