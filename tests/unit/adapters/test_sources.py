"""Every way to name rows, and every way in which a file can be broken."""

import bz2
import gzip
import lzma

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.adapters.sources import open_source
from penstock.errors import BadInput
from penstock.spec import Data

JSON_LINES = b'{"name":"Ann","note":"x"}\n{"name":"Bob","note":"y"}'
PLAIN = "name,note\nAnn, x \nBob,y\n"


def opened(folder, source, **said):
    return open_source(Data(source=source, target="note", **said), folder)


def rows(source):
    return [row for batch in source.batches() for row in batch.to_pylist()]


def mistakes(folder, source, **said):
    with pytest.raises(BadInput) as caught:
        rows(opened(folder, source, **said))
    return caught.value


ROWS = [{"name": "Ann", "note": "x"}, {"name": "Bob", "note": "y"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", PLAIN.encode()),
        ("a.CSV", PLAIN.encode()),
        ("a.tsv", PLAIN.replace(",", "\t").encode()),
        ("a.csv", PLAIN.replace(",", ";").encode()),
        ("a.csv", PLAIN.replace("\n", "\r\n").encode()),
        ("a.csv", b"\xef\xbb\xbf" + PLAIN.encode()),
        ("a.csv", b"\n\n" + PLAIN.encode() + b"\n\n"),
        ("a.csv.gz", gzip.compress(PLAIN.encode(), mtime=0)),
        ("a.csv.bz2", bz2.compress(PLAIN.encode())),
        ("a.csv.xz", lzma.compress(PLAIN.encode())),
        ("a.csv.zst", pa.compress(PLAIN.encode(), codec="zstd", asbytes=True)),
        ("a.jsonl", b'{"name": "Ann", "note": " x "}\n\n{"note": "y", "name": "Bob"}\n'),
        ("a.jsonl.gz", gzip.compress(JSON_LINES, mtime=0)),
    ],
)
def test_the_same_rows_from_every_text_format(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    source = opened(tmp_path, name)
    assert source.schema == pa.schema([("name", pa.string()), ("note", pa.string())])
    assert rows(source) == ROWS


def test_quoted_cells_hold_delimiters_newlines_and_quotes(tmp_path):
    (tmp_path / "a.csv").write_text('"first, name",note\n"a\nb","say ""hi"""\n1,2\n')
    found = rows(opened(tmp_path, "a.csv"))
    assert found[0] == {"first, name": "a\nb", "note": 'say "hi"'}


def test_an_encoding_that_is_told(tmp_path):
    (tmp_path / "a.csv").write_bytes("name,note\nZoë,é\n".encode("latin-1"))
    assert rows(opened(tmp_path, "a.csv", encoding="latin-1"))[0]["name"] == "Zoë"
    (tmp_path / "b.csv").write_bytes("name,note\nZoë,é\n".encode("utf-16"))
    assert rows(opened(tmp_path, "b.csv", encoding="utf-16"))[0]["note"] == "é"


def test_an_empty_header_cell_is_named_by_its_place(tmp_path):
    (tmp_path / "a.csv").write_text(",note\n0,x\n")
    assert opened(tmp_path, "a.csv").schema.names == ["unnamed_1", "note"]


def test_nested_json_is_text_and_a_list_of_strings_a_set(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": {"b": [1]}, "s": ["x", "y"], "t": true, "n": 1.50}\n')
    assert rows(opened(tmp_path, "a.jsonl")) == [
        {"a": '{"b": [1]}', "s": "x|y", "t": "true", "n": "1.5"}
    ]


def test_a_key_of_the_last_line_is_a_column(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": "1"}\n' * 20_000 + '{"a": "2", "late": "z"}\n')
    found = rows(opened(tmp_path, "a.jsonl"))
    assert len(found) == 20_001
    assert found[0] == {"a": "1", "late": None}
    assert found[-1]["late"] == "z"


def test_parquet_keeps_types_and_a_glob_joins_files(tmp_path):
    pq.write_table(pa.table({"n": pa.array([1], pa.int32()), "t": ["a"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"n": pa.array([2], pa.int64()), "t": ["b"]}), tmp_path / "2.parquet")
    source = opened(tmp_path, "*.parquet")
    assert source.schema.field("n").type == pa.int64()
    assert rows(source) == [{"n": 1, "t": "a"}, {"n": 2, "t": "b"}]
    assert rows(opened(tmp_path.parent, tmp_path.name)) == rows(source)


def test_files_of_a_glob_may_order_their_columns_differently(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("b,a\n4,3\n")
    assert rows(opened(tmp_path, "*.csv")) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_files_with_other_columns_are_all_reported(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("a\n1\n")
    (tmp_path / "3.csv").write_text("a,b,c\n1,2,3\n")
    error = mistakes(tmp_path, "*.csv")
    assert [(m.where, m.found) for m in error.mistakes] == [
        ("2.csv", "lacks b"),
        ("3.csv", "has also c"),
    ]


def test_the_fingerprint_follows_the_content(tmp_path):
    (tmp_path / "a.csv").write_text(PLAIN)
    before = opened(tmp_path, "a.csv").fingerprint()
    assert opened(tmp_path, "a.csv").fingerprint() == before
    (tmp_path / "a.csv").write_text(PLAIN.replace("y", "z"))
    assert opened(tmp_path, "a.csv").fingerprint() != before


def test_a_description_holds_no_absolute_path(tmp_path):
    (tmp_path / "a.csv").write_text(PLAIN)
    assert opened(tmp_path, str(tmp_path / "a.csv")).description == "CSV a.csv"


# ---------------------------------------------------------------- broken files


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "empty file"),
        ("a.csv", b"  \n\n", "empty file"),
        ("a.csv", b"name,note\n", "header and no row"),
        ("a.csv", b"name,note", "header and no row"),
        ("a.csv", b"name,note,name\n1,2,3\n", "more than once: name"),
        ("a.csv", b"name,note\n1,\xff\xfe\xfa\n", "encoding utf-8"),
        ("a.csv", b"name,note\n1,2\n" * 30_000 + b"1,\xff\n", "encoding utf-8"),
        ("a.csv", b"n\0ame,note\n1,2\n", "NUL"),
        ("a.csv", b'name,note\n1,"2\n3,4\n5,6\n', "a.csv:2"),
        ("a.csv.gz", gzip.compress(PLAIN.encode() * 999, mtime=0)[:-20], "read to its end"),
        ("a.csv.gz", b"plain text", "read to its end"),
        ("a.parquet", b"PAR1 but then nothing", "whole Parquet"),
        ("a.parquet", b"", "empty file"),
        ("a.jsonl", b"", "empty file"),
        ("a.jsonl", b"\n{}\n", "empty file"),
        ("a.jsonl", b'{"a": "\xff"}\n', "encoding"),
        ("a.xlsx", b"PK", "unknown ending '.xlsx'"),
    ],
)
def test_a_broken_file_is_a_bad_input(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert said in str(mistakes(tmp_path, name))


def test_rows_of_other_lengths_are_named_by_their_lines(tmp_path):
    lines = ["a,b", "1,2", '"x', 'y",2', "3", "", "4,5,6", "7,8"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    (mistake,) = mistakes(tmp_path, "a.csv").mistakes
    assert mistake.found == "2 rows differ: line 5 has 1; line 7 has 3"


def test_broken_json_lines_are_named_all(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": \n[1]\n{"a": 1, "a": 2}\n')
    error = mistakes(tmp_path, "a.jsonl")
    assert [m.where for m in error.mistakes] == ["a.jsonl:2", "a.jsonl:3", "a.jsonl:4"]


def test_a_truncated_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": list(range(5000))}), path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "whole Parquet" in str(mistakes(tmp_path, "a.parquet"))


def test_parquet_files_without_rows_or_with_equal_names(tmp_path):
    pq.write_table(pa.table({"n": pa.array([], pa.int64())}), tmp_path / "a.parquet")
    assert "no row" in str(mistakes(tmp_path, "a.parquet"))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    pq.write_table(twice, tmp_path / "b.parquet")
    assert "more than once: n" in str(mistakes(tmp_path, "b.parquet"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("none.csv", "no such file"),
        ("none/*.csv", "no file of that name pattern"),
        ("{label}/{index}.png", "none of 0 files matches"),
        ("none/{label}.png", "no such folder"),
        ("{label}_{label}.png", "stands twice"),
        ("{la bel}.png", "'la bel'"),
        ("{path}.png", "'path'"),
        ("{label.png", "a brace without its partner"),
        ("memory://none/rows.csv", "no such file"),
        ("memory://none/*.csv", "no file of that name pattern"),
        ("ftp://ann:geheim@host/rows.csv", "no password"),
        ("${NO_SUCH_PLACE}/rows.csv", "NO_SUCH_PLACE is not set"),
    ],
)
def test_a_source_that_names_nothing(tmp_path, source, said):
    assert said in str(mistakes(tmp_path, source))


def test_an_unknown_encoding_and_delimiter(tmp_path):
    (tmp_path / "a.csv").write_text(PLAIN)
    assert "latin-one" in str(mistakes(tmp_path, "a.csv", encoding="latin-one"))
    assert "one ASCII sign" in str(mistakes(tmp_path, "a.csv", delimiter="||"))


# ---------------------------------------------------------------- media


def media(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_named_groups_become_columns(tmp_path):
    media(tmp_path, "images/cat_1.png", "images/hot_dog_12.PNG", "images/.cat_3.png", "notes.txt")
    source = opened(tmp_path, "images/{label}_{index}.png")
    assert source.kinds == {
        "label": "category",
        "index": "category",
        "path": "metadata",
        "image": "image",
    }
    assert rows(source) == [
        {"label": "cat", "index": "1", "path": "cat_1.png", "image": b"images/cat_1.png"},
        {
            "label": "hot_dog",
            "index": "12",
            "path": "hot_dog_12.PNG",
            "image": b"images/hot_dog_12.PNG",
        },
    ]


def test_folders_can_be_groups(tmp_path):
    media(tmp_path, "train/cat/1.wav", "test/dog/2.wav")
    source = opened(tmp_path, "./{split}/{label}/*.wav")
    assert [(r["split"], r["label"]) for r in rows(source)] == [("test", "dog"), ("train", "cat")]
    assert source.schema.names[-1] == "audio"


def test_one_folder_for_each_class(tmp_path):
    media(tmp_path, "pics/cat/1.png", "pics/dog/1.png", "pics/stray.png", "pics/cat/.DS_Store")
    source = opened(tmp_path, "pics")
    assert [(r["label"], r["path"]) for r in rows(source)] == [
        ("cat", "cat/1.png"),
        ("dog", "dog/1.png"),
    ]
    assert [where for where, _ in source.unreadable] == ["stray.png"]


def test_files_of_other_endings_are_told(tmp_path, caplog):
    media(tmp_path, "pics/cat/1.png", "pics/dog/1.jfif", "pics/cat/2.heic", "pics/dog/Thumbs.db")
    assert len(rows(opened(tmp_path, "pics"))) == 2
    (told,) = caplog.messages
    assert "2 files were passed by" in told
    assert ".heic 1" in told


def test_a_table_beside_its_files_is_the_source_of_a_folder(tmp_path):
    media(tmp_path, "shop/img/1.png", "shop/img/2.png")
    (tmp_path / "shop/rows.csv").write_text("photo,label\nimg/1.png,a\nimg/2.png,b\n")
    assert opened(tmp_path, "shop").kinds == {"photo": "image"}
    media(tmp_path, "shop/more/3.png")
    other = open_source(Data(source="shop", target="label"), tmp_path)
    assert other.schema.names == ["label", "path", "image"]  # two folders are two classes
    assert open_source(Data(source="shop", target="photo"), tmp_path).schema.names[0] == "photo"


def test_deeper_folders_want_a_pattern(tmp_path):
    media(tmp_path, "pics/train/cat/1.png")
    assert "pics/{split}/{label}/{name}.png" in str(mistakes(tmp_path, "pics"))


def test_images_and_sounds_do_not_mix(tmp_path):
    media(tmp_path, "m/a/1.png", "m/b/1.wav")
    assert "one kind" in str(mistakes(tmp_path, "m"))


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    media(tmp_path, "secret.png", "pics/a/1.png")
    (tmp_path / "pics/a/2.png").symlink_to(tmp_path / "secret.png")
    source = opened(tmp_path, "pics")
    assert [r["path"] for r in rows(source)] == ["a/1.png"]
    assert source.unreadable == [("a/2.png", "a link that leads out of the source's folder")]
    (tmp_path / "t").mkdir()
    (tmp_path / "other.csv").write_text(PLAIN)
    (tmp_path / "t/a.csv").symlink_to(tmp_path / "other.csv")
    assert "leads out" in str(mistakes(tmp_path, "t/*.csv"))


def test_a_renamed_file_changes_the_fingerprint(tmp_path):
    media(tmp_path, "p/a/1.png", "p/b/2.png")
    before = opened(tmp_path, "p").fingerprint()
    (tmp_path / "p/b/2.png").rename(tmp_path / "p/b/3.png")
    assert opened(tmp_path, "p").fingerprint() != before
