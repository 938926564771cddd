"""Files that a column names: below a known root, and nowhere else."""

import base64
import os

import pandas as pd
import pyarrow as pa
import pytest

from penstock.adapters.tracking.connection import quietly
from penstock.errors import BadInput
from penstock.records import Column
from penstock.tables import file_columns, named_files
from penstock.tables.named_files import ROOT, contents
from penstock.tables.rereading import Rereader
from penstock.tables.typed import typed_as

PHOTO = Column(name="photo", modality="image", arrow_type="binary")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A stated root, with a secret beside it."""
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(b"A")
    (folder / "deep" / "b c.png").write_bytes(b"B")
    (tmp_path / "secret.png").write_bytes(b"SECRET")
    monkeypatch.setenv(ROOT, str(folder))
    return folder


def of(*texts):
    return contents(pa.array(texts, pa.string()), "photo").to_pylist()


def why(*texts, roots=()):
    return [one.why for one in named_files.each(list(texts), roots)]


def test_paths_base64_and_nothing(root):
    carried = base64.b64encode(b"C" * 100).decode()
    lines = f"{carried[:60]}\n{carried[60:]}"
    assert of("a.png", "./deep/b c.png", " a.png ", None, "", carried, lines) == [
        b"A", b"B", b"A", None, None, b"C" * 100, b"C" * 100,
    ]  # fmt: skip


OUTSIDE = [
    "../secret.png", "deep/../../secret.png", "deep/../a.png", "..\\secret.png", "/etc/hosts.txt",
    "~/../secret.png", "C:\\x.png", "//host/share.png", "a.png\0.txt",
    "a/../../files/../secret.png", ".", "deep/..", "file://secret.png/../../secret.png",
]  # fmt: skip


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_leaves_the_root_is_refused(text, root):
    with pytest.raises(BadInput, match=r"folder of the files|plain file|address|base64") as caught:
        of("a.png", text)
    assert "SECRET" not in caught.value.message
    (outside,) = named_files.each([text], [root / "deep"])  # nor out of a table's folder
    assert outside.why
    assert outside.content is None


def test_a_path_that_is_absolute_has_to_lead_inside(root):
    assert of(str(root / "a.png")) == [b"A"]
    assert why(str(root.parent / "secret.png")) == ["it leads out of the folder of the files"]


def test_the_tables_folder_comes_before_the_stated_root(root, tmp_path):
    beside = tmp_path / "table"
    (beside / "deep").mkdir(parents=True)
    (beside / "a.png").write_bytes(b"mine")
    found = named_files.each(["a.png", r"deep\b c.png", "secret.png"], [beside])
    assert [one.content for one in found] == [b"mine", b"B", None]


def test_a_name_is_found_however_its_accents_are_written(root):
    (root / "caf\u0065\u0301.png").write_bytes(b"C")  # as macOS writes it
    assert of("caf\u00e9.png", "cafe\u0301.png") == [b"C", b"C"]


def test_a_link_to_itself_and_a_name_too_long_are_no_file(root):
    (root / "loop.png").symlink_to(root / "loop.png")
    first, second = why("loop.png", "x" * 5000 + ".png")
    assert first
    assert "too long" in second


def test_links_are_followed_to_where_they_lead(root):
    (root / "out.png").symlink_to(root.parent / "secret.png")
    (root / "up").symlink_to(root.parent)
    (root / "in.png").symlink_to(root / "a.png")
    assert of("in.png") == [b"A"]
    for text in ("out.png", "up/secret.png"):
        with pytest.raises(BadInput, match="leads out"):
            of(text)


def test_folders_pipes_and_huge_files_are_refused(root, monkeypatch):
    os.mkfifo(root / "pipe.png")
    (root / "folder.png").mkdir()
    monkeypatch.setattr(named_files, "MOST_BYTES", 3)
    (root / "huge.png").write_bytes(b"1234")
    for text, why in (("pipe.png", "plain"), ("folder.png", "plain"), ("huge.png", "MiB")):
        with pytest.raises(BadInput, match=why):
            of(text)


def test_without_a_stated_root_no_path_is_read(tmp_path, monkeypatch):
    monkeypatch.delenv(ROOT, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"A")
    with pytest.raises(BadInput, match=f"{ROOT} is not set"):
        of("a.png")
    assert of("QQ==") == [b"A"]


def test_what_is_not_there_is_a_mistake_or_missing(root):
    with pytest.raises(BadInput, match="2 that are not") as caught:
        of("a.png", "none.png", "no*base64")
    assert "no such file" in caught.value.message
    assert "neither a path with an ending nor base64" in caught.value.message
    said = named_files.texts(pa.array(["a.png", "NA", "", None, "https://x.org/a.png"]))
    assert why(*said) == ["", "", "", "", "an address, and only files of this machine are read"]


def test_many_files_stay_on_disk_until_they_are_used(root, monkeypatch):
    monkeypatch.setattr(file_columns, "BATCH_BYTES", 100_000)
    for number in range(6):
        (root / f"{number}.png").write_bytes(bytes([number]) * 60_000)
    names = pa.chunked_array([["0.png", "1.png", "gone.png"], [None, "3.png", "4.png", "5.png"]])
    before = pa.total_allocated_bytes()
    content, why = file_columns.read(names, [root])
    assert pa.total_allocated_bytes() - before < 100_000
    first = [value.as_py()[0] if value.is_valid else None for value in content]
    assert first == [0, 1, None, None, 3, 4, 5]
    assert [bool(one) for one in why] == [False, False, True, False, False, False, False]
    assert content.num_chunks > 2


def test_a_model_reads_paths_as_it_reads_bytes(root):
    for values in (["a.png", None], ["QQ==", None]):
        table = pa.table({"photo": pa.array(values, pa.string())})
        assert typed_as(table, [PHOTO])["photo"].to_pylist() == [b"A", None]
    with pytest.raises(BadInput, match="folder of the files"):
        typed_as(pa.table({"photo": ["../secret.png"]}), [PHOTO])


def test_a_server_takes_bytes_base64_and_paths_in_one_column(root):
    with quietly():
        from penstock.adapters.serving import as_kind, as_table

    frame = pd.DataFrame({"photo": ["a.png", b"B", bytearray(b"C"), "RA==", None]})
    read = as_table(frame, [("photo", "binary", True)])["photo"].to_pylist()
    assert read == [b"A", b"B", b"C", b"D", None]
    with pytest.raises(ValueError, match=r"(?s)photo.*folder of the files"):
        as_table(pd.DataFrame({"photo": ["../secret.png"]}), [("photo", "binary", True)])
    with pytest.raises(ValueError, match="list; send bytes"):
        as_kind(pd.Series([[1, 2], "QQ=="]), "binary")


def test_scoring_a_table_of_paths_counts_what_is_not_there(root):
    reader = Rereader(PHOTO)
    assert reader.read(pa.chunked_array([["a.png", "none.png", None]])).to_pylist() == [
        b"A", None, None,
    ]  # fmt: skip
    assert (reader.num_unread, reader.lost) == (1, ["", "no such file", ""])
    with pytest.raises(BadInput, match=r"11 that are not.*'n.png': no such file"):
        reader.read(pa.chunked_array([["a.png"] * 10 + [f"{n}.png" for n in "nopqrstuvwx"]]))
