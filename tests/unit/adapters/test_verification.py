"""What was tampered with is found, and named."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest

from penstock import fingerprint
from penstock.adapters.store import LocalStore
from penstock.adapters.verification import show, verify, version_of
from penstock.errors import BadInput
from penstock.evidence import Check, Evidence
from penstock.ledger import DecisionRecord, decision_record
from penstock.measure.judging import judged
from penstock.outcomes import Decision
from penstock.ports import Version
from penstock.records import (
    Blob,
    Column,
    Findings,
    Fitted,
    Layout,
    Policy,
    Profile,
    Record,
    Scorecard,
    Snapshot,
    Split,
)
from penstock.spec import Data, Gates, Pipeline

LAYOUT = Layout(
    columns=[
        Column(name="x", modality="numeric", arrow_type="double"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)
SPEC = Pipeline(name="toy", data=Data(source="t.csv", target="y"))


@dataclass
class FileRegistry:
    """Versions with a folder each."""

    root: Path
    versions: dict[str, Version] = field(default_factory=dict)
    aliased: str = ""

    def champion(self, name: str) -> Version | None:
        return self.versions.get(self.aliased)

    def version(self, name: str, number: str) -> Version | None:
        return self.versions.get(number)

    def fetch(self, version: Version, destination: Path) -> Path:
        return Path(shutil.copytree(self.root / version.number, destination / "model"))


@dataclass
class Registered:
    """A registered version, with everything that its decision rests on."""

    store: LocalStore
    registry: FileRegistry
    records: dict[str, Record]
    record: DecisionRecord
    blob: Blob

    @property
    def broken(self) -> str:
        version = version_of("toy", "", self.registry)  # type: ignore[arg-type]
        result = verify(version, self.registry, self.store)  # type: ignore[arg-type]
        assert [link for link in result.links[:-1] if link.broken] == []
        return result.broken.name if result.broken else ""

    def rewrite(self, **changes: object) -> None:
        """Another decision record, as one who can write tags too would leave it."""
        blob = self.record.model_copy(update=changes).keep(self.store)
        self.registry.versions["1"].tags.update(tags_of(blob))

    def flip(self, blob: Blob) -> None:
        """Change one byte of a stored file; its length stays."""
        path = self.store.root / blob.key
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def tags_of(blob: Blob) -> dict[str, str]:
    return {"penstock.decision": blob.sha256, "penstock.decision.bytes": str(blob.num_bytes)}


@pytest.fixture
def registered(tmp_path: Path) -> Registered:
    store = LocalStore(tmp_path / "store")
    rows = store.keep_table(pa.table({"x": [1.0, 2.0, 3.0], "y": ["no", "yes", "no"]}))
    part = store.keep_table(pa.table({"x": [1.0], "y": ["no"]}))
    policy = Policy(temperature=1.5)
    fitted = Fitted(
        weights=store.keep_bytes(b"weights", ".safetensors"),
        state=store.keep_bytes(b"state", ".json"),
        layout=LAYOUT,
        loss="cross_entropy",
        metric="roc_auc",
    )
    raw = Check(name="beats_trivial", stage="evaluate", value=0.2, low=0.1, better="higher")
    checks = [judged(raw, Gates().beats_trivial)]
    records: dict[str, Record] = {
        "ingest": Snapshot(rows=rows, layout=LAYOUT, source="t.csv"),
        "split": Split(train=part, valid=part, test=part, layout=LAYOUT),
        "fit": fitted,
        "decide": policy,
        "evaluate": Scorecard(metrics={}, predictions=part),
        "bias": Findings(evidence=Evidence(notes=["found"])),
        "profile": Profile(sketch=store.keep_bytes(b"sketch", ".json"), sample=part),
    }
    decision = Decision(
        verdict="registered", model="toy", challenger="1", version="1", checks=checks, why="first"
    )
    record = decision_record(decision, records, {"fit": "fit-key"}, SPEC, [], commit="abc")
    blob = record.keep(store)
    parts = [fitted.weights.sha256, fitted.state.sha256, policy.fingerprint]
    tags = tags_of(blob) | {
        "penstock.model": fingerprint.of_json(parts),
        "penstock.fingerprints": json.dumps({"data": rows.blob.sha256, "fit": fitted.fingerprint}),
    }
    folder = tmp_path / "registry" / "1" / "artifacts"
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "state.json").write_bytes(b"state")
    (folder / "policy.json").write_bytes(policy.signed)
    (folder / "profile.json").write_bytes(b"sketch")
    shutil.copyfile(store.path(part.blob), folder / "sample.parquet")
    registry = FileRegistry(tmp_path / "registry", {"1": Version("toy", "1", tags)}, "1")
    return Registered(store, registry, records, record, blob)


def test_an_untouched_chain_holds(registered: Registered) -> None:
    version = version_of("toy", "1", registered.registry)  # type: ignore[arg-type]
    result = verify(version, registered.registry, registered.store)  # type: ignore[arg-type]
    assert result.broken is None
    assert result.notes == []
    names = [link.name for link in result.links]
    assert names[0] == "the decision record in the store"
    story = [names.index(n) for n in ("ingest.rows in the store", "fit.weights in the store")]
    assert story == sorted(story)
    assert names.index("the record of split") < names.index("the record of decide")
    assert names[-2:] == ["the verdict", "the alias champion"]
    assert result.answer()["links"] == len(names)
    assert f"All {len(names)} links of toy 1 hold." in show(result)


@pytest.mark.parametrize(
    ("cited", "name"),
    [
        ("record", "the decision record in the store"),
        ("rows", "ingest.rows in the store"),
        ("weights", "fit.weights in the store"),
        ("state", "fit.state in the store"),
        ("sketch", "profile.sketch in the store"),
    ],
)
def test_one_changed_byte_in_the_store_is_found(
    registered: Registered, cited: str, name: str
) -> None:
    fitted, raw = registered.records["fit"], registered.records["ingest"]
    profile = registered.records["profile"]
    assert isinstance(fitted, Fitted)
    assert isinstance(raw, Snapshot)
    assert isinstance(profile, Profile)
    blobs = {"record": registered.blob, "rows": raw.rows.blob, "weights": fitted.weights}
    registered.flip((blobs | {"state": fitted.state, "sketch": profile.sketch})[cited])
    assert registered.broken == name


def test_a_file_that_is_gone_is_found(registered: Registered) -> None:
    fitted = registered.records["fit"]
    assert isinstance(fitted, Fitted)
    (registered.store.root / fitted.weights.key).unlink()
    assert registered.broken == "fit.weights in the store"


@pytest.mark.parametrize("name", ["weights.safetensors", "policy.json", "sample.parquet"])
def test_a_changed_file_of_the_registered_package_is_found(
    registered: Registered, name: str
) -> None:
    (registered.registry.root / "1" / "artifacts" / name).write_bytes(b"other")
    assert registered.broken == f"{name.partition('.')[0]} in the registered package"


def test_a_record_that_was_written_anew_contradicts_itself(registered: Registered) -> None:
    record = registered.record
    spec = json.loads(json.dumps(record.spec))
    spec["gates"]["beats_trivial"]["limit"] = -1
    registered.rewrite(spec=spec)
    assert registered.broken == "the spec"
    registered.rewrite(spec=spec, spec_sha256=fingerprint.of_json(spec))
    assert registered.broken == "the verdict"
    failed = record.checks[0].model_copy(update={"value": -1.0})
    registered.rewrite(checks=[failed])
    assert registered.broken == "the verdict"
    refused = judged(failed, Gates().beats_trivial)
    registered.rewrite(checks=[refused])
    assert registered.broken == "the verdict"
    registered.rewrite(version="2")
    assert registered.broken == "the version that was decided about"
    registered.rewrite(verdict="kept_champion")
    assert registered.broken == "the alias champion"
    fit = record.stages["fit"]
    other = fit.model_copy(update={"record": {**(fit.record or {}), "loss": "hinge"}})
    registered.rewrite(stages=record.stages | {"fit": other})
    assert registered.broken == "the record of fit"


def test_changed_tags_are_found(registered: Registered) -> None:
    tags = registered.registry.versions["1"].tags
    tags["penstock.fingerprints"] = json.dumps({"data": "0" * 64})
    assert registered.broken == "the fingerprint of data on the version"
    tags["penstock.fingerprints"] = "{"
    assert registered.broken == "the version's tag penstock.fingerprints"
    tags["penstock.decision"] = "../../secret"
    assert registered.broken == "the decision record"


def test_changed_source_is_said_and_breaks_nothing(registered: Registered) -> None:
    stages = registered.record.stages
    older = stages["fit"].model_copy(update={"code": "other"})
    registered.rewrite(stages=stages | {"fit": older})
    version = version_of("toy", "", registered.registry)  # type: ignore[arg-type]
    result = verify(version, registered.registry, registered.store)  # type: ignore[arg-type]
    assert result.broken is None
    assert "of fit has changed since" in result.notes[0]


def test_no_version_is_a_bad_call(registered: Registered) -> None:
    with pytest.raises(BadInput, match="no version 7"):
        version_of("toy", "7", registered.registry)  # type: ignore[arg-type]
    registered.registry.aliased = ""
    with pytest.raises(BadInput, match="no champion yet"):
        version_of("toy", "", registered.registry)  # type: ignore[arg-type]
