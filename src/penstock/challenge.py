"""Hold a version against the champion until the champion stands still.

The one way to the alias ``champion`` that leads forward: a fresh training and a person's yes
both come through here, so that neither promotes what the other would not.

version, champion, rows -> Decision, alias
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from penstock import tags, tasks
from penstock.errors import Mistake, NotServable, RegistryUnreachable
from penstock.evidence import Check, Evidence
from penstock.measure import groups
from penstock.measure.contest import Groups, contest
from penstock.measure.judging import judged
from penstock.measure.predictions import Answers, difference
from penstock.outcomes import Answer, Decision, VerdictWord
from penstock.ports import Registry, Store, Version
from penstock.records import Blob, Layout, Rows
from penstock.spec import Pipeline

CONTESTS = 3
"""How often a champion that changes in the meantime is compared again (house choice)."""

Writer = Callable[[Decision], Blob]
"""Writes the decision record of a decision, and keeps it in the store."""

Served = tuple[pa.Table | None, Check]


def servable(
    package: Path, expected: pa.Table, table: pa.Table, registry: Registry, pipeline: Pipeline
) -> Served:
    """Score all test rows with the packaged model in a clean process.

    Returns
    -------
    pa.Table or None
        Its predictions; None when the package could not be loaded and scored, or its check
        blocks.
    Check
        Judged; its value is the :func:`~penstock.measure.predictions.difference` to those of
        the training run.
    """
    check = Check(
        name="servable",
        stage="register",
        better="lower",
        remedy="train again with --refresh; if it stays, a modality encodes a row differently"
        " by what stands beside it",
    )
    answer = None
    try:
        answer = registry.rescore(package, table)
    except NotServable as error:
        check = check.model_copy(update={"enough": False, "why": error.message})
    else:
        value = difference(expected, answer)
        why = (
            f"Loaded in a clean process, the package scores {table.num_rows} test rows with a"
            f" largest difference of {value:.1e} to the training run."
        )
        check = check.model_copy(update={"value": value, "why": why})
    check = judged(check, pipeline.gates.servable)
    return (None if check.blocks else answer), check


@dataclass(frozen=True)
class Challenger:
    """A version, what it says about itself, what it answered for the test rows, how it serves."""

    version: Version
    tags: dict[str, str]
    answers: Answers
    servable: Check


@dataclass(frozen=True)
class Ground:
    """The rows that champion and challenger are held against each other on."""

    layout: Layout
    metric: str
    table: pa.Table
    target: NDArray[Any]
    columns: list[Groups]
    sha256: str


def ground_of(
    layout: Layout,
    metric: str,
    table: pa.Table,
    train: Rows,
    test: Rows,
    pipeline: Pipeline,
    store: Store,
) -> Ground:
    """The rows, their truth and their groups.

    Parameters
    ----------
    layout, metric : Layout, str
        What is predicted, and the declared metric.
    table, test : pa.Table, Rows
        The raw test rows, and where they are.
    train : Rows
        The raw training rows: they say which groups a sensitive column makes.
    """
    names = [name for name in pipeline.data.sensitive if name in table.column_names]
    past = store.table(train, columns=names)
    columns = []
    for name in names:
        grouping = groups.learn(past[name], name)
        codes = groups.codes(table[name], grouping)
        columns.append(Groups(name, groups.names_of(grouping), codes))
    target = tasks.load(layout.task).encode_target(table[layout.target], layout)
    return Ground(layout, metric, table, target, columns, test.blob.sha256)


def challenge(
    decision: Decision,
    challenger: Challenger,
    ground: Ground,
    pipeline: Pipeline,
    registry: Registry,
    write: Writer | None,
    approval: Answer | None = None,
) -> Decision:
    """Hold the version against the champion until the champion stands still.

    Parameters
    ----------
    decision : Decision
        As far as it is known; its checks stand before those of the contest.
    challenger, ground : Challenger, Ground
        The version, and the rows for the contest.
    pipeline : Pipeline
        Its gates, ``registry.approval``, ``bias.min_rows`` and ``split.seed`` are read.
    registry : Registry
        Where the champion is read, and the alias moved.
    write : callable, optional
        Writes the decision record, whose hash becomes a tag before the alias moves.
    approval : Answer, optional
        A person's yes. It takes the place of waiting for one, never that of the contest.

    Raises
    ------
    RegistryUnreachable
        When there is no answer, or the champion changes all the time.
    """
    for _ in range(CONTESTS):
        champion = registry.champion(decision.model)
        settled = _settled(decision, challenger, champion, ground, pipeline, registry, approval)
        settled = written(settled, write)
        registry.nominate(challenger.version, challenger.tags | record_tags(settled))
        if settled.verdict != "registered":
            return settled
        marks = promoted_tags(champion, approval)
        if registry.promote(challenger.version, expected=champion, tags=marks):
            return settled
    raise RegistryUnreachable(
        Mistake(
            rule="the champion does not change while a challenger is held against it",
            found=f"it changed {CONTESTS} times",
            where=decision.model,
            remedy="run again when the other trainings have ended; nothing was promoted",
        )
    )


def promoted_tags(champion: Version | None, approval: Answer | None = None) -> dict[str, str]:
    """What is written on a version that takes the champion's place; empty text takes a tag away."""
    found = {
        tags.CHAMPION_SINCE: datetime.now(UTC).isoformat(timespec="seconds"),
        tags.CHAMPION_BEFORE: champion.number if champion else "none",
        tags.RESTORED: "",
    }
    return found | ({tags.REJECTED: "", tags.ROLLED_BACK: ""} if approval else {})


