"""Only what works by itself, and is not worse, becomes the champion."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import ndtri

from penstock.adapters.store import LocalStore
from penstock.challenge import against
from penstock.errors import Mistake, NotServable, RegistryUnreachable
from penstock.evidence import Check
from penstock.measure.contest import Groups, contest
from penstock.measure.judging import judged
from penstock.measure.predictions import Answers
from penstock.outcomes import Decision
from penstock.ports import Version
from penstock.records import (
    Column,
    Estimate,
    Fitted,
    Layout,
    Policy,
    Profile,
    Rows,
    Scorecard,
    Verdict,
)
from penstock.spec import Gate, Gates, Pipeline
from penstock.stages.register import register

LAYOUT = Layout(
    columns=[
        Column(name="x", modality="numeric", arrow_type="double"),
        Column(name="town", modality="category", arrow_type="string", role="metadata"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)


def predictions(yes: list[float], extra: bool = True) -> pa.Table:
    high = np.asarray(yes)
    columns = {
        "prediction": np.where(high > 0.5, "yes", "no"),
        "probability_no": 1 - high,
        "probability_yes": high,
    }
    if extra:
        columns |= {"_target": np.arange(len(yes)), "_row_loss": np.zeros(len(yes))}
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

    def history(self, name: str) -> list[Version]:
        return self.versions

    def package(self, files: dict[str, Path], destination: Path) -> Path:
        self.packed = {name: path.read_bytes() for name, path in files.items()}
        return destination

    def fetch(self, version: Version, destination: Path) -> Path:
        return destination if destination.name == "known" else destination / version.number

    def rescore(self, package: Path, table: pa.Table) -> pa.Table:
        self.rescored.append(package.name)
        answer = self.answers[package.name]
        if isinstance(answer, str):
            raise NotServable(Mistake(answer))
        return answer

    def nominate(self, version: Version, tags: dict[str, str]) -> None:
        version.tags.update(tags)
        self.aliases["challenger"] = version.number

    def add(
        self, package: Path, run_id: str, name: str, tags: dict[str, str], description: str
    ) -> Version:
        version = Version(name, str(len(self.versions) + 1), tags)
        self.versions.append(version)
        self.aliases["challenger"] = version.number
        return version

    def promote(
        self, version: Version, expected: Version | None, tags: dict[str, str] | None = None
    ) -> bool:
        if self.intruders:
            intruder = self.intruders.pop(0)
            self.versions.append(intruder)
            self.aliases["champion"] = intruder.number
        if self.champion(version.name) != expected:
            return False
        version.tags.update(tags or {})
        self.aliases["champion"] = version.number
        if self.aliases.get("challenger") == version.number:
            del self.aliases["challenger"]
        return True


ROWS = 400
TARGET = np.tile([0, 1], ROWS // 2)


def scores(strength: float, seed: int = 0) -> list[float]:
    """Probabilities of yes that tell the target the better the stronger."""
    noise = np.random.default_rng(seed).normal(size=ROWS)
    return (1 / (1 + np.exp(-(strength * (TARGET - 0.5) + noise)))).tolist()


GOOD, BETTER, BAD = scores(1.0), scores(2.0), scores(0.5)


@dataclass
class Run:
    """One training, ready to be registered."""

    store: LocalStore
    train: Rows
    test: Rows
    fitted: Fitted
    scorecard: Scorecard
    verdict: Verdict = field(default_factory=lambda: Verdict(passed=True, checks=[]))
    gates: Gates = field(default_factory=Gates)
    policy: Policy = field(default_factory=Policy)
    profile: Profile | None = None
    sensitive: list[str] = field(default_factory=list)
    approval: str = "auto"
    metric: str = "roc_auc"

    def register(self, registry: FakeRegistry) -> Decision:
        pipeline = Pipeline.model_validate(
            {
                "name": "toy",
                "data": {"source": "t.csv", "target": "y", "sensitive": self.sensitive},
                "registry": {"approval": self.approval},
                "gates": self.gates,
            }
        )
        return register(
            self.fitted.model_copy(update={"metric": self.metric}),
            self.policy,
            self.profile,
            self.scorecard,
            self.verdict,
            self.train,
            self.test,
            pipeline,
            registry,
            self.store,
            write=lambda decision: self.store.keep_bytes(decision.why.encode(), ".json"),
        )


def run(folder: Path, yes: list[float] = GOOD, weights: bytes = b"w") -> Run:
    store = LocalStore(folder / "store")
    table = pa.table(
        {
            "x": np.arange(float(len(yes))),
            "town": ["Ulm", "Ulm", "Ulm", "Ulm", "Bonn", "Bonn", "Ulm", "Ulm"] * (len(yes) // 8),
            "y": ["no", "yes"] * (len(yes) // 2),
        }
    )
    fitted = Fitted(
        weights=store.keep_bytes(weights, ".safetensors"),
        state=store.keep_bytes(b"{}", ".json"),
        layout=LAYOUT,
        loss="cross_entropy",
        metric="roc_auc",
    )
    scorecard = Scorecard(
        metrics={"roc_auc": Estimate(value=0.9)}, predictions=store.keep_table(predictions(yes))
    )
    return Run(store, store.keep_table(table), store.keep_table(table), fitted, scorecard)


def answering(**yes: list[float]) -> FakeRegistry:
    """A registry whose packages answer with these probabilities."""
    return FakeRegistry({name.lstrip("_"): predictions(v, extra=False) for name, v in yes.items()})


def with_champion(yes: list[float], theirs: list[float], tags: dict[str, str]) -> FakeRegistry:
    registry = answering(model=yes, _1=theirs)
    registry.versions.append(Version("toy", "1", tags))
    registry.aliases["champion"] = "1"
    return registry


def test_the_first_model_becomes_champion(tmp_path: Path) -> None:
    registry = answering(model=GOOD, _1=GOOD)
    decision = run(tmp_path).register(registry)
    assert (decision.verdict, decision.version) == ("registered", "1")
    assert registry.aliases["champion"] == "1"
    assert decision.checks[-1].name == "servable"
    assert (decision.checks[-1].value, decision.checks[-1].outcome) == (0.0, "pass")
    assert registry.versions[0].tags["penstock.metrics"] == '{"roc_auc": 0.9}'


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
    registry = answering(model=GOOD, _1=GOOD)
    run(tmp_path).register(registry)
    decision = run(tmp_path).register(registry)
    assert (decision.verdict, decision.version) == ("kept_champion", "1")
    assert len(registry.versions) == 1
    assert registry.rescored == ["model"]
    assert decision.checks[-1].outcome == "pass"


def test_the_package_carries_weights_state_policy_and_profile(tmp_path: Path) -> None:
    registry = answering(model=GOOD, _1=GOOD)
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
    registry = answering(model=GOOD, _1=GOOD)
    run(tmp_path).register(registry)
    again = run(tmp_path)
    again.policy = Policy(threshold=0.3)
    again.register(registry)
    assert len(registry.versions) == 2
    tags = [version.tags["penstock.model"] for version in registry.versions]
    assert tags[0] != tags[1]


def test_a_version_left_without_alias_is_promoted_by_the_next_run(tmp_path: Path) -> None:
    registry = answering(model=GOOD, known=GOOD)
    run(tmp_path).register(registry)
    registry.aliases.clear()
    decision = run(tmp_path).register(registry)
    assert (decision.verdict, len(registry.versions)) == ("registered", 1)
    assert registry.rescored == ["model", "known"]


def test_another_profile_makes_a_version_of_its_own(tmp_path: Path) -> None:
    registry = answering(model=GOOD, known=GOOD)
    run(tmp_path).register(registry)
    registry.aliases.clear()
    this = run(tmp_path)
    this.profile = Profile(sketch=this.store.keep_bytes(b"sketch", ".json"))
    decision = this.register(registry)
    assert (decision.version, registry.rescored) == ("2", ["model", "model"])


def test_a_version_whose_package_serves_no_longer_is_made_again(tmp_path: Path) -> None:
    registry = answering(model=GOOD, known=BAD)
    run(tmp_path).register(registry)
    registry.aliases.clear()
    decision = run(tmp_path).register(registry)
    assert (decision.verdict, decision.version) == ("registered", "2")


def test_scores_that_differ_in_the_clean_process_refuse(tmp_path: Path) -> None:
    registry = answering(model=[*GOOD[:-1], GOOD[-1] + 1e-5])
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
    ("yes", "word", "said"),
    [
        (BETTER, "registered", "beats champion 1"),
        (GOOD, "kept_champion", "a tie keeps the champion"),
        (scores(1.0, seed=1), "kept_champion", "not shown"),
        (BAD, "kept_champion", "not shown"),
    ],
)
def test_only_a_gain_that_is_shown_takes_the_champions_place(
    tmp_path: Path, yes: list[float], word: str, said: str
) -> None:
    this = run(tmp_path, yes)
    registry = with_champion(yes, GOOD, {"penstock.test": this.test.blob.sha256})
    decision = this.register(registry)
    assert decision.verdict == word
    assert said in decision.why
    assert "made with other test rows" not in decision.why
    assert (decision.champion, decision.challenger) == ("1", "2")
    assert registry.rescored == ["model", "1"]
    assert (
        decision.version == registry.aliases["champion"] == ("2" if word == "registered" else "1")
    )
    assert registry.aliases.get("challenger") == (None if word == "registered" else "2")
    (row,) = decision.evidence.tables["contest"].rows
    assert row[1] == ROWS


def test_a_champion_of_other_test_rows_may_have_seen_these(tmp_path: Path) -> None:
    registry = with_champion(BETTER, GOOD, {"penstock.test": "other"})
    decision = run(tmp_path, BETTER).register(registry)
    assert decision.verdict == "registered"
    assert "Version 1 was made with other test rows: it may have seen" in decision.why


@pytest.mark.parametrize(
    "answer", [pa.table({"prediction": ["no"] * ROWS}), "the old package is broken"]
)
def test_a_champion_that_cannot_score_these_rows_is_kept(
    tmp_path: Path, answer: pa.Table | str
) -> None:
    registry = with_champion(GOOD, GOOD, {})
    registry.answers["1"] = answer
    decision = run(tmp_path).register(registry)
    assert (decision.verdict, decision.version) == ("kept_champion", "1")
    assert "Version 2 stays challenger: it cannot be held against champion 1" in decision.why
    assert registry.aliases["challenger"] == "2"


def test_a_group_that_lost_keeps_the_champion(tmp_path: Path) -> None:
    town = np.array(["Ulm", "Ulm", "Ulm", "Ulm", "Bonn", "Bonn", "Ulm", "Ulm"] * (ROWS // 8))
    yes = np.where(town == "Bonn", BAD, scores(3.0)).tolist()
    theirs = np.where(town == "Bonn", scores(3.0), BAD).tolist()
    this = run(tmp_path, yes)
    assert this.register(with_champion(yes, theirs, {})).verdict == "registered"
    this.sensitive = ["town"]
    decision = this.register(with_champion(yes, theirs, {}))
    assert decision.verdict == "kept_champion"
    assert "town[Bonn]" in decision.why
    groups = {c.subject: c.outcome for c in decision.checks if c.name == "champion_group"}
    assert groups == {"town[Bonn]": "note", "town[Ulm]": "pass"}


def test_a_group_too_small_to_judge_is_named_and_does_not_keep_the_champion(
    tmp_path: Path,
) -> None:
    this = run(tmp_path, BETTER)
    this.sensitive = ["x"]  # four groups of 100 rows
    registry = with_champion(BETTER, scores(1.9, seed=0), {})
    decision = this.register(registry)
    outcomes = [c.outcome for c in decision.checks if c.name == "champion_group"]
    assert len(outcomes) == 4
    assert "insufficient" in outcomes
    assert set(outcomes) <= {"pass", "insufficient"}
    assert decision.verdict == "registered"
    this.gates = Gates(champion_group=Gate(limit=-0.02, action="refuse"))
    strict = this.register(with_champion(BETTER, scores(1.9, seed=0), {}))
    assert strict.verdict == "kept_champion"
    assert "Too small a group to judge" in strict.why


def test_decisions_count_where_the_metric_reads_them(tmp_path: Path) -> None:
    this = run(tmp_path, GOOD)
    this.metric = "accuracy"
    registry = with_champion(GOOD, GOOD, {})
    worse = registry.answers["1"]
    assert isinstance(worse, pa.Table)
    registry.answers["1"] = worse.set_column(0, "prediction", pa.array(["no"] * ROWS))
    decision = this.register(registry)
    assert decision.verdict == "registered"
    (row,) = decision.evidence.tables["contest"].rows
    assert row[3] == 0.5


def test_a_better_challenger_waits_where_a_person_has_to_say_yes(tmp_path: Path) -> None:
    this = run(tmp_path, BETTER)
    this.approval = "human"
    registry = with_champion(BETTER, GOOD, {})
    decision = this.register(registry)
    assert (decision.verdict, decision.version) == ("awaiting_approval", "2")
    assert registry.aliases == {"champion": "1", "challenger": "2"}
    assert "waits for a person's yes" in decision.why
    worse = run(tmp_path, BAD, b"v")
    worse.approval = "human"
    assert worse.register(with_champion(BAD, GOOD, {})).verdict == "kept_champion"


@pytest.mark.parametrize("tag", ["penstock.rejected", "penstock.rolled_back"])
def test_a_model_that_a_person_said_no_to_comes_back_by_no_training(
    tmp_path: Path, tag: str
) -> None:
    registry = with_champion(BETTER, GOOD, {})
    this = run(tmp_path, BETTER)
    assert this.register(registry).version == "2"
    registry.versions[1].tags[tag] = "2026-01-05"
    registry.aliases = {"champion": "1"}
    this.profile = Profile(sketch=this.store.keep_bytes(b"sketch", ".json"))  # another version
    decision = this.register(registry)
    assert (decision.verdict, decision.version) == ("kept_champion", "1")
    assert "only a person brings it back" in decision.why
    assert (len(registry.versions), registry.aliases) == (2, {"champion": "1"})


def test_a_better_model_waits_for_a_person_who_put_the_champion_back(tmp_path: Path) -> None:
    registry = with_champion(BETTER, GOOD, {"penstock.restored": "2026-01-05"})
    decision = run(tmp_path, BETTER).register(registry)
    assert (decision.verdict, decision.version) == ("awaiting_approval", "2")
    assert "because a person put champion 1 back (2026-01-05)" in decision.why
    assert registry.aliases == {"champion": "1", "challenger": "2"}


def test_a_champion_knows_which_one_was_before_it(tmp_path: Path) -> None:
    registry = with_champion(BETTER, GOOD, {})
    run(tmp_path, BETTER).register(registry)
    assert registry.versions[1].tags["penstock.champion_before"] == "1"
    assert registry.versions[1].tags["penstock.champion_since"].startswith("20")


def test_the_decision_record_is_on_the_version_before_its_alias(tmp_path: Path) -> None:
    registry = answering(model=GOOD)
    this = run(tmp_path)
    decision = this.register(registry)
    assert decision.record is not None
    assert this.store.path(decision.record).read_text() == decision.why
    assert registry.versions[0].tags["penstock.decision"] == decision.record.sha256


@pytest.mark.slow
@pytest.mark.parametrize("points", [-1, 2])
def test_worse_by_a_point_of_auc_is_never_promoted_better_by_two_nearly_always(
    points: int,
) -> None:
    """Fifty pairs of score columns that share nine tenths of their noise, as two trainings do."""
    promoted, num_rows = 0, 2_000
    for seed in range(50):
        rng = np.random.default_rng([seed, num_rows])
        target = (rng.random(num_rows) < 0.25).astype(np.int64)
        shared = rng.normal(size=num_rows)
        answers = []
        for auc in (0.88 + points / 100, 0.88):
            distance = np.sqrt(2) * ndtri(auc)
            mixed = np.sqrt(0.9) * shared + np.sqrt(0.1) * rng.normal(size=num_rows)
            yes = 1 / (1 + np.exp(-(target * distance + mixed)))
            answers.append(Answers(np.column_stack([1 - yes, yes]), (yes > 0.5).astype(np.int64)))
        half = Groups("half", ["a", "b"], (np.arange(num_rows) % 3 == 0).astype(np.int64))
        found = contest("roc_auc", target, *answers, [half], 30, seed)
        promoted += not against([judged(c, getattr(Gates(), c.name)) for c in found.checks])
    assert promoted == 0 if points < 0 else promoted >= 45


def test_a_champion_that_changes_in_the_meantime_is_compared_again(tmp_path: Path) -> None:
    registry = answering(model=GOOD, _7=BETTER)
    registry.intruders.append(Version("toy", "7", {}))
    decision = run(tmp_path).register(registry)
    assert (decision.verdict, decision.version) == ("kept_champion", "7")
    assert registry.aliases["champion"] == "7"


def test_a_registry_out_of_reach_is_not_an_empty_one(tmp_path: Path) -> None:
    registry = FakeRegistry({"model": predictions(GOOD)}, reachable=False)
    with pytest.raises(RegistryUnreachable):
        run(tmp_path).register(registry)
    assert registry.versions == []
