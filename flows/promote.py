"""A person's yes or no to a version that waits for one."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import State
from pydantic import Field

from flows.champion import answer_of, told
from flows.form import number_box
from flows.running import Run, flow_run_name, opened
from penstock.outcomes import Answer
from penstock.ports import Version
from penstock.services import Services


class Approval(RunInput):
    """The form that a person fills in."""

    approve: bool = Field(False, title="Approve", description="Tick it for yes; leave it for no.")
    name: str = Field(title="Name", min_length=1, description="Yours; it stays on record.")
    reason: str = Field(title="Reason", min_length=1, description="Why; it stays on record.")


Number = Annotated[int, number_box("Of the model; 0: the one that waits.")]


@flow(name="promote", flow_run_name=flow_run_name, validate_parameters=False)
def promote(pipeline: str, version: Number = 0) -> State[Any]:
    """Ask a person whether a version may become the champion, and do what they say.

    The run is suspended until somebody presses *Resume* on its page and fills in the form; no
    process waits meanwhile.

    Parameters
    ----------
    pipeline : str
        A folder, a ``pipeline.yaml``, or the name of a folder under ``data/``.
    version : int
        Of the registered model.
    """
    with opened(pipeline, None, refresh=False, check=Services.check_home) as run:
        waiting = asked_about(run, version)
        form = Approval.with_initial_data(description=question(run, waiting))
        said = suspend_flow_run(wait_for_input=form, key=f"version-{waiting.number}")
        return settle(run, waiting, answer_of(said.approve, said.name, said.reason))


@flow(name="promote", flow_run_name=flow_run_name, validate_parameters=False)
def promote_as(pipeline: str, version: int, approve: bool, name: str, reason: str) -> State[Any]:
    """Do what a person said at a terminal.

    Parameters
    ----------
    pipeline, version
        As for :func:`promote`.
    approve, name, reason
        The answer.
    """
    with opened(pipeline, None, refresh=False, check=Services.check_home) as run:
        answer = answer_of(approve, name, reason)
        return settle(run, asked_about(run, version), answer)


def asked_about(run: Run, version: int) -> Version:
    """The version that is decided about."""
    from penstock.stages.promote import awaiting

    number = str(version) if version else ""
    return awaiting(run.spec.registered_name, number, run.services.registry)


def question(run: Run, waiting: Version) -> str:
    """What a person reads above the form, as Markdown."""
    from penstock.stages.promote import question

    champion = run.services.registry.champion(waiting.name)
    return question(waiting, champion, run.store, run.services.tracking.url)


def settle(run: Run, waiting: Version, answer: Answer) -> State[Any]:
    """Read the champion again, compare again, and write down who decided what."""
    from penstock.stages.promote import promote

    run_id = str(flow_run.id or "")
    decision = promote(waiting, answer, run.services.registry, run.store, run_id)
    return told(run, decision, answer)
