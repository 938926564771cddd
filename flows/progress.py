"""Tell a terminal and the run's page how far a long stage has come."""

from __future__ import annotations

import logging
import time
from typing import cast
from uuid import UUID

log = logging.getLogger("penstock.flows")

SECONDS_BETWEEN_NEWS = 1.0
"""Least time between two progress messages of a stage (house choice)."""

SECONDS_BEFORE_A_BAR = 3.0
"""A stage that is done sooner needs no bar: a page would list a dozen full ones (house choice)."""


class StageProgress:
    """Tells the log, and for long stages the run's page, how far a stage has come."""

    def __init__(self, stage: str):
        self.stage = stage
        self.began = time.monotonic()
        self.told = 0.0
        self.artifact: UUID | None = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` steps, 0 where nobody knows; ``note`` in a few words."""
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        now = time.monotonic()
        if now - self.told < SECONDS_BETWEEN_NEWS and (done < total or not total):
            return
        self.told = now
        told = {"progress": (self.stage, done, total or done, note)}  # a terminal shows it as a bar
        text = (f" of {total}" if total else "") + (f", {note}" if note else "")
        log.info("%s: %d%s", self.stage, done, text, extra=told)
        share = 100.0 * done / total if total else 0.0
        if self.artifact is None:
            if now - self.began < SECONDS_BEFORE_A_BAR:
                return
            key, about = f"progress-{self.stage}", f"How far {self.stage} has come"
            self.artifact = cast(UUID, create_progress_artifact(share, key, about))
        else:
            update_progress_artifact(self.artifact, progress=share)
