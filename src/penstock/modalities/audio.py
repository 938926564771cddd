"""Sound: WAV, FLAC and others, as encoded bytes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

MAGIC = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b".snd")
"""First bytes of FLAC, Ogg, MP3 and AU; WAV and AIFF are told by two marks."""
NUM_LOOKED_AT = 100
"""Values that are looked at to recognise a column (house choice)."""


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Share of the first values that begin as a sound file does."""
    if not pa.types.is_binary(column.type):
        return 0.0
    values = column.drop_null().slice(0, NUM_LOOKED_AT).to_pylist()
    return sum(_is_sound(value) for value in values) / max(len(values), 1)


def _is_sound(content: bytes) -> bool:
    marks = content[:4], content[8:12]
    if marks[0] == b"RIFF":
        return marks[1] == b"WAVE"
    return content.startswith(MAGIC) or (marks[0] == b"FORM" and marks[1] in (b"AIFF", b"AIFC"))


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """None beside presence and type: a file that cannot be decoded never enters a snapshot."""
    return []
