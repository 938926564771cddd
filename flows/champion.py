"""How a flow about the champion ends: the artifact, the run in MLflow, the event, the state."""

from __future__ import annotations

from typing import Any

from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, State

from flows.events import emit_decision
from flows.reporting import key_of
from flows.running import Run
from penstock.adapters.markdown import escaped
from penstock.outcomes import Answer, Decision

NAMES = {
    "registered": "Registered",
    "kept_champion": "Champion kept",
    "rejected": "Rejected",
    "rolled_back": "Rolled back",
}


def told(run: Run, decision: Decision, answer: Answer) -> State[Any]:
    """Leave behind what a person decided, and say how the run ended."""
    rows = {
        "model": decision.model,
        "champion now": decision.version or "none",
        "decided about": f"version {decision.challenger}",
        "by": answer.name,
        "because": answer.reason,
    }
    lines = [f"- **{name}**: {escaped(text)}" for name, text in rows.items()]
    text = "\n".join([f"## {NAMES[decision.verdict]}", *lines, "", escaped(decision.why)])
    key = key_of(run)
    create_markdown_artifact(text, key=f"{key}-champion", description="What a person decided")
    tracking = run.services.tracking
    if decision.run_id and decision.record:
        content = run.store.path(decision.record).read_text("utf-8")
        tracking.log_files(decision.run_id, {f"{decision.verdict}.json": content})
        tracking.tag(
            decision.run_id,
            {"penstock.verdict": decision.verdict, "penstock.decided_by": answer.name},
        )
    emit_decision(decision, run.services)
    return Completed(message=decision.why, name=NAMES[decision.verdict], data=decision)


def answer_of(approve: bool, name: str, reason: str) -> Answer:
    """A person's answer.

    Raises
    ------
    BadInput
        When name or reason is missing.
    """
    from penstock.errors import BadInput, Mistake

    mistakes = [
        Mistake(f"{what} is said", "nothing", f"--{what}", "it stands in the decision record")
        for what, text in (("name", name), ("reason", reason))
        if not text.strip()
    ]
    if mistakes:
        raise BadInput(mistakes)
    return Answer(approve=approve, name=name.strip(), reason=reason.strip())
