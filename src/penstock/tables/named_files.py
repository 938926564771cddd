"""Content of files that a column names or carries as text: a path below a stated root, or base64.

Where a table or a request comes from elsewhere, so do the paths in it. Hence nothing is read
unless this machine's operator states a root, and nothing outside of it ever is; no request can
state one.

strings -> bytes
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path, PurePosixPath, PureWindowsPath

import pyarrow as pa

from penstock.errors import BadInput, Mistake

ROOT = "PENSTOCK_FILES_ROOT"
"""The folder below which paths are read; unset: none is."""
MOST_BYTES = 1 << 27
"""A file beyond this is not read: 128 MiB, as for a source of files (house choice)."""
SHOWN = 5
"""Values that one message shows (house choice)."""


class Refused(ValueError):
    """A value that names no file that may be read, and carries no content."""


def contents(texts: pa.ChunkedArray | pa.Array, where: str, lenient: bool = False) -> pa.Array:
    """The content of the file that each string names or carries.

    A string with a dot is a path, since base64 has none; ``data:`` URLs are base64 too.

    Parameters
    ----------
    texts : string[n]
        Nulls and empty strings stay missing.
    where : str
        The column, for messages.
    lenient : bool
        Whether a file that is not there, or is no base64, is missing instead of a mistake; a
        path that leaves the root never is.

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
    said = os.environ.get(ROOT, "").strip()
    root = Path(said).expanduser() if said else None
    found: list[bytes | None] = []
    refused: dict[str, str] = {}
    for text in texts.to_pylist():
        try:
            found.append(_content(text.strip(), root) if text and text.strip() else None)
        except (OSError, binascii.Error) as error:
            found.append(None)
            if not lenient:
                why = getattr(error, "strerror", None)
                refused.setdefault(text, why or "neither a path with an ending nor base64")
        except Refused as error:
            found.append(None)
            refused.setdefault(text, str(error))
    if refused:
        shown = [f"{text[:60]!r}: {why}" for text, why in list(refused.items())[:SHOWN]]
        raise BadInput(
            Mistake(
                "a column of files holds bytes, base64, or paths below a stated root",
                f"{len(refused)} that are not, such as {'; '.join(shown)}",
                f"column {where}",
                f"set {ROOT} to the folder that holds the files, and name them relative to it",
            )
        )
    return pa.array(found, pa.binary())


def _content(text: str, root: Path | None) -> bytes:
    if text.startswith("data:"):
        return base64.b64decode("".join(text.partition(",")[2].split()), validate=True)
    if "." not in text:
        return base64.b64decode("".join(text.split()), validate=True)
    if root is None:
        raise Refused(f"a path, but {ROOT} is not set where the model runs")
    return _file(text, root)


def _file(text: str, root: Path) -> bytes:
    """The content of a file below the root, links followed.

    Raises
    ------
    Refused
        For what lies outside of it, or is no plain file, or is too large.
    OSError
        Where nothing is there.
    """
    absolute = PurePosixPath(text).is_absolute() or PureWindowsPath(text).drive
    if absolute or ".." in PurePosixPath(text.replace("\\", "/")).parts or "\0" in text:
        raise Refused("it leaves the stated root")
    path = (root / text).resolve()
    if not path.is_relative_to(root.resolve()):
        raise Refused("it leads out of the stated root")
    if path.exists() and not path.is_file():
        raise Refused("it is no plain file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Refused(f"it has more than {MOST_BYTES >> 20} MiB")
    return content
