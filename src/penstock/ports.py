"""What a stage may ask of the outside world.

Stages never import adapters: they are handed objects of these shapes. Tests hand them
hand-written fakes of the same shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.model import Learnt
    from penstock.records import Blob, Column, Layout, Rows

K = TypeVar("K")


class Progress(Protocol):
    """Told how far a long piece of work has come."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` steps; ``note`` in a few words."""


class TableWriter(Protocol):
    """Writes a table of any size batch by batch; ``rows`` is set when the context closes."""

    rows: Rows

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Append rows."""


class Store(Protocol):
    """Content-addressed, immutable files."""

    def keep_bytes(self, content: bytes, ending: str) -> Blob:
        """Keep bytes under their SHA-256; ``ending`` such as ``.json``."""

    def keep_file(self, path: Path) -> Blob:
        """Move a local file into the store."""

    def keep_table(self, table: pa.Table) -> Rows:
        """Keep a table as Parquet."""

    def writer(self, schema: pa.Schema) -> AbstractContextManager[TableWriter]:
        """Keep a table batch by batch. An exception inside leaves nothing behind."""

    def has(self, blob: Blob) -> bool:
        """Whether the file is still there."""

    def path(self, blob: Blob) -> Path:
        """A local path with the content; StoreError when it is gone."""

    def table(self, rows: Rows, columns: list[str] | None = None) -> pa.Table:
        """The whole table; where it holds many files, these stay on disk until they are used."""

    def batches(
        self, rows: Rows, columns: list[str] | None = None, batch_size: int = 65_536
    ) -> Iterator[pa.RecordBatch]:
        """The table in constant memory."""

    def scratch(self, name: str) -> Path:
        """A local folder for unfinished work (checkpoints), made when missing."""

    def cache(self, name: str) -> Path:
        """A local folder for what can be computed again, made when missing."""


class Source(Protocol):
    """Rows somewhere outside, opened and its header read, but not yet read through.

    Attributes
    ----------
    description : str
        For people, without secrets and without absolute paths.
    schema : pa.Schema
        Names and storage types of the raw columns. Text formats: every column is string.
    kinds : dict of str to str
        Modalities that the source itself knows: ``image`` or ``audio`` for a column of files, or
        of their names; ``category`` or ``metadata`` for named groups of a path.
    unreadable : list of (str, str)
        Where and why a record could not be read; complete after ``batches`` is exhausted.
    roots : tuple of Path
        Folders below which its rows may name files: the one in which a table lies.
    """

    description: str
    schema: pa.Schema
    kinds: dict[str, str]
    unreadable: list[tuple[str, str]]
    roots: tuple[Path, ...]

    def fingerprint(self) -> str:
        """SHA-256 over all content, so that an edited source is read again."""

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """Raw rows, once."""


class RowWriter(Protocol):
    """Takes rows, batch by batch."""

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Append rows; every batch has the columns of the first one."""


class Sink(Protocol):
    """A place outside for rows, in windows that are replaced, never doubled.

    Attributes
    ----------
    description : str
        For people, without secrets and without absolute paths.
    """

    description: str

    def window(self, name: str = "") -> AbstractContextManager[RowWriter]:
        """Write the rows of a window in place of those that it had.

        At least one batch is written, be it without rows. The rows carry the window in the
        column ``window``, or in the path. An exception inside leaves all as it was.
        """


class Scorer(Protocol):
    """A registered model that predicts in a process of its own.

    Attributes
    ----------
    layout : Layout
        What the model was trained on.
    reads : list of Column
        The columns that a prediction needs.
    """

    @property
    def layout(self) -> Layout:
        """What the model was trained on."""

    @property
    def reads(self) -> list[Column]:
        """The columns that a prediction needs."""

    @property
    def learnt(self) -> Learnt:
        """What training rows taught it, without any weight."""

    def predict(self, batches: Iterable[tuple[K, pa.Table]]) -> Iterator[tuple[K, pa.Table]]:
        """Predictions for each batch of typed rows, in order, beside what came with it."""


class Expectations(Protocol):
    """The judge of a data contract."""

    def run(self, table: pa.Table, suite: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Hold a table against expectations.

        Returns one dictionary an expectation, in order: ``type``, ``kwargs``, ``severity``
        (``error`` or ``warning``), ``quarantine`` (bool), ``success`` (bool),
        ``observed`` (text), ``failed_rows`` (``int64[k]`` positions, for map expectations;
        else None), ``exception`` (text, empty when it could be computed).
        """


@dataclass(frozen=True)
class Version:
    """One version of a registered model.

    Attributes
    ----------
    name : str
        The model's name in the registry.
    number : str
        The registry's own number, for example ``3``.
    tags : dict of str to str
        What was written on it when it was registered.
    """

    name: str
    number: str
    tags: dict[str, str] = field(default_factory=dict)


class Registry(Protocol):
    """Where models get versions and aliases.

    Every method raises :class:`penstock.errors.RegistryUnreachable` when the registry gives
    no answer: that is never the same as *there is no champion*.
    """

    def champion(self, name: str) -> Version | None:
        """The version in use; None when there is none yet."""

    def version(self, name: str, number: str) -> Version | None:
        """The version of this number; None when there is none."""

    def challenger(self, name: str) -> Version | None:
        """The version that wants the champion's place; None when there is none."""

    def same(self, name: str, fingerprint: str) -> Version | None:
        """The newest version that was made from this model; None when there is none."""

    def history(self, name: str) -> list[Version]:
        """All versions, the oldest first; empty when there is no such model."""

    def package(self, files: dict[str, Path], destination: Path) -> Path:
        """Write the model as a folder that serves itself; returns that folder.

        ``files``: ``weights``, ``state`` and ``policy``; ``profile`` and ``sample`` if any.
        """

    def fetch(self, version: Version, destination: Path) -> Path:
        """Copy the folder of a version; returns it."""

    def rescore(self, package: Path, table: pa.Table) -> pa.Table:
        """Predictions of a package for raw rows, from a clean process; NotServable if none."""

    def add(
        self, package: Path, run_id: str, name: str, tags: dict[str, str], description: str
    ) -> Version:
        """Make a version with the alias ``challenger``; an error leaves no version behind."""

    def describe(self, name: str, text: str) -> None:
        """Say in Markdown what the model is for."""

    def nominate(self, version: Version, tags: dict[str, str]) -> None:
        """Give it the alias ``challenger``, and write tags on it."""

    def tag(self, version: Version, tags: dict[str, str]) -> None:
        """Write tags on it; an empty text takes a tag away."""

    def withdraw(self, version: Version) -> None:
        """Take the alias ``challenger`` away from it, if it has it."""

    def promote(
        self, version: Version, expected: Version | None, tags: dict[str, str] | None = None
    ) -> bool:
        """Make it the champion if the champion is still ``expected``; else do nothing.

        The tags are written on it just before, as :meth:`tag` does.
        """
