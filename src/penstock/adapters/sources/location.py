"""Which files a source names, and what their endings say.

A path is never followed out of the source's root: a link that leads elsewhere is refused.
"""

from __future__ import annotations

import codecs
import glob
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from penstock import fingerprint
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock import spec

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
"""Table formats by ending, after a compression ending was taken off."""

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
MEDIA = {
    **dict.fromkeys(
        (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"),
        "image",
    ),
    **dict.fromkeys((".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".au"), "audio"),
}
"""Kind of media by ending."""

MOST_MISTAKES = 20
"""Most mistakes of one sort that one message lists (house choice)."""


@dataclass(frozen=True)
class Found:
    """The files of a source.

    Attributes
    ----------
    source : str
        As the spec says it, for messages.
    root : Path
        The folder that no file may lie outside of.
    files : list of Path
        Sorted by name; at least one.
    """

    source: str
    root: Path
    files: list[Path]

    def name(self, path: Path) -> str:
        """A file's path relative to the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    @property
    def title(self) -> str:
        """The source for people: never an absolute path."""
        return titled(self.source)

    def content(self) -> str:
        """SHA-256 over the content of all files, in order of their names."""
        if len(self.files) == 1:
            return fingerprint.of_file(self.files[0])
        return fingerprint.of_json([fingerprint.of_file(path) for path in self.files])


def titled(source: str) -> str:
    """A source without the folders of an absolute path.

    Examples
    --------
    >>> titled("/srv/rows/adult.csv"), titled("rows/*.csv")
    ('adult.csv', 'rows/*.csv')
    """
    return source.rstrip("/").rpartition("/")[2] if source.startswith("/") else source


def is_pattern(source: str) -> bool:
    """Whether a source has named groups.

    Examples
    --------
    >>> is_pattern("images/{label}_{index}.png"), is_pattern("rows/*.csv")
    (True, False)
    """
    return "{" in source or "}" in source


def tables(source: str, folder: Path, format_: str) -> Found:
    """The table files that a path, a glob or a folder names.

    Raises
    ------
    BadInput
        When there is none, or one leads out of the root.
    """
    path = folder / source
    if path.is_file():
        return Found(source, path.parent, [path])
    if path.is_dir():
        files = [p for p in files_inside(path) if format_ != "auto" or ending_of(p) in FORMATS]
        return _inside(Found(source, path, files), "no table file in the folder")
    if glob.has_magic(source):
        root = Path(os.path.normpath(folder / fixed_part(source)))
        names = glob.glob(source, root_dir=folder, recursive=True)  # noqa: PTH207 (root_dir)
        paths = sorted({Path(os.path.normpath(folder / name)) for name in names})
        files = [path for path in paths if path.is_file()]
        return _inside(Found(source, root, files), "no file of that name pattern")
    raise BadInput(
        Mistake(
            "data.source is a file, a glob, a folder or a name pattern",
            "no such file or folder",
            source,
            f"a relative path starts at the folder {folder.name or folder}; check the spelling",
        )
    )


def _inside(found: Found, nothing: str) -> Found:
    if not found.files:
        raise BadInput(
            Mistake("data.source names at least one file", nothing, found.source, _endings())
        )
    leaving = [path for path in found.files if leads_out(path, found.root)]
    if leaving:
        raise BadInput(
            Mistake(
                "a file lies inside its source's folder",
                "a link that leads out of it",
                found.name(path),
                "copy the file into the folder",
            )
            for path in leaving[:MOST_MISTAKES]
        )
    return found


def leads_out(path: Path, root: Path) -> bool:
    """Whether a path, with its links followed, lies outside the root."""
    return not path.resolve().is_relative_to(root.resolve())


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


def files_inside(root: Path) -> list[Path]:
    """Files below a folder, sorted; hidden ones and linked folders are passed by."""
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        found += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def media_inside(root: Path) -> list[Path]:
    """Media files below a folder, sorted."""
    return [path for path in files_inside(root) if path.suffix.lower() in MEDIA]


def is_media_folder(root: Path) -> bool:
    """Whether a folder's rows are its media files: some in subfolders, or no table beside them."""
    files = media_inside(root)
    has_tables = any(ending_of(path) in FORMATS for path in root.iterdir() if path.is_file())
    return any(path.parent != root for path in files) or (bool(files) and not has_tables)


def ending_of(path: Path) -> str:
    """The ending that tells the format, in lower case, without the compression's.

    Examples
    --------
    >>> ending_of(Path("rows.CSV.gz"))
    '.csv'
    """
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    return name.suffix.lower()


def format_of(files: Iterable[Path], data: spec.Data) -> str:
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
    formats = {FORMATS.get(ending_of(path), ""): path for path in files}
    if "" in formats:
        raise BadInput(
            Mistake(
                "the ending of a file tells its format",
                f"unknown ending {formats[''].suffix!r}",
                formats[""].name,
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


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked by its ending."""
    ending = path.suffix.lower()
    if ending == ".gz":
        import gzip

        return gzip.open(path, "rb")  # type: ignore[return-value]
    if ending == ".bz2":
        import bz2

        return bz2.open(path, "rb")
    if ending == ".xz":
        import lzma

        return lzma.open(path, "rb")
    if ending == ".zst":
        import pyarrow as pa

        packed: Any = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
        return packed
    return path.open("rb")


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


def digest_named(files: Iterator[tuple[str, Path]]) -> str:
    """SHA-256 over names and contents of files, in the given order."""
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{len(name.encode())}:{name}:{fingerprint.of_file(path)}\n".encode())
    return digest.hexdigest()
