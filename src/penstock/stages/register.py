"""Give the model a version, once it has shown that it works where nobody helps it.

A model that scored well in training has shown nothing yet about the place where it will be
used: it may lean on code, files or versions that only the training had, and the model that is
in use there may be better. So it is packed, scored again by itself, and held against the
champion on the same rows, before anybody relies on it.

Fitted, Policy, Scorecard, Verdict -> Decision
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from penstock import fingerprint, tasks
from penstock.errors import Mistake, NotServable, RegistryUnreachable
from penstock.evidence import Check, Evidence
from penstock.measure import groups
from penstock.measure.contest import Groups, contest
from penstock.measure.judging import judged
from penstock.measure.predictions import Answers, answers_of, difference
from penstock.ports import Registry, Store, Version
from penstock.records import (
    Blob,
    Decision,
    Fitted,
    Layout,
    Policy,
    Profile,
    Rows,
    Scorecard,
    Verdict,
    VerdictWord,
)
from penstock.spec import Pipeline

CONTESTS = 3
"""How often a champion that changes in the meantime is compared again (house choice)."""

MODEL_TAG, PROFILE_TAG, TEST_TAG = "penstock.model", "penstock.profile", "penstock.test"
SERVABLE_TAG = "penstock.servable"
VERDICT_TAG, METRIC_TAG = "penstock.verdict", "penstock.metric."
DECISION_TAG, BYTES_TAG = "penstock.decision", "penstock.decision.bytes"

Writer = Callable[[Decision], Blob]
"""Writes the decision record of a decision, and keeps it in the store."""


def register(
    fitted: Fitted,
    policy: Policy,
    profile: Profile | None,
    scorecard: Scorecard,
    verdict: Verdict,
    train: Rows,
    test: Rows,
    pipeline: Pipeline,
    registry: Registry,
    store: Store,
    run_id: str = "",
    card: str = "",
    fingerprints: dict[str, str] | None = None,
    write: Writer | None = None,
) -> Decision:
    """Register a model whose verdict passed, and promote it when it is shown to be better.

    Parameters
    ----------
    fitted, policy : Fitted, Policy
        The model, and what turns its scores into decisions.
    profile : Profile, optional
        The reference for monitoring, which travels with the model.
    scorecard, verdict : Scorecard, Verdict
        What it scored, and whether it may be registered.
    train : Rows
        The raw training rows: they say which groups a sensitive column makes.
    test : Rows
        The raw rows behind ``scorecard.predictions``, in the same order.
    pipeline : Pipeline
        Its registry, sensitive columns, ``bias.min_rows``, ``split.seed`` and gates are read.
    registry, store : Registry, Store
        The place of versions; where the blobs of the records lie.
    run_id : str
        The tracked run that the version belongs to.
    card : str
        Description of the version, Markdown.
    fingerprints : dict of str to str, optional
        Of the data and the spec; tags of the version.
    write : callable, optional
        Writes the decision record, whose SHA-256 becomes a tag of the version before any
        alias moves.

    Returns
    -------
    Decision
        ``refused`` (no version was made), ``kept_champion``, ``awaiting_approval`` or
        ``registered``. Its ``version`` is the one in use afterwards, or the one that waits.

    Raises
    ------
    RegistryUnreachable
        When the registry gives no answer; nothing was promoted.
    """
    decision = Decision(
        verdict="refused",
        model=pipeline.registered_name,
        run_id=run_id,
        fingerprints=fingerprints or {},
        metrics={metric: estimate.value for metric, estimate in scorecard.metrics.items()},
        checks=verdict.checks,
    )
    if not verdict.passed:
        return _written(decision.model_copy(update={"why": _refusal(verdict)}), write)
    model = model_fingerprint(fitted, policy)
    champion = registry.champion(decision.model)
    if champion and champion.tags.get(MODEL_TAG) == model:
        why = f"Version {champion.number} is the champion and is the same model."
        known = _decided(
            decision, "kept_champion", champion, why, [_remembered(champion, pipeline)]
        )
        return _written(known.model_copy(update={"champion": champion.number}), write)
    table = store.table(test)
    tags = _tags(scorecard, verdict, test) | {MODEL_TAG: model}
    tags[PROFILE_TAG] = profile.fingerprint if profile else "none"
    tags |= {f"penstock.fingerprint.{k}": v for k, v in decision.fingerprints.items()}
    files = files_of(fitted, policy, profile, store)
    expected = store.table(scorecard.predictions)
    servant = _Servant(registry, table, expected, pipeline)
    version, answer, check = servant.versioned(files, decision.model, run_id, tags, card)
    if version is None or answer is None:
        return _written(_decided(decision, "refused", None, check.why, [check]), write)
    ground = _ground(fitted.layout, fitted.metric, table, train, test, pipeline, store)
    challenger = _Challenger(version, tags, answers_of(answer, fitted.layout), check)
    return _contest(decision, challenger, ground, pipeline, registry, write)


def servable(package: Path, expected: pa.Table, table: pa.Table, registry: Registry) -> _Served:
    """Score all test rows with the packaged model in a clean process.

    Returns
    -------
    pa.Table or None
        Its predictions; None when the package could not be loaded and scored.
    Check
        Its value is the :func:`~penstock.measure.predictions.difference` to those of the
        training run.
    """
    check = Check(
        name="servable",
        stage="register",
        better="lower",
        remedy="train again with --refresh; if it stays, a modality encodes a row differently"
        " by what stands beside it",
    )
    try:
        actual = registry.rescore(package, table)
        value = difference(expected, actual)
    except NotServable as error:
        return None, check.model_copy(update={"enough": False, "why": error.message})
    why = (
        f"Loaded in a clean process, the package scores {table.num_rows} test rows with a largest"
        f" difference of {value:.1e} to the training run."
    )
    return actual, check.model_copy(update={"value": value, "why": why})


_Served = tuple[pa.Table | None, Check]


def model_fingerprint(fitted: Fitted, policy: Policy) -> str:
    """SHA-256 over weights, state and policy: equal models, one version."""
    return fingerprint.of_json([fitted.weights.sha256, fitted.state.sha256, policy.fingerprint])


def files_of(
    fitted: Fitted, policy: Policy, profile: Profile | None, store: Store
) -> dict[str, Path]:
    """What the package of a model holds, as :meth:`penstock.ports.Registry.package` takes it."""
    files = {
        "weights": store.path(fitted.weights),
        "state": store.path(fitted.state),
        "policy": store.path(store.keep_bytes(policy.signed, ".json")),
    }
    if profile:
        files["profile"] = store.path(profile.sketch)
        if profile.sample:
            files["sample"] = store.path(profile.sample.blob)
    return files


@dataclass(frozen=True)
class _Servant:
    """Makes versions that serve: packs, scores in a clean process, and only then adds."""

    registry: Registry
    table: pa.Table
    expected: pa.Table
    pipeline: Pipeline

    def versioned(
        self, files: dict[str, Path], name: str, run_id: str, tags: dict[str, str], card: str
    ) -> tuple[Version | None, pa.Table | None, Check]:
        """The version, what its package answers, and the judged check; no version if refused."""
        with tempfile.TemporaryDirectory() as folder:
            known = self.registry.same(name, tags[MODEL_TAG])
            # its package may carry older code: it has to serve today as well
            if known and known.tags.get(PROFILE_TAG) == tags[PROFILE_TAG]:
                answer, check = self._served(self.registry.fetch(known, Path(folder) / "known"))
                if answer is not None:
                    return known, answer, check
            package = Path(folder) / "model"
            answer, check = self._served(self.registry.package(files, package))
            if answer is None:
                return None, None, check
            tags = tags | {SERVABLE_TAG: repr(check.value)}
            return self.registry.add(package, run_id, name, tags, card), answer, check

    def _served(self, package: Path) -> _Served:
        answer, measured = servable(package, self.expected, self.table, self.registry)
        check = judged(measured, self.pipeline.gates.servable)
        return (None if check.blocks else answer), check


@dataclass(frozen=True)
class _Challenger:
    """A version, what it says about itself, what it answered for the test rows, how it serves."""

    version: Version
    tags: dict[str, str]
    answers: Answers
    servable: Check


@dataclass(frozen=True)
class _Ground:
    """The rows that champion and challenger are held against each other on."""

    layout: Layout
    metric: str
    table: pa.Table
    target: NDArray[Any]
    columns: list[Groups]
    sha256: str


def _ground(
    layout: Layout,
    metric: str,
    table: pa.Table,
    train: Rows,
    test: Rows,
    pipeline: Pipeline,
    store: Store,
) -> _Ground:
    names = [name for name in pipeline.data.sensitive if name in table.column_names]
    past = store.table(train, columns=names)
    columns = []
    for name in names:
        grouping = groups.learn(past[name], name)
        codes = groups.codes(table[name], grouping)
        columns.append(Groups(name, groups.names_of(grouping), codes))
    target = tasks.load(layout.task).encode_target(table[layout.target], layout)
    return _Ground(layout, metric, table, target, columns, test.blob.sha256)


def _contest(
    decision: Decision,
    challenger: _Challenger,
    ground: _Ground,
    pipeline: Pipeline,
    registry: Registry,
    write: Writer | None,
) -> Decision:
    """Hold the version against the champion until the champion stands still."""
    for _ in range(CONTESTS):
        champion = registry.champion(decision.model)
        settled = _settled(decision, challenger, champion, ground, pipeline, registry)
        settled = _written(settled, write)
        registry.nominate(challenger.version, challenger.tags | _record_tags(settled))
        if settled.verdict != "registered":
            return settled
        if registry.promote(challenger.version, expected=champion):
            return settled
    raise RegistryUnreachable(
        Mistake(
            rule="the champion does not change while a challenger is held against it",
            found=f"it changed {CONTESTS} times",
            where=decision.model,
            remedy="run again when the other trainings have ended; nothing was promoted",
        )
    )


def _settled(
    decision: Decision,
    challenger: _Challenger,
    champion: Version | None,
    ground: _Ground,
    pipeline: Pipeline,
    registry: Registry,
) -> Decision:
    """What becomes of the challenger beside this champion."""
    mine = challenger.version
    found, unknown = Evidence(), ""
    if champion:
        found, unknown = _held(champion, challenger, ground, pipeline, registry)
    checks = [judged(check, pipeline.gates.of(check.name)) for check in found.checks]
    missing = unknown or (against(checks) if champion else "")
    decision = decision.model_copy(
        update={
            "evidence": found,
            "challenger": mine.number,
            "champion": champion.number if champion else "",
        }
    )
    checks = [challenger.servable, *checks]
    seen = _seen(champion, ground) if champion and not unknown else ""
    if champion and missing:
        why = f"Version {mine.number} stays challenger: {missing}{seen}"
        return _decided(decision, "kept_champion", champion, why, checks)
    why = f"Version {mine.number} is the first champion."
    if champion:
        why = f"Version {mine.number} beats champion {champion.number}: {checks[1].why}{seen}"
    if pipeline.registry.approval == "human":
        why = f"Version {mine.number} waits for a person's yes. Once approved: {why}"
        return _decided(decision, "awaiting_approval", mine, why, checks)
    return _decided(decision, "registered", mine, why, checks)


def _held(
    champion: Version,
    challenger: _Challenger,
    ground: _Ground,
    pipeline: Pipeline,
    registry: Registry,
) -> tuple[Evidence, str]:
    """Both on the same rows, or why the champion cannot be held against these rows."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            package = registry.fetch(champion, Path(folder))
            theirs = answers_of(registry.rescore(package, ground.table), ground.layout)
    except NotServable as error:
        why = f"it cannot be held against champion {champion.number}: {error.message}"
        return Evidence(notes=[why]), why
    found = contest(
        ground.metric,
        ground.target,
        challenger.answers,
        theirs,
        ground.columns,
        pipeline.bias.min_rows,
        pipeline.split.seed,
    )
    return found, ""


