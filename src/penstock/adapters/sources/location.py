"""Which files a source names, and what their endings say.

A path is never followed out of the source's root: a link that leads elsewhere is refused.
"""

from __future__ import annotations

import codecs
import glob
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from penstock.adapters.endings import COMPRESSIONS, FORMATS, MEDIA, ending_of, suffix
from penstock.adapters.sources.files import MOST_MISTAKES, Found
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock import spec
    from penstock.adapters.sources.place import Place


def is_pattern(source: str) -> bool:
    """Whether a source has named groups.

    Examples
    --------
    >>> is_pattern("images/{label}_{index}.png"), is_pattern("rows/*.csv")
    (True, False)
    """
    return "{" in source or "}" in source


def tables(source: str, place: Place, path: str, format_: str) -> Found:
    """The table files that a path, a glob or a folder names.

    Parameters
    ----------
    source : str
        As the spec says it, for messages.
    place : Place
        Where ``path`` starts.
    path : str
        The source in that place.
    format_ : str
        ``data.format``.

    Raises
    ------
    BadInput
        When there is none, or one leads out of the root.
    """
    folder, _, name = path.rpartition("/")
    if place.is_file(path):
        return Found(source, place.inside(folder or ("/" if path[0] == "/" else ".")), [name])
    if glob.has_magic(path):
        root = fixed_part(path)
        inside = place.inside(root)
        names = inside.glob(path.removeprefix(root).lstrip("/"))
        return _inside(Found(source, inside, names), "no file of that name pattern")
    if place.is_folder(path):
        inside = place.inside(path)
        names = [name for name in inside.files() if format_ != "auto" or ending_of(name) in FORMATS]
        return _inside(Found(source, inside, names), "no table file in the folder")
    raise BadInput(
        Mistake(
            "data.source is a file, a glob, a folder or a name pattern",
            "no such file or folder",
            source,
            "check the spelling; a relative path starts at the folder of pipeline.yaml",
        )
    )


def _inside(found: Found, nothing: str) -> Found:
    if not found.names:
        raise BadInput(
            Mistake("data.source names at least one file", nothing, found.source, _endings())
        )
    leaving = [name for name in found.names if found.place.leads_out(name)]
    if leaving:
        raise BadInput(
            Mistake(
                "a file lies inside its source's folder",
                "a link that leads out of it",
                name,
                "copy the file into the folder",
            )
            for name in leaving[:MOST_MISTAKES]
        )
    return found


def fixed_part(source: str) -> str:
    """The folder before the first glob sign or named group.

    Examples
    --------
    >>> fixed_part("images/{label}/*.png"), fixed_part("*.csv")
    ('images', '.')
    """
    parts = source.split("/")
    fixed: list[str] = []
    for part in parts[:-1]:
        if glob.has_magic(part) or is_pattern(part):
            break
        fixed.append(part)
    return "/".join(fixed) or ("/" if source.startswith("/") else ".")


def is_media_folder(place: Place, target: str) -> bool:
    """Whether a folder's rows are its media files, and not those of a table that names them.

    They are where no table lies beside them, and where several subfolders stand for the classes
    of the target ``label``.
    """
    names = place.files()
    folders = {name.partition("/")[0] for name in names if suffix(name) in MEDIA and "/" in name}
    if not any("/" not in name and ending_of(name) in FORMATS for name in names):
        return any(suffix(name) in MEDIA for name in names)
    return len(folders) > 1 and target == "label"


def format_of(names: Iterable[str], data: spec.Data) -> str:
    """The one table format of all files: ``csv``, ``jsonl`` or ``parquet``.

    Raises
    ------
    BadInput
        When it is unknown, or the files are of several formats.
    """
    if data.format == "files":
        raise BadInput(
            Mistake(
                "data.format: files goes with a folder or a name pattern of media files",
                data.source,
                "data.source",
            )
        )
    if data.format != "auto":
        return data.format
    formats = {FORMATS.get(ending_of(name), ""): name for name in names}
    if "" in formats:
        raise BadInput(
            Mistake(
                "the ending of a file tells its format",
                f"unknown ending {PurePosixPath(formats['']).suffix!r}",
                formats[""].rpartition("/")[2],
                f"{_endings()}; or say data.format: csv, jsonl or parquet",
            )
        )
    if len(formats) > 1:
        raise BadInput(
            Mistake(
                "all files of a source have one format",
                ", ".join(sorted(formats)),
                data.source,
                "name the files of one format, for example with a glob such as *.csv",
            )
        )
    return next(iter(formats))


def _endings() -> str:
    return f"known endings: {' '.join(FORMATS)}, also with {' '.join(COMPRESSIONS)}"


def require_encoding(name: str) -> None:
    """Raise BadInput when no text encoding has this name."""
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise BadInput(
            Mistake(
                "data.encoding is a known text encoding",
                name,
                "data.encoding",
                "such as utf-8, latin-1 or cp1252",
            )
        ) from error
