"""Rows of a database: a table or a query, read by a server-side cursor in constant memory.

SQLAlchemy URL, query -> record batches

Column types come from the values: numbers stay numbers, times stay times, whatever has no
plain type (JSON, arrays, identifiers) is text. SQLite, where each value has a type of its own,
is asked for the types of all rows. The query runs once to look, once for the fingerprint and
once for the rows; the fingerprint follows the order of the rows, because the split does. A table
is therefore read in the order of its primary key, and a query should say ORDER BY.
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy

from penstock.adapters import database
from penstock.adapters.sources import files
from penstock.adapters.sources.lines import as_text
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine

    from penstock.ports import Progress

log = logging.getLogger("penstock.sources")

BATCH_ROWS = 65_536
"""Rows fetched at a time (house choice)."""

WHERE = "data.query"

_QUERY = re.compile(r"\s*(?:select|with|values|table|from|--|/\*|\()(?:\s|\*|\()", re.I)

TYPES: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    decimal.Decimal: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    datetime.date: pa.date32(),
    datetime.time: pa.time64("us"),
    datetime.timedelta: pa.duration("us"),
}
"""Arrow types of Python's; a decimal becomes the nearest float, as every number feature does."""

SQLITE_TYPES = {"integer": int, "real": float, "text": str, "blob": bytes}
NUMBERS = {int, float, decimal.Decimal}