def against(checks: list[Check]) -> str:
    """Why the challenger is not promoted; empty when it is.

    ``beats_champion`` has to pass, by more than nothing: a tie keeps the champion. A judged
    group keeps it too; one that is too small to judge does so only where the gate's action is
    to refuse.
    """
    beats = checks[0]
    if beats.outcome != "pass":
        return f"its gain over the champion is not shown. {beats.why}"
    if beats.value is not None and beats.limit is not None and beats.value <= beats.limit:
        return f"a tie keeps the champion. {beats.why}"
    allowed = ("pass", "insufficient")
    worse = [check for check in checks[1:] if check.blocks or check.outcome not in allowed]
    if not worse:
        return ""
    listed = "; ".join(f"{check.subject}: {check.why}" for check in worse)
    return f"it is not shown to be as good in every group. {listed}"


def _seen(champion: Version, ground: _Ground) -> str:
    if champion.tags.get(TEST_TAG) == ground.sha256:
        return ""
    return (
        f" Version {champion.number} was made with other test rows: it may have seen some of"
        " these in training, which would flatter it."
    )


def _decided(
    decision: Decision,
    word: VerdictWord,
    version: Version | None,
    why: str,
    checks: list[Check],
) -> Decision:
    return decision.model_copy(
        update={
            "verdict": word,
            "version": version.number if version else "",
            "why": why,
            "checks": [*decision.checks, *checks],
        }
    )


