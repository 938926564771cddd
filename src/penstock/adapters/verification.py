"""Recompute the chain from data to decision, and name the first link that does not hold.

version, store, registry -> Verification
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from penstock import fingerprint, tags
from penstock.errors import BadInput, Mistake
from penstock.ledger import DecisionRecord, Stage, cited, code_of
from penstock.measure.judging import judged
from penstock.ports import Registry, Store, Version
from penstock.records import Blob, Layout, Rows
from penstock.spec import Gates

ARTIFACTS = {
    "weights": "weights.safetensors",
    "state": "state.json",
    "policy": "policy.json",
    "profile": "profile.json",
    "sample": "sample.parquet",
}


@dataclass(frozen=True)
class Link:
    """One thing that has to be as it was.

    Attributes
    ----------
    name : str
        What.
    broken : str
        What was found instead; empty when it holds.
    """

    name: str
    broken: str = ""


@dataclass
class Verification:
    """What was recomputed.

    Attributes
    ----------
    model, version : str
        Whose chain.
    links : list of Link
        Up to the first that does not hold.
    notes : list of str
        What changed without breaking the chain.
    """

    model: str
    version: str
    links: list[Link] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def broken(self) -> Link | None:
        """The first link that does not hold."""
        return self.links[-1] if self.links and self.links[-1].broken else None

    def answer(self) -> dict[str, Any]:
        """The JSON of ``penstock verify --json``."""
        broken = self.broken
        return {
            "holds": broken is None,
            "model": self.model,
            "version": self.version,
            "links": sum(not link.broken for link in self.links),
            "broken": {"link": broken.name, "found": broken.broken} if broken else None,
            "notes": self.notes,
        }


def version_of(name: str, number: str, registry: Registry) -> Version:
    """The version of this number; the champion where none is said.

    Raises
    ------
    BadInput
        When there is none.
    """
    version = registry.version(name, number) if number else registry.champion(name)
    if version is None:
        found = f"no version {number}" if number else "no champion yet"
        remedy = "look at the versions in MLflow" if number else "train the pipeline first"
        raise BadInput(Mistake("a registered version is verified", found, name, remedy))
    return version


def verify(version: Version, registry: Registry, store: Store) -> Verification:
    """Recompute the chain of a version.

    Parameters
    ----------
    version : Version
        From :func:`version_of`.
    registry, store : Registry, Store
        Where its package is, and what its records cite.

    Raises
    ------
    RegistryUnreachable
        When the registry gives no answer.
    """
    result = Verification(version.name, version.number)
    link, record = _decision(version, store)
    result.links.append(link)
    if record is None:
        return result
    for link in _links(record, version, registry, store):
        result.links.append(link)
        if link.broken:
            return result
    result.notes = _notes(record)
    return result


def _decision(version: Version, store: Store) -> tuple[Link, DecisionRecord | None]:
    """The bytes of the decision record against the version's tag."""
    name, sha256 = "the decision record", version.tags.get(tags.DECISION, "")
    size = version.tags.get(tags.DECISION_BYTES, "")
    if not re.fullmatch("[0-9a-f]{64}", sha256) or not size.isdecimal():
        found = f"version {version.number} has no SHA-256 and size of one in its tags"
        return Link(name, found), None
    blob = Blob(key=f"{sha256[:2]}/{sha256}.json", sha256=sha256, num_bytes=int(size))
    link = _file(name, blob, None, store)
    if link.broken:
        return link, None
    try:
        return link, DecisionRecord.model_validate_json(store.path(blob).read_bytes())
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        return Link(name, f"this penstock cannot read it: {said}"), None


def _links(
    record: DecisionRecord, version: Version, registry: Registry, store: Store
) -> Iterator[Link]:
    """Every other link, from the data on."""
    found = (record.model, record.version)
    named = (version.name, version.number)
    yield _equal("the version that was decided about", " ".join(named), " ".join(found))
    yield _equal("the spec", record.spec_sha256, fingerprint.of_json(record.spec))
    seen: set[str] = set()
    for name, stage in record.stages.items():
        yield from _stage_links(name, stage, store, seen)
    yield from _tag_links(record, version)
    yield from _package_links(record, version, registry)
    yield _verdict(record)
    yield _alias(record, version, registry)


def _stage_links(name: str, stage: Stage, store: Store, seen: set[str]) -> Iterator[Link]:
    """A stage's record, and every file that it cites."""
    if stage.record is None:
        return
    yield _equal(f"the record of {name}", stage.fingerprint, fingerprint.of_json(stage.record))
    for path, what in cited(stage.record, name):
        blob = what.blob if isinstance(what, Rows) else what
        if blob.sha256 not in seen:
            seen.add(blob.sha256)
            yield _file(path, blob, what.num_rows if isinstance(what, Rows) else None, store)