class SqlSource:
    """Rows of one query; see :class:`penstock.ports.Source`."""

    def __init__(self, engine: Engine, query: str, title: str):
        self._engine = engine
        self._query = query
        self._num_rows = 0
        with self._rows() as result:
            names = list(result.keys())
            head = _fetched(result)
        mistakes = files.repeated(names, WHERE)
        if not mistakes and not head:
            remedy = "fill the table, or mend the query's condition"
            mistakes = [Mistake("a source holds rows", "no row", title, remedy)]
        if mistakes:
            raise BadInput(mistakes)
        types = self._sqlite_types(names) if engine.dialect.name == "sqlite" else _types(head)
        self.schema = pa.schema(list(zip(names, types, strict=True)))
        self.kinds: dict[str, str] = {}
        self.unreadable: list[tuple[str, str]] = []
        self.roots: tuple[Path, ...] = ()
        self.description = f"{database.shown(engine)}: {title}"

    def fingerprint(self) -> str:
        """SHA-256 over names, types and rows, in the order in which the database gives them."""
        digest = hashlib.sha256(self.schema.serialize())
        self._num_rows = 0
        for batch in self._batches():
            digest.update(batch.serialize())
            self._num_rows += batch.num_rows
        return digest.hexdigest()

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """Rows with the types of :attr:`schema`.

        Raises
        ------
        BadInput
            When the database stops answering, or a later value is not of its column's type.
        """
        done = 0
        for batch in self._batches():
            done += batch.num_rows
            yield batch
            if progress:
                progress(done, max(done, self._num_rows), "rows")

    def _batches(self) -> Iterator[pa.RecordBatch]:
        done = 0
        with self._rows() as result:
            while rows := _fetched(result):
                columns = zip(*rows, strict=True)
                arrays = [
                    _array(values, field, done)
                    for values, field in zip(columns, self.schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
                done += len(rows)

    @contextmanager
    def _rows(self) -> Iterator[CursorResult[Any]]:
        with (
            _asked(self._engine),
            self._engine.connect() as connection,
            _streamed(connection, self._query) as result,
        ):
            yield result

    def _sqlite_types(self, names: list[str]) -> list[pa.DataType]:
        """One type a column, over all rows: SQLite types values, not columns."""
        places = [f"c{place}" for place in range(len(names))]
        asked = ", ".join(f"group_concat(DISTINCT typeof({place}))" for place in places)
        query = f"WITH q({', '.join(places)}) AS (\n{self._query}\n) SELECT {asked} FROM q"  # noqa: S608
        with _asked(self._engine), self._engine.connect() as connection:
            row = _streamed(connection, query).one()
        return [
            _type({SQLITE_TYPES[name] for name in found.split(",") if name != "null"})
            for found in row
        ]


def open_query(said: str, table: str, query: str, folder: Path) -> SqlSource:
    """Open a table or a query of a database.

    Parameters
    ----------
    said : str
        The address as the spec says it, without ``#table``.
    table, query : str
        ``#table`` and ``data.query``: one of them; a query may be a table's name.
    folder : Path
        Where the relative path of an SQLite file starts.

    Raises
    ------
    BadInput
        Neither or both are said; the database cannot be reached; no such table; SQL that it
        does not understand; no row.
    """
    query = query.strip().rstrip(";").strip()
    engine = database.connect(said, folder, "data.source")
    if bool(table) == bool(query):
        raise BadInput(
            Mistake(
                "a database's source says which rows: #table behind the address, or data.query",
                "both" if table else "neither",
                "data.source and data.query" if table else WHERE,
                "remove one of them"
                if table
                else "data.query: orders, or data.query: SELECT ... FROM orders ORDER BY id",
            )
        )
    if query and _QUERY.match(query):
        if not re.search(r"\border\s+by\b", query, re.IGNORECASE):
            log.warning(
                "data.query has no ORDER BY: should the database give the same rows in another"
                " order, they count as new data."
            )
        return SqlSource(engine, query, " ".join(query.split())[:80])
    name = table or query
    with _asked(engine), engine.connect() as connection:
        statement = _whole_table(connection, name, "data.source" if table else WHERE)
    return SqlSource(engine, statement, name)


def _whole_table(connection: Connection, name: str, where: str) -> str:
    """All rows of a table, by its primary key."""
    schema, table = database.table_named(connection, name, where)
    prepare = connection.dialect.identifier_preparer
    keys = sqlalchemy.inspect(connection).get_pk_constraint(table, schema)["constrained_columns"]
    place = f"{prepare.quote_identifier(schema)}." if schema else ""
    order = ", ".join(map(prepare.quote_identifier, keys))
    statement = f"SELECT * FROM {place}{prepare.quote_identifier(table)}"  # noqa: S608 (quoted)
    return f"{statement} ORDER BY {order}" if order else statement


def _asked(engine: Engine) -> Any:
    return database.understood(
        engine, "data.query is SQL that the database understands", WHERE, "mend the query"
    )


def _streamed(connection: Connection, query: str) -> CursorResult[Any]:
    """Run a query with a server-side cursor; signs such as % and : mean themselves.

    Nothing that it says can change the database, where that can be had.
    """
    options: dict[str, Any] = {"stream_results": True, "no_parameters": True}
    if connection.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    return connection.execution_options(**options).exec_driver_sql(query)


def _fetched(result: CursorResult[Any]) -> Sequence[tuple[Any, ...]]:
    """The next rows as the driver's own tuples: SQLAlchemy's rows take twice the time."""
    rows: Sequence[tuple[Any, ...]] = result.cursor_strategy.fetchmany(
        result, result.cursor, BATCH_ROWS
    )
    return rows


# ---------------------------------------------------------------- values -> Arrow


def _types(rows: Sequence[Any]) -> list[pa.DataType]:
    """The type of each column, by the values of its first rows."""
    found = []
    for values in zip(*rows, strict=True):
        kinds = set(map(type, values)) - {type(None)}
        kind = _type(kinds)
        if kind == pa.int64() and max(map(abs, filter(None, values)), default=0) >= 2**63:
            kind = pa.float64()
        if kinds == {datetime.datetime}:
            zone = next(value for value in values if value is not None).tzinfo
            kind = pa.timestamp("us", "UTC" if zone else None)
        found.append(kind)
    return found


def _type(kinds: set[type]) -> pa.DataType:
    """The type that holds values of all these kinds; text where there is no plain one.

    Examples
    --------
    >>> _type({int, float}), _type({int, str}), _type(set())
    (DataType(double), DataType(string), DataType(string))
    """
    if len(kinds) == 1:
        return TYPES.get(next(iter(kinds)), pa.string())
    return pa.float64() if kinds and kinds <= NUMBERS else pa.string()


def _array(values: Sequence[Any], field: pa.Field, start: int) -> pa.Array:
    """Values of one column; BadInput when they are not of the type that the first ones had."""
    kinds = set(map(type, values)) - {type(None)}
    try:
        if pa.types.is_string(field.type):
            return pa.array(values if kinds <= {str} else list(map(_text, values)), field.type)
        if pa.types.is_floating(field.type) and kinds <= NUMBERS:
            return pa.array(
                [None if value is None else float(value) for value in values]
                if kinds - {float}
                else values,
                field.type,
            )
        if not pa.types.is_integer(field.type) or kinds <= {int}:
            return pa.array(values, field.type)
    except (pa.ArrowException, OverflowError):
        pass
    shown = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise BadInput(
        Mistake(
            f"a column has one type in all rows; the first {BATCH_ROWS} say {field.type}",
            f"{shown} from row {start + 1} on",
            f"{WHERE}, column {field.name}",
            "cast the column in data.query, for example CAST(price AS TEXT)",
        )
    )


def _text(value: Any) -> str | None:
    """One value of a column without a plain type, as the text of a cell.

    Examples
    --------
    >>> _text({"a": 1}), _text(decimal.Decimal("1.50")), _text(["x", "y"])
    ('{"a": 1}', '1.50', 'x|y')
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    try:
        return as_text(value)
    except TypeError:
        return str(value)
