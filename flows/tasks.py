"""Each stage, wrapped once as a Prefect task.

What a stage is given here as parameters is what its cache key is made of; what it needs of the
outside world comes from the run that it is part of.
"""

from __future__ import annotations

from typing import Any

from flows.running import SourceContent, current
from flows.staging import stage
from penstock.evidence import Check
from penstock.outcomes import Decision, Drift, Scored
from penstock.records import (
    Backbone,
    Findings,
    Fitted,
    Layout,
    Objective,
    Policy,
    Profile,
    Rows,
    Scorecard,
    Snapshot,
    Split,
    Verdict,
)
from penstock.spec import (
    BiasSpec,
    Compute,
    Data,
    DecisionSpec,
    Gates,
    ModelSpec,
    ObjectiveSpec,
    ProfileSpec,
    SplitSpec,
)

HOUR = 3600


@stage(timeout_seconds=4 * HOUR, retries=1)
def ingest(source: SourceContent, data: Data, split: SplitSpec) -> Snapshot:
    """Read the source once, into typed, immutable rows."""
    from penstock.stages.ingest import ingest

    run = current()
    return ingest(run.services.source, data, split, run.store, run.progress("ingest"))


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


@stage(timeout_seconds=4 * HOUR)
def objective(
    train: Rows,
    valid: Rows,
    layout: Layout,
    spec: ObjectiveSpec,
    model: ModelSpec,
    reweighed: str,
) -> Objective:
    """Choose the loss that is optimised; try it against the others."""
    from penstock.stages.objective import objective

    run = current()
    tell = run.progress("objective")
    return objective(train, valid, layout, spec, model, reweighed, run.store, tell)


@stage(timeout_seconds=48 * HOUR)
def fit(
    train: Rows,
    valid: Rows,
    layout: Layout,
    objective: Objective,
    spec: ModelSpec,
    compute: Compute,
    backbones: dict[str, Backbone],
) -> Fitted:
    """Train on the training rows, stop by the validation rows."""
    from penstock.stages.fit import fit

    run = current()
    tell, key = run.progress("fit"), run.key_of("fit")
    given = (train, valid, layout, objective, spec, compute)
    return fit(*given, run.store, tell, key, backbones)


@stage(timeout_seconds=4 * HOUR)
def decide(
    fitted: Fitted, valid: Rows, spec: DecisionSpec, criterion: str, levelled: str, seed: int
) -> Policy:
    """Choose how scores become decisions, on validation rows."""
    from penstock.stages.decide import decide

    run = current()
    tell = run.progress("decide")
    return decide(fitted, valid, spec, criterion, levelled, seed, run.store, tell)


@stage(timeout_seconds=12 * HOUR)
def evaluate(
    fitted: Fitted, policy: Policy, train: Rows, test: Rows, seed: int, show_rows: bool
) -> Scorecard:
    """Score the test rows, and hold the model against simpler ones."""
    from penstock.stages.evaluate import evaluate

    run = current()
    tell = run.progress("evaluate")
    return evaluate(fitted, policy, train, test, seed, run.store, tell, show_rows)


@stage(timeout_seconds=12 * HOUR)
def stress(
    fitted: Fitted, policy: Policy, train: Rows, test: Rows, seed: int, show_rows: bool
) -> Findings:
    """Change the input as the world does, and see what the model makes of it."""
    from penstock.stages.stress import stress

    run = current()
    tell = run.progress("stress")
    return stress(fitted, policy, test, seed, run.store, tell, train, show_rows)


@stage(timeout_seconds=12 * HOUR)
def explain(
    fitted: Fitted, policy: Policy, train: Rows, test: Rows, seed: int, show_rows: bool
) -> Findings:
    """Say which columns the predictions rest on, and whether that can be believed."""
    from penstock.stages.explain import explain

    run = current()
    tell = run.progress("explain")
    return explain(fitted, policy, train, test, seed, run.store, tell, show_rows)


