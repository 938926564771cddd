"""Train again, if it is worth it: the train flow on the rows as they are now."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Annotated, Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed, State

from flows.form import UNCHANGED, Overrides, text_box, tick_box
from flows.running import Run, flow_run_name, opened
from flows.tasks import ingest
from flows.train import train
from penstock import pipeline_file
from penstock.adapters.orders import Orders
from penstock.errors import BadInput, StoreError
from penstock.outcomes import Decision, RetrainOrder
from penstock.records import Rows
from penstock.services import Services

log = logging.getLogger("penstock.retrain")

Reason = Annotated[str, text_box("Why; it stands in the order.")]
IfDue = Annotated[bool, tick_box("Only if cooldown, budget and the number of new rows allow it.")]


@flow(name="retrain", flow_run_name=flow_run_name, validate_parameters=False)
def retrain(
    pipeline: str,
    reason: Reason = "",
    if_due: IfDue = True,
    overrides: Overrides = UNCHANGED,
) -> State[Any]:
    """Train again on the rows as they are now, and hold the model against the champion.

    Retrainings of one model line come one after the other, and each is written down.

    Parameters
    ----------
    pipeline : str
        A folder, a ``pipeline.yaml``, or the name of a folder under ``data/``.
    reason : str
        What made somebody, or the monitor, ask for it.
    if_due : bool
        Whether ``retrain:`` of the spec has a say; a person at a terminal says no.
    overrides : dict
        Fields of the spec for this run only.
    """
    orders = Services(pipeline_file.locate(pipeline), overrides).orders
    with orders.turn(wait=not if_due) as ours:
        order = ordered(pipeline, reason or "It was time.", if_due, overrides, orders, ours)
        if order.status == "declined":
            return Completed(message=order.why, name="Not retrained", data=order)
        return carried_out(order, orders, pipeline, overrides)


def ordered(
    pipeline: str,
    reason: str,
    if_due: bool,
    overrides: dict[str, Any],
    orders: Orders,
    ours: bool,
) -> RetrainOrder:
    """Read the source again, and open an order or decline it."""
    from penstock.stages.retrain import declined, retrain

    history = orders.history()
    mine = str(flow_run.id or "")
    model = orders.model
    if not ours:
        why = f"Another retraining of {model} is under way."
        return orders.keep(_of(mine, declined(model, reason, why)))
    history = [_known_dead(order, mine, orders) for order in history]
    for order in history:
        if order.status == "open":  # of this very run, which was cut short
            return order
    with opened(pipeline, overrides, refresh=False) as run:
        snapshot = ingest(run.source, run.spec.data, run.spec.split)
        past = past_rows(history, run)
        rules = run.spec.retrain
        order = retrain(history, reason, snapshot, past, rules, run.store, model, if_due)
    log.info("retrain: %s", order.why)
    return orders.keep(_of(mine, order))


def carried_out(
    order: RetrainOrder, orders: Orders, pipeline: str, overrides: dict[str, Any]
) -> State[Any]:
    """Train, and write down how it ended, whatever happens."""
    try:
        # its function, not a flow within the flow: one run, which is resumed as one
        state: State[Any] = train.fn(pipeline, False, overrides)
    except BaseException as error:
        why = f"It ended before there was a decision: {type(error).__name__}."
        orders.keep(order.model_copy(update={"status": "failed", "why": why} | _ended()))
        raise
    decision = state.data
    assert isinstance(decision, Decision)
    found = {"verdict": decision.verdict, "version": decision.version, "why": decision.why}
    orders.keep(order.model_copy(update={"status": "done"} | found | _ended()))
    return state


def past_rows(history: list[RetrainOrder], run: Run) -> Rows | None:
    """The rows of the training before: of the last order, or the champion's if that is later."""
    from penstock import ledger, tags

    found = [(o.ended_at, o.rows) for o in history if o.status == "done" and o.rows]
    champion = run.services.registry.champion(run.spec.registered_name)
    if champion:
        named = champion.tags.get(tags.DECISION, ""), champion.tags.get(tags.DECISION_BYTES, "")
        try:
            record = ledger.read_record(*named, run.store)
        except (BadInput, StoreError) as error:
            log.warning("All rows count as new: %s", error.message)
        else:
            read = record.stages["ingest"].record or {}
            found.append((record.decided_at, Rows.model_validate(read["rows"])))
    return max(found, key=lambda one: one[0])[1] if found else None


def _known_dead(order: RetrainOrder, mine: str, orders: Orders) -> RetrainOrder:
    """An order that is open while it is our turn: of this very run, or of a dead one."""
    if order.status != "open" or (mine and order.flow_run_id == mine):
        return order
    why = "Its process ended before there was a decision."
    return orders.keep(order.model_copy(update={"status": "failed", "why": why} | _ended()))


def _of(run_id: str, order: RetrainOrder) -> RetrainOrder:
    return order.model_copy(update={"flow_run_id": run_id})


def _ended() -> dict[str, str]:
    return {"ended_at": datetime.now(UTC).isoformat(timespec="seconds")}