def barred(model: str, history: list[Version]) -> str:
    """Why no automation may bring this model back; empty when a person never said no to it.

    Parameters
    ----------
    model : str
        Its fingerprint: another version of the same model is barred as well.
    history : list of Version
        All versions of the model line.

    Examples
    --------
    >>> back = Version("toy", "2", {"penstock.model": "f", "penstock.rolled_back": "2026-01-05"})
    >>> barred("f", [back])[:59]
    'Version 2 is the same model, and a person rolled it back (2'
    >>> barred("g", [back])
    ''
    """
    words = {tags.ROLLED_BACK: "rolled it back", tags.REJECTED: "rejected it"}
    for version in history:
        if version.tags.get(tags.MODEL) == model:
            for tag, word in words.items():
                if when := version.tags.get(tag):
                    return (
                        f"Version {version.number} is the same model, and a person {word}"
                        f" ({when}): only a person brings it back, with penstock promote."
                    )
    return ""


def _settled(
    decision: Decision,
    challenger: Challenger,
    champion: Version | None,
    ground: Ground,
    pipeline: Pipeline,
    registry: Registry,
    approval: Answer | None,
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
    said = f"{approval.sentence} " if approval else ""
    if champion and missing:
        why = f"{said}Version {mine.number} stays challenger: {missing}{seen}"
        return decided(decision, "kept_champion", champion, why, checks)
    why = f"Version {mine.number} is the first champion."
    if champion:
        why = f"Version {mine.number} beats champion {champion.number}: {checks[1].why}{seen}"
    if not approval and (waits := _waits(champion, pipeline)):
        why = f"Version {mine.number} waits for a person's yes{waits}. Once approved: {why}"
        return decided(decision, "awaiting_approval", mine, why, checks)
    return decided(decision, "registered", mine, f"{said}{why}", checks)


def _waits(champion: Version | None, pipeline: Pipeline) -> str:
    """Why a person has the word: by the spec, or because a person put this champion back."""
    if pipeline.registry.approval == "human":
        return ", as registry.approval asks"
    if champion and (when := champion.tags.get(tags.RESTORED)):
        return f", because a person put champion {champion.number} back ({when})"
    return ""


def _held(
    champion: Version,
    challenger: Challenger,
    ground: Ground,
    pipeline: Pipeline,
    registry: Registry,
) -> tuple[Evidence, str]:
    """Both on the same rows, or why the champion cannot be held against these rows."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            package = registry.fetch(champion, Path(folder))
            found = registry.rescore(package, ground.table)
            theirs = tasks.load(ground.layout.task).answers(found, ground.layout)
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


def _seen(champion: Version, ground: Ground) -> str:
    if champion.tags.get(tags.TEST) == ground.sha256:
        return ""
    return (
        f" Version {champion.number} was made with other test rows: it may have seen some of"
        " these in training, which would flatter it."
    )


def decided(
    decision: Decision,
    word: VerdictWord,
    version: Version | None,
    why: str,
    checks: list[Check],
) -> Decision:
    """The decision with its verdict; the version is the one in use, or the one that waits."""
    return decision.model_copy(
        update={
            "verdict": word,
            "version": version.number if version else "",
            "why": why,
            "checks": [*decision.checks, *checks],
        }
    )


def written(decision: Decision, write: Writer | None) -> Decision:
    """With its decision record, where somebody writes one."""
    return decision.model_copy(update={"record": write(decision)}) if write else decision


def record_tags(decision: Decision) -> dict[str, str]:
    """Where the decision record is: its SHA-256, and its size."""
    blob = decision.record
    return {tags.DECISION: blob.sha256, tags.DECISION_BYTES: str(blob.num_bytes)} if blob else {}
