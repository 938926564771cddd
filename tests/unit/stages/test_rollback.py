"""Back to the champion before, and who may say so."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from penstock.adapters.store import LocalStore
from penstock.errors import BadInput, RegistryUnreachable
from penstock.ledger import DecisionRecord, decision_record, read_record
from penstock.outcomes import Answer, Decision
from penstock.ports import Version
from penstock.spec import Pipeline
from penstock.stages.promote import awaiting
from penstock.stages.rollback import rollback

ADA = Answer(approve=False, name="Ada", reason="Complaints.")


@dataclass
class FakeRegistry:
    """Versions and aliases in memory."""

    versions: dict[str, Version] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    intruder: str = ""

    def champion(self, name: str) -> Version | None:
        return self.versions.get(self.aliases.get("champion", ""))

    def challenger(self, name: str) -> Version | None:
        return self.versions.get(self.aliases.get("challenger", ""))

    def history(self, name: str) -> list[Version]:
        return list(self.versions.values())

    def tag(self, version: Version, tags: dict[str, str]) -> None:
        for key, value in tags.items():
            self.versions[version.number].tags.pop(key, None)
            if value:
                self.versions[version.number].tags[key] = value

    def promote(
        self, version: Version, expected: Version | None, tags: dict[str, str] | None = None
    ) -> bool:
        if self.intruder:
            self.aliases["champion"] = self.intruder
        if self.aliases.get("champion") != (expected and expected.number):
            return False
        self.tag(version, tags or {})
        self.aliases["champion"] = version.number
        return True


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture
def registry(store: LocalStore) -> FakeRegistry:
    """Three versions that were champion one after the other; the third one is."""
    spec = Pipeline.model_validate({"name": "toy", "data": {"source": "t.csv", "target": "y"}})
    registry = FakeRegistry(aliases={"champion": "3"})
    for number, before in (("1", "none"), ("2", "1"), ("3", "2")):
        decision = Decision(verdict="registered", model="toy", version=number, why="Better.")
        kept = decision_record(decision, {}, {}, spec).keep(store)
        registry.versions[number] = Version(
            "toy",
            number,
            {
                "penstock.verdict": "passed",
                "penstock.decision": kept.sha256,
                "penstock.decision.bytes": str(kept.num_bytes),
                "penstock.champion_since": f"2026-01-0{number}",
                "penstock.champion_before": before,
            },
        )
    return registry


def record_of(version: Version, store: LocalStore) -> DecisionRecord:
    tags = version.tags
    return read_record(tags["penstock.decision"], tags["penstock.decision.bytes"], store)


def test_each_step_leads_one_champion_back(registry, store) -> None:
    decision = rollback("toy", "", ADA, registry, store, "flow")
    assert (decision.verdict, decision.version, decision.challenger) == ("rolled_back", "2", "3")
    assert registry.aliases == {"champion": "2"}
    record = record_of(registry.versions["3"], store)
    assert (record.verdict, record.decided_by, record.flow_run_id) == ("rolled_back", "Ada", "flow")
    assert record.why == "Rolled back by Ada: Complaints. Version 2 is champion again instead of 3."
    assert registry.versions["3"].tags["penstock.rolled_back"].startswith("20")
    assert registry.versions["2"].tags["penstock.restored"].endswith("instead of 3")
    assert record_of(registry.versions["2"], store).verdict == "registered"

    assert rollback("toy", "", ADA, registry, store).version == "1"  # not back to 3
    with pytest.raises(BadInput, match="nothing was champion before version 1"):
        rollback("toy", "", ADA, registry, store)
    assert rollback("toy", "3", ADA, registry, store).version == "3"
    assert "penstock.rolled_back" not in registry.versions["3"].tags


def test_a_rollback_that_somebody_overtakes_changes_nothing(registry, store) -> None:
    before = {number: dict(v.tags) for number, v in registry.versions.items()}
    registry.intruder = "1"
    with pytest.raises(RegistryUnreachable, match="no longer version 3"):
        rollback("toy", "", ADA, registry, store)
    assert {number: v.tags for number, v in registry.versions.items()} == before


@pytest.mark.parametrize(
    ("to", "says"), [("9", "no version 9; there are 1, 2, 3"), ("3", "version 3 is the champion")]
)
def test_a_rollback_leads_to_another_version_that_is_there(registry, store, to, says) -> None:
    with pytest.raises(BadInput, match=says):
        rollback("toy", to, ADA, registry, store)
    assert registry.aliases == {"champion": "3"}


def test_a_version_that_never_was_champion_is_no_way_back(registry, store) -> None:
    del registry.versions["1"].tags["penstock.champion_since"]
    with pytest.raises(BadInput, match="never was"):
        rollback("toy", "1", ADA, registry, store)
    with pytest.raises(BadInput, match="no champion yet"):
        rollback("toy", "", ADA, FakeRegistry(), store)


def test_only_what_passed_its_gates_and_waits_is_asked_about(registry) -> None:
    with pytest.raises(BadInput, match="none with the alias challenger; versions 1, 2, 3"):
        awaiting("toy", "", registry)
    with pytest.raises(BadInput, match="no version yet"):
        awaiting("toy", "", FakeRegistry())
    with pytest.raises(BadInput, match="version 3 is the champion already"):
        awaiting("toy", "3", registry)
    registry.aliases["challenger"] = "2"
    assert awaiting("toy", "", registry).number == "2"
    del registry.versions["2"].tags["penstock.verdict"]
    with pytest.raises(BadInput, match="has no passed verdict"):
        awaiting("toy", "", registry)
