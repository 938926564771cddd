"""Show how far a run has come: one live line on a terminal, plain lines in a file or a pipe.

log records -> standard error
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from penstock.outcomes import Decision

PROGRESS = "progress"
"""Extra of a log record that tells of progress: ``(stage, done, total, note)``."""

VERDICTS = {
    "registered": ("REGISTERED", "as champion", "green"),
    "kept_champion": ("CHAMPION KEPT", "", "green"),
    "awaiting_approval": ("AWAITING APPROVAL", "", "yellow"),
    "refused": ("REFUSED", "", "red"),
    "rejected": ("REJECTED", "", "yellow"),
    "rolled_back": ("ROLLED BACK", "", "yellow"),
}
STYLES = {"refuse": "red", "insufficient": "yellow", "warn": "yellow"}
"""Outcomes that a person should read about, the worst first."""


def handler(stream: TextIO | None = None) -> logging.Handler:
    """The handler for this place.

    Parameters
    ----------
    stream : TextIO, optional
        Default: standard error.
    """
    console = Console(file=stream or sys.stderr)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveHandler(console)
    lines = logging.StreamHandler(stream or sys.stderr)
    lines.setFormatter(logging.Formatter("%(message)s"))
    return lines


class LiveHandler(logging.Handler):
    """A bar for the stage at work, and above it a line for each stage that is done.

    Parameters
    ----------
    console : Console
        A terminal.
    """

    def __init__(self, console: Console):
        super().__init__()
        self.console = console
        self._bars: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Move the bar, or write a line above it."""
        progress = getattr(record, PROGRESS, None)
        try:
            if progress is None:
                self._stop()
                style = "yellow" if record.levelno >= logging.WARNING else "dim"
                self.console.print(self.format(record), style=style, markup=False, highlight=False)
            else:
                self._move(*progress)
        except OSError:
            self.handleError(record)

    def close(self) -> None:
        """Take the bar away."""
        self._stop()
        super().close()

    def _move(self, stage: str, done: int, total: int, note: str) -> None:
        if self._bars is None or stage != self._stage:
            self._stop()
            self._stage = stage
            self._bars = Progress(
                TextColumn("{task.description:9}", markup=False),
                BarColumn(),
                TextColumn("{task.completed:.0f} of {task.total:.0f}", markup=False),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=self.console,
                transient=True,
            )
            self._task = self._bars.add_task(stage, total=total, note=note)
            self._bars.start()
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, note=note)

    def _stop(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def show(decision: Decision, tracking_uri: str, stream: TextIO | None = None) -> None:
    """Say at the end of a run what a person wants to know.

    Parameters
    ----------
    decision : Decision
        How the run ended.
    tracking_uri : str
        Of MLflow, without secrets.
    stream : TextIO, optional
        Default: standard output. Colours only where it is a terminal.
    """
    console = Console(file=stream or sys.stdout)
    for text, style in summary(decision, tracking_uri):
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def summary(decision: Decision, tracking_uri: str) -> list[tuple[str, str]]:
    """Lines and their styles: verdict, what to do, numbers, where to look further."""
    word, after, style = VERDICTS[decision.verdict]
    version = f" version {decision.version}" if decision.version else ""
    head = " ".join(f"{word}: {decision.model}{version} {after}".split())
    lines = [(head, f"bold {style}"), (f"  {decision.why}", "")]
    for outcome, colour in STYLES.items():
        for check in decision.checks:
            if check.outcome == outcome and (check.blocks or outcome == "warn"):
                lines.append((f"  {outcome}: {check.label}", colour))
                lines.append((f"    {check.why}", ""))
                lines += [(f"    to do: {check.remedy}", "")] if check.remedy else []
    width = max([len(name) for name in decision.metrics], default=0)
    for name, value in decision.metrics.items():
        lines.append(
            (f"  {name:{width}}  {'not defined' if value is None else f'{value:.4f}'}", "")
        )
    lines.append((f"  seconds  {_seconds(decision)}", "dim"))
    lines.append((f"  report   {decision.report}", ""))
    return [*lines, (f"  MLflow   {_mlflow(decision, tracking_uri)}", "")]


def _seconds(decision: Decision) -> str:
    parts = [
        f"{stage} {'cached' if stage in decision.cached else f'{seconds:.1f}'}"
        for stage, seconds in decision.timings.items()
    ]
    return ", ".join(parts)


def _mlflow(decision: Decision, tracking_uri: str) -> str:
    """Where the run is, and the command that shows it where no server does."""
    if tracking_uri.startswith(("http://", "https://")):
        return f"run {decision.run_id} at {tracking_uri}"
    return f"run {decision.run_id}; to look: mlflow ui --backend-store-uri {tracking_uri}"
