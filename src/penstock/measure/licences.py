"""What a model that is built on pretrained networks says of them."""

from __future__ import annotations

from penstock.evidence import Check
from penstock.records import Backbone
from penstock.spec import ModelSpec


def pretrained_notes(backbones: dict[str, Backbone], spec: ModelSpec) -> list[str]:
    """Which pretrained network reads which column, and under what licence."""
    told = {
        "frozen": "as it is",
        "last": "its last block trained on",
        "all": "all of it trained on",
        "lora": "with low-rank additions",
    }
    notes = []
    for column, backbone in backbones.items():
        revision = f" (revision {backbone.revision})" if backbone.revision else ""
        how, licence = told[spec.encoders[column].tune], f"its licence is {backbone.licence}"
        notes.append(f"{column} is read by {backbone.name}{revision}, {how}; {licence}.")
    return notes


def unknown_licences(backbones: dict[str, Backbone]) -> list[Check]:
    """How many pretrained networks state no licence; no check where there are none."""
    if not backbones:
        return []
    silent = sorted({one.name for one in backbones.values() if one.licence == "unknown"})
    every = ", ".join(sorted({f"{one.name} ({one.licence})" for one in backbones.values()}))
    return [
        Check(
            name="unknown_licences",
            stage="fit",
            value=len(silent),
            why=f"{', '.join(silent)}: no licence is stated in README.md."
            if silent
            else f"Each pretrained network states its licence: {every}.",
            remedy="ask the authors before others use this model; then write license: into the"
            " front matter of README.md beside the weights"
            if silent
            else "",
        )
    ]
