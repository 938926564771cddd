"""From data to a model in the registry, or to a refusal that says why."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import State

from flows.running import flow_run_name, opened
from flows.tasks import (
    evaluate,
    fit,
    ingest,
    judge,
    objective,
    refuse,
    register,
    split,
    validate,
)


@flow(name="train", flow_run_name=flow_run_name, validate_parameters=False)
def train(
    pipeline: str, overrides: dict[str, Any] | None = None, refresh: bool = False
) -> State[Any]:
    """Train a pipeline's model and register it if every gate lets it pass.

    Parameters
    ----------
    pipeline : str
        A folder, a ``pipeline.yaml``, or the name of a folder under ``data/``.
    overrides : dict, optional
        Dotted fields of the spec and their values for this run, such as ``{"model.seed": 1}``.
    refresh : bool
        Compute every stage again, whatever is cached.
    """
    with opened(pipeline, overrides, refresh) as run:
        spec = run.spec
        snapshot = ingest(run.source, spec.data, spec.split)
        run.track(snapshot)
        goal = objective(snapshot.layout, spec.objective)
        clean = validate(snapshot, run.contract)
        parts = split(clean, spec.split)

        verdict = judge(run.checks, spec.gates, before_training=True)
        if not verdict.passed:
            return run.end(refuse(verdict))

        fitted = fit(parts.train, parts.valid, parts.layout, goal, spec.model, spec.compute)
        scorecard = evaluate(fitted, parts.train, parts.test, spec.split.seed)
        verdict = judge(run.checks, spec.gates)
        return run.end(register(fitted, scorecard, verdict, parts.test))
