"""Run a flow in this process: Prefect's manners, the log on standard error, nothing left over."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.services import Services


def services_of(pipeline: str, overrides: dict[str, Any] | None = None) -> Services:
    """What a pipeline reaches: a folder, a ``pipeline.yaml``, or a name under ``data/``."""
    from penstock import pipeline_file
    from penstock.services import Services

    return Services(pipeline_file.locate(pipeline), overrides)


@contextmanager
def prepared(services: Services) -> Iterator[None]:
    """A place for flows: import and call them inside.

    A bad input leaves nothing behind of what the run has made.
    """
    new = [p for p in (services.settings.home, services.settings.store) if not p.exists()]
    unwanted: list[Path] = []
    atexit.register(_remove, unwanted)  # before Prefect's own, so it runs after its server ended
    prepare_prefect(services)
    handler = _log_to_terminal()
    from penstock.errors import BadInput

    try:
        yield
    except BadInput:
        unwanted += new
        raise
    finally:
        logging.getLogger("penstock").removeHandler(handler)
        handler.close()


def prepare_prefect(services: Services) -> None:
    """Prefect's own place and manners, where the user has not said them."""
    defaults = {
        "PREFECT_HOME": str(services.settings.home / "prefect"),
        "PREFECT_LOGGING_EXTRA_LOGGERS": "penstock",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
        "DO_NOT_TRACK": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin starve one another on a shared machine
    }
    from penstock.servers.parts import passwords

    defaults |= passwords(os.environ)  # in the shell that started the servers
    if services.settings.prefect_api_url:
        defaults["PREFECT_API_URL"] = services.settings.prefect_api_url
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)


def _log_to_terminal() -> logging.Handler:
    """Show penstock's log on standard error."""
    from penstock.adapters import terminal

    handler = terminal.handler()
    logger = logging.getLogger("penstock")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    if not os.environ.get("PREFECT_API_URL"):
        logger.info("Starting Prefect for this run ...")
    return handler


def _remove(folders: list[Path]) -> None:
    """Take away what a run made that kept nothing."""
    import shutil

    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
