"""Open what a pipeline reads: files here or behind a URL, media by a name pattern, a database.

``spec.Data`` and the folder of ``pipeline.yaml`` -> :class:`penstock.ports.Source`

Opening reads headers, footers and listings (JSON lines are read through once, because their
keys may differ from line to line), and reports every mistake that it finds there at once. First
rows tell whether a column names files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from penstock.adapters import address
from penstock.adapters.sources import files, location, named, place
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock import ports, spec


def open_source(data: spec.Data, folder: Path) -> ports.Source:
    """Open the source of a pipeline.

    Parameters
    ----------
    data : spec.Data
        ``source``, ``query``, ``format``, ``encoding`` and ``delimiter`` are read.
    folder : Path
        Where a relative source starts: the folder of ``pipeline.yaml``.

    Returns
    -------
    ports.Source
        Opened; no row was handed out yet.

    Raises
    ------
    BadInput
        Nothing there, or nobody answers; an empty file; a header without rows; equal header
        names; a file that is not what its ending says; a pattern that matches nothing; an
        unknown format; files of one source with different columns; a query that the database
        refuses; a secret in the address.
    """
    url, table = address.cut_table(data.source)
    if address.is_database(address.filled(url, "data.source")):
        from penstock.adapters.sources import sql

        return named.noticed(sql.open_query(url, table, data.query, folder), data)
    if data.query:
        raise BadInput(
            Mistake(
                "data.query goes with a database",
                data.source,
                "data.query",
                "remove it, or say a database's URL as data.source",
            )
        )
    start, path = place.place_of(data.source, folder)
    if location.is_pattern(path):
        from penstock.adapters.sources import media

        return media.by_pattern(data.source, start, path)
    if data.format in ("files", "auto") and start.is_folder(path):
        inside = start.inside(path)
        if data.format == "files" or location.is_media_folder(inside, data.target):
            from penstock.adapters.sources import media

            return media.by_class(data.source, inside)
    tables = _open_tables(data, location.tables(data.source, start, path, data.format))
    return named.noticed(tables, data)


def _open_tables(data: spec.Data, found: files.Found) -> ports.Source:
    format_ = location.format_of(found.names, data)
    if format_ == "parquet":
        from penstock.adapters.sources import columnar

        return columnar.ParquetSource(found)
    location.require_encoding(data.encoding)
    if format_ == "jsonl":
        from penstock.adapters.sources import lines

        return lines.JsonLinesSource(found, data.encoding)
    from penstock.adapters.sources import delimited

    return delimited.DelimitedSource(found, data.encoding, data.delimiter)
