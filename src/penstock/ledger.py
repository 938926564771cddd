"""The decision record: what was decided about a model, why, and all that it rests on.

It is written before an alias moves, kept in the store under its SHA-256, and that SHA-256 is a
tag of the version. So whoever has the version can recompute the chain from data to decision.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Literal

from pydantic import ValidationError

from penstock import fingerprint, plugins
from penstock.errors import BadInput, Mistake
from penstock.evidence import Check, Frozen
from penstock.outcomes import Decision, VerdictWord
from penstock.ports import Store
from penstock.records import Blob, Fitted, Layout, Policy, Profile, Record, Rows
from penstock.spec import Pipeline
from penstock.tags import DECISION

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
    fitted = next((r for r in records.values() if isinstance(r, Fitted)), None)
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
            name: _stage(name, record, keys.get(name, ""), fitted)
            for name, record in records.items()
            if name != "register"
        },
        files=files_of(records),
        checks=decision.checks,
    )


def read_record(sha256: str, num_bytes: str, store: Store) -> DecisionRecord:
    """The decision record that a version's tags name.

    Parameters
    ----------
    sha256, num_bytes : str
        The tags ``penstock.decision`` and ``penstock.decision.bytes``.

    Raises
    ------
    BadInput
        When the tags name none, or one that this penstock cannot read.
    StoreError
        When it is gone from the store.
    """
    remedy = "look with: penstock verify PIPELINE --version N; or train again"
    if not re.fullmatch("[0-9a-f]{64}", sha256) or not num_bytes.isdecimal():
        rule = "a version's tags name its decision record"
        raise BadInput(Mistake(rule, sha256 or "no tag", DECISION, remedy))
    blob = Blob(key=f"{sha256[:2]}/{sha256}.json", sha256=sha256, num_bytes=int(num_bytes))
    content = store.path(blob).read_bytes()
    if fingerprint.of_bytes(content) != sha256:
        rule = "a decision record is what its hash says"
        raise BadInput(Mistake(rule, "it was changed", blob.key, remedy))
    try:
        return DecisionRecord.model_validate_json(content)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise BadInput(Mistake("a decision record can be read", said, blob.key, remedy)) from error


def redecided(
    record: DecisionRecord, decision: Decision, decided_by: str, flow_run_id: str = ""
) -> DecisionRecord:
    """The record of a later decision about the same model: the same stages, another word.

    Parameters
    ----------
    record : DecisionRecord
        Of the decision before; what was computed stands in it and stays.
    decision : Decision
        The new verdict, its checks and its why.
    decided_by, flow_run_id : str
        Who decided, and in which flow run.
    """
    return record.model_copy(
        update={
            "verdict": decision.verdict,
            "why": decision.why,
            "champion": decision.champion,
            "checks": decision.checks,
            "decided_by": decided_by,
            "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "flow_run_id": flow_run_id or decision.flow_run_id,
            "environment": environment(),
        }
    )


def files_of(records: Mapping[str, Record]) -> dict[str, str]:
    """SHA-256 of what a model's package holds; of several models, the last one's."""
    found: dict[str, str] = {}
    for record in records.values():
        if isinstance(record, Fitted):
            found |= {"weights": record.weights.sha256, "state": record.state.sha256}
            for backbone in record.backbones.values():
                found |= {
                    f"backbones/{backbone.fingerprint}/{name}": blob.sha256
                    for name, blob in backbone.files.items()
                }
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


def code_of(stage: str, layout: Layout | None, pretrained: Iterable[str] = ()) -> str:
    """SHA-256 of a stage's code as it is now, with the plug-ins that its table uses.

    Empty for a stage that has no module.
    """
    known = plugins.modules("penstock.stages")
    if stage not in known:
        return ""
    modules = {known[stage]}
    if layout:
        modules |= plugins.of_table(layout, pretrained)
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


def _stage(name: str, record: Record, key: str, fitted: Fitted | None) -> Stage:
    told = "evidence" in record.unsigned  # else its content is evidence
    return Stage(
        fingerprint=record.fingerprint,
        key=key,
        code=code_of(name, fitted.layout, fitted.backbones) if fitted else code_of(name, None),
        record=json.loads(record.signed) if told else None,
    )
