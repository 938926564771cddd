"""Events of a pipeline, which automations and alarms listen to.

The resource is ``penstock.pipeline.<folder>``; the payload has a ``text`` for people, in one or
two sentences, and what a machine may want to know.
"""

from __future__ import annotations

from typing import Any

from prefect.events import emit_event

from penstock.outcomes import Decision
from penstock.services import Services

PROMOTED, REFUSED, AWAITING = "penstock.promoted", "penstock.refused", "penstock.awaiting_approval"
DRIFT = "penstock.drift"
"""Drift that matters: the monitor's alarm. An automation starts a retraining on it."""

ROLLED_BACK = "penstock.rolled_back"
DECIDED = {
    "registered": PROMOTED,
    "refused": REFUSED,
    "awaiting_approval": AWAITING,
    "rolled_back": ROLLED_BACK,
}
"""The event of a verdict; champion kept and a person's no are no news."""

MOST_TEXT = 1500
"""Characters of a text: Slack and mail show no more in one piece (house choice)."""


def resource_of(folder: str) -> str:
    """The resource that a pipeline's events are about, by the name of its folder.

    Examples
    --------
    >>> resource_of("adult")
    'penstock.pipeline.adult'
    """
    return f"penstock.pipeline.{folder}"


def emit(event: str, services: Services, text: str, **payload: Any) -> None:
    """Send an event of this pipeline to Prefect.

    Parameters
    ----------
    event : str
        Such as :data:`DRIFT`.
    services : Services
        Whose pipeline.
    text : str
        What a person should read.
    **payload
        JSON values.
    """
    emit_event(
        event=event,
        resource={
            "prefect.resource.id": resource_of(services.folder.name),
            "prefect.resource.name": services.spec.name,
            "penstock.model": services.spec.registered_name,
        },
        payload={"pipeline": services.spec.name, "text": text[:MOST_TEXT], **payload},
    )


def emit_decision(decision: Decision, services: Services) -> None:
    """Send the event of a decision, if it is news."""
    event = DECIDED.get(decision.verdict)
    if event is None:
        return
    head = f"{decision.model}: {decision.verdict.replace('_', ' ')}"
    version = f", version {decision.version}" if decision.version else ""
    blocking = [
        {"check": c.label, "why": c.why, "remedy": c.remedy} for c in decision.checks if c.blocks
    ]
    reasons = " ".join(f"{found['check']}: {found['why']}" for found in blocking)
    emit(
        event,
        services,
        f"{head}{version}. {decision.why} {reasons}".strip(),
        verdict=decision.verdict,
        model=decision.model,
        version=decision.version,
        run_id=decision.run_id,
        flow_run_id=decision.flow_run_id,
        blocking=blocking,
    )
