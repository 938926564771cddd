"""A table whose column names files: what is read, what is refused, and that nothing leads out."""

import base64
import csv
import io
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.spec import Data, SplitSpec
from penstock.stages.ingest import ingest
from penstock.tables import arriving, file_columns
from penstock.tables.named_files import ROOT
from penstock.tables.new_rows import NewRows
from penstock.tables.windows import Window

N = 40


def png(grey):
    held = io.BytesIO()
    Image.fromarray(np.full((9, 9), grey, np.uint8)).save(held, "PNG")
    return held.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A table of photos, one of which is secret, with the files below the table's folder."""
    monkeypatch.delenv(ROOT, raising=False)
    (tmp_path / "shop" / "img").mkdir(parents=True)
    for n in range(N):
        (tmp_path / "shop" / "img" / f"{n} é.png").write_bytes(png(n))
    (tmp_path / "secret.png").write_bytes(png(255))
    written(tmp_path)
    return tmp_path


def written(folder, changed=None, header=("photo", "label", "age")):
    rows = [[f"img/{n} é.png", "ab"[n % 2], n * 1.5] for n in range(N)]
    for n, name in (changed or {}).items():
        rows[n][0] = name
    with (folder / "shop" / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def taken(folder, source="shop/rows.csv", split=None, **said):
    data = Data(source=source, target="label", **said)
    store = LocalStore(folder / "store")
    snapshot = ingest(open_source(data, folder), data, split or SplitSpec(), store)
    return snapshot, store.table(snapshot.rows), store


def test_a_column_of_names_is_read_as_the_files_that_it_names(folder):
    snapshot, rows, _ = taken(folder)
    column = snapshot.layout.column("photo")
    assert (column.modality, column.arrow_type, column.role) == ("image", "binary", "feature")
    assert column.why == "the content of the files that it names"
    assert rows["photo"].to_pylist() == [png(n) for n in range(N)]
    assert snapshot.layout.column("age").modality == "numeric"
    kept = snapshot.layout.named_by("photo")
    assert snapshot.layout.named("metadata") == [kept] == ["photo (file)"]
    assert rows[kept].to_pylist() == [f"img/{n} é.png" for n in range(N)]


def test_parquet_and_lines_and_categories_name_files_too(folder):
    names = pa.array([f"img/{n} é.png" for n in range(N)])
    for kind in (names, names.dictionary_encode(), names.cast(pa.large_string())):
        table = pa.table({"photo": kind, "label": ["a", "b"] * (N // 2)})
        pq.write_table(table, folder / "shop" / "rows.parquet")
        assert taken(folder, "shop/rows.parquet")[1]["photo"].to_pylist()[3] == png(3)
    lines = "".join(f'{{"photo": "img/{n} é.png", "label": "{n % 2}"}}\n' for n in range(N))
    (folder / "shop" / "rows.jsonl").write_text(lines, encoding="utf-8")
    assert taken(folder, "shop/rows.jsonl")[1]["photo"].to_pylist()[3] == png(3)


def test_what_cannot_be_read_is_set_aside_by_row_with_its_name(folder, monkeypatch):
    shop = folder / "shop"
    (shop / "img" / "1 é.png").write_bytes(b"no image")
    (shop / "img" / "2 é.png").write_bytes(b"")
    (shop / "out.png").symlink_to(folder / "secret.png")
    (shop / "big.png").write_bytes(png(3) + bytes(3000))
    monkeypatch.setattr("penstock.tables.named_files.MOST_BYTES", 2000)
    changed = {0: "img/none.png", 3: "out.png", 4: "../secret.png", 5: str(folder / "secret.png"),
               6: "big.png", 7: "https://example.org/a.png", 8: ""}  # fmt: skip
    written(folder, changed)
    snapshot, rows, store = taken(folder)
    check = next(c for c in snapshot.evidence.checks if c.name == "unreadable_rows")
    assert check.value == pytest.approx(8 / N)
    assert rows.num_rows == N - 8
    assert rows["photo"].null_count == 1  # the empty cell is missing, as in any column
    kept = {row["path"]: row["reason"] for row in store.table(snapshot.quarantine).to_pylist()}
    assert kept["row 0: img/none.png"] == "no such file"
    assert kept["row 1: img/1 é.png"].startswith("cannot identify")
    assert kept["row 2: img/2 é.png"] == "an empty file"
    assert kept["row 3: out.png"] == "it leads out of the folder of the files"
    assert kept["row 4: ../secret.png"] == "it leaves the folder of the files, or may do so"
    assert kept[f"row 5: {folder}/secret.png"] == "it leads out of the folder of the files"
    assert "more than" in kept["row 6: big.png"]
    assert "address" in kept["row 7: https://example.org/a.png"]
    assert png(255) not in rows["photo"].to_pylist()


def test_a_changed_file_is_another_source(folder):
    data = Data(source="shop/rows.csv", target="label")
    before = open_source(data, folder).fingerprint()
    assert open_source(data, folder).fingerprint() == before
    (folder / "shop" / "img" / "5 é.png").write_bytes(png(77))
    changed = open_source(data, folder).fingerprint()
    (folder / "shop" / "img" / "5 é.png").unlink()
    assert len({before, changed, open_source(data, folder).fingerprint()}) == 3


def test_few_files_at_a_time_are_in_memory(folder, monkeypatch):
    monkeypatch.setattr(file_columns, "BATCH_BYTES", 3 * len(png(0)))
    sizes = []
    read = file_columns.read

    def watched(column, roots):
        content, why = read(column, roots)
        sizes.append(len(content))
        return content, why

    monkeypatch.setattr(file_columns, "read", watched)
    _, rows, _ = taken(folder)
    assert rows.num_rows == N
    assert sum(sizes) > N  # the sample by which the column is told, and then all
    assert max(sizes) <= 3


def test_names_of_files_that_are_not_there_stay_names(folder):
    written(folder, {n: f"other/{n}.png" for n in range(N)})
    snapshot, _, _ = taken(folder)
    column = snapshot.layout.column("photo")
    assert column.modality == "identifier"
    assert f"set {ROOT}" in column.why


def test_a_column_said_to_be_images_that_names_none_is_told(folder):
    written(folder, {n: f"other/{n}.png" for n in range(N)})
    with pytest.raises(BadInput) as caught:
        taken(folder, features={"photo": {"modality": "image"}})
    (mistake,) = caught.value.mistakes
    assert mistake.where == "data.features.photo"
    assert "40 that are not, such as 'other/0.png': no such file" in mistake.found
    assert ROOT in mistake.remedy


def test_a_column_that_is_said_may_have_any_ending_or_carry_its_content(folder):
    for n in range(N):
        (folder / "shop" / "img" / f"{n} é.png").rename(folder / "shop" / "img" / f"{n}.scan")
    carried = base64.b64encode(png(1)).decode()
    written(folder, {n: f"img/{n}.scan" for n in range(N)} | {1: carried})
    assert taken(folder)[0].layout.column("photo").modality == "identifier"
    _, rows, _ = taken(folder, features={"photo": {"modality": "image"}})
    assert rows["photo"].to_pylist() == [png(n) for n in range(N)]


def test_new_rows_with_broken_files_are_set_aside_as_they_came(folder):
    snapshot, _, _ = taken(folder)
    (folder / "shop" / "img" / "1 é.png").write_bytes(b"no image")
    written(folder, {0: "../secret.png", 2: "img/none.png", 3: ""})
    data = Data(source="shop/rows.csv", target="label")
    source = open_source(data, folder)
    scorer = SimpleNamespace(layout=snapshot.layout, reads=snapshot.layout.features)
    rows = NewRows(source, scorer, [], Window("now"), data)
    (passed, read) = next(iter(rows))
    aside = {row["photo"]: row["_reason"] for row in passed.aside.to_pylist()}
    assert aside["img/none.png"] == "photo: no such file"
    assert aside["img/1 é.png"].startswith("photo: cannot identify")
    assert "leaves the folder" in aside["../secret.png"]
    assert passed.named["row"].to_pylist() == list(range(3, N))
    assert read["photo"].to_pylist() == [None, *(png(n) for n in range(4, N))]


def test_a_window_of_other_files_has_nothing_to_compare(folder):
    snapshot, _, _ = taken(folder)
    raw = pa.table({"photo": [f"img/{n} é.png" for n in range(N - 1)] + ["none.png"]})
    roots = (folder / "shop",)
    typed, _, unread = arriving.typed(raw, [snapshot.layout.column("photo")], set(), roots)
    assert typed["photo"].to_pylist() == [*(png(n) for n in range(N - 1)), None]
    assert unread == {"photo": 1}
    typed, _, unread = arriving.typed(raw, [snapshot.layout.column("photo")], set())
    assert typed["photo"].null_count == unread["photo"] == N


def test_a_column_said_to_be_something_else_is_left_alone(folder):
    snapshot, rows, _ = taken(folder, features={"photo": {"modality": "category"}})
    assert snapshot.layout.column("photo").modality == "category"
    assert rows["photo"].to_pylist()[3] == "img/3 é.png"


@pytest.mark.parametrize(("others", "modality"), [(2, "image"), (4, "identifier")])
def test_a_few_other_words_among_names_are_broken_rows(folder, others, modality):
    written(folder, {n: f"lost {n}" for n in range(others)})
    snapshot, rows, _ = taken(folder)
    assert snapshot.layout.column("photo").modality == modality
    assert rows.num_rows == (N - others if modality == "image" else N)


def test_names_may_divide_the_rows(folder):
    split = SplitSpec(strategy="group", column="photo")
    _, rows, _ = taken(folder, split=split)
    assert rows["photo"].to_pylist()[3] == "img/3 é.png"


def test_a_stated_root_serves_where_the_table_has_no_folder(folder, monkeypatch):
    import sqlite3

    with sqlite3.connect(folder / "shop.db") as base:
        base.execute("CREATE TABLE sold (photo TEXT, label TEXT, age REAL)")
        rows = [(f"{n} é.png", "ab"[n % 2], n) for n in range(N)]
        base.executemany("INSERT INTO sold VALUES (?, ?, ?)", rows)
    base.close()
    snapshot, _, _ = taken(folder, "sqlite:///shop.db#sold")
    assert snapshot.layout.column("photo").modality == "identifier"
    monkeypatch.setenv(ROOT, str(folder / "shop" / "img"))
    _, rows, _ = taken(folder, "sqlite:///shop.db#sold")
    assert rows["photo"].to_pylist()[3] == png(3)
