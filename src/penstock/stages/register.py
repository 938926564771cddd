"""Give the model a version, once it has shown that it works where nobody helps it.

A model that scored well in training has shown nothing yet about the place where it will be
used: it may lean on code, files or versions that only the training had, and the model that is
in use there may be better. So it is packed, scored again by itself, and held against the
champion on the same rows, before anybody relies on it.

Fitted, Policy, Scorecard, Verdict -> Decision
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from penstock import fingerprint, tags, tasks
from penstock.challenge import (
    Challenger,
    Served,
    Writer,
    barred,
    challenge,
    decided,
    ground_of,
    servable,
    written,
)
from penstock.evidence import Check
from penstock.measure.judging import judged
from penstock.opened import packed
from penstock.outcomes import Decision
from penstock.ports import Registry, Store, Version
from penstock.records import Fitted, Policy, Profile, Rows, Scorecard, Verdict
from penstock.spec import Pipeline


def register(
    fitted: Fitted,
    policy: Policy,
    profile: Profile | None,
    scorecard: Scorecard,
    verdict: Verdict,
    train: Rows,
    test: Rows,
    pipeline: Pipeline,
    registry: Registry,
    store: Store,
    run_id: str = "",
    card: str = "",
    fingerprints: dict[str, str] | None = None,
    write: Writer | None = None,
) -> Decision:
    """Register a model whose verdict passed, and promote it when it is shown to be better.

    Parameters
    ----------
    fitted, policy : Fitted, Policy
        The model, and what turns its scores into decisions.
    profile : Profile, optional
        The reference for monitoring, which travels with the model.
    scorecard, verdict : Scorecard, Verdict
        What it scored, and whether it may be registered.
    train : Rows
        The raw training rows: they say which groups a sensitive column makes.
    test : Rows
        The raw rows behind ``scorecard.predictions``, in the same order.
    pipeline : Pipeline
        Its registry, sensitive columns, ``bias.min_rows``, ``split.seed`` and gates are read.
    registry, store : Registry, Store
        The place of versions; where the blobs of the records lie.
    run_id : str
        The tracked run that the version belongs to.
    card : str
        Description of the version, Markdown.
    fingerprints : dict of str to str, optional
        Of the data and the spec; tags of the version.
    write : callable, optional
        Writes the decision record, whose SHA-256 becomes a tag of the version before any
        alias moves.

    Returns
    -------
    Decision
        ``refused`` (no version was made), ``kept_champion``, ``awaiting_approval`` or
        ``registered``. Its ``version`` is the one in use afterwards, or the one that waits.

    Raises
    ------
    RegistryUnreachable
        When the registry gives no answer; nothing was promoted.
    """
    decision = Decision(
        verdict="refused",
        model=pipeline.registered_name,
        run_id=run_id,
        fingerprints=fingerprints or {},
        metrics={metric: estimate.value for metric, estimate in scorecard.metrics.items()},
        checks=verdict.checks,
    )
    if not verdict.passed:
        return written(decision.model_copy(update={"why": _refusal(verdict)}), write)
    model = model_fingerprint(fitted, policy)
    champion = registry.champion(decision.model)
    if champion and champion.tags.get(tags.MODEL) == model:
        why = f"Version {champion.number} is the champion and is the same model."
        known = decided(decision, "kept_champion", champion, why, [_remembered(champion, pipeline)])
        return written(known.model_copy(update={"champion": champion.number}), write)
    if no := barred(model, registry.history(decision.model)):
        return written(decided(decision, "kept_champion", champion, no, []), write)
    table = store.table(test)
    marks = _tags(scorecard, verdict, test) | {tags.MODEL: model}
    marks[tags.PROFILE] = profile.fingerprint if profile else "none"
    marks[tags.FINGERPRINTS] = json.dumps(decision.fingerprints)
    if fitted.backbones:
        told = {n: b.model_dump(exclude={"files"}) for n, b in fitted.backbones.items()}
        marks[tags.PRETRAINED] = json.dumps(told)
    files = files_of(fitted, policy, profile, store)
    expected = store.table(scorecard.predictions)
    servant = _Servant(registry, table, expected, pipeline)
    version, answer, check = servant.versioned(files, decision.model, run_id, marks, card)
    if version is None or answer is None:
        return written(decided(decision, "refused", None, check.why, [check]), write)
    ground = ground_of(fitted.layout, fitted.metric, table, train, test, pipeline, store)
    said = tasks.load(fitted.layout.task).answers(answer, fitted.layout)
    challenger = Challenger(version, marks, said, check)
    return challenge(decision, challenger, ground, pipeline, registry, write)


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
        **packed(fitted, store),
    }
    if profile:
        files["profile"] = store.path(profile.sketch)
        if profile.sample:
            files["sample"] = store.path(profile.sample.blob)
    return files


@dataclass(frozen=True)
class _Servant:
    """Makes versions that serve: packs, scores in a clean process, and only then adds."""

    registry: Registry
    table: pa.Table
    expected: pa.Table
    pipeline: Pipeline

    def versioned(
        self, files: dict[str, Path], name: str, run_id: str, marks: dict[str, str], card: str
    ) -> tuple[Version | None, pa.Table | None, Check]:
        """The version, what its package answers, and the judged check; no version if refused."""
        with tempfile.TemporaryDirectory() as folder:
            known = self.registry.same(name, marks[tags.MODEL])
            # its package may carry older code: it has to serve today as well
            if known and known.tags.get(tags.PROFILE) == marks[tags.PROFILE]:
                answer, check = self._served(self.registry.fetch(known, Path(folder) / "known"))
                if answer is not None:
                    return known, answer, check
            package = Path(folder) / "model"
            answer, check = self._served(self.registry.package(files, package))
            if answer is None:
                return None, None, check
            marks = marks | {tags.SERVABLE: repr(check.value)}
            return self.registry.add(package, run_id, name, marks, card), answer, check

    def _served(self, package: Path) -> Served:
        return servable(package, self.expected, self.table, self.registry, self.pipeline)


def _refusal(verdict: Verdict) -> str:
    blocking = [c.label for c in verdict.checks if c.blocks]
    return f"Refused by {', '.join(blocking)}; no version was made."


def _remembered(version: Version, pipeline: Pipeline) -> Check:
    """The check as it was measured when this version was made."""
    noted = version.tags.get(tags.SERVABLE)
    check = Check(
        name="servable",
        stage="register",
        value=float(noted) if noted else None,
        enough=bool(noted),
        why=f"Measured when version {version.number} was made of the same model.",
        remedy="train again with --refresh",
    )
    return judged(check, pipeline.gates.servable)


def _tags(scorecard: Scorecard, verdict: Verdict, test: Rows) -> dict[str, str]:
    """What a version says about itself: its verdict, its metrics, and on which rows."""
    outcomes = [judged_check.outcome for judged_check in verdict.checks]
    counts = {word: outcomes.count(word) for word in sorted(set(outcomes))}
    values = {metric: estimate.value for metric, estimate in scorecard.metrics.items()}
    return {
        tags.VERDICT: "passed",
        tags.CHECKS: ", ".join(f"{count} {word}" for word, count in counts.items()),
        tags.TEST: test.blob.sha256,
        tags.METRICS: json.dumps({metric: v for metric, v in values.items() if v is not None}),
    }
