"""Which files a source names, and what their endings say.

A path is never followed out of the source's root: a link that leads elsewhere is refused.
"""

from __future__ import annotations

import codecs
import glob
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, TypeVar

from penstock import fingerprint
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock import spec
    from penstock.adapters.sources.place import Place

T = TypeVar("T")

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
        self.description = f"{what} {found.title}"

    def fingerprint(self) -> str:
        """SHA-256 over the content of all files."""
        return self._found.fingerprint()


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


def media_inside(place: Place) -> list[str]:
    """Media files below a folder, sorted."""
    return [name for name in place.files() if suffix(name) in MEDIA]


def is_media_folder(place: Place) -> bool:
    """Whether a folder's rows are its media files: some in subfolders, or no table beside them."""
    names = place.files()
    files = [name for name in names if suffix(name) in MEDIA]
    has_tables = any("/" not in name and ending_of(name) in FORMATS for name in names)
    return any("/" in name for name in files) or (bool(files) and not has_tables)


def suffix(name: str) -> str:
    """The last ending of a path, in lower case.

    Examples
    --------
    >>> suffix("a/B.PNG")
    '.png'
    """
    return PurePosixPath(name).suffix.lower()


def ending_of(name: str) -> str:
    """The ending that tells the format, in lower case, without the compression's.

    Examples
    --------
    >>> ending_of("rows.CSV.gz")
    '.csv'
    """
    packed = suffix(name) in COMPRESSIONS
    return suffix(str(PurePosixPath(name).with_suffix("")) if packed else name)


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