@stage(timeout_seconds=4 * HOUR)
def bias(
    fitted: Fitted,
    scorecard: Scorecard,
    train: Rows,
    test: Rows,
    sensitive: list[str],
    spec: BiasSpec,
    before: Fitted | None,
    before_policy: Policy | None,
    seed: int,
) -> Findings:
    """Compare groups, before and after a mitigation."""
    from penstock.stages.bias import bias

    run = current()
    given = (fitted, scorecard, train, test, sensitive, spec, before, before_policy, seed)
    return bias(*given, run.store, run.progress("bias"))


@stage(timeout_seconds=4 * HOUR)
def profile(
    fitted: Fitted,
    policy: Policy,
    scorecard: Scorecard,
    train: Rows,
    test: Rows,
    spec: ProfileSpec,
    sensitive: list[str],
) -> Profile:
    """Write down what monitoring will compare with."""
    from penstock.stages.profile import profile

    run = current()
    tell = run.progress("profile")
    return profile(fitted, policy, scorecard, train, test, spec, run.store, tell, sensitive)


@stage(timeout_seconds=HOUR, cached=False)
def judge(checks: list[Check], gates: Gates, required: list[str]) -> Verdict:
    """Hold every check against its gate."""
    from penstock.stages.judge import judge

    return judge(checks, gates, required)


@stage(timeout_seconds=4 * HOUR, cached=False)
def register(
    fitted: Fitted,
    policy: Policy,
    reference: Profile,
    scorecard: Scorecard,
    verdict: Verdict,
    train: Rows,
    test: Rows,
) -> Decision:
    """Give the model a version and an alias, if its verdict lets it."""
    from penstock.adapters.card import shortened
    from penstock.stages.register import register

    run = current()
    return register(
        fitted,
        policy,
        reference,
        scorecard,
        verdict,
        train,
        test,
        run.spec,
        run.services.registry,
        run.store,
        run_id=run.mlflow_run,
        card=shortened(run.card(verdict.checks)),
        fingerprints=run.fingerprints,
        write=run.keep,
    )


def refuse(verdict: Verdict) -> Decision:
    """The decision when the data alone is refused: nothing was trained."""
    run = current()
    decision = Decision(
        verdict="refused",
        model=run.spec.registered_name,
        fingerprints=run.fingerprints,
        checks=verdict.checks,
        why="The data was refused before training; no model was made.",
    )
    return decision.model_copy(update={"record": run.keep(decision)})


@stage(timeout_seconds=48 * HOUR, retries=1, cached=False)
def score(source: str, output: str, window: str, version: str) -> Scored:
    """Fetch the version, and let it score."""
    import tempfile
    from pathlib import Path

    from prefect.runtime import flow_run

    from penstock.adapters.scoring import PackagedScorer
    from penstock.stages.score import score, usable

    run = current()
    services, spec = run.services, run.spec
    asked = services.scoring(source, output, window)
    found = usable(spec.registered_name, version, services.registry)
    with tempfile.TemporaryDirectory() as scratch:
        package = services.registry.fetch(found, Path(scratch))
        return score(
            asked.source,
            PackagedScorer(package, spec.compute.threads),
            services.contract,
            asked.sinks,
            asked.window,
            spec.data,
            found,
            str(flow_run.id or ""),
            run.progress("score"),
        )


@stage(timeout_seconds=12 * HOUR, retries=1, cached=False)
def monitor(current_rows: str, labels: str, window: str) -> Drift:
    """Fetch the champion and its reference, and hold later rows against it."""
    import tempfile
    from pathlib import Path

    from penstock.adapters.monitoring import champion_of, reference_of
    from penstock.adapters.scoring import PackagedScorer
    from penstock.stages.monitor import Watch, monitor

    run = current()
    services, spec = run.services, run.spec
    asked = services.watching(current_rows, labels, window)
    version = champion_of(spec.registered_name, services.registry)
    with tempfile.TemporaryDirectory() as scratch:
        package = services.registry.fetch(version, Path(scratch))
        return monitor(
            Watch(
                version=version,
                reference=reference_of(package),
                data=spec.data,
                spec=spec.monitor,
                bias=spec.bias,
                history=services.history.lines(),
            ),
            PackagedScorer(package, spec.compute.threads),
            asked.current,
            asked.labels,
            window,
            run.progress("monitor"),
        )
