"""Reach MLflow, or say within seconds that it cannot be reached.

address -> MlflowClient
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import ssl
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from filelock import FileLock, Timeout

from penstock.adapters.address import without_secrets
from penstock.adapters.tracking.proxied import reach_without_server
from penstock.errors import Mistake, RegistryUnreachable

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

log = logging.getLogger("penstock.tracking")

PROBE_SECONDS = 5.0
"""How long a server may take to answer at all (house choice)."""

LOCK_SECONDS = 120.0
"""How long to wait for another process that makes the database (house choice)."""

RETRIES = "PENSTOCK_MLFLOW_RETRIES"
"""The variable that says how often the first question is asked again, after 1, 2, 4 ... seconds.
The house's worker says it; a person at a terminal hears at once that nobody answers."""

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # else a uv.lock that lies in the user's working directory travels into the package
    "MLFLOW_UV_AUTO_DETECT": "false",
    # MLflow's own seven retries take four minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # standard output is ours: one JSON object
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Set where the user has not set them."""

DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
BAD_GATEWAY = (502, 503, 504)


class Connection:
    """An MLflow tracking server with its registry, opened when first used.

    Parameters
    ----------
    uri : str
        ``sqlite:///...``, ``postgresql://...``, ``http://...`` or whatever MLflow knows.
    home : Path
        Local folder for artifacts of a database without a server, and for locks.
    """

    def __init__(self, uri: str, home: Path):
        self.uri = uri
        self.home = home

    @property
    def address(self) -> str:
        """The address without secrets."""
        return without_secrets(self.uri)

    @property
    def page(self) -> str:
        """The address that a browser opens, without secrets: where the server has another name
        for the outside, ``PENSTOCK_MLFLOW_URL`` says it."""
        return without_secrets(os.environ.get("PENSTOCK_MLFLOW_URL") or self.uri)

    @property
    def artifact_root(self) -> str | None:
        """Where artifacts go: a file URI in ``home``; None when the server decides."""
        if urlsplit(self.uri).scheme in ("http", "https") or "://" not in self.uri:
            return None
        return (self.home / "artifacts").resolve().as_uri()

    @cached_property
    def client(self) -> MlflowClient:
        """The client.

        Raises
        ------
        RegistryUnreachable
            When the server does not answer, or the database cannot be read.
        """
        self.probe()
        with quietly():
            from mlflow.tracking import MlflowClient

        # what it logs with a traceback is raised as well, and told once, by us
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        with self.reaching():
            if (path := sqlite_path(self.uri)) is not None:
                make_database(path, self.artifact_root)
                reach_without_server((self.home / "artifacts").resolve())
            return MlflowClient(self.uri)

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn MLflow's errors into ours."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with quietly():
                yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, Timeout) as error:
            if isinstance(error, RegistryUnreachable):
                raise
            raise self._unreachable(error) from error

    def lock(self, name: str) -> FileLock:
        """A lock between the processes of this home."""
        folder = self.home / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{name}.lock", timeout=LOCK_SECONDS)

    def _unreachable(self, error: Exception) -> RegistryUnreachable:
        found = without_secrets(" ".join(str(error).split()))[:500]
        return RegistryUnreachable(
            Mistake(
                rule="the MLflow tracking server and registry give an answer; nothing was promoted",
                found=f"{type(error).__name__}: {found}",
                where=self.address,
                remedy="start the server, mend the database, or change MLFLOW_TRACKING_URI",
            )
        )

    def probe(self) -> None:
        """Ask whether somebody is there; nothing is imported, made or written.

        Asked again as often as :data:`RETRIES` says: a server that died is back within seconds,
        and a run waits for it.

        Raises
        ------
        RegistryUnreachable
            When the server does not answer, or the file is no database.
        """
        for tried in range(int(os.environ.get(RETRIES, "0"))):
            try:
                return self._ask()
            except RegistryUnreachable as error:
                log.warning("%s; asked again in %d s", error, 2**tried)
                time.sleep(2**tried)
        return self._ask()

    def _ask(self) -> None:
        parts = urlsplit(self.uri)
        scheme = parts.scheme.partition("+")[0]
        try:
            if (path := sqlite_path(self.uri)) is not None:
                _probe_sqlite(path)
            elif scheme in ("http", "https"):
                _probe_http(self.uri)
            elif scheme in DEFAULT_PORTS and parts.hostname:
                address = (parts.hostname, parts.port or DEFAULT_PORTS[scheme])
                socket.create_connection(address, timeout=PROBE_SECONDS).close()
                _probe_sql(self.uri)
        except (OSError, sqlite3.Error, ValueError) as error:
            raise self._unreachable(error) from error


@contextmanager
def quietly() -> Iterator[None]:
    """MLflow without telemetry, progress bars and warnings about its own code."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def sqlite_path(uri: str) -> Path | None:
    """The file behind an SQLite URI; None for other URIs and for a database in memory.

    Examples
    --------
    >>> sqlite_path("sqlite:////srv/mlflow.db").as_posix()
    '/srv/mlflow.db'
    >>> sqlite_path("http://localhost:5000") is None
    True
    """
    scheme, separator, rest = uri.partition(":///")
    name = rest.partition("?")[0]
    if not separator or scheme.partition("+")[0] != "sqlite" or name in ("", ":memory:"):
        return None
    return Path(name)


def make_database(path: Path, artifact_root: str | None) -> None:
    """Make an MLflow database with all its tables, once, whole or not at all.

    MLflow makes the tables by seventy migrations, which take about two seconds and must not
    run twice at the same time, nor stop halfway.
    """
    if path.exists() and path.stat().st_size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=LOCK_SECONDS):
        if path.exists() and path.stat().st_size:
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        unfinished = path.with_name(f"{path.name}.unfinished")
        unfinished.unlink(missing_ok=True)
        try:
            root = artifact_root or path.parent.resolve().as_uri()
            SqlAlchemyStore(f"sqlite:///{unfinished}", root).engine.dispose()
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def _probe_sqlite(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise OSError("there is no database but a folder or a device")
    if not path.exists() or not path.stat().st_size:
        return
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=PROBE_SECONDS)) as database:
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _probe_http(uri: str) -> None:
    """Any answer will do, but for a gateway that says there is nobody behind it."""
    context = ssl._create_unverified_context()  # noqa: S323  nothing is sent, MLflow verifies
    request = f"{uri.rstrip('/')}/health"
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS, context=context):  # noqa: S310
            pass
    except urllib.error.HTTPError as error:
        if error.code in BAD_GATEWAY:
            raise


def _probe_sql(uri: str) -> None:
    """A wrong password answers at once here; MLflow tries it for two minutes."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri)
    try:
        engine.connect().close()
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise OSError(str(error)) from error
    finally:
        engine.dispose()
