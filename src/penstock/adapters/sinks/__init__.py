"""Open what scores are written to: a file, a folder of windows, or a table of a database.

``--output`` as a person writes it -> :class:`penstock.ports.Sink`

The spelling is that of sources: a path, a URL of files, or a database's URL with ``#table``;
``${NAME}`` stands for an environment variable.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from penstock.adapters import address, endings
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock import ports


def open_sink(said: str, folder: Path, where: str = "--output") -> ports.Sink:
    """Open a place for rows; nothing is made or written yet.

    Parameters
    ----------
    said : str
        ``scores.parquet``, ``scores.csv.gz``, ``s3://bucket/scores.jsonl``: one file, of the
        format and compression that its ending says, which holds the window that was written
        last. ``scores/`` or a folder that is there: one Parquet file a window.
        ``postgresql://host/shop#scores``: a table, made when missing.
    folder : Path
        Where a relative path starts.
    where : str
        Field or option, for messages.

    Raises
    ------
    BadInput
        An unknown ending or protocol; a database's address without ``#table``; a secret in it.
    """
    url, table = address.cut_table(said)
    if address.is_database(address.filled(url, where)):
        from penstock.adapters.sinks import table as tables

        return tables.TableSink(url, table, folder, where)
    from penstock.adapters.sinks import files

    place = files.place_of(said, folder, where)
    title = endings.titled(said)
    if said.endswith("/") or place.is_folder:
        return files.FolderSink(place, title)
    if endings.ending_of(place.path) not in endings.FORMATS:
        raise BadInput(
            Mistake(
                "the ending of a file tells its format; a folder ends with /",
                f"{title}",
                where,
                f"known endings: {' '.join(endings.FORMATS)}, the text formats also with"
                f" {' '.join(endings.COMPRESSIONS)}",
            )
        )
    return files.FileSink(place, title)
