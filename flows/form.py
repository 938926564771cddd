"""The form in the Prefect UI: every field of the spec, and what is left empty stays as it is.

spec.Pipeline -> JSON schema of overrides

The form shows no defaults and requires nothing, on purpose: it would send a default back as an
override, and then the file no longer counts. So a field that is left empty is not sent, and the
run reads it from pipeline.yaml when it starts. What is sent is held against types, ranges and
choices by the page and by the server.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema

from penstock import pipeline_file

LEFT_OUT = ("name", "description", "contract", "schedule", "score", "monitor", "retrain")
"""What makes the pipeline what it is, or has no meaning for one run."""

LAST = ("data", "gates")
"""Sections that one seldom touches stand below the others."""


def overrides_schema() -> dict[str, Any]:
    """Schema of the overrides of one run, section by section, without any reference.

    Examples
    --------
    >>> overrides_schema()["properties"]["split"]["properties"]["seed"]["minimum"]
    0
    """
    whole = pipeline_file.schema()
    definitions = whole.pop("$defs")
    sections = [name for name in whole["properties"] if name not in LEFT_OUT]
    sections.sort(key=lambda name: LAST.index(name) if name in LAST else -1)
    properties = {
        name: _open(whole["properties"][name], definitions) | {"title": _title(name)}
        for name in sections
    }
    properties["gates"] = _gates(properties["gates"])
    for position, section in enumerate(properties.values()):
        section["position"] = position
    return {
        "type": "object",
        "title": "Overrides",
        "description": "For this run only. What is left empty stays as pipeline.yaml says it.",
        "properties": properties,
        "additionalProperties": False,
    }


def _gates(section: dict[str, Any]) -> dict[str, Any]:
    """All gates in one box: two fields for each of forty would bury the rest of the form.

    The server still holds what stands in the box against the names, limits and actions.
    """
    gates = {name: gate for name, gate in section["properties"].items() if name != "extra"}
    one = {key: text for key, text in next(iter(gates.values())).items() if key != "description"}
    return {
        "type": "object",
        "title": section["title"],
        "description": 'Limits and actions by check, such as {"calibration": {"limit": 0.03}}.',
        "propertyNames": {"enum": [*gates, "extra"]},
        "additionalProperties": False,
        "patternProperties": {f"^({'|'.join(gates)})$": one, "^extra$": {"type": "object"}},
    }


def _open(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema whose references are replaced by what they name, without defaults and demands."""
    found = dict(schema)
    if "$ref" in found:
        named = definitions[found.pop("$ref").rpartition("/")[2]]
        found = {**named, **found}
    default = found.pop("default", None)
    found.pop("required", None)
    if "properties" in found:
        found["properties"] = {
            name: _open(field, definitions) | {"position": position, "title": _title(name)}
            for position, (name, field) in enumerate(found["properties"].items())
        }
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _open(found[key], definitions)
    if found.get("type") == "boolean":  # the older page sends false for a box left empty
        found |= {"type": "string", "enum": ["true", "false"]}
    if default not in (None, "", [], {}) and "properties" not in found:
        text = str(default).lower() if isinstance(default, bool) else f"{default}"
        about = found.get("description", "")
        if f"{text.removesuffix('.0')}:" not in about:  # "0: from the row count" has said it
            found["description"] = f"{about} Usually {text}.".strip()
    return found


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def text_box(description: str, **rules: Any) -> Any:
    """A field of text."""
    return WithJsonSchema({"type": "string", "description": description, **rules})


def number_box(description: str) -> Any:
    """A field of a whole number from 0 on."""
    return WithJsonSchema({"type": "integer", "minimum": 0, "description": description})


def tick_box(description: str) -> Any:
    """A box to tick."""
    return WithJsonSchema({"type": "boolean", "description": description})


Refresh = Annotated[bool, tick_box("Compute every stage again, whatever is cached.")]
"""Whether what is cached counts."""

Overrides = Annotated[dict[str, Any], WithJsonSchema(overrides_schema())]
"""Fields of the spec and their values for one run, by section or with dotted names."""

UNCHANGED: Overrides = {}
"""No overrides: the run is as pipeline.yaml says."""
