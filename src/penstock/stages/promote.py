"""Let a person say yes or no to a version, and then look again.

Gates judge what they were told to measure; whether a model should decide about people is a
question for somebody who can be asked for reasons. But hours lie between question and answer,
so what the yes was said to is held once more against the champion of the moment.

Version, Answer -> Decision
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from penstock import ledger, tags, tasks
from penstock.challenge import Challenger, Ground, challenge, ground_of, record_tags, servable
from penstock.errors import BadInput, Mistake
from penstock.ledger import DecisionRecord
from penstock.outcomes import Answer, Decision
from penstock.ports import Registry, Store, Version
from penstock.records import Fitted, Record, Scorecard, Split
from penstock.spec import Pipeline

CONTEST = ("servable", "beats_champion", "champion_group")
"""Checks that are measured again; all others stand as they were."""

R = TypeVar("R", bound=Record)


def promote(
    version: Version, answer: Answer, registry: Registry, store: Store, flow_run_id: str = ""
) -> Decision:
    """Do what a person said about a version, as far as the contest still bears it.

    Parameters
    ----------
    version : Version
        From :func:`awaiting`.
    answer : Answer
        Who says yes or no, and why.
    registry, store : Registry, Store
        The place of versions; where the decision record and all that it cites lie.
    flow_run_id : str
        In Prefect, for the new decision record.

    Returns
    -------
    Decision
        ``registered``; ``rejected``; or ``kept_champion``, when the champion of today is not
        beaten, whatever the answer was.

    Raises
    ------
    BadInput
        When the version has no decision record that can be read.
    RegistryUnreachable
        When the registry gives no answer; nothing was promoted.
    """
    record = ledger.read_record(
        version.tags.get(tags.DECISION, ""), version.tags.get(tags.DECISION_BYTES, ""), store
    )

    def write(decision: Decision) -> Any:
        return ledger.redecided(record, decision, answer.name, flow_run_id).keep(store)

    decision = decision_of(record, version, flow_run_id)
    if not answer.approve:
        return _rejected(decision, version, answer, record, registry, write)
    pipeline = _validated(Pipeline, record.spec, "spec")
    kept = [check for check in record.checks if check.name not in CONTEST]
    decision = decision.model_copy(update={"checks": kept})
    challenger, ground = _again(record, version, pipeline, registry, store)
    return challenge(decision, challenger, ground, pipeline, registry, write, answer)


def awaiting(name: str, number: str, registry: Registry) -> Version:
    """The version that a person is asked about.

    Parameters
    ----------
    name : str
        Of the registered model.
    number : str
        Of the version; empty: the one with the alias ``challenger``.
    registry : Registry
        The place of versions.

    Raises
    ------
    BadInput
        When nothing waits, or the version has no passed verdict, or is the champion already.
    """
    history = {version.number: version for version in registry.history(name)}
    where = f"model {name}"
    waiting = registry.challenger(name)
    found = history.get(number) if number else waiting
    if found is None:
        rule = "a registered version is promoted"
        known = f"versions {', '.join(history)}" if history else "no version yet"
        said = (
            f"no version {number}; {known}"
            if number
            else f"none with the alias challenger; {known}"
        )
        remedy = "name one: penstock promote PIPELINE VERSION" if history else "train first"
        raise BadInput(Mistake(rule, said, where, remedy))
    champion = registry.champion(name)
    if champion and champion.number == found.number:
        raise BadInput(
            Mistake(
                "a version that is not the champion yet is promoted",
                f"version {found.number} is the champion already",
                where,
                "nothing is to do",
            )
        )
    if found.tags.get(tags.VERDICT) != "passed":
        raise BadInput(
            Mistake(
                "only a version whose gates all passed is promoted",
                f"version {found.number} has no passed verdict",
                where,
                "train again; gates are pipeline.yaml's business, not a person's yes",
            )
        )
    return found


def question(
    version: Version, champion: Version | None, store: Store, url: Callable[[str], str]
) -> str:
    """What a person should know before they answer, as Markdown.

    Parameters
    ----------
    version, champion : Version
        What waits, and what is in use.
    store : Store
        Where the decision record is.
    url : callable
        Gives the address of a run's page, or nothing.
    """
    record = ledger.read_record(
        version.tags.get(tags.DECISION, ""), version.tags.get(tags.DECISION_BYTES, ""), store
    )
    metrics = [f"{name} {value:.4g}" for name, value in tags.metrics(version.tags).items()]
    doubts = [f"- {c.label}: {c.why}" for c in record.checks if c.outcome in ("warn", "refuse")]
    page = url(record.run_id) if record.run_id else ""
    stands = f"version {champion.number} is in use" if champion else "there is no champion yet"
    said = [tags.ROLLED_BACK, tags.REJECTED]
    no = [f"A person said no to it before ({version.tags[t]})." for t in said if t in version.tags]
    return "\n".join(
        [
            f"**May version {version.number} of {version.name} become the champion?**"
            f" Today {stands}.",
            "",
            record.why,
            "",
            *no,
            f"On its own test rows: {', '.join(metrics)}." if metrics else "",
            *(["", "Warnings:", *doubts] if doubts else []),
            *(["", f"[Its run in MLflow]({page})"] if page else []),
        ]
    )


def decision_of(record: DecisionRecord, version: Version, flow_run_id: str = "") -> Decision:
    """The decision that a record tells of, as far as it holds for any later one."""
    return Decision(
        verdict=record.verdict,
        model=version.name,
        version=version.number,
        challenger=version.number,
        champion=record.champion,
        run_id=record.run_id,
        flow_run_id=flow_run_id,
        fingerprints=tags.fingerprints(version.tags),
        metrics=tags.metrics(version.tags),
        checks=record.checks,
        why=record.why,
    )


def _rejected(
    decision: Decision,
    version: Version,
    answer: Answer,
    record: DecisionRecord,
    registry: Registry,
    write: Any,
) -> Decision:
    """Write the no down; the version loses the alias by which it waited."""
    champion = registry.champion(version.name)
    number = champion.number if champion else ""
    stays = f" Champion {number} stays." if champion else " There is still no champion."
    said = {"verdict": "rejected", "why": answer.sentence + stays, "champion": number}
    decision = decision.model_copy(update=said | {"checks": record.checks})
    decision = decision.model_copy(update={"record": write(decision)})
    when = datetime.now(UTC).isoformat(timespec="seconds")
    registry.tag(version, record_tags(decision) | {tags.REJECTED: when})
    registry.withdraw(version)
    return decision


def _again(
    record: DecisionRecord,
    version: Version,
    pipeline: Pipeline,
    registry: Registry,
    store: Store,
) -> tuple[Challenger, Ground]:
    """The version as it serves today, and the rows that it was tested on."""
    parts = _recorded(record, "split", Split)
    fitted = _recorded(record, "fit", Fitted)
    scorecard = _recorded(record, "evaluate", Scorecard)
    table, expected = store.table(parts.test), store.table(scorecard.predictions)
    with tempfile.TemporaryDirectory() as folder:
        package = registry.fetch(version, Path(folder))
        answers, check = servable(package, expected, table, registry, pipeline)
    if answers is None:
        rule = "a version that is promoted can be loaded and scored in a clean process"
        raise BadInput(Mistake(rule, check.why, f"version {version.number}", check.remedy))
    ground = ground_of(
        fitted.layout, fitted.metric, table, parts.train, parts.test, pipeline, store
    )
    said = tasks.load(fitted.layout.task).answers(answers, fitted.layout)
    return Challenger(version, {}, said, check), ground


def _recorded(record: DecisionRecord, stage: str, kind: type[R]) -> R:
    """What a stage gave when the model was made."""
    found = record.stages.get(stage)
    return _validated(kind, (found.record if found else None) or {}, f"record of {stage}")


def _validated(kind: Any, value: dict[str, Any], what: str) -> Any:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        rule = f"this penstock can read the {what} in the decision record"
        raise BadInput(
            Mistake(rule, said, what, "train again, then approve the new version")
        ) from error
