"""What the names of files say: format, compression, kind of media."""

from __future__ import annotations

from pathlib import PurePosixPath

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
"""Table formats by ending, after a compression ending was taken off."""

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
MEDIA = {
    **dict.fromkeys(
        (
            ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".tif", ".tiff", ".webp",
            ".avif", ".jp2", ".pbm", ".pgm", ".ppm", ".pnm",
        ),
        "image",
    ),
    **dict.fromkeys(
        (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf"),
        "audio",
    ),
}  # fmt: skip
"""Kind of media by ending."""


def titled(source: str) -> str:
    """A source without the folders of an absolute path.

    Examples
    --------
    >>> titled("/srv/rows/adult.csv"), titled("rows/*.csv")
    ('adult.csv', 'rows/*.csv')
    """
    return source.rstrip("/").rpartition("/")[2] if source.startswith("/") else source


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
