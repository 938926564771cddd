"""Tables and queries of real databases: SQLite, and PostgreSQL where it is installed."""

import datetime
import logging
import sqlite3
import sys
import traceback
from contextlib import closing

import pyarrow as pa
import pytest

from penstock.adapters.sources import open_source, sql
from penstock.errors import BadInput
from penstock.spec import Data

ORDERS = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, price REAL, word TEXT, mixed, blank, picture BLOB);
INSERT INTO orders VALUES (2, 2, 'b', 'x', NULL, x'ff'), (1, 1.5, 'a', 7, NULL, NULL);
CREATE VIEW dear AS SELECT id, price FROM orders WHERE price > 1.6;
CREATE TABLE "two words" ("a b" INTEGER, "100%" TEXT);
INSERT INTO "two words" VALUES (1, ':x');
CREATE TABLE empty (id INTEGER);
"""


@pytest.fixture
def shop(tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.executescript(ORDERS)
    return tmp_path


def opened(folder, source="sqlite:///shop.db", query=""):
    return open_source(Data(source=source, query=query, target="price"), folder)


def rows(source):
    return [row for batch in source.batches() for row in batch.to_pylist()]


def mistake(folder, source="sqlite:///shop.db", query=""):
    with pytest.raises(BadInput) as caught:
        rows(opened(folder, source, query))
    (found,) = caught.value.mistakes
    return found


def test_a_table_comes_typed_in_the_order_of_its_key(shop):
    source = opened(shop, "sqlite:///shop.db#orders")
    assert [str(kind) for kind in source.schema.types] == [
        "int64", "double", "string", "string", "string", "binary",
    ]  # fmt: skip
    assert rows(source) == [
        {"id": 1, "price": 1.5, "word": "a", "mixed": "7", "blank": None, "picture": None},
        {"id": 2, "price": 2.0, "word": "b", "mixed": "x", "blank": None, "picture": b"\xff"},
    ]
    assert source.description == "sqlite shop.db: orders"
    assert rows(opened(shop, query="orders")) == rows(source)
    assert rows(opened(shop, f"sqlite:///{shop}/shop.db#orders")) == rows(source)


def test_a_query_a_view_and_odd_names(shop):
    query = "SELECT id * 2 AS twice FROM orders\n ORDER BY 1 DESC;"
    assert rows(opened(shop, query=query)) == [{"twice": 4}, {"twice": 2}]
    counted = rows(opened(shop, query="SELECT count(*), 'x' FROM orders -- all of them"))
    assert counted == [{"count(*)": 2, "'x'": "x"}]
    assert rows(opened(shop, query="dear")) == [{"id": 2, "price": 2.0}]
    assert rows(opened(shop, query="two words")) == [{"a b": 1, "100%": ":x"}]
    said = "SELECT ' :x %s 5%' AS sign, 1 AS price"
    assert rows(opened(shop, query=said)) == [{"sign": " :x %s 5%", "price": 1}]


def test_the_fingerprint_follows_rows_names_and_order(shop):
    first = opened(shop, query="orders").fingerprint()
    assert opened(shop, query="orders").fingerprint() == first
    other = {
        opened(shop, query=query).fingerprint()
        for query in (
            "SELECT * FROM orders ORDER BY id DESC",
            "SELECT id, price, word, mixed, blank, picture AS image FROM orders ORDER BY id",
            "SELECT * FROM orders WHERE id < 2 ORDER BY id",
        )
    }
    assert len(other | {first}) == 4
    with closing(sqlite3.connect(shop / "shop.db")) as database:
        database.execute("UPDATE orders SET word = 'c' WHERE id = 2")
        database.commit()
    assert opened(shop, query="orders").fingerprint() != first


def test_many_rows_come_in_batches_with_the_types_of_all(shop, monkeypatch):
    monkeypatch.setattr(sql, "BATCH_ROWS", 100)
    with closing(sqlite3.connect(shop / "shop.db")) as database:
        database.execute("CREATE TABLE late (n, word)")
        database.executemany("INSERT INTO late VALUES (?, ?)", [(k, None) for k in range(250)])
        database.execute("INSERT INTO late VALUES (0.5, 'late')")
        database.commit()
    told = []
    source = opened(shop, query="late")
    batches = list(source.batches(lambda done, total, note: told.append((done, total))))
    assert [batch.num_rows for batch in batches] == [100, 100, 51]
    assert source.schema == pa.schema({"n": pa.float64(), "word": pa.string()})
    assert batches[-1].to_pylist()[-1] == {"n": 0.5, "word": "late"}
    assert told[-1] == (251, 251)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "neither"),
        ("order", "did you mean orders?"),
        ("zzz", "tables there: dear, empty, orders, two words"),
        ("SELEC * FROM orders", "begins with SELECT"),
        ("SELECT nothing_such FROM orders", "no such column: nothing_such"),
        ("SELECT * FROM orders WHERE", "incomplete input"),
        ("empty", "no row"),
        ("SELECT id, id FROM orders", "more than once: id"),
        ("DELETE FROM orders", "no table DELETE FROM orders"),
        ("WITH gone AS (SELECT 1) DELETE FROM orders", "readonly"),
    ],
)
def test_a_wrong_query_is_a_bad_input(shop, query, said):
    found = mistake(shop, query=query)
    assert said in str(found)
    assert found.where in ("data.query", query)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("sqlite:///none.db#t", "no such file"),
        ("sqlite://#t", "names a file"),
        ("postgres://u@h/shop#t", "did you mean postgresql://?"),
        ("nosuch://h/shop#t", "nosuch://"),
        ("sqlite:///broken.db#t", "not a database"),
        ("postgresql+psycopg://u@127.0.0.1:1/shop#t", "postgresql shop at 127.0.0.1"),
        ("postgresql://u:geheim@127.0.0.1:1/shop#t", "no password"),
        ("postgresql://u@127.0.0.1:1/shop?password=geheim#t", "no password"),
        ("${NO_SUCH_URL}#t", "NO_SUCH_URL is not set"),
    ],
)
def test_a_wrong_address_is_a_bad_input_without_its_secret(shop, source, said):
    (shop / "broken.db").write_bytes(b"no database, but long enough to be read as one" * 99)
    found = str(mistake(shop, source))
    assert said in found
    assert "geheim" not in found


def test_a_table_and_a_query_together_or_a_query_of_a_file(shop):
    assert mistake(shop, "sqlite:///shop.db#orders", "SELECT 1").found == "both"
    (shop / "a.csv").write_text("a,price\n1,2\n")
    assert mistake(shop, "a.csv", "orders").where == "data.query"


def test_the_address_may_come_from_the_environment(shop, monkeypatch):
    monkeypatch.setenv("SHOP_DB_URL", f"sqlite:///{shop}/shop.db")
    source = opened(shop, "${SHOP_DB_URL}#dear")
    assert rows(source) == [{"id": 2, "price": 2.0}]
    assert str(shop) not in source.description


@pytest.mark.parametrize(
    "address",
    ["postgresql://ann:geheim@", "postgresql://ann:geheim@127.0.0.1:x/shop", "a://geheim"],
)
def test_no_secret_of_the_environment_is_told(address, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_DB_URL", address)
    with pytest.raises(BadInput) as caught:
        opened(tmp_path, "${SHOP_DB_URL}#orders")
    assert "geheim" not in "".join(traceback.format_exception(caught.value))


def test_a_query_without_an_order_is_told(shop, caplog):
    with caplog.at_level(logging.WARNING, "penstock"):
        opened(shop, query="SELECT * FROM orders ORDER  BY id")
        assert not caplog.messages
        opened(shop, query="SELECT * FROM orders")
    assert "ORDER BY" in caplog.text


# ---------------------------------------------------------------- PostgreSQL


@pytest.fixture
def server(postgres):
    import psycopg

    with psycopg.connect(postgres.replace("+psycopg", "")) as connection:
        connection.execute(
            """
            CREATE SCHEMA sales;
            CREATE TABLE sales.orders (id bigint PRIMARY KEY, price numeric(10, 2), ok boolean,
                at timestamptz, day date, tags text[], about jsonb, word text);
            INSERT INTO sales.orders SELECT k, k / 4.0, k % 2 = 0, '2024-01-01 00:00+01',
                '2024-02-03', ARRAY['a', 'b'], '{"x": 1}', NULL FROM generate_series(3, 1, -1) k;
            CREATE TABLE "Many" AS SELECT k AS n, NULLIF(k, k)::float8 AS late
                FROM generate_series(1, 250) k;
            INSERT INTO "Many" VALUES (251, 0.5);
            """
        )
    return postgres


def test_postgresql_keeps_its_types(server, tmp_path):
    source = opened(tmp_path, f"{server}#sales.orders")
    assert dict(zip(source.schema.names, map(str, source.schema.types), strict=True)) == {
        "id": "int64", "price": "double", "ok": "bool", "at": "timestamp[us, tz=UTC]",
        "day": "date32[day]", "tags": "string", "about": "string", "word": "string",
    }  # fmt: skip
    found = rows(source)
    assert [row["id"] for row in found] == [1, 2, 3]
    assert found[0]["price"] == 0.25
    assert found[0]["at"] == datetime.datetime(2023, 12, 31, 23, tzinfo=datetime.UTC)
    assert (found[0]["tags"], found[0]["about"]) == ("a|b", '{"x": 1}')
    assert "penstock" not in source.description


def test_a_column_that_begins_empty_is_text_and_loses_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr(sql, "BATCH_ROWS", 100)
    source = opened(tmp_path, f"{server}#Many")
    assert rows(source)[-1] == {"n": 251, "late": "0.5"}
    assert source.fingerprint() == opened(tmp_path, f"{server}#Many").fingerprint()


def test_no_query_changes_a_postgresql_database(server, tmp_path):
    query = "WITH gone AS (DELETE FROM sales.orders RETURNING id) SELECT * FROM gone"
    assert "data-modifying" in mistake(tmp_path, server, query).found
    assert len(rows(opened(tmp_path, f"{server}#sales.orders"))) == 3
    assert "did you mean Many?" in mistake(tmp_path, f"{server}#many").remedy
    assert "does not exist" in mistake(tmp_path, server, "SELECT zzz FROM sales.orders").found


def test_a_missing_driver_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    found = mistake(tmp_path, "postgresql+psycopg://u@127.0.0.1/shop#t")
    assert found.remedy == "pip install 'penstock[postgres]'"
