"""Train again where it is worth it, and not because something said so twice.

What a network learnt ages with the world that it learnt from, but a training on the same rows
teaches it nothing new, and an alarm that rings every day must not buy a GPU every day.

history, drift, snapshot -> RetrainOrder
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from penstock.measure.repeats import fingerprints
from penstock.outcomes import RetrainOrder
from penstock.ports import Store
from penstock.records import Rows, Snapshot
from penstock.spec import RetrainSpec

BUDGET_DAYS = 30
"""Length of the window that the budget is counted over."""


def retrain(
    history: list[RetrainOrder],
    reason: str,
    snapshot: Snapshot,
    past: Rows | None,
    spec: RetrainSpec,
    store: Store,
    model: str,
    if_due: bool = True,
    now: datetime | None = None,
) -> RetrainOrder:
    """Open an order to train again, or say why not.

    Parameters
    ----------
    history : list of RetrainOrder
        All orders of this model line, the oldest first.
    reason : str
        Why it is asked for: what the monitor found, or that it is time.
    snapshot, past : Snapshot, Rows
        The labelled rows as they are now; those of the training before, None where they are
        not known or gone from the store: then all rows are new.
    spec : RetrainSpec
        Cooldown, least new rows, budget.
    store : Store
        Where both tables are.
    model : str
        The registered name.
    if_due : bool
        False where a person asks: their word opens an order whatever the rules say.
    now : datetime, optional
        With a timezone; default: this moment.

    Returns
    -------
    RetrainOrder
        ``open``, or ``declined`` with the first rule that speaks against it.
    """
    now = now or datetime.now(UTC)
    num_new = new_rows(snapshot.rows, past, snapshot.layout.target, store)
    order = _order(model, reason, now).model_copy(
        update={"rows": snapshot.rows, "num_new_rows": num_new}
    )
    against = why_not(history, num_new, spec, now)
    if against and if_due:
        return order.model_copy(
            update={"status": "declined", "why": against, "ended_at": order.asked_at}
        )
    said = f"{num_new} of {snapshot.rows.num_rows} labelled rows are new."
    why = f"A person asked for it, though: {against}" if against else said
    return order.model_copy(update={"why": why})


def declined(model: str, reason: str, why: str) -> RetrainOrder:
    """An order that was declined before anything was read."""
    order = _order(model, reason, datetime.now(UTC))
    return order.model_copy(update={"status": "declined", "why": why, "ended_at": order.asked_at})


def why_not(history: list[RetrainOrder], num_new: int, spec: RetrainSpec, now: datetime) -> str:
    """The first rule that speaks against a retraining; empty when none does.

    Examples
    --------
    >>> now = datetime(2026, 1, 31, tzinfo=UTC)
    >>> why_not([], 7, RetrainSpec(min_new_rows=8), now)
    '7 new labelled rows since the training before; retrain.min_new_rows asks for 8.'
    >>> why_not([], 8, RetrainSpec(min_new_rows=8), now)
    ''
    """
    waiting = [order for order in history if order.status == "open"]
    if waiting:
        return f"Order {waiting[-1].id} of {waiting[-1].asked_at} is still open."
    run = [order for order in history if order.status in ("done", "failed")]
    last = max((_time(o.ended_at) for o in run if o.status == "done"), default=None)
    if last and (rest := last + timedelta(days=spec.cooldown_days) - now) > timedelta(0):
        return (
            f"The last retraining ended {last:%Y-%m-%d %H:%M} UTC; retrain.cooldown_days of"
            f" {spec.cooldown_days:g} end in {rest.total_seconds() / 3600:.1f} hours."
        )
    start = now - timedelta(days=BUDGET_DAYS)
    recent = sum(_time(order.asked_at) > start for order in run)
    if recent >= spec.budget_runs_per_30_days:
        return (
            f"{recent} retrainings in the last {BUDGET_DAYS} days use up"
            f" retrain.budget_runs_per_30_days of {spec.budget_runs_per_30_days}."
        )
    if num_new < spec.min_new_rows:
        return (
            f"{num_new} new labelled rows since the training before; retrain.min_new_rows asks"
            f" for {spec.min_new_rows}."
        )
    return ""


def new_rows(rows: Rows, past: Rows | None, target: str, store: Store) -> int:
    """How many rows of a table stand in no earlier one, with the same label.

    A column that only one of the two has, or whose type changed, is left out of the comparison;
    the same inputs with another label are a new row.

    Parameters
    ----------
    rows, past : Rows
        The table of now, and the one before.
    target : str
        A column that has to be in both; else every row is new.
    store : Store
        Where both are.
    """
    if past is None or not store.has(past.blob):
        return rows.num_rows
    if past.blob == rows.blob:
        return 0
    before, now = store.table(past), store.table(rows)
    types = {field.name: field.type for field in before.schema}
    shared = [field.name for field in now.schema if types.get(field.name) == field.type]
    if target not in shared:
        return rows.num_rows
    both = fingerprints(pa.concat_tables([before.select(shared), now.select(shared)]))
    known, found = both[: before.num_rows], both[before.num_rows :]
    return int((~np.isin(found, known)).sum())


def _order(model: str, reason: str, now: datetime) -> RetrainOrder:
    return RetrainOrder(
        id=uuid.uuid4().hex[:12],
        model=model,
        status="open",
        reason=reason,
        asked_at=now.isoformat(timespec="seconds"),
    )


def _time(text: str) -> datetime:
    """A time of an order; one without a timezone is UTC."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
