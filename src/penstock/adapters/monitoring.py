"""What was found of each window of a model: one line of JSON a window, replaced and never doubled.

Drift -> a file of lines; a file of lines -> charts over windows
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from penstock.adapters import remote
from penstock.adapters.address import filled, is_url
from penstock.errors import BadInput, Mistake, StoreError
from penstock.measure.drift import reference
from penstock.measure.drift.reference import Reference
from penstock.outcomes import Drift
from penstock.ports import Registry, Version

WHERE = "PENSTOCK_STORE"


class History:
    """The windows of one model, in the order in which they were first looked at.

    A window is known by its name and the model's version: looked at again, its line is replaced
    where it stands.

    Parameters
    ----------
    folder : str
        A local folder or a URL, without a slash at its end.
    model : str
        The registered name.
    """

    def __init__(self, folder: str, model: str):
        self.address = f"{folder}/{re.sub(r'[^A-Za-z0-9._-]', '_', model)}.jsonl"
        self._files: Any = None
        self._path = self.address
        if is_url(folder):
            self._files, self._path = remote.filesystem(filled(self.address, WHERE), WHERE)

    def lines(self) -> list[dict[str, Any]]:
        """What :meth:`penstock.outcomes.Drift.answer` gave for each window.

        Raises
        ------
        StoreError
            When the file cannot be read, or a line is none.
        """
        text = self._text()
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError as error:
            rule = "each line of the monitoring history is one JSON object"
            remedy = "take that line out of the file"
            raise StoreError(Mistake(rule, str(error), self.address, remedy)) from error

    def keep(self, drift: Drift) -> None:
        """Write a window in place of what was known of it; whole, or not at all."""
        new = drift.answer()
        with self._alone():
            lines = self.lines()
            places = [i for i, line in enumerate(lines) if _same(line, new)]
            if places:
                lines[places[0]] = new
            else:
                lines.append(new)
            self._write("".join(json.dumps(line) + "\n" for line in lines))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two runs of this machine write one after the other."""
        if self._files is not None:
            yield
            return
        Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self._path}.lock"):
            yield

    def _text(self) -> str:
        if self._files is None:
            path = Path(self._path)
            return path.read_text(encoding="utf-8") if path.is_file() else ""
        with remote.reaching(self.address, StoreError):
            if remote.size(self._files, self._path) is None:
                return ""
            return bytes(self._files.cat_file(self._path)).decode("utf-8")

    def _write(self, text: str) -> None:
        local = Path(self._path)
        if self._files is not None:
            import tempfile

            with tempfile.TemporaryDirectory() as scratch:
                made = Path(scratch, local.name)
                made.write_text(text, encoding="utf-8")
                with remote.reaching(self.address, StoreError, writing=True):
                    remote.put(self._files, made, self._path)
            return
        unfinished = local.with_name(f".{uuid.uuid4().hex}.unfinished")
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(local)
        finally:
            unfinished.unlink(missing_ok=True)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("window", "version"))


def champion_of(model: str, registry: Registry) -> Version:
    """The version that is watched.

    Raises
    ------
    BadInput
        When the model has no champion.
    """
    version = registry.champion(model)
    if version is None:
        rule, remedy = "only a champion is watched", "train the pipeline first"
        raise BadInput(Mistake(rule, "no champion yet", f"model {model}", remedy))
    return version


def reference_of(package: Path) -> Reference:
    """What travels in a model's package to be compared with.

    Raises
    ------
    BadInput
        When there is none, or of another format.
    """
    import pyarrow.parquet as pq

    folder = package / "artifacts"
    profile, sample = folder / "profile.json", folder / "sample.parquet"
    if not profile.is_file():
        rule = "a profile travels in the model's package"
        remedy = "train the model again: penstock train PIPELINE --refresh"
        raise BadInput(Mistake(rule, "there is none", str(profile), remedy))
    kept = pq.read_table(sample) if sample.is_file() else None
    return reference.read(profile.read_text(encoding="utf-8"), kept, str(profile))
