"""Which runs of this home are alive, so that nothing they need is taken away.

A run holds the lock of a file of its own; the file's age is the run's. Whoever can take the
lock knows that its run is dead.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = "running"


@contextmanager
def alive(home: Path) -> Iterator[None]:
    """Be known as alive while inside."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.lock"
    with FileLock(path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def oldest(home: Path) -> float | None:
    """When the run that is alive for the longest began, in seconds since 1970; None: none is."""
    found = []
    for path in sorted((home / FOLDER).glob("*.lock")):
        try:
            begun = path.stat().st_mtime
            with FileLock(path, timeout=0):
                path.unlink(missing_ok=True)
        except Timeout:
            found.append(begun)
        except FileNotFoundError:  # it ended while we looked
            continue
    return min(found, default=None)
