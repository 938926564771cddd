import math

import pytest
from pydantic import ValidationError

from penstock.evidence import Check, Evidence
from penstock.records import Blob, Column, Fitted, Layout, Rows, Snapshot

LAYOUT = Layout(
    columns=[
        Column(name="a", modality="numeric", arrow_type="double"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
        Column(name="id", modality="identifier", arrow_type="string", role="left_out"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)


def blob(letter="a"):
    return Blob(key=f"{letter}{letter}/x", sha256=letter * 64, num_bytes=1)


def snapshot(**fields):
    rows = Rows(blob=blob(), num_rows=3)
    return Snapshot(**({"rows": rows, "layout": LAYOUT, "source": "a.csv"} | fields))


def test_the_fingerprint_covers_what_it_is_and_not_what_was_said_or_how_long_it_took():
    said = Evidence(checks=[Check(name="c", stage="s")], notes=["slow"])
    assert snapshot().fingerprint == snapshot(evidence=said, seconds=9.0).fingerprint
    other = Rows(blob=blob("b"), num_rows=3)
    assert snapshot().fingerprint != snapshot(rows=other).fingerprint
    assert snapshot().fingerprint == snapshot(source="b.csv").fingerprint


def test_the_cost_of_a_training_is_not_part_of_what_it_is():
    fields = {
        "weights": blob(), "state": blob("b"), "layout": LAYOUT, "loss": "l", "metric": "m",
        "history": {"train_loss": [1.0, math.nan]},
    }  # fmt: skip
    one, other = Fitted(**fields, cost={"seconds": 1}), Fitted(**fields, cost={"seconds": 2})
    assert one.fingerprint == other.fingerprint
    assert Fitted.model_validate_json(one.model_dump_json()) == one
    assert one.history == {"train_loss": [1.0, None]}


def test_a_layout_names_its_columns_by_role():
    assert [column.name for column in LAYOUT.features] == ["a"]
    assert LAYOUT.named("left_out") == ["id"]
    assert LAYOUT.column("y").role == "target"
    with pytest.raises(KeyError):
        LAYOUT.column("nothing")


def test_records_refuse_what_they_do_not_know():
    with pytest.raises(ValidationError):
        snapshot(path="/somewhere")
    with pytest.raises(ValidationError):
        Rows(blob=blob(), num_rows=-1)
