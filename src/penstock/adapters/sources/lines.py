"""JSON lines: one object a line, keys in any order, absent ones null.

files -> record batches of strings. Nested values stay JSON text; a list of strings becomes a
set in one cell, ``a|b``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from penstock.adapters.sources import files
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock.ports import Progress

BATCH_LINES = 16_384
"""Lines in one batch (house choice)."""


class JsonLinesSource(files.TableFiles):
    """Objects of one or more files; see :class:`penstock.ports.Source`.

    Opening reads the files through once: the keys of the last line are columns as well, and
    a broken line is found before anything heavy starts.
    """

    def __init__(self, found: files.Found, encoding: str):
        self._found = found
        self._encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
        names = found.each(self._keys, list)[0]
        super().__init__(found, pa.schema([(name, pa.string()) for name in names]), "JSON lines")

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """Rows as trimmed strings."""
        for number, name in enumerate(self._found.names, start=1):
            lines = self._lines(name)
            while chunk := list(islice(lines, BATCH_LINES)):
                rows = json.loads(f"[{','.join(line for _, line in chunk)}]")
                yield pa.RecordBatch.from_arrays(
                    [
                        pa.array([as_text(row.get(key)) for row in rows], pa.string())
                        for key in self.schema.names
                    ],
                    schema=self.schema,
                )
            if progress:
                progress(number, len(self._found.names), name)

    def _lines(self, name: str) -> Iterator[tuple[int, str]]:
        """Lines that are not blank, with their numbers from 1."""
        try:
            with self._found.open(name) as file:
                text = io.TextIOWrapper(file, encoding=self._encoding)
                for number, line in enumerate(text, start=1):
                    if not line.isspace():
                        yield number, line
        except UnicodeDecodeError as error:
            raise BadInput(
                Mistake(
                    f"the text is in the encoding {self._encoding}",
                    "bytes that this encoding does not know",
                    name,
                    "say data.encoding",
                )
            ) from error
        except files.unpacking_errors() as error:
            raise BadInput(files.not_readable(name, error)) from error

    def _keys(self, name: str) -> list[str]:
        """All keys in order of appearance; BadInput with what is wrong with the lines."""
        keys: dict[str, None] = {}
        broken: list[tuple[int, str]] = []
        num_rows = 0
        for number, line in self._lines(name):
            try:
                row = json.loads(line, object_pairs_hook=_object)
            except (json.JSONDecodeError, RecursionError, KeyError) as error:
                broken.append((number, " ".join(str(error).split())))
                continue
            if not isinstance(row, dict):
                broken.append((number, f"{type(row).__name__}, no object"))
                continue
            num_rows += 1
            keys.update(dict.fromkeys(row))
        mistakes = [
            Mistake("each line is one JSON object", found, f"{name}:{number}")
            for number, found in broken[: files.MOST_MISTAKES]
        ]
        if len(broken) > files.MOST_MISTAKES:
            mistakes.append(
                Mistake("each line is one JSON object", f"{len(broken)} broken lines", name)
            )
        if not mistakes and not (num_rows and keys):
            mistakes.append(Mistake("a file holds rows", "an empty file", name, "add the rows"))
        if mistakes:
            raise BadInput(mistakes)
        return list(keys)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise KeyError(f"equal keys: {', '.join(twice)}")
    return made


def as_text(value: Any) -> str | None:
    """One JSON value as the text of a cell.

    Examples
    --------
    >>> as_text(True), as_text(1.5), as_text(["a", "b"]), as_text({"k": [1]}), as_text(None)
    ('true', '1.5', 'a|b', '{"k": [1]}', None)
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list) and all(isinstance(v, str) and "|" not in v for v in value):
        return "|".join(v.strip() for v in value)
    return json.dumps(value, ensure_ascii=False)
