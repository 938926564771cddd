"""The files of a new pipeline: readable by train, whole or not at all."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from penstock import contract as contracts
from penstock import pipeline_file, spec
from penstock.adapters.project import write_project
from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.cli.project import init
from penstock.errors import BadInput
from penstock.stages.ingest import ingest

CONTRACT = [
    {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "size"},
        "meta": {"severity": "error", "quarantine": True},
    }
]


@pytest.fixture
def place(tmp_path):
    """A folder with rows whose names and values try to break out of YAML and Markdown."""
    rows = "".join(f"{i}.5,a|b{i % 3},{'<b>yes' if i % 2 else 'no'}\n" for i in range(60))
    (tmp_path / "rows.csv").write_text('size,"odd: #name|\n[x]",label\n' + rows)
    return tmp_path


def found(place, **said):
    data = spec.Data(source="rows.csv", target="label", **said)
    store = LocalStore(place / "store")
    return ingest(open_source(data, place), data, spec.SplitSpec(), store), data


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_train_reads_what_init_writes(place):
    snapshot, data = found(place, sensitive=["odd: #name|\n[x]"], features={"size": "numeric"})
    written = write_project(place / "data" / "my shop", snapshot, data, CONTRACT, base=place)
    folder = place / "data" / "my shop"
    assert [path.relative_to(folder).as_posix() for path in written] == [
        "card.md",
        "contract.yaml",
        "pipeline.yaml",
    ]
    assert files(place / "data") == ["my shop"] + [
        f"my shop/{name}" for name in ("card.md", "contract.yaml", "pipeline.yaml")
    ]
    pipeline = pipeline_file.read(folder / "pipeline.yaml")
    assert pipeline.name == "my-shop"
    assert pipeline.data == data.model_copy(update={"source": "../../rows.csv"})
    assert pipeline.split == spec.SplitSpec()
    assert pipeline.gates == spec.Gates()
    assert contracts.read_contract(folder / "contract.yaml") == CONTRACT
    again = open_source(pipeline.data, folder)
    assert again.fingerprint() == open_source(data, place).fingerprint()


def test_what_differs_from_a_default_is_written(place):
    snapshot, _ = found(place)
    data = spec.Data(
        source="rows.csv", target="label", task="classification", encoding="cp1252", delimiter=","
    )
    write_project(place / "p", snapshot, data, [], base=place)
    read = pipeline_file.read(place / "p" / "pipeline.yaml").data
    assert (read.task, read.encoding, read.delimiter) == ("classification", "cp1252", ",")


def test_the_card_shows_what_was_found_and_nothing_is_markup(place):
    snapshot, data = found(place)
    write_project(place / "p", snapshot, data, CONTRACT, base=place)
    card = (place / "p" / "card.md").read_text()
    assert "| rows | 60 |" in card
    assert snapshot.rows.blob.sha256 in card
    assert r"odd: #name\| \[x\]" in card
    assert "<b>" not in card
    assert "## Licence and consent" in card


def test_nothing_is_replaced_without_force(place):
    snapshot, data = found(place)
    folder = place / "p"
    folder.mkdir()
    (folder / "pipeline.yaml").write_text("mine")
    (folder / "card.md").write_text("mine")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"already there: pipeline.yaml, card.md"):
        write_project(folder, snapshot, data, CONTRACT, base=place)
    assert files(folder) == ["card.md", "notes.txt", "pipeline.yaml"]
    assert (folder / "pipeline.yaml").read_text() == "mine"
    write_project(folder, snapshot, data, CONTRACT, force=True, base=place)
    assert files(folder) == ["card.md", "contract.yaml", "notes.txt", "pipeline.yaml"]
    assert pipeline_file.read(folder / "pipeline.yaml").data.target == "label"
    assert (folder / "notes.txt").read_text() == "mine"


def test_an_error_leaves_nothing_behind(place):
    snapshot, data = found(place)
    before = files(place)
    with pytest.raises(Exception, match="represent"):
        write_project(place / "new" / "p", snapshot, data, [{"type": object()}], base=place)
    assert files(place) == before


def test_a_file_where_the_folder_should_be(place):
    snapshot, data = found(place)
    with pytest.raises(BadInput, match="a folder"):
        write_project(place / "rows.csv", snapshot, data, CONTRACT, base=place)


def test_files_have_ordinary_rights(place):
    snapshot, data = found(place)
    (place / "ordinary").mkdir()
    write_project(place / "p", snapshot, data, CONTRACT, base=place)
    assert (place / "p").stat().st_mode == (place / "ordinary").stat().st_mode
    assert os.access(place / "p" / "card.md", os.R_OK)


def test_init_asks_a_database_and_train_reads_the_same_rows(tmp_path, monkeypatch):
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, price REAL, label TEXT)")
        values = [(k, k % 7 / 2, "yes" if k % 3 else "no") for k in range(60)]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", values)
        database.commit()
    monkeypatch.chdir(tmp_path)
    query = "SELECT price, label\nFROM orders -- all: 'of' them\nORDER BY id"
    init(Path("data/shop"), source="sqlite:///shop.db", query=query, target="label")
    data = pipeline_file.read(tmp_path / "data/shop/pipeline.yaml").data
    assert (data.source, data.query) == ("sqlite:///../../shop.db", query)
    again = open_source(data, tmp_path / "data/shop")
    assert sum(batch.num_rows for batch in again.batches()) == 60
    monkeypatch.setenv("SHOP_DB_URL", f"sqlite:///{tmp_path}/shop.db")
    init(Path("data/other"), source="${SHOP_DB_URL}#orders", target="label")
    text = (tmp_path / "data/other/pipeline.yaml").read_text()
    assert "${SHOP_DB_URL}#orders" in text and str(tmp_path) not in text
