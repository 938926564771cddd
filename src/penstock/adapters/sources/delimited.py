"""CSV and TSV, read by Arrow: quoted, with any delimiter and encoding, compressed or not.

files -> record batches of strings. Types are decided later, over all rows.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from penstock.adapters import endings
from penstock.adapters.sources import files
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock.ports import Progress

HEAD_BYTES = 1 << 18
"""How much of a file tells header and delimiter (house choice)."""

BLOCK_BYTES = 1 << 22
"""Bytes of text in one batch; no cell may be longer (house choice)."""

DELIMITERS = (",", "\t", ";", "|")
"""Delimiters that are told from the file, in order of preference."""

WIDE = {"utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"}
"""Encodings in which NUL bytes are no sign of a broken file."""


@dataclass(frozen=True)
class Header:
    """What the head of a file says: columns, delimiter, and the rows to skip before data."""

    names: list[str]
    delimiter: str
    skip: int


class DelimitedSource(files.TableFiles):
    """Rows of one or more delimited text files; see :class:`penstock.ports.Source`."""

    def __init__(self, found: files.Found, encoding: str, delimiter: str):
        self._encoding = "utf-8" if codecs.lookup(encoding).name == "utf-8-sig" else encoding
        self._headers = found.each(
            lambda name: _header(found, name, self._encoding, delimiter),
            lambda header: header.names,
        )
        names = self._headers[0].names
        super().__init__(found, pa.schema([(name, pa.string()) for name in names]), "CSV")

    def batches(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """Rows as trimmed strings.

        Raises
        ------
        BadInput
            Rows of different length, with line numbers; text that is not of the encoding.
        """
        mistakes: list[Mistake] = []
        files = zip(self._found.names, self._headers, strict=True)
        for number, (name, header) in enumerate(files, start=1):
            bad_rows: list[Any] = []
            yield from self._read(name, header, bad_rows)
            if bad_rows:
                mistakes.append(self._ragged(name, header, bad_rows))
            if progress:
                progress(number, len(self._headers), name)
        if mistakes:
            raise BadInput(mistakes)

    def _read(self, name: str, header: Header, bad_rows: list[Any]) -> Iterator[pa.RecordBatch]:
        def skip(row: Any) -> str:
            bad_rows.append(row)
            return "skip"

        last = None
        try:
            with self._found.open(name) as file:
                reader = pacsv.open_csv(
                    file,
                    read_options=pacsv.ReadOptions(
                        use_threads=False,  # only then are bad rows numbered
                        column_names=header.names,
                        skip_rows_after_names=header.skip,
                        encoding=self._encoding,
                        block_size=BLOCK_BYTES,
                    ),
                    parse_options=pacsv.ParseOptions(
                        delimiter=header.delimiter,
                        newlines_in_values=True,
                        invalid_row_handler=skip,
                    ),
                    convert_options=pacsv.ConvertOptions(
                        column_types=dict.fromkeys(header.names, pa.string()),
                        strings_can_be_null=False,
                    ),
                )
                for batch in reader:
                    if batch.num_rows:
                        last = batch.slice(batch.num_rows - 1)
                        yield self._ordered(batch)
        except UnicodeDecodeError as error:
            raise BadInput(_wrong_encoding(name, self._encoding)) from error
        except pa.ArrowInvalid as error:
            raise BadInput(self._explain(name, error)) from error
        except files.unpacking_errors() as error:
            raise BadInput(files.not_readable(name, error)) from error
        if last is not None and any("\n" in value for value in last.to_pylist()[0].values()):
            self._require_closed_quotes(name, header)

    def _ordered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Trimmed cells, with the columns in the order of the first file."""
        return pa.RecordBatch.from_arrays(
            [pc.utf8_trim_whitespace(batch.column(name)) for name in self.schema.names],
            schema=self.schema,
        )

    def _ragged(self, name: str, header: Header, bad_rows: list[Any]) -> Mistake:
        expected = len(header.names)
        places = [
            (line, number)
            for line, number in self._row_lengths(name, header)
            if number not in (0, expected)
        ] or [(row.number, row.actual_columns) for row in bad_rows]
        shown = "; ".join(
            f"line {line} has {number}" for line, number in places[: files.MOST_MISTAKES]
        )
        more = len(places) - files.MOST_MISTAKES
        return Mistake(
            f"each row has as many cells as the header, {expected}",
            f"{len(places)} rows differ: {shown}" + (f"; and {more} more" if more > 0 else ""),
            name,
            "quote cells that hold the delimiter, mend or remove those lines",
        )

    def _row_lengths(self, name: str, header: Header) -> Iterator[tuple[int, int]]:
        """First line and number of cells of each row, by the standard library's reader."""
        csv.field_size_limit(BLOCK_BYTES)
        with self._found.open(name) as file:
            text = io.TextIOWrapper(file, encoding=self._encoding, errors="replace", newline="")
            reader = csv.reader(text, delimiter=header.delimiter)
            line = 1
            for row in reader:
                yield line, len(row)
                line = reader.line_num + 1

    def _require_closed_quotes(self, name: str, header: Header) -> None:
        """A cell that runs to the end of the file may be a quote that was never closed."""
        csv.field_size_limit(BLOCK_BYTES)
        with self._found.open(name) as file:
            text = io.TextIOWrapper(file, encoding=self._encoding, newline="")
            reader = csv.reader(text, delimiter=header.delimiter, strict=True)
            line = 1
            try:
                for _ in reader:
                    line = reader.line_num + 1
            except csv.Error as error:
                raise BadInput(_open_quote(name, line)) from error

    def _explain(self, name: str, error: pa.ArrowInvalid) -> Mistake:
        if "UTF8" in str(error):
            return _wrong_encoding(name, self._encoding)
        if "straddling" in str(error):
            return _open_quote(name, 0)
        return files.not_readable(name, error)


