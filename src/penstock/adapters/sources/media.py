"""Folders of media files: a name pattern with named groups, or one subfolder a class.

files -> record batches: the groups as strings, ``path``, and the encoded bytes of each file.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from penstock.adapters import endings
from penstock.adapters.sources import location
from penstock.adapters.sources.files import Found
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock.adapters.sources.place import Place
    from penstock.ports import Progress

log = logging.getLogger(__name__)

BATCH_FILES = 1024
BATCH_BYTES = 1 << 26
"""Most files and bytes in one batch (house choice)."""

MOST_BYTES = 1 << 27
"""A file beyond this is not read: 128 MiB (house choice)."""

RESERVED = ("path", "image", "audio")


class MediaSource:
    """Media files with what their names say; see :class:`penstock.ports.Source`.

    Parameters
    ----------
    source : str
        As the spec says it.
    place : Place
        Where the files are.
    files : list of (str, dict of str to str)
        Path of each file in that place, and its groups; all have the same groups, in order.
    unreadable : list of (str, str)
        Files that were passed by, and why.
    """

    def __init__(
        self,
        source: str,
        place: Place,
        files: list[tuple[str, dict[str, str]]],
        unreadable: list[tuple[str, str]],
    ):
        kinds = {endings.MEDIA[endings.suffix(name)] for name, _ in files}
        if len(kinds) > 1:
            raise BadInput(
                Mistake(
                    "the files of a source are of one kind",
                    "images and sounds",
                    source,
                    "name the files of one kind by a pattern such as {label}/{name}.png",
                )
            )
        self._kind = kinds.pop()
        self._found = Found(source, place, [name for name, _ in files])
        self._files = files
        groups = list(files[0][1])
        self.schema = pa.schema(
            [(name, pa.string()) for name in (*groups, "path")] + [(self._kind, pa.binary())]
        )
        self.kinds = {
            **dict.fromkeys(groups, "category"),
            "path": "metadata",
            self._kind: self._kind,
        }
        self.unreadable = unreadable
        self.roots: tuple[Path, ...] = ()
        self._passed_by = len(unreadable)
        self.description = f"{self._kind} files {endings.titled(source)}"

    def fingerprint(self) -> str:
        """SHA-256 over the names and contents of all files."""
        digest = hashlib.sha256()
        for name in self._found.names:
            content = self._found.content(name)
            digest.update(f"{len(name.encode())}:{name}:{content}\n".encode())
        return digest.hexdigest()

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """Rows in order of their paths."""
        del self.unreadable[self._passed_by :]
        rows: list[tuple[dict[str, str], str, bytes]] = []
        num_bytes = 0
        for done, (name, groups) in enumerate(self._files, start=1):
            content = self._content(name)
            if content is not None:
                rows.append((groups, name, content))
                num_bytes += len(content)
            if len(rows) >= BATCH_FILES or num_bytes >= BATCH_BYTES:
                yield self._batch(rows)
                rows, num_bytes = [], 0
                if progress:
                    progress(done, len(self._files), "files")
        if rows:
            yield self._batch(rows)

    def _content(self, name: str) -> bytes | None:
        try:
            with self._found.place.open(name) as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            self.unreadable.append((name, error.strerror or type(error).__name__))
            return None
        if len(content) > MOST_BYTES:
            self.unreadable.append((name, f"more than {MOST_BYTES >> 20} MiB"))
            return None
        return content

    def _batch(self, rows: list[tuple[dict[str, str], str, bytes]]) -> pa.RecordBatch:
        groups = self.schema.names[:-2]
        columns: list[pa.Array] = [
            pa.array([row[0][name] for row in rows], pa.string()) for name in groups
        ]
        columns.append(pa.array([row[1] for row in rows], pa.string()))
        columns.append(pa.array([row[2] for row in rows], pa.binary()))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def by_pattern(source: str, place: Place, path: str) -> MediaSource:
    """Open the files whose path has the form of a name pattern.

    A group stands for one or more signs other than ``/``; where a name can be cut in several
    places, the last one is taken (``hot_dog_12`` as ``{label}_{index}`` is ``hot_dog``, ``12``).

    Parameters
    ----------
    source : str
        As the spec says it, for messages.
    place : Place
        Where ``path`` starts.
    path : str
        The pattern in that place.

    Raises
    ------
    BadInput
        A pattern that is not well formed, or that matches nothing.
    """
    path = path.removeprefix("./")
    pattern = compile_pattern(path)
    fixed = location.fixed_part(path)
    inside = place.inside(fixed)
    prefix = "" if fixed == "." else f"{fixed.rstrip('/')}/"
    files, unreadable, num_seen = [], [], 0
    for name in inside.files():
        num_seen += 1
        match = pattern.fullmatch(prefix + name)
        if match is None:
            continue
        if endings.suffix(name) not in endings.MEDIA:
            unreadable.append((name, "not an image or sound by its ending"))
        elif inside.leads_out(name):
            unreadable.append((name, "a link that leads out of the source's folder"))
        else:
            files.append((name, match.groupdict()))
    if not files:
        raise BadInput(_nothing_matches(source, inside.is_folder(), num_seen, unreadable))
    return MediaSource(source, inside, files, unreadable)


def _nothing_matches(
    source: str, is_folder: bool, num_seen: int, unreadable: list[tuple[str, str]]
) -> Mistake:
    found = f"none of {num_seen} files matches" if is_folder else "no such folder"
    if unreadable:
        found += f"; {unreadable[0][0]}: {unreadable[0][1]}"
    return Mistake(
        "a name pattern matches at least one media file",
        found,
        source,
        f"known endings: {' '.join(endings.MEDIA)}",
    )


def compile_pattern(source: str) -> re.Pattern[str]:
    """A name pattern as a regular expression.

    Raises
    ------
    BadInput
        With all that is wrong with it.

    Examples
    --------
    >>> compile_pattern("a/{label}_{index}.png").fullmatch("a/hot_dog_12.png").groupdict()
    {'label': 'hot_dog', 'index': '12'}
    """
    mistakes = []
    names: list[str] = []
    expression = ""
    for part in re.split(r"(\{[^{}]*\}|\*\*/|\*)", source):
        if part.startswith("{") and part.endswith("}"):
            name = part[1:-1]
            if not name.isidentifier() or name in RESERVED:
                mistakes.append(_bad_group(f"{name!r}", source))
            elif name in names:
                mistakes.append(_bad_group(f"{name!r} stands twice", source))
            else:
                names.append(name)
                expression += f"(?P<{name}>[^/]+)"
        elif part == "**/":
            expression += r"(?:.*/)?"
        elif part == "*":
            expression += r"[^/]*"
        else:
            if "{" in part or "}" in part:
                mistakes.append(_bad_group("a brace without its partner", source))
            expression += re.escape(part)
    if mistakes:
        raise BadInput(mistakes)
    return re.compile(expression, re.IGNORECASE)


def _bad_group(found: str, source: str) -> Mistake:
    return Mistake(
        "a named group is {name}: letters, digits and _, each once, not path, image or audio",
        found,
        source,
        "for example images/{label}_{index}.png",
    )


def by_class(source: str, place: Place) -> MediaSource:
    """Open a folder with one subfolder a class: the subfolder's name is the ``label``.

    Raises
    ------
    BadInput
        No media file, or files deeper than one subfolder.
    """
    every = place.files()
    names = [name for name in every if endings.suffix(name) in endings.MEDIA]
    others = Counter(
        endings.suffix(name) or "no ending"
        for name in every
        if endings.suffix(name) not in endings.MEDIA
    )
    if names and others:
        counts = ", ".join(f"{ending} {count}" for ending, count in others.most_common(5))
        log.warning(
            "%s: %d files were passed by that end as no image or sound does: %s.",
            endings.titled(source), others.total(), counts,
        )  # fmt: skip
    if not names:
        raise BadInput(
            Mistake(
                "a folder of media files holds at least one",
                "none",
                source,
                f"known endings: {' '.join(endings.MEDIA)}",
            )
        )
    deep = [name for name in names if name.count("/") > 1]
    if deep:
        raise BadInput(
            Mistake(
                "a folder holds one subfolder for each class, and files in those",
                f"{len(deep)} files lie deeper, such as {deep[0]}",
                source,
                "say what the folders mean by a pattern, such as "
                f"{source.rstrip('/')}/{{split}}/{{label}}/{{name}}{endings.suffix(deep[0])}",
            )
        )
    unreadable = []
    files: list[tuple[str, dict[str, str]]] = []
    flat = not any("/" in name for name in names)
    for name in names:
        folder, within, _ = name.partition("/")
        if place.leads_out(name):
            unreadable.append((name, "a link that leads out of the source's folder"))
        elif not within and not flat:
            unreadable.append((name, "lies beside the folders of the classes"))
        else:
            files.append((name, {"label": folder} if within else {}))
    if not files:
        raise BadInput(Mistake("a media file lies inside its folder", unreadable[0][1], source))
    return MediaSource(source, place, files, unreadable)
