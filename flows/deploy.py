"""Deployments: every pipeline of a project in the Prefect UI, with its schedule and its form.

project folder -> work pool, one deployment for each pipeline and flow, the zombie automation

A deployment is called ``<flow>/<folder>``, such as ``train/adult``. It holds where the pipeline
is, not what stands in its file: a run reads ``pipeline.yaml`` when it starts. Deploying again
brings the deployments up to date; a schedule or a deployment that somebody paused stays paused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.automations import AutomationCore
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import (
    ConcurrencyLimitStrategy,
    ConcurrencyOptions,
    StateType,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists
from prefect.utilities.callables import parameter_schema

from flows import automations
from flows.monitor import monitor
from flows.promote import promote
from flows.retrain import retrain
from flows.rollback import rollback
from flows.score import score
from flows.train import train
from penstock import pipeline_file, settings, spec
from penstock.errors import BadInput

POOL = "penstock"
TAG = "penstock"
GONE = "gone"
"""Tag of a deployment whose pipeline is no longer there."""

ZOMBIES = "penstock: end runs that give no sign of life"
ZOMBIE_AFTER = timedelta(minutes=5)
"""Ten heartbeats of 30 s: a server that restarts must not look like a dead run (house choice)."""


@dataclass(frozen=True)
class Deployed:
    """A flow that every pipeline is deployed for.

    Attributes
    ----------
    flow : Flow
        Its first parameter is ``pipeline``.
    parameters : dict
        What else each of its deployments says; the rest is left to the form.
    """

    flow: Flow[..., Any]
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The flow's name: the deployment's prefix, and its field in ``spec.schedule``."""
        return self.flow.name

    @property
    def entrypoint(self) -> str:
        """Where a worker finds it: a module, so that the folder that it works in is no matter."""
        return f"{self.flow.fn.__module__}.{self.flow.fn.__name__}"


TABLE: tuple[Deployed, ...] = (
    Deployed(train),
    Deployed(score),
    Deployed(monitor),
    Deployed(retrain),
    Deployed(promote),
    Deployed(rollback),
)
"""A flow that is added here is deployed for every pipeline."""


Tell = Callable[[str], object]
"""Is told what happens, a line at a time."""


def deploy(project: Path, client: SyncPrefectClient, tell: Tell = print) -> int:
    """Deploy every ``data/*/pipeline.yaml`` of a project for every flow of the table.

    Parameters
    ----------
    project : Path
        The folder that holds ``data/``; runs work in it.
    client : SyncPrefectClient
        The way to the Prefect server.
    tell : callable
        Is told each deployment, each mistake, and what became of pipelines that are gone.

    Returns
    -------
    int
        How many pipelines could not be deployed because their file has mistakes.
    """
    make_pool(client)
    crash_zombies(client)
    if url := settings.alarm_url():
        automations.send_alarms(url, client)
    before = {(d.entrypoint, d.name): d for d in deployed_before(project, client)}
    files = sorted(project.glob(f"data/*/{pipeline_file.FILE_NAME}"))
    num_wrong = 0
    for path in files:
        try:
            pipeline = pipeline_file.read(path)
        except BadInput as error:
            num_wrong += 1
            tell(f"not deployed: {error.message}")
            continue
        for entry in TABLE:
            known = before.get((entry.entrypoint, path.parent.name))
            made = upsert(entry, path, pipeline, project, client, known)
            if entry.flow is retrain:
                automations.retrain_on_drift(
                    path.parent.name, made, pipeline.retrain.on_drift, client
                )
            tell(f"deployed {entry.name}/{path.parent.name}{_timetable(entry, pipeline)}")
    here = {path.parent.name for path in files}
    for deployment in before.values():
        if deployment.name not in here and GONE not in deployment.tags:
            retire(deployment, client)
            automations.forget(deployment.name, client)
            tell(f"paused {deployment.name}: its folder under data/ is gone")
    if not files:
        tell(f"No pipeline under {project / 'data'} yet: penstock init data/NAME ...")
    return num_wrong


def make_pool(client: SyncPrefectClient) -> None:
    """The work pool whose worker runs flows as processes of this machine."""
    description = "Flow runs as processes, started by the worker of penstock up."
    try:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", description=description))
    except ObjectAlreadyExists:
        return  # as on every start but the first