def _written(decision: Decision, write: Writer | None) -> Decision:
    return decision.model_copy(update={"record": write(decision)}) if write else decision


def _record_tags(decision: Decision) -> dict[str, str]:
    """Where the decision record is: its SHA-256, and its size."""
    blob = decision.record
    return {DECISION_TAG: blob.sha256, BYTES_TAG: str(blob.num_bytes)} if blob else {}


def _refusal(verdict: Verdict) -> str:
    blocking = [c.label for c in verdict.checks if c.blocks]
    return f"Refused by {', '.join(blocking)}; no version was made."


def _remembered(version: Version, pipeline: Pipeline) -> Check:
    """The check as it was measured when this version was made."""
    noted = version.tags.get(SERVABLE_TAG)
    check = Check(
        name="servable",
        stage="register",
        value=float(noted) if noted else None,
        enough=bool(noted),
        why=f"Measured when version {version.number} was made of the same model.",
        remedy="train again with --refresh",
    )
    return judged(check, pipeline.gates.servable)


def _tags(scorecard: Scorecard, verdict: Verdict, test: Rows) -> dict[str, str]:
    """What a version says about itself: its verdict, its metrics, and on which rows."""
    outcomes = [judged_check.outcome for judged_check in verdict.checks]
    counts = {word: outcomes.count(word) for word in sorted(set(outcomes))}
    values = {metric: estimate.value for metric, estimate in scorecard.metrics.items()}
    return {
        VERDICT_TAG: "passed",
        "penstock.checks": ", ".join(f"{count} {word}" for word, count in counts.items()),
        TEST_TAG: test.blob.sha256,
        **{METRIC_TAG + metric: repr(v) for metric, v in values.items() if v is not None},
    }
