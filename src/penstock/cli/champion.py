"""Who is the champion: ``promote``, ``rollback``, ``retrain``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from penstock.cli.app import EXIT_STATUS, OK, app, overrides_of, tell

if TYPE_CHECKING:
    from penstock.errors import Mistake
    from penstock.outcomes import Decision
    from penstock.services import Services

Flag = Annotated[bool, Parameter(negative="")]
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.command
def promote(
    pipeline: str,
    version: int = 0,
    /,
    *,
    approve: Flag = False,
    reject: Flag = False,
    name: str = "",
    reason: str = "",
    json_: Json = False,
) -> int:
    """Say yes or no to a version that waits for a person; the champion is compared again.

    Asks at a terminal what the flags do not say. Exit status: 0 promoted, rejected, or champion
    kept because it is better by now; 2 bad input, 1 crashed.

    Parameters
    ----------
    pipeline
        A folder, a pipeline.yaml, or the name of a folder under data/.
    version
        Of the registered model; default: the one that waits.
    approve, reject
        The answer.
    name
        Whose answer it is; it stays on record.
    reason
        Why; it stays on record.
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock.cli.running import prepared, services_of

    services = services_of(pipeline)
    services.check_home()
    yes, name, reason = _answer(services, version, approve, reject, name, reason)
    with prepared(services):
        from flows.promote import promote_as as flow
        from flows.running import decision_of

        decision = decision_of(flow, str(services.path), version, yes, name, reason)
    return _told(decision, json_)


@app.command
def rollback(
    pipeline: str,
    /,
    *,
    to: int = 0,
    name: str = "",
    reason: str = "",
    json_: Json = False,
) -> int:
    """Put the champion before this one back, in one step; no training undoes it.

    The model that is rolled back is promoted by no training again, and better challengers wait
    for a person until somebody promotes one. Exit status: 0, 2 bad input, 1 crashed.

    Parameters
    ----------
    pipeline
        A folder, a pipeline.yaml, or the name of a folder under data/.
    to
        Version to put back; default: the champion before this one.
    name
        Who rolls back; it stays on record.
    reason
        Why; it stays on record.
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock.cli.running import prepared, services_of

    services = services_of(pipeline)
    services.check_home()
    asked = {"name": name, "reason": reason}
    _complete(asked, f"penstock rollback {pipeline} --name YOU --reason WHY")
    with prepared(services):
        from flows.rollback import rollback as flow
        from flows.running import decision_of

        decision = decision_of(flow, str(services.path), asked["name"], asked["reason"], to)
    return _told(decision, json_)


@app.command
def retrain(
    pipeline: str,
    /,
    *,
    reason: str = "",
    if_due: Flag = False,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    json_: Json = False,
) -> int:
    """Train again on the rows as they are now; one after the other, each written down.

    Exit status: as train; 0 as well where it is not due.

    Parameters
    ----------
    pipeline
        A folder, a pipeline.yaml, or the name of a folder under data/.
    reason
        Why; it stands in the order.
    if_due
        Only if cooldown, budget and new labelled rows allow it, as retrain: of the spec says.
    set_
        A field of the spec for this run: split.seed=1. May be repeated.
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock.cli.running import prepared, services_of

    overrides = overrides_of(set_ or [])
    services = services_of(pipeline, overrides)
    services.check()
    with prepared(services):
        from flows.retrain import retrain as flow
        from flows.running import result_of
        from penstock.outcomes import RetrainOrder

        why = reason or "Asked for at a terminal."
        found = result_of(flow, str(services.path), why, if_due, overrides)
    if isinstance(found, RetrainOrder):
        answer = {"verdict": "not_due", "model": found.model, "why": found.why, "order": found.id}
        print(json.dumps(answer) if json_ else f"NOT RETRAINED: {found.model}\n  {found.why}")
        return OK
    if json_:
        print(json.dumps(found.answer() | {"why": found.why}))
    else:
        from penstock.adapters import terminal

        terminal.show(found, services.connection.address)
    return EXIT_STATUS[found.verdict]


def _answer(
    services: Services, version: int, approve: bool, reject: bool, name: str, reason: str
) -> tuple[bool, str, str]:
    """The person's answer, from the flags and then from the terminal."""
    from penstock.errors import BadInput, Mistake
    from penstock.stages.promote import awaiting, question

    if approve and reject:
        found = "both --approve and --reject"
        raise BadInput(Mistake("an answer is yes or no", found, "promote", "say one of them"))
    model = services.spec.registered_name
    waiting = awaiting(model, str(version) if version else "", services.registry)
    asked = {"name": name, "reason": reason}
    command = f"penstock promote {services.folder.name} --approve --name YOU --reason WHY"
    if not (approve or reject):
        if not sys.stdin.isatty():
            raise BadInput(_unanswered("yes or no", command + " (or --reject)"))
        champion = services.registry.champion(model)
        tell(question(waiting, champion, services.store, services.tracking.url))
        approve = _ask(f"Approve version {waiting.number}? [y/N] ").lower() in ("y", "yes")
    _complete(asked, command)
    return approve, asked["name"], asked["reason"]


def _complete(asked: dict[str, str], command: str) -> None:
    """Ask for what is still empty; without a terminal that is a bad call."""
    from penstock.errors import BadInput

    empty = [what for what, text in asked.items() if not text.strip()]
    if empty and not sys.stdin.isatty():
        raise BadInput([_unanswered(what, command) for what in empty])
    for what in empty:
        while not asked[what].strip():
            asked[what] = _ask(f"Your {what}: ")


def _ask(question: str) -> str:
    """One line from the terminal; the question goes to standard error."""
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip()


def _unanswered(what: str, command: str) -> Mistake:
    from penstock.errors import Mistake

    rule = "a person answers at a terminal, or by flags"
    return Mistake(rule, f"no terminal, and no {what}", "standard input", command)


def _told(decision: Decision, as_json: bool) -> int:
    """What became of the version."""
    if as_json:
        print(json.dumps(decision.answer() | {"why": decision.why}))
    else:
        from penstock.adapters.terminal import VERDICTS

        word, _, _ = VERDICTS[decision.verdict]
        champion = f": version {decision.version} is the champion" if decision.version else ""
        print(f"{word}: {decision.model}{champion}\n  {decision.why}")
    return EXIT_STATUS[decision.verdict]
