"""A database behind a SQLAlchemy URL: connected to, its tables named, its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import event, exc

from penstock.adapters.address import filled, without_secrets
from penstock.errors import BadInput, Mistake, did_you_mean

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

EXTRAS = {"postgresql": "postgres"}
"""Databases whose driver an extra of penstock installs."""

CONNECT_SECONDS = 10
"""How long a server may take to answer at all (house choice)."""

LOCK_SECONDS = 60
"""How long to wait for another writer of an SQLite file (house choice)."""

MOST_NAMES = 20
"""Most tables that one message lists (house choice)."""


def connect(said: str, folder: Path, where: str, *, to_write: bool = False) -> Engine:
    """The engine of an address; nothing is connected yet.

    Parameters
    ----------
    said : str
        A SQLAlchemy URL without ``#table``, with its references to the environment.
    folder : Path
        Where the relative path of an SQLite file starts.
    where : str
        Field or option, for messages.
    to_write : bool
        Else an SQLite file must be there, and no statement can change anything.

    Raises
    ------
    BadInput
        An unknown kind of database, a missing driver, a file that is not there.
    """
    text = filled(said, where)
    try:
        url = sqlalchemy.make_url(text)
        url.get_dialect()
    except exc.NoSuchModuleError as error:
        raise BadInput(_unknown(text.partition("://")[0], where)) from error
    except (exc.ArgumentError, ValueError):
        raise BadInput(
            Mistake(
                "a database's address is dialect+driver://user@host:port/name",
                without_secrets(said),
                where,
                "for example postgresql://${DB_USER}:${DB_PASSWORD}@host/shop or sqlite:///shop.db",
            )
        ) from None  # its text repeats the address, secrets and all
    options: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        url = _sqlite(url, folder, where, to_write)
    elif to_write and url.get_backend_name() != "postgresql":
        options["isolation_level"] = "SERIALIZABLE"  # of two that write one window, one
    if url.get_backend_name() in ("postgresql", "mysql", "mariadb"):
        options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": LOCK_SECONDS}
    try:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, **options)
    except ImportError as error:
        extra = EXTRAS.get(url.get_backend_name())
        remedy = f"pip install 'penstock[{extra}]'" if extra else "install that driver"
        rule = f"the driver for {url.drivername} is installed"
        raise BadInput(Mistake(rule, str(error), where, remedy)) from error
    if url.get_backend_name() == "sqlite" and to_write:
        _whole_transactions(engine)
    return engine


@contextmanager
def understood(engine: Engine, rule: str, where: str, remedy: str) -> Iterator[None]:
    """Turn what the database says into a BadInput with this rule; silence is another one."""
    try:
        yield
    except (exc.SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        said = _first_line(error, engine)
        if isinstance(error, exc.DBAPIError) and error.statement is None:
            raise BadInput(
                Mistake(
                    "the database can be reached, and does what it is asked",
                    said,
                    shown(engine),
                    "start it, or check address, name, user and the password's variable",
                )
            ) from error
        raise BadInput(Mistake(rule, said, where, remedy)) from error


def shown(engine: Engine) -> str:
    """The database for people: no user, no password, no folders.

    Examples
    --------
    >>> shown(sqlalchemy.create_engine("sqlite:////srv/data/shop.db"))
    'sqlite shop.db'
    """
    name = (engine.url.database or "").partition("?")[0].rpartition("/")[2]
    host = f" at {engine.url.host}" if engine.url.host else ""
    return f"{engine.url.get_backend_name()} {name}{host}"


def table_named(connection: Connection, name: str, where: str) -> tuple[str | None, str]:
    """Schema and name of a table or view that is there.

    Raises
    ------
    BadInput
        When there is none, with the nearest name.
    """
    inspector = sqlalchemy.inspect(connection)
    schema, _, table = name.rpartition(".")
    if inspector.has_table(name):
        return None, name
    if schema and inspector.has_table(table, schema=schema):
        return schema, table
    known = sorted([*inspector.get_table_names(), *inspector.get_view_names()])
    raise BadInput(
        Mistake(
            "the table is in the database; a query begins with SELECT or WITH",
            f"no table {name}",
            where,
            did_you_mean(name, known, cutoff=0.5)
            or f"tables there: {', '.join(known[:MOST_NAMES]) or 'none'}",
        )
    )


def _unknown(dialect: str, where: str) -> Mistake:
    known = ["postgresql", "sqlite", "mysql", "mariadb", "mssql", "oracle", "s3", "gs", "https"]
    hint = did_you_mean(dialect.partition("+")[0], known, cutoff=0.5)
    return Mistake(
        "an address starts with a database or protocol that is known",
        f"{dialect}://",
        where,
        hint.replace("?", "://?") or f"such as {', '.join(known)}",
    )


def _sqlite(url: URL, folder: Path, where: str, to_write: bool) -> URL:
    """The same file by its absolute path, read-only unless it is to be written."""
    name = url.database or ""
    if name in ("", ":memory:") or name.startswith("file:"):
        raise BadInput(
            Mistake("an SQLite address names a file", str(url), where, "for example sqlite:///a.db")
        )
    path = (folder / name).resolve()
    if to_write:
        return url.set(database=str(path))
    if not path.is_file():
        raise BadInput(
            Mistake(
                "the SQLite file is there",
                "no such file",
                f"sqlite:///{name}",
                "check the spelling; a relative path starts at the folder of pipeline.yaml",
            )
        )
    return url.set(database=f"file:{quote(str(path))}").update_query_dict(
        {"mode": "ro", "uri": "true"}
    )


def _whole_transactions(engine: Engine) -> None:
    """Let a transaction hold the making of tables too, and keep other writers out of it."""

    @event.listens_for(engine, "connect")
    def _manual(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _first_line(error: Exception, engine: Engine) -> str:
    said = str(getattr(error, "orig", None) or error)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    found = without_secrets(" ".join(lines[:3]) or type(error).__name__)[:300]
    password = engine.url.password
    return found.replace(str(password), "***") if password else found
