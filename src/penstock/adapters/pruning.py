"""Find what nobody needs any more: files of the store, finished stages, reports, scratch.

A version in the registry cites its decision record, and that cites every file that the decision
rests on: all of it stays, whatever the verdict was. So does what a run that is alive has touched,
and what history and orders name. The rest can be computed again.

home, store, registered versions -> Waste
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock import tags
from penstock.adapters import alive
from penstock.errors import Mistake, StoreError
from penstock.ledger import cited
from penstock.ports import Version
from penstock.records import Rows

SHA256 = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
WORKSHOP = {"scratch": "unfinished work", "unfinished": "unfinished work", "cache": "cache"}
"""Folders of the store for what can be done again, and what it is."""

DAY = 86_400.0
MARGIN = 60.0
"""Clocks of shared file systems may differ by this many seconds (house choice)."""


@dataclass(frozen=True)
class Thing:
    """Something that can be freed: a file, or a folder of unfinished work."""

    kind: str
    path: Path
    num_bytes: int


@dataclass
class Waste:
    """What can be freed, and what is kept and why.

    Attributes
    ----------
    things : list of Thing
        To free.
    num_kept : int
        Files of the store that stay.
    limit : float
        Only what is older than this moment goes, in seconds since 1970.
    notes : list of str
        What a person should know.
    """

    things: list[Thing] = field(default_factory=list)
    num_kept: int = 0
    limit: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def num_bytes(self) -> int:
        """All of it."""
        return sum(thing.num_bytes for thing in self.things)

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """Number and bytes of each kind."""
        found: dict[str, tuple[int, int]] = {}
        for thing in self.things:
            number, num_bytes = found.get(thing.kind, (0, 0))
            found[thing.kind] = number + 1, num_bytes + thing.num_bytes
        return found

    def free(self) -> None:
        """Take it all away, but for what a run has begun to use since it was found."""
        for thing in self.things:
            if not thing.path.exists() or _age(thing.path) >= self.limit:
                continue
            if thing.path.is_dir():
                shutil.rmtree(thing.path)
            else:
                thing.path.unlink(missing_ok=True)


def waste(
    home: Path,
    store: Path,
    versions: Iterable[Version],
    older_than_days: float = 0.0,
    pipeline: str = "",
) -> Waste:
    """Find what can be freed.

    Parameters
    ----------
    home, store : Path
        ``PENSTOCK_HOME``, and the local folder of the store.
    versions : iterable of Version
        **All** registered versions of all models: the store is shared.
    older_than_days : float
        Keep what was written or used since.
    pipeline : str
        Only what this pipeline's decision records cite, its reports, and no more; empty: all.

    Raises
    ------
    StoreError
        When a version's decision record is gone or changed: then nobody can tell what it needs.
    """
    found = Waste()
    limit = found.limit = _newest(home, older_than_days, found)
    records = dict(_decisions(store))
    cites = _kept(list(versions), records)
    keep = cites.files | _named_by_history(home)
    old = [path for path in _files(store) if path.stem not in keep and _age(path) < limit]
    found.num_kept = sum(1 for _ in _files(store)) - len(old)
    mine = _Cites.of({k: r for k, r in records.items() if pipeline in ("", r["pipeline"])})
    if pipeline:
        old = [path for path in old if path.stem in mine.files]
    found.things += [Thing("store", path, path.stat().st_size) for path in old]
    for path in sorted((home / "results").glob("*")):
        if path.name not in cites.keys and (not pipeline or path.name in mine.keys):
            found.things += _thing("finished stages", path, limit)
    for path in sorted((home / "reports" / pipeline).rglob("*.html")):
        if path.stem not in cites.runs | {"latest"} and path.parent.name != "monitoring":
            found.things += _thing("reports", path, limit)
    for folder, kind in ({} if pipeline else WORKSHOP).items():
        for path in sorted((store / folder).glob("*")):
            found.things += _thing(kind, path, limit)
    return found


@dataclass(frozen=True)
class _Cites:
    """What decision records cite: SHA-256 of files, keys of finished stages, runs in MLflow."""

    files: set[str]
    keys: set[str]
    runs: set[str]

    @classmethod
    def of(cls, records: dict[str, dict[str, Any]]) -> _Cites:
        """Of decision records by their SHA-256."""
        files, keys = set(records), set()
        for record in records.values():
            files |= set(record["files"].values())
            for stage in record["stages"].values():
                keys.add(stage.get("key", ""))
                for _, what in cited(stage.get("record") or {}):
                    files.add(what.blob.sha256 if isinstance(what, Rows) else what.sha256)
        return cls(files, keys, {record.get("run_id", "") for record in records.values()})


def _newest(home: Path, older_than_days: float, found: Waste) -> float:
    """Only what is older than this moment may go."""
    limit = time.time() - older_than_days * DAY
    begun = alive.oldest(home)
    if begun is not None:
        found.notes.append("A run is under way: what was used since it began is kept.")
        limit = min(limit, begun - MARGIN)
    return limit


def _kept(versions: list[Version], records: dict[str, dict[str, Any]]) -> _Cites:
    """What the decisions about registered versions cite, the earlier ones too."""
    known = {(version.name, version.number) for version in versions}
    for version in versions:
        sha256 = version.tags.get(tags.DECISION, "")
        if sha256 and sha256 not in records:
            rule = "a registered version's decision record is in the store"
            where = f"{version.name} version {version.number}"
            remedy = "bring it back, or delete the version; nothing was taken away"
            raise StoreError(Mistake(rule, f"{sha256} is missing", where, remedy))
    named = {version.tags.get(tags.DECISION, "") for version in versions}
    return _Cites.of(
        {k: r for k, r in records.items() if k in named or (r["model"], r["version"]) in known}
    )


def _named_by_history(home: Path) -> set[str]:
    """SHA-256 that the monitor's history names, and the last retraining of each model."""
    found: set[str] = set()
    for path in sorted((home / "monitoring").rglob("*.json*")):
        found |= set(SHA256.findall(path.read_text("utf-8", errors="replace")))
    for path in sorted((home / "retraining").glob("*.jsonl")):
        lines = path.read_text("utf-8", errors="replace").splitlines()
        done = [line for line in lines if '"status":"declined"' not in line]
        found |= set(SHA256.findall("".join(done[-1:])))
    return found


def _files(store: Path) -> Iterator[Path]:
    """Finished files of the store: named by their content, in folders of two signs."""
    for folder in sorted(store.glob("[0-9a-f][0-9a-f]")):
        for path in sorted(folder.iterdir()):
            if SHA256.fullmatch(path.stem) and path.is_file():
                yield path


def _decisions(store: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """All decision records of the store, by their SHA-256."""
    for path in _files(store):
        if path.suffix == ".json" and b'"decided_by"' in (content := path.read_bytes()):
            found = json.loads(content)
            if {"pipeline", "model", "version", "stages", "files"} <= found.keys():
                yield path.stem, found


def _thing(kind: str, path: Path, limit: float) -> list[Thing]:
    """A file, or a folder with all that is in it, if nothing of it is newer than the limit."""
    inside = [path, *path.rglob("*")] if path.is_dir() else [path]
    if max(map(_age, inside)) >= limit:
        return []
    return [Thing(kind, path, sum(one.stat().st_size for one in inside if one.is_file()))]


def _age(path: Path) -> float:
    """When it was written or last used, in seconds since 1970."""
    return path.stat().st_mtime