def _header(found: files.Found, name: str, encoding: str, delimiter: str) -> Header:
    """Read the head of a file; BadInput with all that is wrong there."""
    head = _head(found, name, encoding)
    if not head.strip():
        raise BadInput(Mistake("a file holds a header and rows", "an empty file", name))
    if len(delimiter) > 1 or not delimiter.isascii():
        raise BadInput(Mistake("data.delimiter is one ASCII sign", delimiter, "data.delimiter"))
    delimiter = delimiter or sniff(
        head, "\t" if endings.ending_of(name) in (".tsv", ".tab") else ""
    )
    rows = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    skip = 0
    cells: list[str] = []
    more: list[str] = []
    try:
        for row in rows:
            if cells and row:
                more = row
                break
            skip, cells = skip + (0 if cells else 1), cells or row
    except csv.Error as error:
        raise BadInput(files.not_readable(name, error)) from error
    if not more:
        raise BadInput(
            Mistake("a file holds a header and rows", "a header and no row", name, "add the rows")
        )
    names = [cell.strip() or f"unnamed_{place}" for place, cell in enumerate(cells, start=1)]
    mistakes = files.repeated(names, f"{name}:{skip}")
    if mistakes:
        raise BadInput(mistakes)
    return Header(names, delimiter, skip)


def _head(found: files.Found, name: str, encoding: str) -> str:
    try:
        with found.open(name) as file:
            raw = file.read(HEAD_BYTES)
    except files.unpacking_errors() as error:
        raise BadInput(files.not_readable(name, error)) from error
    if b"\0" in raw and codecs.lookup(encoding).name not in WIDE:
        raise BadInput(
            Mistake(
                "a text file holds no NUL bytes",
                "NUL bytes: a binary file, or text in UTF-16",
                name,
                "say data.encoding: utf-16 if it is that; otherwise write it as CSV again",
            )
        )
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(raw, final=len(raw) < HEAD_BYTES)
    except UnicodeDecodeError as error:
        raise BadInput(_wrong_encoding(name, encoding)) from error
    return text.removeprefix("\ufeff")


def sniff(head: str, preferred: str = "") -> str:
    """Tell the delimiter: the one that cuts most rows into the header's number of cells.

    Parameters
    ----------
    head : str
        The first lines of the file.
    preferred : str
        Taken when the header holds it.

    Examples
    --------
    >>> sniff("a;b;c\\n1,5;2;3\\n2,5;4;5\\n")
    ';'
    >>> sniff("only\\n1\\n2\\n")
    ','
    """
    best, best_score = preferred or ",", (0.0, 0)
    for delimiter in (preferred, *DELIMITERS) if preferred else DELIMITERS:
        # the last line of the head may be cut short
        sample = head[: head.rfind("\n") + 1] or head
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        try:
            lengths = [len(row) for _, row in zip(range(200), reader, strict=False) if row]
        except csv.Error:
            continue
        if lengths and lengths[0] > 1:
            score = (Counter(lengths)[lengths[0]] / len(lengths), lengths[0])
            if score > best_score:
                best, best_score = delimiter, score
        if delimiter == preferred and best_score[0] > 0:
            return preferred
    return best


def _wrong_encoding(name: str, encoding: str) -> Mistake:
    return Mistake(
        f"the text is in the encoding {encoding}",
        "bytes that this encoding does not know",
        name,
        "say data.encoding, for example latin-1, cp1252 or utf-16",
    )


def _open_quote(name: str, line: int) -> Mistake:
    return Mistake(
        "a quoted cell ends with a quote",
        f"a quote that is never closed, or a cell of more than {BLOCK_BYTES >> 20} MiB",
        f"{name}:{line}" if line else name,
        "close the quote, or double it inside a quoted cell",
    )
