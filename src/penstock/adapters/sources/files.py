"""The files of a source: read, unpacked, hashed, and held against one another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, TypeVar

from penstock import fingerprint
from penstock.adapters.endings import suffix, titled
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock.adapters.sources.place import Place

T = TypeVar("T")

MOST_MISTAKES = 20
"""Most mistakes of one sort that one message lists (house choice)."""


@dataclass(frozen=True)
class Found:
    """The files of a source.

    Attributes
    ----------
    source : str
        As the spec says it, for messages.
    place : Place
        The folder that no file may lie outside of.
    names : list of str
        Paths in that folder, sorted; at least one.
    """

    source: str
    place: Place
    names: list[str]

    @property
    def title(self) -> str:
        """The source for people: never an absolute path."""
        return titled(self.source)

    def size(self, name: str) -> int:
        """Bytes of a file as it lies there."""
        return self.place.size(name)

    def content(self, name: str) -> str:
        """SHA-256 of a file as it lies there."""
        with self.place.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]

    def fingerprint(self) -> str:
        """SHA-256 over the content of all files, in order of their names."""
        contents = [self.content(name) for name in self.names]
        return contents[0] if len(contents) == 1 else fingerprint.of_json(contents)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A file for reading from its start to its end, unpacked by its ending."""
        with self.place.open(name) as file, _unpacked(file, name) as unpacked:
            yield unpacked

    def each(self, look: Callable[[str], T], columns: Callable[[T], list[str]]) -> list[T]:
        """Look at every file; all must have the columns of the first one.

        Raises
        ------
        BadInput
            With what is wrong in all files; then with columns that differ.
        """
        looked: list[T] = []
        mistakes: list[Mistake] = []
        for name in self.names:
            try:
                looked.append(look(name))
            except BadInput as error:
                mistakes += error.mistakes
        named = zip(self.names, map(columns, looked), strict=False)
        if mistakes := mistakes or same_columns(list(named)):
            raise BadInput(mistakes)
        return looked


class TableFiles:
    """What all tables in files have in common; see :class:`penstock.ports.Source`."""

    def __init__(self, found: Found, schema: Any, what: str):
        self._found = found
        self.schema = schema
        self.kinds: dict[str, str] = {}
        self.unreadable: list[tuple[str, str]] = []
        self.roots = found.place.folders()
        self.description = f"{what} {found.title}"

    def fingerprint(self) -> str:
        """SHA-256 over the content of all files."""
        return self._found.fingerprint()


def _unpacked(file: IO[bytes], name: str) -> Any:
    """The content of an open file, unpacked by its ending; a context manager."""
    ending = suffix(name)
    if ending == ".gz":
        import gzip

        return gzip.open(file, "rb")
    if ending == ".bz2":
        import bz2

        return bz2.open(file, "rb")
    if ending == ".xz":
        import lzma

        return lzma.open(file, "rb")
    if ending == ".zst":
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(file), "zstd")
    return nullcontext(file)


def unpacking_errors() -> tuple[type[Exception], ...]:
    """What reading a broken compressed file raises."""
    import lzma
    import zlib

    return (OSError, EOFError, zlib.error, lzma.LZMAError)


def not_readable(name: str, error: Exception) -> Mistake:
    """The mistake for a file that cannot be read or unpacked."""
    return Mistake(
        "a file can be read to its end",
        " ".join(str(error).split())[:300] or type(error).__name__,
        name,
        "make or copy the file again",
    )


def same_columns(columns: list[tuple[str, list[str]]]) -> list[Mistake]:
    """What differs between the columns of several files; the first file is the rule.

    Parameters
    ----------
    columns : list of (str, list of str)
        File name and its column names.
    """
    if not columns:
        return []
    first, expected = columns[0]
    mistakes = []
    for name, found in columns[1:]:
        missing = [column for column in expected if column not in found]
        new = [column for column in found if column not in expected]
        if missing or new:
            said = [f"lacks {', '.join(missing)}"] if missing else []
            said += [f"has also {', '.join(new)}"] if new else []
            mistakes.append(
                Mistake(f"all files have the columns of {first}", "; ".join(said), name)
            )
    return mistakes[:MOST_MISTAKES]


def repeated(names: list[str], where: str) -> list[Mistake]:
    """The mistake of equal column names, when there are any."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if not twice:
        return []
    return [
        Mistake(
            "each column has a name of its own",
            f"more than once: {', '.join(twice[:MOST_MISTAKES])}",
            where,
            "rename one of them in the file",
        )
    ]