def upsert(
    entry: Deployed,
    path: Path,
    pipeline: spec.Pipeline,
    project: Path,
    client: SyncPrefectClient,
    known: DeploymentResponse | None,
) -> UUID:
    """Create the deployment, or bring it up to date; returns its id."""
    name = path.parent.name
    back = known is not None and GONE in known.tags
    return client.create_deployment(
        flow_id=client.create_flow_from_name(entry.name),
        name=name,
        description=card(path, pipeline),
        tags=[TAG, entry.name],
        entrypoint=entry.entrypoint,
        parameters={"pipeline": f"data/{name}", **entry.parameters},
        parameter_openapi_schema=form(entry, name),
        enforce_parameter_schema=True,
        work_pool_name=POOL,
        job_variables={"working_dir": str(project)},
        schedules=schedules(entry, pipeline, known),
        concurrency_limit=1,
        concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        paused=False if back else None,
    )


def form(entry: Deployed, name: str) -> dict[str, Any]:
    """The flow's form with the pipeline filled in for good."""
    schema = parameter_schema(entry.flow.fn).model_dump()
    for title, shown in schema["properties"].items():
        shown["title"] = title.capitalize()
    schema["properties"]["pipeline"] |= {"enum": [f"data/{name}"], "readOnly": True}
    return schema


def schedules(
    entry: Deployed, pipeline: spec.Pipeline, known: DeploymentResponse | None = None
) -> list[DeploymentScheduleCreate]:
    """The flow's schedule by the spec; one that was paused in the UI stays paused."""
    timetable = getattr(pipeline.schedule, entry.name, None)
    if timetable is None or not timetable.cron:
        return []
    paused = {one.slug for one in known.schedules if not one.active} if known else set()
    return [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=timetable.cron, timezone=timetable.timezone),
            slug=entry.name,
            active=entry.name not in paused,
        )
    ]


def card(path: Path, pipeline: spec.Pipeline) -> str:
    """What the deployment is about: the card, or the spec's line where there is none."""
    file = path.parent / "card.md"
    return file.read_text(encoding="utf-8") if file.is_file() else pipeline.description


def deployed_before(project: Path, client: SyncPrefectClient) -> Iterator[DeploymentResponse]:
    """Our deployments of this project, as the server knows them."""
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    page = 200
    offset = 0
    while found := client.read_deployments(deployment_filter=tagged, limit=page, offset=offset):
        offset += len(found)
        yield from (d for d in found if d.job_variables.get("working_dir") == str(project))
        if len(found) < page:
            return


def retire(deployment: DeploymentResponse, client: SyncPrefectClient) -> None:
    """Pause a deployment whose pipeline is gone; its history stays to be seen."""
    from prefect.client.schemas.actions import DeploymentUpdate

    client.update_deployment(
        deployment.id, DeploymentUpdate(paused=True, tags=[*deployment.tags, GONE])
    )


def crash_zombies(client: SyncPrefectClient) -> None:
    """An automation that ends runs whose heartbeat stopped, wherever their worker was.

    It expects *any* event of the run, not only Prefect's own final states: our runs end in states
    with names of their own (Registered, Refused), and one that is suspended sends no heartbeat.
    """
    automation = AutomationCore(
        name=ZOMBIES,
        description="A run that said it was alive and then nothing for five minutes is crashed.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=ZOMBIE_AFTER,
        ),
        actions=[
            ChangeFlowRunState(state=StateType.CRASHED, message="No sign of life for five minutes.")
        ],
    )
    automations.upsert(automation, client)


def _timetable(entry: Deployed, pipeline: spec.Pipeline) -> str:
    planned: Iterable[DeploymentScheduleCreate] = schedules(entry, pipeline)
    texts = [f"{one.schedule.cron} {one.schedule.timezone}" for one in planned]  # type: ignore[union-attr]
    return f" ({'; '.join(texts)})" if texts else ""


def main(arguments: list[str]) -> int:
    """``python -m flows.deploy PROJECT``, as ``penstock up`` calls it."""
    with get_client(sync_client=True) as client:
        return 1 if deploy(Path(arguments[0]).resolve(), client) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
