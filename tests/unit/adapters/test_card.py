"""The card says first what the model is for, then what was measured, whatever the data holds."""

from __future__ import annotations

from penstock.adapters.card import model_card, shortened
from penstock.evidence import Check, Evidence, Table
from penstock.records import (
    Blob,
    Column,
    Estimate,
    Findings,
    Fitted,
    Grouping,
    Layout,
    Policy,
    Record,
    Rows,
    Scorecard,
    Snapshot,
    Split,
)
from penstock.spec import Data, Pipeline

BLOB = Blob(key="aa/aa.parquet", sha256="aa", num_bytes=1)
ROWS = Rows(blob=BLOB, num_rows=12_345)
LAYOUT = Layout(
    columns=[
        Column(name="a|b", modality="numeric", arrow_type="double"),
        Column(name="sex", modality="category", arrow_type="string", role="metadata"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["no", "<yes>"],
)
DATA_CARD = """# Data card: toy

Toys that were sold.

## Licence

Public.

## Intended use

To test cards.

### Out of scope

Anything else.

## Who is missing

Adults.
"""
SPEC = Pipeline(name="toy", description="Toys", data=Data(source="t.csv", target="y"))
RECORDS: dict[str, Record] = {
    "ingest": Snapshot(rows=ROWS, layout=LAYOUT, source="t.csv"),
    "split": Split(train=ROWS, valid=ROWS, test=ROWS, layout=LAYOUT),
    "fit": Fitted(
        weights=BLOB,
        state=BLOB,
        layout=LAYOUT,
        loss="cross_entropy",
        metric="roc_auc",
        cost={"seconds": 12.5},
    ),
    "decide": Policy(
        grouping=Grouping(column="sex", levels=["f", "m"]),
        thresholds={"f": 0.25, "m": 0.5},
        radius=0.8,
    ),
    "evaluate": Scorecard(
        metrics={"roc_auc": Estimate(value=0.9, low=0.88, high=0.92)},
        baselines={"linear": {"roc_auc": 0.85}},
        predictions=ROWS,
    ),
    "bias": Findings(
        evidence=Evidence(tables={"sex": Table.of("By sex", [{"group": "<b>", "rate": 0.5}])})
    ),
}
CHECKS = [
    Check(name="demographic_parity", stage="bias", subject="sex", outcome="pass", why="Near."),
    Check(name="weak_slice", stage="evaluate", outcome="warn", why="Ulm.", remedy="More rows."),
]


def test_the_intended_use_comes_first_and_the_data_card_last() -> None:
    card = model_card(SPEC, RECORDS, CHECKS, DATA_CARD, "run-1", "abc")
    headings = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert headings == [
        "Intended use", "How good it is", "Groups", "Known limits", "How to use it", "Data",
        "Training", "Provenance", "The data card",
    ]  # fmt: skip
    assert "To test cards.\n\n### Out of scope\n\nAnything else." in card
    assert card.count("To test cards.") == 1
    assert "#### Who is missing" in card
    assert "| roc\\_auc | 0.9 (0.88 to 0.92) | 0.85 |" in card
    assert "- **warn** evaluate/weak\\_slice: Ulm. *To do:* More rows." in card
    assert "1 of 2 checks passed." in card
    assert "git commit: abc" in card


def test_it_says_which_columns_a_prediction_needs() -> None:
    card = model_card(SPEC, RECORDS, CHECKS)
    assert "| a\\|b | numeric | double |" in card
    assert "It also needs **sex**: the decision threshold depends on it (f 0.25, m 0.5)." in card
    assert "prediction sets are to hold the truth of 90% of the rows" in card
    assert "&lt;yes&gt;" in card
    assert "<b>" not in card
    assert "Not stated" in card


def test_a_run_without_records_has_a_card_too() -> None:
    assert model_card(SPEC, {}, []).startswith("# Model card: toy\n\nToys\n\n## Intended use")


def test_a_short_card_ends_with_a_whole_section() -> None:
    card = model_card(SPEC, RECORDS, CHECKS, DATA_CARD)
    short = shortened(card, 1000)
    assert len(short) <= 1000
    assert short.endswith("The whole card is model_card.md of the run.\n")
    assert card.startswith(short.removesuffix("\n\nThe whole card is model_card.md of the run.\n"))
    assert shortened(card, 10**6) == card
    assert len(shortened("# A\n\n" + "x" * 9000)) == 5000
