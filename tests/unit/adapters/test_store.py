import hashlib
import shutil

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.adapters import row_groups
from penstock.adapters.row_groups import GROUP_ROWS
from penstock.adapters.store import LocalStore, SharedStore
from penstock.errors import BadInput, StoreError
from penstock.records import Blob

NAMES = {"a b": [1], "a.b": [2], "a": [3], "{x}": [4], "é'\"": [5]}


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


def files(store):
    return sorted(path for path in store.root.rglob("*") if path.is_file())


def test_the_key_is_the_hash_of_the_content_and_equal_files_are_one(store, tmp_path):
    blob = store.keep_bytes(b"water", ".json")
    assert blob.sha256 == hashlib.sha256(b"water").hexdigest()
    assert blob.num_bytes == 5
    (tmp_path / "other.json").write_bytes(b"water")
    assert store.keep_file(tmp_path / "other.json") == blob
    assert not (tmp_path / "other.json").exists()
    assert files(store) == [store.path(blob)]
    assert store.path(blob).read_bytes() == b"water"


def test_nothing_is_made_before_something_is_kept(store):
    assert not store.has(Blob(key="aa/x", sha256="a" * 64, num_bytes=1))
    assert not store.root.exists()


def test_equal_rows_give_equal_files_however_they_come(store):
    table = pa.table({"n": pa.array(range(GROUP_ROWS * 2 + 5)), "s": ["x"] * (GROUP_ROWS * 2 + 5)})
    whole = store.keep_table(table)
    with store.writer(table.schema) as writer:
        for start in range(0, table.num_rows, 40_000):
            writer.write(table.slice(start, 40_000))
    assert writer.rows == whole
    assert whole.num_rows == table.num_rows
    assert store.table(whole).equals(table)


def test_files_are_written_before_many_wait_and_equal_rows_still_give_equal_bytes(
    store, monkeypatch
):
    monkeypatch.setattr(row_groups, "GROUP_BYTES", 1_000)
    photos = [None if n % 7 == 0 else bytes([n]) * (n * 5) for n in range(60)]
    table = pa.table({"photo": pa.array(photos, pa.binary()), "n": range(60)})
    whole = store.keep_table(table)
    waiting = []
    with store.writer(table.schema) as writer:
        for start in range(0, 60, 7):
            writer.write(table.slice(start, 7))
            waiting.append(writer._num_bytes)
    assert writer.rows == whole
    assert max(waiting) < 1_000
    assert store.table(whole).equals(table)
    assert pq.ParquetFile(store.path(whole.blob)).num_row_groups > 5


def test_many_files_stay_on_disk_until_they_are_used(store, monkeypatch):
    monkeypatch.setattr(row_groups, "GROUP_BYTES", 1_000_000)
    files = [bytes([number]) * 400_000 for number in range(20)]
    rows = store.keep_table(pa.table({"row": range(20), "file": pa.array(files, pa.binary())}))
    before = pa.total_allocated_bytes()
    for columns in (None, ["file"], ["file", "row"]):
        table = store.table(rows, columns)
        assert table.schema.names == (columns or ["row", "file"])
        assert table["file"].num_chunks > 1
        assert table["file"].to_pylist() == files
    assert pa.total_allocated_bytes() - before < 1_000_000
    assert store.table(rows, ["row"])["row"].to_pylist() == list(range(20))


def test_batches_hold_few_files(store, monkeypatch):
    monkeypatch.setattr(row_groups, "GROUP_BYTES", 1_000)
    rows = store.keep_table(pa.table({"file": pa.array([b"x" * 400] * 8, pa.binary())}))
    assert [batch.num_rows for batch in store.batches(rows)] == [3, 3, 2]


def test_a_copy_that_was_not_finished_is_made_again(store, monkeypatch):
    monkeypatch.setattr(row_groups, "GROUP_BYTES", 1_000)
    rows = store.keep_table(pa.table({"file": pa.array([b"x" * 400] * 8, pa.binary())}))

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pa.ipc, "new_file", full)
        with pytest.raises(OSError, match="No space"):
            store.table(rows)
    assert not any(path.is_file() for path in (store.root / "cache").rglob("*"))
    assert store.table(rows)["file"].to_pylist() == [b"x" * 400] * 8


def test_an_exception_while_writing_leaves_nothing_behind(store):
    schema = pa.schema({"n": pa.int64()})

    def rows():
        yield pa.table({"n": [1]})
        raise RuntimeError

    def write():
        with store.writer(schema) as writer:
            for table in rows():
                writer.write(table)

    with pytest.raises(RuntimeError):
        write()
    with pytest.raises(pa.ArrowInvalid), store.writer(schema) as writer:
        writer.write(pa.table({"n": ["no number"]}))
    assert files(store) == []


def test_columns_of_any_name_are_read_in_the_order_asked(store):
    rows = store.keep_table(pa.table(NAMES))
    for names in (["a"], ["a.b"], ["a.b", "a"], list(NAMES)[::-1]):
        found = store.table(rows, names)
        assert found.to_pydict() == {name: NAMES[name] for name in names}
        (batch,) = store.batches(rows, names)
        assert set(batch.schema.names) == set(names)


