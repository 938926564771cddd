"""Spoken digits: one WAV file a digit, and who said it, in its name."""

from __future__ import annotations

import re
from pathlib import Path

from penstock.adapters.samples.archives import Archive, members
from penstock.errors import BadInput, Mistake

ARCHIVES = (
    Archive(
        "free-spoken-digit-dataset-1.0.9.tar.gz",
        "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.9.tar.gz",
        "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0",
        11_975_353,
    ),
)
"""Address, size and SHA-256 as TensorFlow Datasets publishes them
(``tensorflow_datasets/audio/spoken_digit/checksums.tsv``). A later tag, 1.0.10, has a sixth
speaker; no registry publishes its checksum."""

RECORDING = re.compile(r"[^/]+/recordings/([0-9]_[A-Za-z]+_[0-9]+\.wav)")
README = re.compile(r"[^/]+/README\.md")


def write(folder: Path, archives: list[Path]) -> None:
    """Write ``recordings/{digit}_{speaker}_{take}.wav``, and the makers' README."""
    (folder / "recordings").mkdir()
    num_written = 0
    for archive in archives:
        for name, content in members(archive):
            if match := RECORDING.fullmatch(name):
                (folder / "recordings" / match[1]).write_bytes(content)
                num_written += 1
            elif README.fullmatch(name):
                (folder / "README-of-the-makers.md").write_bytes(content)
    if not num_written:
        raise BadInput(
            Mistake(
                "the archive holds recordings/{digit}_{speaker}_{take}.wav",
                "none",
                archives[0].name,
                "use the archive that the card names",
            )
        )
