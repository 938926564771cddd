"""Retraining orders on disk: one JSON object a line, and one turn at a time.

<home>/retraining/<model>.jsonl -> list of RetrainOrder
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from penstock.errors import Mistake, StoreError
from penstock.outcomes import RetrainOrder

log = logging.getLogger("penstock.retrain")

SECONDS_BETWEEN_LOOKS = 0.5
LOCK_SECONDS = 60.0
"""How long a line of the file may take to be written by somebody else (house choice)."""


class Orders:
    """The orders of one model line.

    A line says what an order is now; of an order with several lines the last one counts.

    Parameters
    ----------
    home : Path
        ``PENSTOCK_HOME``: processes that share it take turns.
    model : str
        The registered name.
    """

    def __init__(self, home: Path, model: str):
        name = re.sub(r"[^\w.-]", "_", model)
        self.model = model
        self.path = home / "retraining" / f"{name}.jsonl"
        self._locks = home / "locks"
        self._name = name

    def history(self) -> list[RetrainOrder]:
        """All orders, by when they were asked for.

        Raises
        ------
        StoreError
            When a line cannot be read.
        """
        if not self.path.is_file():
            return []
        found: dict[str, RetrainOrder] = {}
        for number, line in enumerate(self.path.read_text("utf-8").splitlines(), start=1):
            try:
                order = RetrainOrder.model_validate_json(line)
            except ValidationError as error:
                rule = "a line of the retraining orders is one order"
                where = f"{self.path}:{number}"
                remedy = "mend or remove the line"
                raise StoreError(Mistake(rule, line[:200], where, remedy)) from error
            found[order.id] = order
        return list(found.values())

    def keep(self, order: RetrainOrder) -> RetrainOrder:
        """Write down what an order is now; a line is written whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = order.model_dump_json(exclude={"evidence", "seconds"}) + "\n"
        with self._lock("orders", LOCK_SECONDS):
            before = self.path.read_bytes() if self.path.is_file() else b""
            whole = before[: before.rfind(b"\n") + 1]  # a line cut short by a crash is dropped
            unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            with unfinished.open("wb") as file:
                file.write(whole + line.encode())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        return order

    @contextmanager
    def turn(self, wait: bool) -> Iterator[bool]:
        """One retraining of a model line at a time; a process that dies gives its turn back.

        Parameters
        ----------
        wait : bool
            Whether to wait while another one is under way.

        Yields
        ------
        bool
            Whether it is our turn; always true after waiting.
        """
        lock = self._lock("retrain", 0)
        try:
            lock.acquire()
        except Timeout:
            if not wait:
                yield False
                return
            log.info("Another retraining of %s is under way; this one waits.", self.model)
            lock.acquire(timeout=-1, poll_interval=SECONDS_BETWEEN_LOOKS)
        try:
            yield True
        finally:
            lock.release()

    def _lock(self, what: str, seconds: float) -> FileLock:
        self._locks.mkdir(parents=True, exist_ok=True)
        return FileLock(self._locks / f"{what}-{self._name}.lock", timeout=seconds)
