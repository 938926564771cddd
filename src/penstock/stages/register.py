"""Give the model a version, once it has shown that it works where nobody helps it.

A model that scored well in training has shown nothing yet about the place where it will be
used: it may lean on code, files or versions that only the training had, and the model that is
in use there may be better. So it is packed, scored again by itself, and held against the
champion on the same rows, before anybody relies on it.

Fitted, Scorecard, Verdict -> Decision
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock import fingerprint, tasks
from penstock.errors import Mistake, NotServable, RegistryUnreachable
from penstock.evidence import Check
from penstock.measure import metrics
from penstock.measure.judging import judged
from penstock.ports import Registry, Store, Version
from penstock.records import (
    Decision,
    Fitted,
    Layout,
    Policy,
    Profile,
    Rows,
    Scorecard,
    Verdict,
    VerdictWord,
)
from penstock.spec import Pipeline

RESCORED_ROWS = 2_000
"""Most rows that are scored again in the clean process (house choice: seconds)."""

CONTESTS = 3
"""How often a champion that changes in the meantime is compared again (house choice)."""

MODEL_TAG, TEST_TAG, SERVABLE_TAG = "penstock.model", "penstock.test", "penstock.servable"
VERDICT_TAG, METRIC_TAG = "penstock.verdict", "penstock.metric."


def register(
    fitted: Fitted,
    policy: Policy,
    profile: Profile | None,
    scorecard: Scorecard,
    verdict: Verdict,
    test: Rows,
    pipeline: Pipeline,
    registry: Registry,
    store: Store,
    run_id: str = "",
    card: str = "",
    fingerprints: dict[str, str] | None = None,
) -> Decision:
    """Register a model whose verdict passed, and promote it when it is not worse.

    Parameters
    ----------
    fitted, policy : Fitted, Policy
        The model, and what turns its scores into decisions.
    profile : Profile, optional
        The reference for monitoring, which travels with the model.
    scorecard, verdict : Scorecard, Verdict
        What it scored, and whether it may be registered.
    test : Rows
        The raw rows behind ``scorecard.predictions``, in the same order.
    pipeline : Pipeline
        Its ``registered_name`` and ``gates.servable`` are read.
    registry : Registry
        The place of versions.
    store : Store
        Where the blobs of the records lie.
    run_id : str
        The tracked run that the version belongs to.
    card : str
        Description of the version, Markdown.
    fingerprints : dict of str to str, optional
        Of the data and the spec; tags of the version.

    Returns
    -------
    Decision
        ``refused`` (no version was made), ``kept_champion`` or ``registered``. Its ``version``
        is the one in use afterwards.

    Raises
    ------
    RegistryUnreachable
        When the registry gives no answer; nothing was promoted.
    """
    name = pipeline.registered_name
    decision = Decision(
        verdict="refused",
        model=name,
        run_id=run_id,
        fingerprints=fingerprints or {},
        metrics={metric: estimate.value for metric, estimate in scorecard.metrics.items()},
        checks=verdict.checks,
    )
    if not verdict.passed:
        return decision.model_copy(update={"why": _refusal(verdict)})
    fingerprint_ = model_fingerprint(fitted, policy)
    champion = registry.champion(name)
    if champion and champion.tags.get(MODEL_TAG) == fingerprint_:
        why = f"Version {champion.number} is the champion and has the same weights."
        check = _remembered(champion, pipeline)
        return _decided(decision, "kept_champion", champion, why, check)
    known = registry.same(name, fingerprint_)
    if known:
        version, check = known, _remembered(known, pipeline)
    else:
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "model"
            registry.package(files_of(fitted, policy, profile, store), package)
            check = judged(
                servable(package, scorecard, test, registry, store), pipeline.gates.servable
            )
            if check.value is None or check.blocks:
                return _decided(decision, "refused", None, check.why, check)
            tags = _tags(scorecard, verdict, test, check) | {MODEL_TAG: fingerprint_}
            tags |= {f"penstock.fingerprint.{k}": v for k, v in decision.fingerprints.items()}
            version = registry.add(package, run_id, name, tags, card)
    return _contest(decision, version, check, fitted, scorecard, test, registry, store)


def servable(
    package: Path, scorecard: Scorecard, test: Rows, registry: Registry, store: Store
) -> Check:
    """Score test rows with the packaged model in a clean process.

    Returns
    -------
    Check
        Its value is :func:`difference` to the scores of the training run; None when the
        package could not be loaded and scored.
    """
    check = Check(
        name="servable",
        stage="register",
        better="lower",
        remedy="train again with --refresh; if it stays, a modality encodes a row differently"
        " by what stands beside it",
    )
    rows = np.linspace(0, test.num_rows - 1, min(test.num_rows, RESCORED_ROWS)).astype(np.int64)
    expected = store.table(scorecard.predictions).take(rows)
    try:
        actual = registry.rescore(package, store.table(test).take(rows))
        value = difference(expected, actual)
    except NotServable as error:
        return check.model_copy(update={"enough": False, "why": error.message})
    why = (
        f"Loaded in a clean process, the package scores {len(rows)} test rows with a largest"
        f" difference of {value:.1e} to the training run."
    )
    return check.model_copy(update={"value": value, "why": why})


def difference(expected: pa.Table, actual: pa.Table) -> float:
    """Largest absolute difference between two tables of predictions.

    Probabilities are compared as they are; values of a regression in units of the largest
    one, where that is more than 1, because float32 has seven digits whatever the unit (house
    choice). A label that differs counts as 1, and so does a score that is a number on one
    side only.

    Parameters
    ----------
    expected : pa.Table
        From the training run; columns that begin with ``_`` are not predictions.
    actual : pa.Table
        From the package, as many rows.

    Raises
    ------
    NotServable
        When a column is missing.

    Examples
    --------
    >>> difference(pa.table({"prediction": [200.0, 1.0]}), pa.table({"prediction": [200.0, 1.5]}))
    0.0025
    """
    largest = 0.0
    for name in expected.column_names:
        if name.startswith("_"):
            continue
        if name not in actual.column_names:
            found = ", ".join(actual.column_names)
            raise NotServable(Mistake(f"the packaged model answers with column {name!r}", found))
        largest = max(largest, _column_difference(expected[name], actual[name]))
    return largest


def scores_of(predictions: pa.Table, layout: Layout) -> NDArray[np.float64]:
    """Scores behind a table of predictions: ``float64[n, classes]``, or ``float64[n]``.

    Raises
    ------
    KeyError
        When the table has no column for one of the layout's classes.
    """
    if not layout.classes:
        return _numbers(predictions["prediction"])
    names = [f"probability_{name}" for name in layout.classes]
    return np.column_stack([_numbers(predictions[name]) for name in names])


def model_fingerprint(fitted: Fitted, policy: Policy) -> str:
    """SHA-256 over weights, state and policy: equal models, one version."""
    return fingerprint.of_json([fitted.weights.sha256, fitted.state.sha256, policy.fingerprint])


def files_of(
    fitted: Fitted, policy: Policy, profile: Profile | None, store: Store
) -> dict[str, Path]:
    """What the package of a model holds, as :meth:`penstock.ports.Registry.package` takes it."""
    files = {
        "weights": store.path(fitted.weights),
        "state": store.path(fitted.state),
        "policy": store.path(store.keep_bytes(policy.signed, ".json")),
    }
    if profile:
        files["profile"] = store.path(profile.sketch)
        if profile.sample:
            files["sample"] = store.path(profile.sample.blob)
    return files


def _contest(
    decision: Decision,
    version: Version,
    check: Check,
    fitted: Fitted,
    scorecard: Scorecard,
    test: Rows,
    registry: Registry,
    store: Store,
) -> Decision:
    """Promote the version unless the champion is better on the same rows."""
    name, metric = decision.model, fitted.metric
    ours = scorecard.metrics[metric].value
    for _ in range(CONTESTS):
        champion = registry.champion(name)
        if champion is None:
            better, why = True, f"Version {version.number} is the first champion."
        else:
            theirs, unknown = champion_metric(champion, fitted, test, registry, store)
            better, why = _compared(version, champion, metric, ours, theirs, unknown)
        if champion and not better:
            return _decided(decision, "kept_champion", champion, why, check)
        if registry.promote(version, expected=champion):
            return _decided(decision, "registered", version, why, check)
    raise RegistryUnreachable(
        Mistake(
            rule="the champion does not change while a challenger is held against it",
            found=f"it changed {CONTESTS} times",
            where=name,
            remedy="run again when the other trainings have ended; nothing was promoted",
        )
    )


def champion_metric(
    champion: Version, fitted: Fitted, test: Rows, registry: Registry, store: Store
) -> tuple[float | None, str]:
    """The declared metric of the champion on these test rows.

    Read from its tags when they were its own test rows; else its package scores them, with
    its own code, in a clean process.

    Returns
    -------
    value : float or None
        None when it cannot score these rows.
    why : str
        Why not; empty otherwise.
    """
    noted = champion.tags.get(METRIC_TAG + fitted.metric)
    if noted and champion.tags.get(TEST_TAG) == test.blob.sha256:
        return float(noted), ""
    layout, table = fitted.layout, store.table(test)
    with tempfile.TemporaryDirectory() as folder:
        package = registry.fetch(champion, Path(folder))
        try:
            scores = scores_of(registry.rescore(package, table), layout)
        except NotServable as error:
            return None, error.message
        except KeyError as error:
            return None, f"it answers otherwise: {error.args[0]}"
    target = tasks.load(layout.task).encode_target(table[layout.target], layout)
    value = metrics.of(fitted.metric).measure(target, scores)
    return (value, "") if math.isfinite(value) else (None, f"its {fitted.metric} is no number")


def _compared(
    version: Version,
    champion: Version,
    metric: str,
    ours: float | None,
    theirs: float | None,
    unknown: str,
) -> tuple[bool, str]:
    if theirs is None or ours is None:
        why = unknown or f"{metric} of version {version.number} is no number"
        return False, (
            f"Version {version.number} stays challenger: it cannot be held against champion"
            f" {champion.number}: {why}"
        )
    shown = f"{metric} {ours:.5f}, champion {champion.number} {theirs:.5f} on the same test rows"
    if metrics.is_better(metric, theirs, than=ours):
        return False, f"Version {version.number} stays challenger: {shown}."
    return True, f"Version {version.number} is not worse: {shown}."


def _decided(
    decision: Decision, word: VerdictWord, version: Version | None, why: str, check: Check
) -> Decision:
    return decision.model_copy(
        update={
            "verdict": word,
            "version": version.number if version else "",
            "why": why,
            "checks": [*decision.checks, check],
        }
    )


def _refusal(verdict: Verdict) -> str:
    blocking = [c.label for c in verdict.checks if c.blocks]
    return f"Refused by {', '.join(blocking)}; no version was made."


def _remembered(version: Version, pipeline: Pipeline) -> Check:
    """The check as it was measured when this version was made."""
    noted = version.tags.get(SERVABLE_TAG)
    check = Check(
        name="servable",
        stage="register",
        value=float(noted) if noted else None,
        enough=bool(noted),
        why=f"Measured when version {version.number} was made from the same weights.",
        remedy="train again with --refresh",
    )
    return judged(check, pipeline.gates.servable)


def _tags(scorecard: Scorecard, verdict: Verdict, test: Rows, check: Check) -> dict[str, str]:
    """What a version says about itself: its verdict, its metrics, and on which rows."""
    outcomes = [judged_check.outcome for judged_check in verdict.checks]
    counts = {word: outcomes.count(word) for word in sorted(set(outcomes))}
    values = {metric: estimate.value for metric, estimate in scorecard.metrics.items()}
    return {
        VERDICT_TAG: "passed",
        "penstock.checks": ", ".join(f"{count} {word}" for word, count in counts.items()),
        TEST_TAG: test.blob.sha256,
        SERVABLE_TAG: repr(check.value),
        **{METRIC_TAG + metric: repr(v) for metric, v in values.items() if v is not None},
    }


def _column_difference(expected: pa.ChunkedArray, actual: pa.ChunkedArray) -> float:
    if not pa.types.is_floating(expected.type):
        same = np.asarray(expected.to_pylist(), str) == np.asarray(actual.to_pylist(), str)
        return float(not same.all())
    left, right = _numbers(expected), _numbers(actual)
    numbers = np.isfinite(left)
    if not np.array_equal(numbers, np.isfinite(right)):
        return 1.0
    scale = max(1.0, np.abs(left[numbers]).max(initial=0.0))
    return float(np.abs(left[numbers] - right[numbers]).max(initial=0.0) / scale)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return values
