"""What Prefect does by itself when something happens to a pipeline.

penstock.drift -> the retrain deployment; penstock.refused, penstock.drift, ... -> a web hook

Automations are upserted by name: deploying again changes them, and never doubles them. Alarms
that somebody switched off in the UI stay off; retraining on drift is switched in pipeline.yaml.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.automations import AutomationCore
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import CallWebhook, RunDeployment
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.events import AWAITING, DRIFT, REFUSED, ROLLED_BACK, resource_of

ALARMS = "penstock: alarms"
HOOK = "penstock-alarms"
"""Name of the Webhook block that holds the address; the address is a secret and stays there."""

NEWS = {REFUSED, DRIFT, AWAITING, ROLLED_BACK}
"""What is sent: all that a person may want to act on."""

BODY = (
    '{"text": {{ (event.event ~ ": " ~ event.payload.text) | tojson }},'
    ' "event": {{ event.event | tojson }}, "payload": {{ event.payload | tojson }}}'
)
"""Slack, Mattermost and Teams read ``text``; a service of one's own reads the rest."""


def retrain_on_drift(
    folder: str, deployment: UUID, wanted: bool, client: SyncPrefectClient
) -> None:
    """Start the retrain deployment of a pipeline when its monitor raises an alarm.

    Parameters
    ----------
    folder : str
        Of the pipeline, under ``data/``.
    deployment : UUID
        Of its retrain flow.
    wanted : bool
        ``retrain.on_drift`` of the spec.
    client : SyncPrefectClient
        The way to the Prefect server.

    """
    reason = {"__prefect_kind": "jinja", "template": "{{ event.payload.text }}"}
    action = RunDeployment(
        source="selected", deployment_id=deployment, parameters={"reason": reason}
    )
    automation = AutomationCore(
        name=name_of(folder),
        description="An alarm of the monitor starts a retraining, if one is due.",
        enabled=wanted,
        trigger=_when({DRIFT}, resource_of(folder)),
        actions=[action],
    )
    upsert(automation, client, follow=True)


def name_of(folder: str) -> str:
    """What the automation of a pipeline's retraining is called."""
    return f"penstock: retrain {folder} on drift"


def forget(folder: str, client: SyncPrefectClient) -> None:
    """Take the automation of a pipeline that is gone away."""
    for known in client.read_automations_by_name(name_of(folder)):
        client.delete_automation(known.id)


def send_alarms(url: str, client: SyncPrefectClient) -> None:
    """Send every event that a person may want to act on to an address.

    Parameters
    ----------
    url : str
        Takes a POST of JSON with a ``text``: a web hook of Slack, or a service of one's own.
    client : SyncPrefectClient
        The way to the Prefect server; the block is made on the server of ``PREFECT_API_URL``.
    """
    headers: Any = {"Content-Type": "application/json"}
    block = Webhook(method="POST", url=url, headers=headers)
    hook = block.save(HOOK, overwrite=True)
    automation = AutomationCore(
        name=ALARMS,
        description="Refused models, drift that matters and what waits for a person, as a message.",
        trigger=_when(NEWS, "penstock.pipeline.*"),
        actions=[CallWebhook(block_document_id=hook, payload=BODY)],
    )
    upsert(automation, client)


def upsert(automation: AutomationCore, client: SyncPrefectClient, follow: bool = False) -> None:
    """Create an automation, or bring the one of this name up to date.

    Parameters
    ----------
    automation : AutomationCore
        As it should be.
    client : SyncPrefectClient
        The way to the Prefect server.
    follow : bool
        Whether ``enabled`` comes from a file; else one that was switched off stays off.
    """
    known = client.read_automations_by_name(automation.name)
    if not known:
        client.create_automation(automation)
        return
    enabled = automation.enabled if follow else known[0].enabled
    client.update_automation(known[0].id, automation.model_copy(update={"enabled": enabled}))


def _when(events: set[str], resource: str) -> EventTrigger:
    """At each of these events."""
    return EventTrigger(
        expect=events,
        match=ResourceSpecification({"prefect.resource.id": resource}),
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )
