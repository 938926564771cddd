"""Only what works by itself, and is not worse, becomes the champion."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from penstock.adapters.store import LocalStore
from penstock.errors import Mistake, NotServable, RegistryUnreachable
from penstock.evidence import Check
from penstock.ports import Version
from penstock.records import (
    Column,
    Decision,
    Estimate,
    Fitted,
    Layout,
    Policy,
    Profile,
    Rows,
    Scorecard,
    Verdict,
)
from penstock.spec import Data, Gate, Gates, Pipeline
from penstock.stages.register import difference, register, scores_of

LAYOUT = Layout(
    columns=[
        Column(name="x", modality="numeric", arrow_type="double"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)
GOOD, BAD = [0.1, 0.9, 0.2, 0.8], [0.9, 0.1, 0.8, 0.2]


def predictions(yes: list[float], extra: bool = True) -> pa.Table:
    high = np.asarray(yes)
    columns = {
        "prediction": np.where(high > 0.5, "yes", "no"),
        "probability_no": 1 - high,
        "probability_yes": high,
    }
    if extra:
        columns |= {"_target": np.arange(4), "_row_loss": np.zeros(4)}
    return pa.table(columns)


@dataclass
class FakeRegistry:
    """A registry in memory: packages answer what ``answers`` says of their folder's name."""

    answers: dict[str, pa.Table | str]
    versions: list[Version] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    intruders: list[Version] = field(default_factory=list)
    reachable: bool = True
    rescored: list[str] = field(default_factory=list)
    packed: dict[str, bytes] = field(default_factory=dict)

    def champion(self, name: str) -> Version | None:
        if not self.reachable:
            raise RegistryUnreachable(Mistake("the registry answers"))
        number = self.aliases.get("champion")
        return next((v for v in self.versions if v.number == number), None)

    def same(self, name: str, fingerprint: str) -> Version | None:
        return next((v for v in self.versions if v.tags.get("penstock.model") == fingerprint), None)

    def package(self, files: dict[str, Path], destination: Path) -> Path:
        self.packed = {name: path.read_bytes() for name, path in files.items()}
        return destination

    def fetch(self, version: Version, destination: Path) -> Path:
        return destination / version.number

    def rescore(self, package: Path, table: pa.Table) -> pa.Table:
        self.rescored.append(package.name)
        answer = self.answers[package.name]
        if isinstance(answer, str):
            raise NotServable(Mistake(answer))
        return answer

    def add(
        self, package: Path, run_id: str, name: str, tags: dict[str, str], description: str
    ) -> Version:
        version = Version(name, str(len(self.versions) + 1), tags)
        self.versions.append(version)
        self.aliases["challenger"] = version.number
        return version

    def promote(self, version: Version, expected: Version | None) -> bool:
        if self.intruders:
            intruder = self.intruders.pop(0)
            self.versions.append(intruder)
            self.aliases["champion"] = intruder.number
        if self.champion(version.name) != expected:
            return False
        self.aliases["champion"] = version.number
        return True


@dataclass
class Run:
    """One training, ready to be registered."""

    store: LocalStore
    test: Rows
    fitted: Fitted
    scorecard: Scorecard
    verdict: Verdict = field(default_factory=lambda: Verdict(passed=True, checks=[]))
    gates: Gates = field(default_factory=Gates)
    policy: Policy = field(default_factory=Policy)
    profile: Profile | None = None

    def register(self, registry: FakeRegistry) -> Decision:
        pipeline = Pipeline(name="toy", data=Data(source="t.csv", target="y"), gates=self.gates)
        return register(
            self.fitted,
            self.policy,
            self.profile,
            self.scorecard,
            self.verdict,
            self.test,
            pipeline,
            registry,
            self.store,
        )