def test_batches_are_the_table(store):
    table = pa.table({"n": range(1000)})
    batches = list(store.batches(store.keep_table(table), batch_size=300))
    assert max(batch.num_rows for batch in batches) <= 300
    assert pa.Table.from_batches(batches).equals(table)


def test_no_rows_keep_their_columns(store):
    rows = store.keep_table(pa.table({"n": pa.array([], pa.int64())}))
    assert rows.num_rows == 0
    assert store.table(rows).schema.names == ["n"]


def test_a_file_that_is_gone_or_cut_short_is_missing(store):
    blob = store.keep_bytes(b"0123456789", ".bin")
    store.path(blob).write_bytes(b"01234")
    assert not store.has(blob)
    with pytest.raises(StoreError, match="--refresh"):
        store.path(blob)
    store._locate(blob).unlink()
    with pytest.raises(StoreError, match="--refresh"):
        store.path(blob)


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "../../../x"])
def test_no_key_leaves_the_store(store, key):
    with pytest.raises(StoreError, match="inside"):
        store.path(Blob(key=key, sha256="a" * 64, num_bytes=1))
    with pytest.raises(StoreError, match="inside"):
        store.scratch(key)


def test_parquet_is_readable_by_others(store):
    rows = store.keep_table(pa.table({"n": [1, None]}))
    assert pq.read_table(store.path(rows.blob)).to_pydict() == {"n": [1, None]}


# ---------------------------------------------------------------- shared between machines


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")  # one for the whole process: others have written there
    files.rm("/", recursive=True)
    yield files
    files.rm("/", recursive=True)


def machines(folder, url, number=2):
    """Stores with a cache each, as on different machines."""
    return [SharedStore(folder / f"machine-{n}", url) for n in range(number)]


def look(one, two):
    """What the first machine keeps, the second one reads."""
    blob = one.keep_bytes(b"water", ".json")
    assert blob == LocalStore(one.root / "alone").keep_bytes(b"water", ".json")
    assert two.has(blob)
    assert two.path(blob).read_bytes() == b"water"
    assert two.root in two.path(blob).parents
    rows = one.keep_table(pa.table({"n": [1, 2]}))
    assert two.table(rows).to_pydict() == {"n": [1, 2]}
    assert two.keep_table(pa.table({"n": [1, 2]})) == rows
    assert sum(batch.num_rows for batch in two.batches(rows)) == 2
    shutil.rmtree(one.root)
    assert one.path(blob).read_bytes() == b"water"
    absent = Blob(key="aa/x.json", sha256="a" * 64, num_bytes=1)
    assert not one.has(absent)
    with pytest.raises(StoreError, match="missing"):
        one.path(absent)


def test_machines_share_a_store_in_memory(memory, tmp_path):
    look(*machines(tmp_path, "memory://penstock"))
    assert not [path for path in memory.find("/") if "unfinished" in path]


def test_machines_share_a_store_on_s3(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("BUCKET", bucket)
    look(*machines(tmp_path, "${BUCKET}/some/where"))


def test_machines_share_a_store_in_a_mounted_folder(tmp_path):
    look(*machines(tmp_path, f"file://{tmp_path}/mount"))
    assert not list((tmp_path / "mount").rglob("*unfinished*"))


def test_what_was_changed_on_the_way_is_refused_and_not_kept(memory, tmp_path):
    one, two = machines(tmp_path, "memory://penstock")
    blob = one.keep_bytes(b"water", ".json")
    memory.pipe(f"/penstock/{blob.key}", b"waxer")
    with pytest.raises(StoreError, match="not what its name says"):
        two.path(blob)
    assert files(two) == []
    memory.pipe(f"/penstock/{blob.key}", b"wat")
    assert not one.has(blob)
    assert one.keep_bytes(b"water", ".json") == blob
    assert two.path(blob).read_bytes() == b"water"


def test_scratch_stays_here_and_no_key_leaves_the_shared_store(memory, tmp_path):
    (one,) = machines(tmp_path, "memory://penstock", 1)
    (one.scratch("work") / "a").write_text("unfinished")
    assert memory.find("/") == []
    with pytest.raises(StoreError, match="inside"):
        one.path(Blob(key="../../x", sha256="a" * 64, num_bytes=1))


def test_a_store_without_an_answer_says_so(s3_server, bucket, tmp_path):
    (store,) = machines(tmp_path, "s3://no-such-bucket-anywhere", 1)
    with pytest.raises(StoreError, match="s3://no-such-bucket-anywhere"):
        store.keep_bytes(b"water", ".json")
    with pytest.raises(StoreError, match="s3://no-such-bucket-anywhere"):
        store.probe()
    machines(tmp_path, f"{bucket}/nothing/yet", 1)[0].probe()
    with pytest.raises(BadInput, match="no password"):
        SharedStore(tmp_path, "ftp://u:geheim@host/store")
