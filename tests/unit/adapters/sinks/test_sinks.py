"""Where scores go: files of every format, folders of windows, tables; here and on servers."""

import bz2
import datetime
import gzip
import json
import lzma
import math
import sqlite3
import threading
import time
from contextlib import closing

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.adapters.sinks import open_sink
from penstock.adapters.sources import open_source
from penstock.errors import BadInput
from penstock.spec import Data

SCORES = pa.table(
    {
        "id": [1, 2],
        "score": [0.1, None],
        "label": pa.array(['say "hi",\n\\ \x01', None]).dictionary_encode(),
        "set": [["a", "b"], []],
        "abstain": [True, False],
        "at": pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5)] * 2, pa.timestamp("us")),
    }
)
READ = {
    "": lambda raw: raw,
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": lambda raw: pa.input_stream(pa.BufferReader(raw), compression="zstd").read(),
}


class Stop(Exception):
    pass


def write(sink, *tables, window=""):
    with sink.window(window) as out:
        for table in tables:
            out.write(table)


def stop(sink):
    with sink.window("1") as out:
        out.write(SCORES)
        raise Stop


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("packed", READ)
def test_json_lines_are_what_the_standard_library_reads(tmp_path, packed):
    name = f"scores.jsonl{packed}"
    write(open_sink(name, tmp_path), SCORES.to_batches()[0], SCORES.slice(1))
    text = READ[packed]((tmp_path / name).read_bytes()).decode()
    first, second, third = map(json.loads, text.splitlines())
    assert first == {
        "id": 1,
        "score": 0.1,
        "label": 'say "hi",\n\\ \x01',
        "set": ["a", "b"],
        "abstain": True,
        "at": "2024-01-02 03:04:05.000000",
    }
    assert second == third == first | {
        "id": 2, "score": None, "label": None, "set": [], "abstain": False,
    }  # fmt: skip


def test_json_knows_no_nan_and_keeps_every_digit(tmp_path):
    numbers = [1 / 3, 1e300, -5e-324, math.nan, math.inf, None, 2.0]
    nested = [{"a": [1, None], "b": None}, None, *[{"a": None, "b": "é\u2028"}] * 5]
    write(open_sink("a.jsonl", tmp_path), pa.table({"n": numbers, "é": nested}))
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert [row["n"] for row in rows] == [1 / 3, 1e300, -5e-324, None, None, None, 2.0]
    assert [row["é"] for row in rows] == nested


@pytest.mark.parametrize("packed", READ)
def test_csv_is_what_pandas_and_sources_read(tmp_path, packed):
    name = f"scores.csv{packed}"
    write(open_sink(name, tmp_path), SCORES, SCORES.slice(0, 1))
    (tmp_path / "plain.csv").write_bytes(READ[packed]((tmp_path / name).read_bytes()))
    found = pd.read_csv(tmp_path / "plain.csv")
    assert list(found["label"].astype(object)[[0, 2]]) == ['say "hi",\n\\ \x01'] * 2
    assert found["score"].tolist()[0] == 0.1
    assert found["set"].tolist()[::2] == ["a|b", "a|b"]
    assert found["abstain"].tolist() == [True, False, True]
    opened = open_source(Data(source=name, target="id"), tmp_path)
    assert sum(batch.num_rows for batch in opened.batches()) == 3


def test_tabs_and_nested_cells(tmp_path):
    write(open_sink("a.tsv", tmp_path), pa.table({"n": [1], "o": [{"k": [1]}]}))
    assert pd.read_csv(tmp_path / "a.tsv", sep="\t")["o"].tolist() == ['{"k":[1]}']


def test_parquet_keeps_types(tmp_path):
    write(open_sink("deep/er/a.parquet", tmp_path), SCORES, SCORES)
    assert pq.read_table(tmp_path / "deep/er/a.parquet").equals(pa.concat_tables([SCORES] * 2))
    assert files(tmp_path) == ["deep/er/a.parquet"]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl.gz", "new/a.csv", "w/"])
def test_an_error_leaves_everything_as_it_was(tmp_path, name):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(Stop):
        stop(open_sink(name, tmp_path))
    assert files(tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"
    assert not (tmp_path / "new").exists() and not (tmp_path / "w").exists()


def test_a_file_holds_the_last_window_and_says_which(tmp_path):
    sink = open_sink("a.parquet", tmp_path)
    write(sink, SCORES, window="2024-01")
    write(sink, SCORES.slice(1), window="2024-02")
    assert pq.read_table(tmp_path / "a.parquet")["window"].to_pylist() == ["2024-02"]


def test_a_folder_holds_a_file_a_window_and_a_second_run_replaces(tmp_path):
    sink = open_sink("scores/", tmp_path)
    for window in ("2024-01", "2024-02", "2024-01", "a/b c"):
        write(sink, SCORES.select(["id"]), window=window)
    assert files(tmp_path / "scores") == [
        f"window={name}/part.parquet" for name in ("2024-01", "2024-02", "a%2Fb c")
    ]
    expected = {"id": [1, 2] * 3, "window": ["2024-01"] * 2 + ["2024-02"] * 2 + ["a/b c"] * 2}
    source = open_source(Data(source="scores", target="id"), tmp_path)
    assert pa.Table.from_batches(source.batches()).to_pydict() == expected
    other = pq.read_table(tmp_path / "scores").to_pydict()
    assert {k: list(map(str, v)) for k, v in other.items()}.keys() == expected.keys()


def test_a_window_is_said_by_at_least_one_batch(tmp_path):
    with pytest.raises(ValueError, match="at least one batch"):
        write(open_sink("a.csv", tmp_path))
    write(open_sink("a.csv", tmp_path), SCORES.slice(0, 0))
    assert (tmp_path / "a.csv").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("a.xlsx", "known endings"),
        ("a.parquet.gz", "compressed inside"),
        ("sqlite:///a.db", "say sqlite:///a.db#scores"),
        ("nosuch://h/a#t", "nosuch://"),
        ("ftp://u:geheim@h/a.csv", "no password"),
        ("${NO_SUCH_PLACE}/a.csv", "not set"),
        ("sqlite:///no/folder/a.db#t", "unable to open"),
    ],
)
def test_a_wrong_output_is_a_bad_input(tmp_path, said, found):
    with pytest.raises(BadInput) as caught:
        write(open_sink(said, tmp_path), SCORES)
    assert found in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_files_behind_a_url(tmp_path):
    for name in ("a.csv.gz", "w/"):
        write(open_sink(f"memory://out/{name}", tmp_path), SCORES.select(["id"]), window="1")
    there = fsspec.filesystem("memory")
    assert sorted(there.find("/out")) == ["/out/a.csv.gz", "/out/w/window=1/part.parquet"]
    with pytest.raises(Stop):
        stop(open_sink("memory://out/w/", tmp_path))
    source = open_source(Data(source="memory://out/w", target="id"), tmp_path)
    assert pa.Table.from_batches(source.batches()).to_pydict() == {
        "id": [1, 2],
        "window": ["1"] * 2,
    }


