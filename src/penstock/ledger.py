"""The decision record: what was decided about a model, why, and all that it rests on.

It is written before an alias moves, kept in the store under its SHA-256, and that SHA-256 is a
tag of the version. So whoever has the version can recompute the chain from data to decision.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Literal

from penstock import fingerprint, plugins
from penstock.evidence import Check, Frozen
from penstock.ports import Store
from penstock.records import (
    Blob,
    Decision,
    Fitted,
    Layout,
    Policy,
    Profile,
    Record,
    Rows,
    VerdictWord,
)
from penstock.spec import Pipeline

FORMAT: Literal[1] = 1
"""Version of the record: a reader refuses another one."""
GATES = "the train flow, by the gates of pipeline.yaml"
"""Who decides where no person is asked."""
NAMED = (
    "penstock", *fingerprint.NUMERIC_LIBRARIES, "scipy", "safetensors", "pydantic", "mlflow",
    "prefect",
)  # fmt: skip
"""Distributions that are named with their version; all others are in the hash."""


class Environment(Frozen):
    """What a run ran on.

    Attributes
    ----------
    python, platform : str
        Versions, without names of machine or user.
    distributions : dict of str to str
        Versions of those that numbers depend on.
    installed : str
        SHA-256 of the sorted list of all installed distributions and versions.
    """

    python: str
    platform: str
    distributions: dict[str, str]
    installed: str


class Stage(Frozen):
    """What a stage gave.

    Attributes
    ----------
    fingerprint : str
        Of its record.
    key : str
        Cache key that it ran under: its code, its inputs, its part of the spec.
    code : str
        SHA-256 of its source, all that it imports of penstock, and the numeric libraries.
    record : dict, optional
        The record's signed content; None where that is all evidence, which is in the report.
    """

    fingerprint: str
    key: str = ""
    code: str = ""
    record: dict[str, Any] | None = None


class DecisionRecord(Frozen):
    """What was decided about a model.

    Attributes
    ----------
    pipeline, model, version : str
        Its name, the registered name, and the version that was decided about; no version when
        none was made.
    champion : str
        The version in use before.
    verdict, why, decided_by, decided_at : str
        ``decided_at`` is UTC, ISO 8601.
    run_id, flow_run_id : str
        In MLflow and in Prefect.
    commit : str
        Git commit of the pipeline's folder; empty without one.
    spec, spec_sha256, contract_sha256
        The whole spec with its gates, and the hashes of spec and contract.
    stages : dict of str to Stage
        In the order of the story.
    files : dict of str to str
        SHA-256 of what the package holds: weights, state, policy, profile, sample.
    checks : list of Check
        All of them, judged.
    """

    format: Literal[1] = FORMAT
    pipeline: str
    model: str
    version: str = ""
    champion: str = ""
    verdict: VerdictWord
    why: str
    decided_by: str
    decided_at: str
    run_id: str = ""
    flow_run_id: str = ""
    commit: str = ""
    environment: Environment
    spec: dict[str, Any]
    spec_sha256: str
    contract_sha256: str = ""
    stages: dict[str, Stage]
    files: dict[str, str]
    checks: list[Check]

    def keep(self, store: Store) -> Blob:
        """Keep it in the store, its stages in the order of the story."""
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1)
        return store.keep_bytes(text.encode(), ".json")


def decision_record(
    decision: Decision,
    records: Mapping[str, Record],
    keys: Mapping[str, str],
    spec: Pipeline,
    contract: list[dict[str, Any]] | None = None,
    commit: str = "",
    flow_run_id: str = "",
    decided_by: str = GATES,
) -> DecisionRecord:
    """The record of a decision.

    Parameters
    ----------
    decision : Decision
        From ``register``, or a refusal.
    records, keys : mapping of str to Record, and to str
        By stage, in the order of the story; the cache keys.
    spec, contract : Pipeline, list of dict
        That ran.
    commit, flow_run_id, decided_by : str
        See :class:`DecisionRecord`. A person's name is personal data: say it only where a
        person decided.
    """
    layout = next((r.layout for r in records.values() if isinstance(r, Fitted)), None)
    said = spec.model_dump(mode="json")
    return DecisionRecord(
        pipeline=spec.name,
        model=decision.model,
        version=decision.challenger or decision.version,
        champion=decision.champion,
        verdict=decision.verdict,
        why=decision.why,
        decided_by=decided_by,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        run_id=decision.run_id,
        flow_run_id=flow_run_id or decision.flow_run_id,
        commit=commit,
        environment=environment(),
        spec=said,
        spec_sha256=fingerprint.of_json(said),
        contract_sha256=fingerprint.of_json(contract) if contract is not None else "",
        stages={
            name: _stage(name, record, keys.get(name, ""), layout)
            for name, record in records.items()
            if name != "register"
        },
        files=files_of(records),
        checks=decision.checks,
    )


def files_of(records: Mapping[str, Record]) -> dict[str, str]:
    """SHA-256 of what a model's package holds; of several models, the last one's."""
    found: dict[str, str] = {}
    for record in records.values():
        if isinstance(record, Fitted):
            found |= {"weights": record.weights.sha256, "state": record.state.sha256}
        if isinstance(record, Policy):
            found["policy"] = record.fingerprint
        if isinstance(record, Profile):
            found["profile"] = record.sketch.sha256
            if record.sample:
                found["sample"] = record.sample.blob.sha256
    return found


def environment() -> Environment:
    """What this process runs on."""
    found = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    installed = {name.lower(): version for name, version in found.items() if name}
    return Environment(
        python=platform.python_version(),
        platform=f"{sys.platform} {platform.machine()}",
        distributions={name: installed[name] for name in NAMED if name in installed},
        installed=fingerprint.of_json(sorted(f"{n}=={v}" for n, v in installed.items())),
    )


def code_of(stage: str, layout: Layout | None) -> str:
    """SHA-256 of a stage's code as it is now, with the plug-ins that its table uses.

    Empty for a stage that has no module.
    """
    known = plugins.modules("penstock.stages")
    if stage not in known:
        return ""
    modules = {known[stage]}
    if layout:
        modules.add(plugins.modules("penstock.tasks")[layout.task])
        kinds = plugins.modules("penstock.modalities")
        modules |= {kinds[column.modality] for column in layout.features}
    return fingerprint.code_version(*sorted(modules))


def cited(value: Any, path: str = "") -> Iterator[tuple[str, Blob | Rows]]:
    """Files and tables that the JSON of a record cites, with their place in it.

    Examples
    --------
    >>> blob = {"key": "ab/abc.json", "sha256": "abc", "num_bytes": 1}
    >>> [path for path, _ in cited({"fit": {"state": blob}})]
    ['fit.state']
    """
    if isinstance(value, dict):
        if value.keys() == Rows.model_fields.keys():
            yield path, Rows.model_validate(value)
        elif value.keys() == Blob.model_fields.keys():
            yield path, Blob.model_validate(value)
        else:
            for name, inner in value.items():
                yield from cited(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from cited(inner, f"{path}[{number}]")


def _stage(name: str, record: Record, key: str, layout: Layout | None) -> Stage:
    told = "evidence" in record.unsigned  # else its content is evidence
    return Stage(
        fingerprint=record.fingerprint,
        key=key,
        code=code_of(name, layout),
        record=json.loads(record.signed) if told else None,
    )
