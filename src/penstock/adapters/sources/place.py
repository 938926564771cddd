"""Where a source's files lie: a folder of this machine, or one behind a URL.

A file is named by its path relative to the place, with forward slashes.
"""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

from penstock.adapters import remote
from penstock.adapters.address import filled, is_url

BLOCK_BYTES = 1 << 23
"""Bytes that one request to a server asks for when a file is read in order (house choice)."""


class Local:
    """A folder of this machine."""

    def __init__(self, root: Path):
        self.root = root

    def inside(self, name: str) -> Local:
        """A folder below; ``.`` is this one."""
        return Local(Path(os.path.normpath(self.root / name)))

    def folders(self) -> tuple[Path, ...]:
        """This folder, where it is one of this machine."""
        return (self.root,)

    def is_file(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return (self.root / name).is_file()

    def is_folder(self, name: str = ".") -> bool:
        """Whether there is a folder of this name."""
        return (self.root / name).is_dir()

    def files(self) -> list[str]:
        """All files below, sorted; hidden ones and linked folders are passed by."""
        found: list[str] = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith((".", "__"))]
            found += [self._named(Path(folder, name)) for name in names if name[0] != "."]
        return sorted(found)

    def glob(self, pattern: str) -> list[str]:
        """Files whose path matches, sorted."""
        names = glob.glob(pattern, root_dir=self.root, recursive=True)  # noqa: PTH207 (root_dir)
        paths = sorted({Path(os.path.normpath(self.root / name)) for name in names})
        return [os.path.relpath(path, self.root) for path in paths if path.is_file()]

    def leads_out(self, name: str) -> bool:
        """Whether a path, with its links followed, lies outside the folder."""
        return not (self.root / name).resolve().is_relative_to(self.root.resolve())

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return (self.root / name).stat().st_size

    def open(self, name: str, anywhere: bool = False) -> IO[bytes]:
        """Open a file as it is; ``anywhere``: it is not read from its start to its end."""
        return (self.root / name).open("rb")

    def _named(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


class Remote:
    """A folder behind a URL.

    Parameters
    ----------
    files
        The fsspec file system.
    root : str
        Path in it, without a slash at its end; empty: its root.
    address : str
        For messages, without secrets.
    query : str
        What stands behind ``?`` in an HTTP address.
    """

    def __init__(self, files: Any, root: str, address: str, query: str = ""):
        self._files = files
        self._root = root
        self._address = address
        self._query = query

    def inside(self, name: str) -> Remote:
        """A folder below; ``.`` is this one."""
        root = self._root if name == "." else self._path(name)
        return Remote(self._files, root, self._address, self._query)

    def folders(self) -> tuple[Path, ...]:
        """None: what rows name is read on this machine alone."""
        return ()

    def is_file(self, name: str) -> bool:
        """Whether there is a file of this name; BadInput when nobody answers."""
        with remote.reaching(self._address):
            return remote.size(self._files, self._path(name) + self._query) is not None

    def is_folder(self, name: str = ".") -> bool:
        """Whether there is a folder of this name."""
        with remote.reaching(self._address):
            return bool(self._files.isdir(self.inside(name)._root))

    def files(self) -> list[str]:
        """All files below, sorted; hidden ones are passed by."""
        with remote.reaching(self._address):
            names = [self._named(path) for path in self._files.find(self._root)]
        return sorted(name for name in names if not _is_hidden(name))

    def glob(self, pattern: str) -> list[str]:
        """Files whose path matches, sorted."""
        with remote.reaching(self._address):
            found = self._files.glob(self._path(pattern), detail=True)
        names = [self._named(path) for path, about in found.items() if about["type"] == "file"]
        return sorted(name for name in names if not _is_hidden(name))

    def leads_out(self, name: str) -> bool:
        """Never: there are no links that would be followed."""
        return False

    def size(self, name: str) -> int:
        """Bytes of a file; 0 when the server does not say."""
        return remote.size(self._files, self._path(name) + self._query) or 0

    def open(self, name: str, anywhere: bool = False) -> IO[bytes]:
        """Open a file as it is; ``anywhere``: it is not read from its start to its end."""
        path = self._path(name) + self._query
        with remote.reaching(self._address):
            file: IO[bytes] = self._files.open(path, "rb", block_size=BLOCK_BYTES)
            if not anywhere or getattr(file, "size", 1) is not None:
                return file
            whole = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
            with file:  # a server that does not know ranges
                shutil.copyfileobj(file, whole)
        whole.seek(0)
        return whole

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}" if self._root else name

    def _named(self, path: str) -> str:
        return path.removeprefix(self._root).lstrip("/")


Place = Local | Remote


def _is_hidden(name: str) -> bool:
    *folders, file = name.split("/")
    return file.startswith(".") or any(folder.startswith((".", "__")) for folder in folders)


def place_of(said: str, folder: Path) -> tuple[Place, str]:
    """Where a source starts, and what it names there.

    Parameters
    ----------
    said : str
        A path or a URL, as the spec says it.
    folder : Path
        Where a relative path starts.

    Raises
    ------
    BadInput
        An unknown protocol, or one whose package is not installed; a reference that cannot
        be filled in.
    """
    source = filled(said, "data.source").removeprefix("file://")
    if not is_url(source):
        return Local(folder), source
    query = ""
    if source.startswith(("http://", "https://")):
        source, mark, rest = source.partition("?")
        query = mark + rest
    files, path = remote.filesystem(source, "data.source")
    return Remote(files, "", said, query), path
