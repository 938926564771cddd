"""Rows into a table of a database: those of a window replaced in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pacsv
import sqlalchemy

from penstock.adapters import database
from penstock.adapters.address import without_secrets
from penstock.adapters.sinks.files import WINDOW, labelled
from penstock.adapters.sinks.formats import flat
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

INSERT_ROWS = 10_000
"""Rows of one INSERT statement's batch where the database has no faster way (house choice)."""


class TableSink:
    """A table, made when missing, with the column ``window``; see :class:`penstock.ports.Sink`."""

    def __init__(self, said: str, table: str, folder: Path, where: str):
        self._engine = database.connect(said, folder, where, to_write=True)
        if not table:
            remedy = f"say {without_secrets(said)}#scores"
            raise BadInput(
                Mistake("a database's address ends with #table", "no table", where, remedy)
            )
        self._where = where
        schema, _, self._name = table.rpartition(".")
        self._schema = schema or None
        self.description = f"{database.shown(self._engine)}: {table}"

    @contextmanager
    def window(self, name: str = "") -> Iterator[_Rows]:
        """Delete the rows of a window and write its new ones: all of it, or nothing."""
        remedy = "mend the table's columns, or name another table"
        rule = "the table takes the rows"
        with (
            database.understood(self._engine, rule, self._where, remedy),
            self._engine.begin() as connection,
        ):
            rows = _Rows(connection, self._name, self._schema, name)
            yield rows
            if rows.table is None:
                raise ValueError("a window is written by at least one batch, be it without rows")


class _Rows:
    """Rows on their way into a table; the first batch says the columns."""

    table: Table | None = None

    def __init__(self, connection: Connection, name: str, schema: str | None, window: str):
        self._connection = connection
        self._name = name
        self._schema = schema
        self._window = window

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Append rows."""
        rows = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        rows = flat(labelled(rows, self._window))
        if self.table is None:
            self.table = self._opened(rows.schema)
            self._lock(self._window)
            old = self.table.delete().where(self.table.c[WINDOW] == self._window)
            self._connection.execute(old)
        if not rows.num_rows:
            return
        if self._connection.dialect.name == "postgresql" and _has_copy(self._connection):
            _copy(self._connection, self.table, rows)
        else:
            for batch in rows.to_batches(max_chunksize=INSERT_ROWS):
                self._connection.execute(self.table.insert(), batch.to_pylist())

    def _is_there(self) -> bool:
        return sqlalchemy.inspect(self._connection).has_table(self._name, self._schema)

    def _lock(self, what: str) -> bool:
        """Wait until nobody else writes this window of the table, or makes the table.

        SQLite has one writer at a time anyhow; on other databases the transaction is
        serializable, and of two that write the same window at once one gets an error.
        """
        if self._connection.dialect.name == "postgresql":
            key = f"{self._schema}.{self._name}.{what}"
            number = sqlalchemy.func.hashtextextended(key, 0)
            asked = sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(number))
            self._connection.execute(asked)
        return True

    def _opened(self, schema: pa.Schema) -> Table:
        """The table as it is, or made for these columns."""
        metadata = sqlalchemy.MetaData()
        if not self._is_there() and not (self._lock("") and self._is_there()):
            columns = [sqlalchemy.Column(field.name, _type(field)) for field in schema]
            made = sqlalchemy.Table(self._name, metadata, *columns, schema=self._schema)
            sqlalchemy.Index(f"ix_{self._name}_{WINDOW}", made.c[WINDOW])
            metadata.create_all(self._connection)
            return made
        there = sqlalchemy.Table(
            self._name, metadata, schema=self._schema, autoload_with=self._connection
        )
        absent = [name for name in schema.names if name not in there.columns]
        if absent:
            raise BadInput(
                Mistake(
                    "the table has a column for each that is written",
                    f"no column {', '.join(absent)}",
                    f"table {self._name}",
                    "name another table, which is then made, or add the columns",
                )
            )
        return there


def _type(field: pa.Field) -> Any:
    kind = field.type
    if field.name == WINDOW:
        return sqlalchemy.String(255)
    if pa.types.is_boolean(kind):
        return sqlalchemy.Boolean()
    if pa.types.is_integer(kind):
        return sqlalchemy.BigInteger()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return sqlalchemy.Double()
    if pa.types.is_timestamp(kind):
        return sqlalchemy.DateTime(timezone=kind.tz is not None)
    if pa.types.is_date(kind):
        return sqlalchemy.Date()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return sqlalchemy.LargeBinary()
    return sqlalchemy.Text()


def _has_copy(connection: Connection) -> bool:
    return connection.dialect.driver == "psycopg"


def _copy(connection: Connection, table: Table, rows: pa.Table) -> None:
    """PostgreSQL's own way to load rows: a stream of CSV, no statement a row."""
    prepare = connection.dialect.identifier_preparer
    names = ", ".join(map(prepare.quote_identifier, rows.column_names))
    statement = f"COPY {prepare.format_table(table)} ({names}) FROM STDIN WITH (FORMAT csv)"
    options = pacsv.WriteOptions(include_header=False)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in rows.to_batches(max_chunksize=65_536):
            text = pa.BufferOutputStream()
            pacsv.write_csv(batch, text, options)
            copy.write(memoryview(text.getvalue()))
