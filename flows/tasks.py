"""Each stage, wrapped once as a Prefect task.

What a stage is given here as parameters is what its cache key is made of; what it needs of the
outside world comes from the run that it is part of.
"""

from __future__ import annotations

from typing import Any

from flows.running import SourceContent, current
from flows.staging import stage
from penstock.evidence import Check
from penstock.records import (
    Decision,
    Fitted,
    Layout,
    Objective,
    Rows,
    Scorecard,
    Snapshot,
    Split,
    Verdict,
)
from penstock.spec import Compute, Data, Gates, ModelSpec, ObjectiveSpec, SplitSpec

HOUR = 3600


@stage(timeout_seconds=4 * HOUR, retries=1)
def ingest(source: SourceContent, data: Data, split: SplitSpec) -> Snapshot:
    """Read the source once, into typed, immutable rows."""
    from penstock.stages.ingest import ingest

    run = current()
    return ingest(run.services.source, data, split, run.store, run.progress("ingest"))


def objective(layout: Layout, spec: ObjectiveSpec) -> Objective:
    """The loss that is optimised and the metric that is declared."""
    from penstock.tasks import objective_of

    return objective_of(spec, layout)


@stage(timeout_seconds=4 * HOUR)
def validate(snapshot: Snapshot, contract: list[dict[str, Any]]) -> Snapshot:
    """Hold the rows against their contract; set aside those that break it."""
    from penstock.stages.validate import validate

    run = current()
    expectations = run.services.expectations
    return validate(snapshot, contract, expectations, run.store, run.progress("validate"))


@stage(timeout_seconds=4 * HOUR)
def split(snapshot: Snapshot, spec: SplitSpec) -> Split:
    """Divide the rows, and look for what leaks between the parts."""
    from penstock.stages.split import split

    run = current()
    return split(snapshot, spec, run.store, run.progress("split"))


@stage(timeout_seconds=48 * HOUR)
def fit(
    train: Rows,
    valid: Rows,
    layout: Layout,
    objective: Objective,
    spec: ModelSpec,
    compute: Compute,
) -> Fitted:
    """Train on the training rows, stop by the validation rows."""
    from penstock.stages.fit import fit

    run = current()
    tell, key = run.progress("fit"), run.key_of("fit")
    return fit(train, valid, layout, objective, spec, compute, run.store, tell, key)


@stage(timeout_seconds=12 * HOUR)
def evaluate(fitted: Fitted, train: Rows, test: Rows, seed: int) -> Scorecard:
    """Score the test rows, and hold the model against simpler ones."""
    from penstock.stages.evaluate import evaluate

    run = current()
    return evaluate(fitted, train, test, seed, run.store, run.progress("evaluate"))


@stage(timeout_seconds=HOUR, cached=False)
def judge(checks: list[Check], gates: Gates, before_training: bool = False) -> Verdict:
    """Hold every check against its gate."""
    from penstock.stages.judge import BEFORE_TRAINING, REQUIRED, judge

    return judge(checks, gates, BEFORE_TRAINING if before_training else REQUIRED)


@stage(timeout_seconds=4 * HOUR, cached=False)
def register(fitted: Fitted, scorecard: Scorecard, verdict: Verdict, test: Rows) -> Decision:
    """Give the model a version and an alias, if its verdict lets it."""
    from penstock.stages.register import register

    run = current()
    return register(
        fitted,
        scorecard,
        verdict,
        test,
        run.spec,
        run.services.registry,
        run.store,
        run_id=run.mlflow_run,
        card=run.card(scorecard),
        fingerprints=run.fingerprints,
    )


def refuse(verdict: Verdict) -> Decision:
    """The decision when the data alone is refused: nothing was trained."""
    run = current()
    return Decision(
        verdict="refused",
        model=run.spec.registered_name,
        fingerprints=run.fingerprints,
        checks=verdict.checks,
        why="The data was refused before training; no model was made.",
    )
