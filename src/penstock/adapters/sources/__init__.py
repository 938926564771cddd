"""Open what a pipeline reads: a file, a glob, a folder, or a name pattern of media files.

``spec.Data`` and the folder of ``pipeline.yaml`` -> :class:`penstock.ports.Source`

Opening reads headers, footers and listings (JSON lines are read through once, because their
keys may differ from line to line), and reports every mistake that it finds there at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from penstock.adapters.sources import location
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock import ports, spec


def open_source(data: spec.Data, folder: Path) -> ports.Source:
    """Open the source of a pipeline.

    Parameters
    ----------
    data : spec.Data
        ``source``, ``format``, ``encoding`` and ``delimiter`` are read.
    folder : Path
        Where a relative source starts: the folder of ``pipeline.yaml``.

    Returns
    -------
    ports.Source
        Opened; no row was handed out yet.

    Raises
    ------
    BadInput
        Nothing there; an empty file; a header without rows; equal header names; a file that
        is not what its ending says; a pattern that matches nothing; an unknown format; files
        of one source with different columns.
    """
    if "://" in data.source:
        raise BadInput(
            Mistake(
                "data.source is a local file, glob, folder or name pattern",
                data.source,
                "data.source",
                "copy the files to a local folder and name that",
            )
        )
    if location.is_pattern(data.source):
        from penstock.adapters.sources import media

        return media.by_pattern(data.source, folder)
    path = folder / data.source
    auto = data.format == "auto"
    if path.is_dir() and (data.format == "files" or (auto and location.is_media_folder(path))):
        from penstock.adapters.sources import media

        return media.by_class(path, data.source)
    return _open_tables(data, location.tables(data.source, folder, data.format))


def _open_tables(data: spec.Data, found: location.Found) -> ports.Source:
    format_ = location.format_of(found.files, data)
    if format_ == "parquet":
        from penstock.adapters.sources import columnar

        return columnar.ParquetSource(found)
    location.require_encoding(data.encoding)
    if format_ == "jsonl":
        from penstock.adapters.sources import lines

        return lines.JsonLinesSource(found, data.encoding)
    from penstock.adapters.sources import delimited

    return delimited.DelimitedSource(found, data.encoding, data.delimiter)
