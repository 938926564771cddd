"""Addresses and long numbers are hidden wherever a masked column is read."""

import pyarrow as pa
import pytest

from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.model import Learnt, Model
from penstock.records import Column
from penstock.spec import Data, Feature, ModelSpec, SplitSpec
from penstock.stages.ingest import ingest
from penstock.tables.masking import masked
from penstock.tables.rereading import Rereader
from penstock.tables.typed import typed_as

TEXTS = {
    "write to a.b+c@mail.example.co.uk!": "write to [email]!",
    "Ünal@büro.de; x@y": "[email]; x@y",
    "go to HTTPS://x.org/?q=1&r=2 now": "go to [url] now",
    "ftp://a.b/c, www.shop.com/sale": "[url] [url]",
    'href="http://a.b/c">here': 'href="[url]">here',
    "call +44 (0)20 7946-0958 or 0171/1234567.": "call [number] or [number].",
    "card 4111 1111 1111 1111, room 123456": "card [number], room 123456",
    "AB1234567, 3.14159 and 1,000,000": "AB[number], 3.14159 and 1,000,000",
    "٠١٢٣٤٥٦٧": "[number]",
    "": "",
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_points_at_a_person_is_replaced_and_the_rest_stays(text):
    assert masked(pa.chunked_array([[text, None]])).to_pylist() == [TEXTS[text], None]


def test_masking_twice_is_masking_once():
    once = masked(pa.chunked_array([list(TEXTS)]))
    assert masked(once).equals(once)


class Handed:
    """A source of a table in memory."""

    kinds: dict = {}
    unreadable: list = []
    roots = ()
    description = "handed"

    def __init__(self, table):
        self.schema, self._table = table.schema, table

    def batches(self, progress=None):
        yield from self._table.to_batches()


def mails(n=60):
    texts = [f"please ask anna{i}@mail.org or ring 555{i:05d} about {i % 2}" for i in range(n)]
    return pa.table({"text": texts, "y": [("no", "yes")[i % 2] for i in range(n)]})


def taken(table, tmp_path, **said):
    data = Data(source="s", target="y", features={"text": Feature(mask=True, **said)})
    store = LocalStore(tmp_path)
    snapshot = ingest(Handed(table), data, SplitSpec(), store)
    return snapshot, store.table(snapshot.rows)


def test_no_address_enters_the_snapshot_or_what_is_said_of_it(tmp_path):
    snapshot, rows = taken(mails(), tmp_path, modality="text")
    assert snapshot.layout.column("text").masked
    assert rows["text"][3].as_py() == "please ask [email] or ring [number] about 1"
    assert "anna" not in snapshot.model_dump_json()
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"anna" in p.read_bytes()]


def test_a_column_that_is_only_addresses_becomes_a_constant(tmp_path):
    table = pa.table({"x": [n * 1.5 for n in range(60)], "y": ["a", "b"] * 30})
    mail = pa.array([f"a{i}@b.org" for i in range(60)])
    snapshot, _ = taken(table.append_column("text", mail), tmp_path)
    assert snapshot.layout.column("text").modality == "constant"


def test_what_is_no_text_cannot_be_masked(tmp_path):
    table = pa.table({"text": [1.5] * 60, "y": ["a", "b"] * 30})
    with pytest.raises(BadInput, match=r"declared text"):
        taken(table, tmp_path)


def test_a_model_masks_what_it_is_given(tmp_path):
    snapshot, rows = taken(mails(), tmp_path, modality="text")
    learnt = Learnt.of(rows, snapshot.layout, ModelSpec(width=16, members=2))
    model = Model(learnt, learnt.network())
    raw = mails().select(["text"])
    assert model.scores(raw).tolist() == model.scores(rows).tolist()
    assert "anna" not in learnt.to_json()


def test_later_rows_and_calls_are_masked_alike():
    column = Column(name="c", modality="text", arrow_type="string", masked=True)
    raw = pa.chunked_array([["to a@b.org", None]])
    assert Rereader(column).read(raw).to_pylist() == ["to [email]", None]
    assert typed_as(pa.table({"c": raw}), [column])["c"].to_pylist() == ["to [email]", None]
    levels = raw.dictionary_encode()
    assert Rereader(column).read(levels).to_pylist() == ["to [email]", None]
