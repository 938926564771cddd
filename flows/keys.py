"""What the record of a stage depends on, as its cache key; and the files that it cites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from penstock import fingerprint, plugins
from penstock.evidence import Frozen
from penstock.records import Backbone, Blob, Layout, Record

ADAPTERS = {
    "ingest": ("penstock.adapters.sources",),
    "validate": ("penstock.adapters.expectations",),
}
"""Adapters whose code decides what a stage finds."""


def key_of(stage: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The cache key of a stage: its code, the plug-ins that its table uses, and its inputs.

    Parameters
    ----------
    stage : str
        Its name.
    args, kwargs
        What it is given: records count by their fingerprint, all else by its JSON.
    """
    values = [*args, *kwargs.values()]
    modules = {f"penstock.stages.{stage}", *ADAPTERS.get(stage, ())}
    pretrained = {name for value in values for name in _pretrained(value)}
    for layout in filter(None, map(_layout, values)):
        modules |= plugins.of_table(layout, pretrained)
    if stage == "ingest":  # it asks every modality whose column it is
        modules |= set(plugins.modules("penstock.modalities").values())
    inputs = {str(position): _signed(value) for position, value in enumerate(args)}
    inputs |= {key: _signed(value) for key, value in kwargs.items()}
    return fingerprint.stage_key(stage, fingerprint.code_version(*sorted(modules)), inputs)


def _layout(value: Any) -> Layout | None:
    return value if isinstance(value, Layout) else getattr(value, "layout", None)


def _pretrained(value: Any) -> set[str]:
    """Columns that a pretrained network reads."""
    found = value if isinstance(value, dict) else getattr(value, "backbones", {})
    return {name for name, one in found.items() if isinstance(one, Backbone)}


def _signed(value: Any) -> Any:
    """A parameter as the JSON that signs it."""
    if isinstance(value, Record):
        return value.fingerprint
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude=getattr(type(value), "unsigned", None))
    if isinstance(value, list):
        return [_signed(item) for item in value]
    if isinstance(value, dict):
        return {name: _signed(item) for name, item in value.items()}
    return value


def blobs_of(value: Any) -> Iterator[Blob]:
    """Every file in the store that a record cites."""
    if isinstance(value, Blob):
        yield value
    elif isinstance(value, Frozen):
        for name in type(value).model_fields:
            yield from blobs_of(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from blobs_of(inner)