def _file(path: str, blob: Blob, num_rows: int | None, store: Store) -> Link:
    name = f"{path} in the store"
    if not store.has(blob):
        return Link(name, f"{blob.key} is missing, or not {blob.num_bytes} bytes long")
    file = store.path(blob)
    sha256 = fingerprint.of_file(file)
    if sha256 != blob.sha256:
        return Link(name, f"{blob.key} has SHA-256 {sha256}")
    if num_rows is not None:
        import pyarrow.parquet as pq

        with pq.ParquetFile(file) as parquet:
            rows = parquet.metadata.num_rows
        if rows != num_rows:
            return Link(name, f"{blob.key} has {rows} rows, the record says {num_rows}")
    return Link(name)


def _tag_links(record: DecisionRecord, version: Version) -> Iterator[Link]:
    """What the version says of its data, spec, stages and model, against the record."""
    known = {name: stage.fingerprint for name, stage in record.stages.items()}
    known["spec"] = record.spec_sha256
    read = (record.stages["ingest"].record or {}) if "ingest" in record.stages else {}
    if "rows" in read:
        known["data"] = read["rows"]["blob"]["sha256"]
    try:
        said = tags.fingerprints(version.tags)
    except ValueError as error:
        yield Link(f"the version's tag {tags.FINGERPRINTS}", f"it is no JSON: {error}")
        return
    for name in sorted(known.keys() & said.keys()):
        yield _equal(f"the fingerprint of {name} on the version", known[name], said[name])
    parts = [record.files.get(name, "") for name in ("weights", "state", "policy")]
    model = fingerprint.of_json(parts)
    yield _equal(f"the version's tag {tags.MODEL}", model, version.tags.get(tags.MODEL, "none"))
    fit, decide = (record.stages.get(name) for name in ("fit", "decide"))
    if fit and fit.record:
        trained = [fit.record[name]["sha256"] for name in ("weights", "state")]
        yield _equal("the model is the one that fit made", " ".join(trained), " ".join(parts[:2]))
    if decide:
        yield _equal("the policy is the one that decide made", decide.fingerprint, parts[2])


def _package_links(record: DecisionRecord, version: Version, registry: Registry) -> Iterator[Link]:
    """The files of the registered package."""
    with tempfile.TemporaryDirectory() as folder:
        package = registry.fetch(version, Path(folder))
        for name, sha256 in record.files.items():
            file = package / "artifacts" / ARTIFACTS.get(name, name)
            found = fingerprint.of_file(file) if file.is_file() else "missing"
            yield _equal(f"{name} in the registered package", sha256, found)


def _verdict(record: DecisionRecord) -> Link:
    """The recorded checks, judged again by the recorded gates."""
    name = "the verdict"
    try:
        gates = Gates.model_validate(record.spec["gates"])
    except (KeyError, ValidationError) as error:
        return Link(name, f"this penstock cannot read the gates: {error}")
    blocking = []
    for check in record.checks:
        again = judged(check, gates.of(check.name))
        if (again.outcome, again.limit) != (check.outcome, check.limit):
            said = f"{check.outcome} at {check.limit}"
            return Link(name, f"{check.label} is {again.outcome} at {again.limit}, not {said}")
        if again.blocks and check.name not in ("beats_champion", "champion_group"):
            blocking.append(check.label)
    if blocking and record.verdict != "refused":
        return Link(name, f"{record.verdict}, though {', '.join(blocking)} refuse")
    if record.verdict == "refused" and not blocking:
        return Link(name, "refused, though no check refuses")
    return Link(name)


def _alias(record: DecisionRecord, version: Version, registry: Registry) -> Link:
    """A champion is a version that was decided to be one."""
    champion = registry.champion(version.name)
    name = "the alias champion"
    if champion and champion.number == version.number and record.verdict != "registered":
        return Link(name, f"version {version.number} has it, but the decision was {record.verdict}")
    return Link(name)


def _equal(name: str, expected: str, found: str) -> Link:
    return Link(name, "" if expected == found else f"{found} instead of {expected}")


def _notes(record: DecisionRecord) -> list[str]:
    fit = record.stages.get("fit")
    layout = Layout.model_validate(fit.record["layout"]) if fit and fit.record else None
    pretrained = (fit.record or {}).get("backbones", {}) if fit else {}
    now = {name: code_of(name, layout, pretrained) for name in record.stages}
    changed = [name for name, stage in record.stages.items() if stage.code != now[name]]
    notes = []
    if changed:
        notes.append(
            f"The source (or a numeric library) of {', '.join(changed)} has changed since: the"
            " next run computes them again."
        )
    return notes


def show(result: Verification) -> str:
    """What a person reads at a terminal."""
    lines = [f"{'FAIL' if link.broken else 'ok  '} {link.name}" for link in result.links]
    broken = result.broken
    if broken:
        lines.append(f"     found: {broken.broken}")
        lines.append(f"Broken: {broken.name} of {result.model} version {result.version}.")
    else:
        lines.append(f"All {len(result.links)} links of {result.model} {result.version} hold.")
    return "\n".join([*lines, *(f"note: {note}" for note in result.notes)])


def to_json(result: Verification) -> str:
    """One line of JSON."""
    return json.dumps(result.answer())
