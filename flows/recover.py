"""After a death: no run stays *Running* that nobody runs, and none is lost.

Flow runs of the pool that are said to run -> entered anew, or cancelled

The supervisor of ``penstock up`` calls this on its own machine when it knows that no flow run
of the pool has a process: before it starts a worker (``--restart``), and when it is asked to end
while some still run (``--cancel``). Runs on other machines are the business of the heartbeat
automation in ``flows.deploy``.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Crashed, State

from penstock import settings
from penstock.adapters.tracking.connection import Connection

log = logging.getLogger("penstock.recover")

POOL = "penstock"
MOST_ATTEMPTS = 3
"""A run that was cut short this often may be what kills the machine (house choice)."""
CANCEL_SECONDS = 60.0
RETRIES = 2
"""The supervisor waits for this, and starts no server meanwhile: rather fail, and be called again
(house choice)."""
FLOW_RUN = "prefect.flow_run_id"
"""Tag of an MLflow run: whose it is."""
LIVING = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)


def restart(client: SyncPrefectClient) -> list[FlowRun]:
    """Enter anew the runs whose process died with their worker; a cancelled one stays so."""
    cut_short = runs(client, *LIVING)
    for run in cut_short:
        if run.state_type == StateType.CANCELLING:
            client.set_flow_run_state(run.id, Cancelled(message="Its worker died."), force=True)
            log.info("%s: cancelled", run.name)
            continue
        died: State[Any] = Crashed(message="Its worker died in the middle of the run.")
        client.set_flow_run_state(run.id, died, force=True)  # gives its slot back as well
        crash_stages(client, run)
        if run.run_count >= MOST_ATTEMPTS:
            log.warning("%s: cut short %d times, stays crashed", run.name, run.run_count)
            continue
        again: State[Any] = AwaitingRetry(message="Its worker died; finished stages are kept.")
        client.set_flow_run_state(run.id, again, force=True)
        log.info("%s: entered anew", run.name)
    end_mlflow_runs(client)
    return cut_short


def crash_stages(client: SyncPrefectClient, run: FlowRun) -> None:
    """End the stages that ran when their run died, else its page shows them running for ever."""
    state = TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.RUNNING]))
    found = client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])),
        task_run_filter=TaskRunFilter(state=state),
    )
    for stage in found:
        died: State[Any] = Crashed(message="Its worker died.")
        client.set_task_run_state(stage.id, died, force=True)


def cancel(client: SyncPrefectClient) -> list[FlowRun]:
    """Cancel what runs, and wait until its worker has ended it."""
    found = runs(client, StateType.RUNNING, StateType.PENDING)
    for run in found:
        state: State[Any] = Cancelling(message="penstock down: the servers end.")
        client.set_flow_run_state(run.id, state, force=True)
    end = time.monotonic() + CANCEL_SECONDS
    left = found
    while left and time.monotonic() < end:
        time.sleep(0.5)
        left = runs(client, *LIVING)
    for run in left:
        client.set_flow_run_state(run.id, Cancelled(message="penstock down."), force=True)
    for run in found:
        log.info("%s: cancelled", run.name)
    end_mlflow_runs(client)
    return found


def runs(client: SyncPrefectClient, *types: StateType) -> list[FlowRun]:
    """Flow runs of the pool in any of these states."""
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=state),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
    )


def end_mlflow_runs(client: SyncPrefectClient) -> None:
    """End MLflow runs that are said to run while their flow run does not, wherever it ran.

    A run whose flow run this server does not know is somebody else's, and is left alone.
    """
    found = settings.read(Path.cwd() / "data" / "any")
    connection = Connection(found.tracking_uri, found.home)
    with connection.reaching():
        tracking = connection.client
        experiments = [one.experiment_id for one in tracking.search_experiments()]
        said = tracking.search_runs(experiments, "attributes.status = 'RUNNING'")
    begun = [(UUID(run.data.tags[FLOW_RUN]), run) for run in said if run.data.tags.get(FLOW_RUN)]
    if not begun:
        return
    asked = FlowRunFilter(id=FlowRunFilterId(any_=[owner for owner, _ in begun]))
    known = {flow_run.id: flow_run for flow_run in client.read_flow_runs(flow_run_filter=asked)}
    with connection.reaching():
        for owner, run in begun:
            flow_run = known.get(owner)
            if flow_run and flow_run.state_type not in LIVING:
                tracking.set_terminated(run.info.run_id, "KILLED")
                log.info("%s: its MLflow run ended as KILLED", flow_run.name)


def main(arguments: list[str]) -> int:
    """``python -m flows.recover --restart | --cancel``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if not os.environ.get("PREFECT_API_URL"):
        raise SystemExit("PREFECT_API_URL names no server")
    quickly = temporary_settings({PREFECT_CLIENT_MAX_RETRIES: RETRIES})
    with quickly, get_client(sync_client=True) as client:
        (cancel if arguments == ["--cancel"] else restart)(client)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
