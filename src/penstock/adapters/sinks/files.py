"""Files of rows, here or behind a URL: written beside their place, then moved to it whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from penstock.adapters import endings, remote
from penstock.adapters.address import filled, is_url
from penstock.adapters.sinks.formats import writer_of

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW = "window"
"""The column that says which window a row belongs to."""


@dataclass(frozen=True)
class Place:
    """Where a file or folder is to be.

    Attributes
    ----------
    path : str
        Absolute local path, or a path in the file system behind a URL.
    files
        That file system; None: this machine.
    address : str
        For messages, without secrets.
    """

    path: str
    files: Any
    address: str

    @property
    def is_folder(self) -> bool:
        """Whether a folder is there already."""
        with remote.reaching(self.address):
            return bool(self.files.isdir(self.path) if self.files else Path(self.path).is_dir())

    def below(self, name: str) -> Place:
        """A place in this folder."""
        return replace(self, path=f"{self.path}/{name}")

    @contextmanager
    def replaced(self) -> Iterator[Path]:
        """A local file to write, which takes this place when no exception came."""
        if self.files is not None:
            with tempfile.TemporaryDirectory() as scratch:
                local = Path(scratch, self.path.rpartition("/")[2])
                yield local
                with remote.reaching(self.address, writing=True):
                    remote.put(self.files, local, self.path)
            return
        path = Path(self.path)
        made = [folder for folder in path.parents if not folder.exists()]
        with remote.reaching(self.address, writing=True):
            path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{uuid.uuid4().hex}.unfinished")
        try:
            yield unfinished
            with remote.reaching(self.address, writing=True):
                with unfinished.open("rb") as file:
                    os.fsync(file.fileno())
                unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
            for folder in made:
                with contextlib.suppress(OSError):  # it holds something now
                    folder.rmdir()


def place_of(said: str, folder: Path, where: str) -> Place:
    """The place that a path or a URL means."""
    text = filled(said, where).removeprefix("file://")
    if not is_url(text):
        return Place(os.path.normpath(folder.absolute() / text), None, endings.titled(said))
    files, path = remote.filesystem(text, where)
    return Place(path, files, said)


class FileSink:
    """One file, which holds the window that was written last; see :class:`penstock.ports.Sink`."""

    def __init__(self, place: Place, title: str):
        self._place = place
        self.description = title

    @contextmanager
    def window(self, name: str = "") -> Iterator[_Rows]:
        """Write a window in place of what the file held."""
        with self._place.replaced() as path, _Rows(path, self._place.path).open() as rows:
            rows.window = name
            yield rows


class FolderSink:
    """One Parquet file a window, ``window=<name>/part.parquet``; see :class:`penstock.ports.Sink`.

    The window stands in the path, where Parquet readers find it as a column.
    """

    def __init__(self, place: Place, title: str):
        self._place = place
        self.description = title

    @contextmanager
    def window(self, name: str = "") -> Iterator[_Rows]:
        """Write a window in place of the file that it had."""
        folder = f"{WINDOW}={quote(name, safe=' ')}/" if name else ""
        place = self._place.below(f"{folder}part.parquet")
        with place.replaced() as path, _Rows(path, place.path).open() as rows:
            rows.without_window = bool(name)
            yield rows


class _Rows:
    """Rows on their way into a file; the first batch says the columns."""

    def __init__(self, path: Path, name: str):
        self._path = path
        self._name = name
        self._writer: Any = None
        self.window = ""
        self.without_window = False

    @contextmanager
    def open(self) -> Iterator[_Rows]:
        """Write; the file is whole when no exception came."""
        with contextlib.ExitStack() as stack:
            self._stack = stack
            yield self
            if self._writer is None:
                raise ValueError("a window is written by at least one batch, be it without rows")

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Append rows."""
        import pyarrow as pa

        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        if self.window:
            table = labelled(table, self.window)
        elif self.without_window and WINDOW in table.column_names:
            table = table.drop_columns([WINDOW])
        if self._writer is None:
            self._writer = self._stack.enter_context(
                writer_of(self._path, self._name, table.schema)
            )
        self._writer.write(table)


def labelled(table: pa.Table, window: str) -> pa.Table:
    """The table with its window in the column of that name."""
    import pyarrow as pa

    values = pa.chunked_array([pa.repeat(pa.scalar(window, pa.string()), table.num_rows)])
    if WINDOW in table.column_names:
        return table.set_column(table.column_names.index(WINDOW), WINDOW, values)
    return table.append_column(WINDOW, values)
