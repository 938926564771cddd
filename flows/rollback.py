"""The champion before this one, back in one step."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import State

from flows.champion import answer_of, told
from flows.form import number_box, text_box
from flows.running import flow_run_name, opened
from penstock.services import Services


@flow(name="rollback", flow_run_name=flow_run_name, validate_parameters=False)
def rollback(
    pipeline: str,
    name: Annotated[str, text_box("Yours; it stays on record.", minLength=1)],
    reason: Annotated[str, text_box("Why; it stays on record.", minLength=1)],
    to: Annotated[int, number_box("Version to put back; 0: the champion before this one.")] = 0,
) -> State[Any]:
    """Put the champion before this one back; no training undoes it.

    Parameters
    ----------
    pipeline : str
        A folder, a ``pipeline.yaml``, or the name of a folder under ``data/``.
    name, reason : str
        Who rolls back, and why.
    to : int
        A version that was champion before.
    """
    from penstock.stages.rollback import rollback

    with opened(pipeline, None, refresh=False, check=Services.check_home) as run:
        answer = answer_of(False, name, reason)
        model, number = run.spec.registered_name, str(to) if to else ""
        run_id = str(flow_run.id or "")
        decision = rollback(model, number, answer, run.services.registry, run.store, run_id)
        return told(run, decision, answer)
