"""Content of files that a column names or carries as text: a path below a known root, or base64.

Where a table or a request comes from elsewhere, so do the paths in it. Hence nothing is read
outside of the folder in which the table itself lies and of the one that this machine's operator
states; a request has only the latter, and none of them can state one.

strings -> bytes, or why not
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BadInput, Mistake
from penstock.tables.arrow_types.levels import MISSING_NUMBER, trimmed

ROOT = "PENSTOCK_FILES_ROOT"
"""The folder below which paths are read, beside a table's own; unset: there is none."""
MOST_BYTES = 1 << 27
"""A file beyond this is not read: 128 MiB, as for a source of files (house choice)."""
SHOWN = 5
"""Values that one message shows (house choice)."""
ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
"""How an address begins that is no path."""


class Refused(ValueError):
    """A value that names no file that may be read, and carries no content."""


class Named(NamedTuple):
    """What became of one value: its content, or why there is none; neither where it is missing."""

    content: bytes | None
    why: str = ""


def stated() -> tuple[Path, ...]:
    """The folder that this machine's operator states, if any."""
    said = os.environ.get(ROOT, "").strip()
    return (Path(said).expanduser(),) if said else ()


def folders(roots: Sequence[Path]) -> list[Path]:
    """These roots and then the stated one, with their links followed."""
    return [Path(os.path.realpath(root)) for root in (*roots, *stated())]


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type may name files.

    Examples
    --------
    >>> is_text(pa.large_string()), is_text(pa.dictionary(pa.int8(), pa.string()))
    (True, True)
    >>> is_text(pa.binary())
    False
    """
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()


def texts(column: pa.ChunkedArray | pa.Array) -> list[str | None]:
    """What a column says, without space around it; None for nulls and for words for nothing."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    return trimmed(column, MISSING_NUMBER).to_pylist()


def each(said: Sequence[str | None], roots: Sequence[Path] = ()) -> Iterator[Named]:
    """What each value names or carries, one at a time.

    A string with a dot is a path, since base64 has none; ``data:`` URLs are base64 too.

    Parameters
    ----------
    said : sequence of str or None
        From :func:`texts`.
    roots : sequence of Path
        Folders below which paths are looked for, in order; the stated one is the last.
    """
    found = folders(roots)
    for text in said:
        try:
            yield Named(_content(text, found) if text else None)
        except Refused as error:
            yield Named(None, str(error))
        except binascii.Error:
            yield Named(None, "neither a path with an ending nor base64")
        except OSError as error:
            yield Named(None, error.strerror or type(error).__name__)


def is_path(text: str) -> bool:
    """Whether a value names a file, and does not carry its content.

    Examples
    --------
    >>> is_path("a/b.png"), is_path("aGVsbG8="), is_path("data:image/png;base64,aGk=")
    (True, False, False)
    """
    return "." in text and not text.startswith("data:")


def sizes(said: Sequence[str | None], roots: Sequence[Path] = ()) -> list[int]:
    """Bytes that :func:`each` will hold of each value; 0 of what it refuses."""
    found, sizes = folders(roots), []
    for text in said:
        size = 0
        if text and not is_path(text):
            size = len(text)
        elif text:
            with suppress(OSError, Refused):
                size = min(path_of(text, found).stat().st_size, MOST_BYTES)
        sizes.append(size)
    return sizes


def contents(column: pa.ChunkedArray | pa.Array, where: str) -> pa.Array:
    """The content of the file that each string names, below the stated root, or carries.

    Parameters
    ----------
    column : string[n]
        Nulls and empty strings stay missing.
    where : str
        The column, for messages.

    Returns
    -------
    binary[n]

    Raises
    ------
    BadInput
        With the first values that are refused, and why.

    Examples
    --------
    >>> contents(pa.array(["aGVsbG8=", None, "data:image/png;base64,aGk="]), "photo").to_pylist()
    [b'hello', None, b'hi']
    """
    said = texts(column)
    found = list(each(said))
    refused = {str(text): one.why for text, one in zip(said, found, strict=True) if one.why}
    if refused:
        remedy = f"set {ROOT} to the folder that holds the files, and name them relative to it"
        raise BadInput(not_read(refused, f"column {where}", remedy))
    return pa.array([one.content for one in found], pa.binary())


def not_read(refused: dict[str, str], where: str, remedy: str) -> Mistake:
    """The mistake of values that name no file that is read, each with its reason."""
    shown = [f"{text[:60]!r}: {why}" for text, why in list(refused.items())[:SHOWN]]
    rule = f"a column of files holds bytes, base64, or paths below the table's folder or {ROOT}"
    found = f"{len(refused)} that are not, such as {'; '.join(shown)}"
    return Mistake(rule, found, where, remedy)


def _content(text: str, roots: list[Path]) -> bytes:
    if text.startswith("data:"):
        return base64.b64decode("".join(text.partition(",")[2].split()), validate=True)
    if not is_path(text):
        return base64.b64decode("".join(text.split()), validate=True)
    path = path_of(text, roots)
    if not path.is_file():
        raise Refused("it is no plain file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Refused(f"it has more than {MOST_BYTES >> 20} MiB")
    return content


def path_of(text: str, roots: Sequence[Path]) -> Path:
    """Where a path leads, with its links followed, in the first of these folders that has it.

    Parameters
    ----------
    text : str
        A path, relative to one of them or below it.
    roots : sequence of Path
        With their own links followed.

    Raises
    ------
    Refused
        For what leads out of all of them, or where there is none.
    OSError
        Where nothing is there.
    """
    if ADDRESS.match(text):
        raise Refused("an address, and only files of this machine are read")
    if not roots:
        raise Refused(f"a path, but {ROOT} is not set where it is read")
    spelt = _spelt(text)
    if ".." in spelt[-1].split("/") or PureWindowsPath(text).drive or "\0" in text:
        raise Refused("it leaves the folder of the files, or may do so")
    inside = False
    for root in roots:
        for name in spelt:
            path = Path(os.path.realpath(root / name))  # one that is absolute stays as it is
            if path.is_relative_to(root):
                inside = True
                if path.exists():
                    return path
    if not inside:
        raise Refused("it leads out of the folder of the files")
    raise FileNotFoundError(2, "no such file")


def _spelt(text: str) -> list[str]:
    """A path as it stands, and as other systems write it: backslashes, letters with accents.

    Examples
    --------
    >>> _spelt("a/b.png"), _spelt(r"a\\b.png")
    (['a/b.png'], ['a\\\\b.png', 'a/b.png'])
    """
    plain = text.replace("\\", "/")
    forms = (unicodedata.normalize(form, plain) for form in ("NFC", "NFD"))
    return list(dict.fromkeys((text, *forms, plain)))
