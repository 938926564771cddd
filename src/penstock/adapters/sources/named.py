"""Tables whose rows name files of images or sounds.

The rows stay as they are: what a column of names is, and that the content of its files is part of
the source, is all that is added. The files are read where the rows are read.

ports.Source -> ports.Source
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from penstock import modalities, plugins
from penstock.adapters import endings
from penstock.errors import BadInput
from penstock.tables import named_files

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock import ports, spec
    from penstock.ports import Progress

NUM_LOOKED_AT = 1_000
"""First values by which a column of names is told (house choice)."""
LEAST_SHARE = 0.95
"""Of them that end as files of one kind do (house choice, as for columns of numbers)."""


class NamingRows:
    """A table with columns of names; see :class:`penstock.ports.Source`.

    Parameters
    ----------
    table : ports.Source
        The rows.
    kinds : dict of str to str
        What the files of a column hold, ``image`` or ``audio``.
    """

    def __init__(self, table: ports.Source, kinds: dict[str, str]):
        self._table = table
        self._named = list(kinds)
        self.schema = table.schema
        self.kinds = table.kinds | kinds
        self.unreadable = table.unreadable
        self.roots = table.roots
        self.description = table.description

    def fingerprint(self) -> str:
        """SHA-256 over the table and the content of all files that it names."""
        digest = hashlib.sha256(self._table.fingerprint().encode())
        for batch in self._table.batches():
            for name in self._named:
                said = named_files.texts(batch.column(name))
                for one in named_files.each(said, self.roots):
                    found = hashlib.sha256(one.content).hexdigest() if one.content else one.why
                    digest.update(f"{found}\n".encode())
        return digest.hexdigest()

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of the table, with names."""
        yield from self._table.batches(progress)


def noticed(table: ports.Source, data: spec.Data) -> ports.Source:
    """The table, with the columns told that name files.

    Those are the ones that ``data.features`` says to be images or sounds; and of those of which
    it says nothing, the ones whose values end as such files do and of which one is there.

    Parameters
    ----------
    table : ports.Source
        Opened; its first rows are read.
    data : spec.Data
        ``features`` and ``target`` are read.
    """
    said = {name: "text" if f.mask else f.modality for name, f in data.features.items()}
    text = [field.name for field in table.schema if named_files.is_text(field.type)]
    text = [name for name in text if name != data.target]
    kinds = {name: said[name] for name in text if _holds_files(said.get(name, ""))}
    asked = [name for name in text if said.get(name, "auto") == "auto"]
    if asked and (table.roots or named_files.stated()):
        head = _head(table)
        found = {name: _kind(head, name, table) for name in asked if head is not None}
        kinds |= {name: kind for name, kind in found.items() if kind}
    return NamingRows(table, kinds) if kinds else table


def _holds_files(modality: str) -> bool:
    known = modality in plugins.modules("penstock.modalities")
    return known and modalities.load(modality).HOLDS == "bytes"


def _head(table: ports.Source) -> pa.RecordBatch | None:
    """The first rows; none where they cannot be read, which is told when all are."""
    try:
        return next(islice(table.batches(), 1), None)
    except BadInput:
        return None


def _kind(head: pa.RecordBatch, name: str, table: ports.Source) -> str:
    """What the files hold that a column names; empty where it names none."""
    if head.schema.names.count(name) != 1:
        return ""
    values = head.column(name).drop_null()[:NUM_LOOKED_AT]
    said = [text for text in named_files.texts(values) if text]
    kinds = [endings.MEDIA.get(endings.suffix(text), "") for text in said]
    if not kinds:
        return ""
    kind = max(set(kinds), key=kinds.count)
    if not kind or kinds.count(kind) < LEAST_SHARE * len(kinds):
        return ""
    return kind if any(_is_there(text, table) for text in dict.fromkeys(said)) else ""


def _is_there(text: str, table: ports.Source) -> bool:
    try:
        return named_files.path_of(text, named_files.folders(table.roots)).is_file()
    except (OSError, named_files.Refused):
        return False