def run(folder: Path, auc: float = 0.9, weights: bytes = b"w", rows: int = 4) -> Run:
    store = LocalStore(folder / "store")
    test = store.keep_table(
        pa.table({"x": np.arange(float(rows)), "y": ["no", "yes"] * (rows // 2)})
    )
    fitted = Fitted(
        weights=store.keep_bytes(weights, ".safetensors"),
        state=store.keep_bytes(b"{}", ".json"),
        layout=LAYOUT,
        loss="cross_entropy",
        metric="roc_auc",
    )
    scorecard = Scorecard(
        metrics={"roc_auc": Estimate(value=auc)}, predictions=store.keep_table(predictions(GOOD))
    )
    return Run(store, test, fitted, scorecard)


def test_the_first_model_becomes_champion(tmp_path: Path) -> None:
    registry = FakeRegistry({"model": predictions(GOOD, extra=False)})
    decision = run(tmp_path).register(registry)
    assert (decision.verdict, decision.version) == ("registered", "1")
    assert registry.aliases["champion"] == "1"
    assert decision.checks[-1].name == "servable"
    assert (decision.checks[-1].value, decision.checks[-1].outcome) == (0.0, "pass")
    assert registry.versions[0].tags["penstock.metric.roc_auc"] == "0.9"


def test_a_refused_verdict_makes_no_version(tmp_path: Path) -> None:
    registry = FakeRegistry({})
    this = run(tmp_path)
    weak = Check(name="beats_trivial", stage="evaluate", outcome="refuse")
    this.verdict = Verdict(passed=False, checks=[weak])
    decision = this.register(registry)
    assert decision.verdict == "refused"
    assert "evaluate/beats_trivial" in decision.why
    assert registry.versions == []


def test_the_same_weights_make_no_second_version(tmp_path: Path) -> None:
    registry = FakeRegistry({"model": predictions(GOOD, extra=False)})
    run(tmp_path).register(registry)
    decision = run(tmp_path).register(registry)
    assert (decision.verdict, decision.version) == ("kept_champion", "1")
    assert len(registry.versions) == 1
    assert registry.rescored == ["model"]
    assert decision.checks[-1].outcome == "pass"


def test_the_package_carries_weights_state_policy_and_profile(tmp_path: Path) -> None:
    registry = FakeRegistry({"model": predictions(GOOD, extra=False)})
    this = run(tmp_path)
    this.policy = Policy(temperature=2.0, threshold=0.3)
    this.profile = Profile(
        sketch=this.store.keep_bytes(b"sketch", ".json"),
        sample=this.store.keep_table(pa.table({"x": [1.0]})),
    )
    this.register(registry)
    assert registry.packed["weights"] == b"w"
    assert registry.packed["state"] == b"{}"
    assert Policy.model_validate_json(registry.packed["policy"]) == this.policy
    assert registry.packed["profile"] == b"sketch"
    assert registry.packed["sample"].startswith(b"PAR1")


def test_another_policy_is_another_version(tmp_path: Path) -> None:
    registry = FakeRegistry({"model": predictions(GOOD, extra=False)})
    run(tmp_path).register(registry)
    again = run(tmp_path)
    again.policy = Policy(threshold=0.3)
    again.register(registry)
    assert len(registry.versions) == 2
    tags = [version.tags["penstock.model"] for version in registry.versions]
    assert tags[0] != tags[1]


def test_a_version_left_without_alias_is_promoted_by_the_next_run(tmp_path: Path) -> None:
    registry = FakeRegistry({"model": predictions(GOOD, extra=False)})
    run(tmp_path).register(registry)
    registry.aliases.clear()
    decision = run(tmp_path).register(registry)
    assert (decision.verdict, len(registry.versions)) == ("registered", 1)


def test_scores_that_differ_in_the_clean_process_refuse(tmp_path: Path) -> None:
    registry = FakeRegistry({"model": predictions([0.1, 0.9, 0.2, 0.80001], extra=False)})
    decision = run(tmp_path).register(registry)
    assert decision.verdict == "refused"
    assert decision.checks[-1].value == pytest.approx(1e-5)
    assert decision.checks[-1].limit == 1e-6
    assert registry.versions == []


def test_a_package_that_does_not_load_refuses_whatever_the_gate(tmp_path: Path) -> None:
    registry = FakeRegistry({"model": "No module named 'missing'"})
    this = run(tmp_path)
    this.gates = Gates(servable=Gate(limit=1e-6, action="warn"))
    decision = this.register(registry)
    assert decision.verdict == "refused"
    assert "No module named 'missing'" in decision.why
    assert registry.versions == []


@pytest.mark.parametrize(
    ("auc", "word", "champion"),
    [(0.95, "registered", "2"), (0.9, "registered", "2"), (0.85, "kept_champion", "1")],
)
def test_the_champion_of_the_same_test_rows_is_compared_by_its_tag(
    tmp_path: Path, auc: float, word: str, champion: str
) -> None:
    registry = FakeRegistry({"model": predictions(GOOD, extra=False)})
    run(tmp_path, auc=0.9).register(registry)
    decision = run(tmp_path, auc=auc, weights=b"v").register(registry)
    assert (decision.verdict, decision.version) == (word, champion)
    assert registry.aliases["champion"] == champion
    assert registry.rescored == ["model", "model"]


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (predictions(BAD, extra=False), "registered"),  # AUC 0 on these rows
        (predictions(GOOD, extra=False), "kept_champion"),  # AUC 1 on these rows
        (pa.table({"prediction": ["no"] * 4}), "kept_champion"),
        ("the old package is broken", "kept_champion"),
    ],
)
def test_the_champion_of_other_test_rows_is_scored_again(
    tmp_path: Path, answer: pa.Table | str, word: str
) -> None:
    old = Version("toy", "1", {"penstock.test": "other", "penstock.metric.roc_auc": "0.99"})
    answers = {"model": predictions(GOOD, extra=False), "1": answer}
    registry = FakeRegistry(answers, versions=[old], aliases={"champion": "1"})
    decision = run(tmp_path, auc=0.9).register(registry)
    assert decision.verdict == word
    assert registry.rescored == ["model", "1"]
    if word == "kept_champion":
        assert "Version 2 stays challenger" in decision.why
        assert (decision.version, registry.aliases["challenger"]) == ("1", "2")


def test_a_champion_that_changes_in_the_meantime_is_compared_again(tmp_path: Path) -> None:
    this = run(tmp_path, auc=0.9)
    tags = {"penstock.test": this.test.blob.sha256, "penstock.metric.roc_auc": "0.99"}
    registry = FakeRegistry(
        {"model": predictions(GOOD, extra=False)}, intruders=[Version("toy", "7", tags)]
    )
    decision = this.register(registry)
    assert (decision.verdict, decision.version) == ("kept_champion", "7")
    assert registry.aliases["champion"] == "7"


def test_a_registry_out_of_reach_is_not_an_empty_one(tmp_path: Path) -> None:
    registry = FakeRegistry({"model": predictions(GOOD)}, reachable=False)
    with pytest.raises(RegistryUnreachable):
        run(tmp_path).register(registry)
    assert registry.versions == []


def test_difference_is_absolute_for_probabilities_and_relative_to_large_values() -> None:
    one = pa.table({"prediction": ["a"], "probability_a": [0.5], "_row_loss": [9.0]})
    other = pa.table({"prediction": ["a"], "probability_a": [0.75]})
    assert difference(one, other) == 0.25
    assert difference(pa.table({"prediction": [1e6]}), pa.table({"prediction": [1e6 + 1]})) == 1e-6
    assert difference(one, other.set_column(0, "prediction", pa.array(["b"]))) == 1.0
    none = pa.table({"prediction": pa.array([None], pa.float64())})
    assert difference(pa.table({"prediction": [1.0]}), none) == 1.0
    assert difference(none, none) == 0.0


def test_a_package_without_a_column_is_not_servable() -> None:
    with pytest.raises(NotServable, match="probability_a"):
        difference(pa.table({"probability_a": [0.5]}), pa.table({"prediction": ["a"]}))


def test_scores_follow_the_order_of_the_classes() -> None:
    table = predictions([0.25, 0.5, 0.5, 1.0]).select([2, 0, 1])
    assert scores_of(table, LAYOUT)[0].tolist() == [0.75, 0.25]
