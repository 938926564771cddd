"""Files behind URLs: in memory, on S3 and on a web server, with and without ranges."""

import functools
import gzip
import http.server
import sys
import threading
import traceback

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.adapters.sources import open_source
from penstock.errors import BadInput
from penstock.spec import Data

TABLE = pa.table({"n": [1, 2, 3], "word": ["a", "b", "c"]})
CSV = "n,word\n1,a\n2,b\n"


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/", recursive=True)


def opened(source, folder, **said):
    return open_source(Data(source=source, target="n", **said), folder)


def rows(source):
    return [row for batch in source.batches() for row in batch.to_pylist()]


def put(files, root):
    files.pipe(f"{root}/a.csv.gz", gzip.compress(CSV.encode(), mtime=0))
    files.pipe(f"{root}/rows/1.jsonl", b'{"n": 1}\n')
    files.pipe(f"{root}/rows/2.jsonl", b'{"n": 2}\n')
    files.pipe(f"{root}/rows/.hidden.jsonl", b"broken")
    files.pipe(f"{root}/rows/_SUCCESS", b"")
    for label in ("cat", "dog"):
        files.pipe(f"{root}/pets/{label}/1.png", label.encode())
    for day in (1, 2):
        with files.open(f"{root}/lake/day={day}/part.parquet", "wb") as file:
            pq.write_table(TABLE, file)


def look(address, folder):
    """Everything that a source can be, behind an address."""
    assert rows(opened(f"{address}/a.csv.gz", folder))[1] == {"n": "2", "word": "b"}
    numbers = [{"n": "1"}, {"n": "2"}]
    assert rows(opened(f"{address}/rows", folder)) == numbers
    assert rows(opened(f"{address}/rows/*.jsonl", folder)) == numbers
    lake = opened(f"{address}/lake/", folder)
    assert lake.schema == TABLE.schema.append(pa.field("day", pa.string()))
    assert [row["day"] for row in rows(lake)] == ["1"] * 3 + ["2"] * 3
    pets = opened(f"{address}/pets", folder)
    assert rows(pets)[1] == {"label": "dog", "path": "dog/1.png", "image": b"dog"}
    assert rows(opened(f"{address}/pets/{{label}}/{{n}}.png", folder))[0]["n"] == "1"
    for source, said in (
        ("none.csv", "no such file"),
        ("rows/*.csv", "no file of that name pattern"),
        ("{label}.gif", "matches"),
    ):
        with pytest.raises(BadInput, match=said):
            opened(f"{address}/{source}", folder)


def test_files_in_memory(memory, tmp_path):
    put(memory, "/shop")
    look("memory://shop", tmp_path)
    source = opened("memory://shop/a.csv.gz", tmp_path)
    assert source.description == "CSV memory://shop/a.csv.gz"
    (tmp_path / "a.csv.gz").write_bytes(memory.cat("/shop/a.csv.gz"))
    assert source.fingerprint() == opened("a.csv.gz", tmp_path).fingerprint()
    memory.pipe("/shop/pets/dog/1.png", b"other")
    assert opened("memory://shop/pets", tmp_path).fingerprint() != source.fingerprint()


def test_files_on_s3(bucket, tmp_path):
    import s3fs

    put(s3fs.S3FileSystem(), bucket.removeprefix("s3://"))
    look(bucket, tmp_path)


def test_s3_without_an_answer_or_without_credentials(bucket, monkeypatch, tmp_path):
    import s3fs

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(BadInput, match="credentials in the environment"):
        opened(f"{bucket}/a.csv", tmp_path)


def test_a_damaged_file_is_named(memory, tmp_path):
    memory.pipe("/shop/a.parquet", b"PAR1 but then nothing")
    memory.pipe("/shop/a.csv.gz", b"plain text")
    for name, said in (("a.parquet", "whole Parquet"), ("a.csv.gz", "read to its end")):
        with pytest.raises(BadInput, match=said):
            rows(opened(f"memory://shop/{name}", tmp_path))


@pytest.mark.parametrize("protocol", ["gs", "nosuch"])
def test_a_missing_package_is_named(protocol, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(BadInput, match=r"gcsfs|known"):
        opened(f"{protocol}://bucket/a.csv", tmp_path)


class Plain(http.server.SimpleHTTPRequestHandler):
    """A server as simple as they come: it knows no ranges."""

    def log_message(self, *said):
        pass

    def end_headers(self):
        if "unsized" in self.path:
            self._headers_buffer = [
                line for line in self._headers_buffer if not line.startswith(b"Content-Length")
            ]
        super().end_headers()


@pytest.fixture
def web(tmp_path):
    pytest.importorskip("aiohttp")
    handler = functools.partial(Plain, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_files_of_a_web_server(web, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text(CSV)
    pq.write_table(TABLE, tmp_path / "a.parquet")
    (tmp_path / "unsized.parquet").write_bytes((tmp_path / "a.parquet").read_bytes())
    assert rows(opened(f"{web}/a.csv", tmp_path)) == rows(opened("a.csv", tmp_path))
    for name in ("a.parquet", "unsized.parquet"):
        assert rows(opened(f"{web}/{name}", tmp_path)) == TABLE.to_pylist()
    monkeypatch.setenv("SIG", "geheim")
    signed = opened(f"{web}/a.csv?sig=${{SIG}}&a=b/c", tmp_path)
    assert len(rows(signed)) == 2
    assert "geheim" not in signed.description
    (tmp_path / "a.csv").unlink()
    for source in ("http://127.0.0.1:1/a.csv?sig=${SIG}", f"{web}/a.csv?sig=${{SIG}}"):
        with pytest.raises(BadInput) as caught:
            opened(source, tmp_path)
        assert "geheim" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(BadInput, match="no such file"):
        opened(f"{web}/none.csv", tmp_path)
    with pytest.raises(BadInput, match="can be reached"):
        opened("http://127.0.0.1:1/a.csv", tmp_path)