def test_files_on_s3(bucket, tmp_path):
    for table in (SCORES, SCORES.slice(1)):
        write(open_sink(f"{bucket}/scores/", tmp_path), table, window="1")
        write(open_sink(f"{bucket}/a.jsonl", tmp_path), table)
    for name in ("scores/", "a.jsonl"):
        source = open_source(Data(source=f"{bucket}/{name}", target="id"), tmp_path)
        assert sum(batch.num_rows for batch in source.batches()) == 1


# ---------------------------------------------------------------- tables


def rows_of(folder, query="SELECT * FROM scores ORDER BY window, id"):
    with closing(sqlite3.connect(folder / "a.db")) as database:
        return database.execute(query).fetchall()


def test_a_table_is_made_and_a_window_replaced(tmp_path):
    sink = open_sink("sqlite:///a.db#scores", tmp_path)
    assert sink.description == "sqlite a.db: scores"
    write(sink, SCORES, window="1")
    write(sink, SCORES.slice(0, 1), SCORES.slice(1), window="2")
    write(sink, SCORES.slice(1), window="1")
    at = "2024-01-02 03:04:05.000000"
    assert rows_of(tmp_path) == [
        (2, None, None, "", 0, at, "1"),
        (1, 0.1, 'say "hi",\n\\ \x01', "a|b", 1, at, "2"),
        (2, None, None, "", 0, at, "2"),
    ]
    write(sink, SCORES.slice(0, 0), window="2")
    assert [row[-1] for row in rows_of(tmp_path)] == ["1"]


def test_an_error_takes_the_whole_window_back(tmp_path):
    sink = open_sink("sqlite:///a.db#scores", tmp_path)

    with pytest.raises(Stop):
        stop(sink)
    assert rows_of(tmp_path, "SELECT name FROM sqlite_master") == []
    write(sink, SCORES, window="1")
    with pytest.raises(Stop):
        stop(sink)
    assert len(rows_of(tmp_path)) == 2


def test_a_table_without_the_columns_is_a_bad_input(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("CREATE TABLE scores (id INTEGER)")
    with pytest.raises(BadInput, match="no column score, label, set, abstain, at, window"):
        write(open_sink("sqlite:///a.db#scores", tmp_path), SCORES)


def test_a_postgresql_table(postgres, tmp_path):
    import psycopg

    sink = open_sink(f"{postgres}#public.scores", tmp_path)
    odd = pa.table({"id": [3], "score": [math.inf], "label": [""], "set": [["NULL"]]})
    write(sink, SCORES, window="1")
    write(sink, odd, window="2")
    write(sink, SCORES, window="1")
    with pytest.raises(Stop):
        stop(sink)
    with psycopg.connect(postgres.replace("+psycopg", "")) as connection:
        found = connection.execute('SELECT * FROM scores ORDER BY "window", id').fetchall()
    at = datetime.datetime(2024, 1, 2, 3, 4, 5)
    assert found == [
        (1, 0.1, 'say "hi",\n\\ \x01', "a|b", True, at, "1"),
        (2, None, None, "", False, at, "1"),
        (3, math.inf, "", "NULL", None, None, "2"),
    ]
    with pytest.raises(BadInput, match="the table takes the rows"):
        write(sink, pa.table({"id": ["no number"]}), window="1")


def test_two_that_write_at_once_do_not_double_a_window(postgres, tmp_path):
    import psycopg

    def late(window):
        write(open_sink(f"{postgres}#scores", tmp_path), SCORES.slice(0, 1), window=window)

    others = [threading.Thread(target=late, args=[window]) for window in "12"]
    with open_sink(f"{postgres}#scores", tmp_path).window("1") as out:
        out.write(SCORES)  # makes the table, which the others wait for
        for other in others:
            other.start()
        time.sleep(0.3)
        out.write(SCORES)
    for other in others:
        other.join(timeout=20)
    with psycopg.connect(postgres.replace("+psycopg", "")) as connection:
        found = connection.execute('SELECT "window", count(*) FROM scores GROUP BY 1 ORDER BY 1')
        assert found.fetchall() == [("1", 1), ("2", 1)]
