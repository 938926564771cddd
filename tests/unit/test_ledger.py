"""The decision record says what a decision rests on, and names no person and no machine."""

from __future__ import annotations

import platform

from penstock import fingerprint
from penstock.evidence import Check, Evidence
from penstock.ledger import DecisionRecord, cited, code_of, decision_record, environment
from penstock.outcomes import Decision
from penstock.records import Blob, Findings, Fitted, Layout, Policy, Record, Rows, Split
from penstock.spec import Data, Pipeline

BLOB = Blob(key="aa/aa.bin", sha256="aa", num_bytes=1)
OTHER = Blob(key="bb/bb.bin", sha256="bb", num_bytes=1)
LAYOUT = Layout(columns=[], target="y", task="regression")
SPEC = Pipeline(name="toy", data=Data(source="t.csv", target="y"))


def fitted(weights: Blob) -> Fitted:
    return Fitted(
        weights=weights, state=BLOB, layout=LAYOUT, loss="squared_error", metric="rmse",
        history={"valid_loss": [1.0, None]},
    )  # fmt: skip


def made(records: dict[str, Record]) -> DecisionRecord:
    check = Check(name="num_rows", stage="ingest", value=9.0, outcome="pass")
    decision = Decision(
        verdict="kept_champion", model="toy", version="1", challenger="2", champion="1",
        why="Worse.", run_id="run", checks=[check],
    )  # fmt: skip
    return decision_record(decision, records, {"fit": "fit-abc"}, SPEC, [{"type": "x"}], "c0ffee")


def test_it_is_about_the_challenger_and_says_who_was_champion() -> None:
    record = made({"fit": fitted(BLOB)})
    assert (record.version, record.champion, record.verdict) == ("2", "1", "kept_champion")
    assert record.decided_by == "the train flow, by the gates of pipeline.yaml"
    assert record.decided_at.endswith("+00:00")
    assert record.commit == "c0ffee"
    assert record.contract_sha256 == fingerprint.of_json([{"type": "x"}])
    assert record.checks[0].value == 9.0


def test_stages_keep_content_key_and_code_and_survive_json() -> None:
    findings = Findings(evidence=Evidence(notes=["a"]))
    record = made({"fit": fitted(BLOB), "bias": findings, "plugin": Policy()})
    again = DecisionRecord.model_validate_json(
        fingerprint.canonical(record.model_dump(mode="json"))
    )
    assert again == record
    fit = again.stages["fit"]
    assert fit.key == "fit-abc"
    assert fingerprint.of_json(fit.record) == fit.fingerprint == fitted(BLOB).fingerprint
    assert fit.code == code_of("fit", LAYOUT) != ""
    assert again.stages["bias"].record is None
    assert again.stages["bias"].fingerprint == findings.fingerprint
    assert again.stages["plugin"].code == ""


def test_the_files_are_those_of_the_last_model() -> None:
    policy = Policy(radius=1.0)
    record = made({"plain": fitted(OTHER), "fit": fitted(BLOB), "decide": policy})
    assert record.files == {"weights": "aa", "state": "aa", "policy": policy.fingerprint}


def test_every_file_that_a_record_cites_is_found() -> None:
    rows = Rows(blob=OTHER, num_rows=3)
    split = Split(train=rows, valid=rows, test=rows, layout=LAYOUT)
    assert [path for path, _ in cited(split.model_dump(mode="json"), "split")] == [
        "split.train", "split.valid", "split.test",
    ]  # fmt: skip


def test_the_environment_names_versions_and_no_machine() -> None:
    found = environment()
    assert found.python == platform.python_version()
    assert "torch" in found.distributions
    assert len(found.installed) == 64
    assert platform.node() not in found.model_dump_json()
