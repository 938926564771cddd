"""From data to a model in the registry, or to a refusal that says why."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import State

from flows.form import UNCHANGED, Overrides, Refresh
from flows.running import flow_run_name, opened
from flows.tasks import (
    bias,
    decide,
    evaluate,
    explain,
    fit,
    ingest,
    judge,
    objective,
    profile,
    refuse,
    register,
    split,
    stress,
    validate,
)
from penstock.records import Backbone, Fitted, Policy, Split
from penstock.spec import Pipeline


@flow(name="train", flow_run_name=flow_run_name, validate_parameters=False)
def train(pipeline: str, refresh: Refresh = False, overrides: Overrides = UNCHANGED) -> State[Any]:
    """Train a pipeline's model and register it if every gate lets it pass.

    Parameters
    ----------
    pipeline : str
        A folder, a ``pipeline.yaml``, or the name of a folder under ``data/``.
    refresh : bool
        Compute every stage again, whatever is cached.
    overrides : dict
        Fields of the spec for this run only; what is left empty stays as pipeline.yaml says it.
    """
    with opened(pipeline, overrides, refresh) as run:
        spec = run.spec
        snapshot = ingest(run.source, spec.data, spec.split)
        run.begin(snapshot)
        clean = validate(snapshot, run.contract)
        parts = split(clean, spec.split)

        verdict = judge(run.checks, spec.gates, run.required(before_training=True))
        if not verdict.passed:
            return run.end(refuse(verdict))

        backbones = run.backbones(snapshot.layout)
        fitted, policy = learn(parts, spec, backbones, mitigation="none")
        before, before_policy = None, None
        if spec.bias.mitigation != "none":
            before, before_policy = fitted, policy
            fitted, policy = learn(parts, spec, backbones, spec.bias.mitigation)

        train, test, seed = parts.train, parts.test, spec.split.seed
        scorecard = evaluate(fitted, policy, train, test, seed, spec.report.show_rows)
        stress(fitted, policy, train, test, seed, spec.report.show_rows)
        explain(fitted, policy, train, test, seed, spec.report.show_rows)
        sensitive = spec.data.sensitive
        bias(fitted, scorecard, train, test, sensitive, spec.bias, before, before_policy, seed)
        reference = profile(fitted, policy, scorecard, train, test, spec.profile, sensitive)

        verdict = judge(run.checks, spec.gates, run.required())
        return run.end(register(fitted, policy, reference, scorecard, verdict, train, test))


def learn(
    parts: Split, spec: Pipeline, backbones: dict[str, Backbone], mitigation: str
) -> tuple[Fitted, Policy]:
    """Choose the loss, train, and choose how scores become decisions."""
    column = spec.mitigated_column
    reweighed = column if mitigation == "reweigh" else ""
    levelled = column if mitigation == "thresholds" else ""
    train, valid, layout, seed = parts.train, parts.valid, parts.layout, spec.split.seed
    criterion = spec.bias.gated(len(layout.classes)) if levelled else ""
    goal = objective(train, valid, layout, spec.objective, spec.model.built_in, reweighed)
    fitted = fit(train, valid, layout, goal, spec.model, spec.compute, backbones)
    return fitted, decide(fitted, valid, spec.decision, criterion, levelled, seed)
