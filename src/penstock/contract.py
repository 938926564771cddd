"""``contract.yaml``: what is expected of the data, in Great Expectations' own form.

A suite that Great Expectations 1.x wrote, YAML or JSON, can be dropped in as it is. This
module reads and writes the file; it does not import Great Expectations, which takes seconds.

file -> list of expectations, all mistakes at once, each with its line
"""

from __future__ import annotations

import os
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from penstock.errors import BadInput, Mistake, did_you_mean
from penstock.vocabulary import SEVERITIES, VOCABULARY
from penstock.yaml_lines import key_lines

ENTRY_KEYS = {
    "type", "kwargs", "meta", "severity", "id", "notes", "description", "rendered_content",
    "expectation_context", "windows", "success_on_last_run", "result_format",
    "catch_exceptions",
}  # fmt: skip
SUITE_KEYS = {"name", "id", "expectations", "meta", "notes", "suite_parameters"}


def read_contract(path: Path) -> list[dict[str, Any]]:
    """Read a contract.

    Parameters
    ----------
    path : Path
        YAML or JSON: a suite with ``expectations:``, or the list alone. A contract is
        optional: no file is no expectations, and ``validate`` warns about it.

    Returns
    -------
    list of dict
        ``type``, ``kwargs`` and ``meta`` with ``severity`` (error or warning) and
        ``quarantine`` (bool); JSON values all through, dates as ISO text.

    Raises
    ------
    BadInput
        With every mistake, each with file and line.
    """
    if not path.is_file():
        return []
    node, raw = _parse(path)
    listed = raw
    entries: yaml.Node | None = node
    mistakes: list[Mistake] = []
    if isinstance(raw, dict) and isinstance(node, yaml.MappingNode):
        keys = {str(key.value): (key, value) for key, value in node.value}
        for name in sorted(set(keys) - SUITE_KEYS):
            where = f"{path}:{keys[name][0].start_mark.line + 1}"
            remedy = _known_instead(name, SUITE_KEYS)
            mistakes.append(Mistake("only known keys stand in a contract", name, where, remedy))
        listed = raw.get("expectations")
        entries = keys["expectations"][1] if "expectations" in keys else None
        listed = [] if listed is None and "expectations" in keys else listed
    if not isinstance(listed, list):
        remedy = "begin it with expectations: and a list below it"
        mistakes.append(Mistake("a contract is a list of expectations", "", str(path), remedy))
        raise BadInput(mistakes)
    nodes = entries.value if isinstance(entries, yaml.SequenceNode) else []
    contract = []
    for position, entry in enumerate(listed):
        found, wrong = _expectation(entry, nodes[position], path)
        contract.append(found)
        mistakes += wrong
    if mistakes:
        raise BadInput(mistakes)
    return contract


def write_contract(path: Path, contract: list[dict[str, Any]], title: str = "") -> None:
    """Write a contract, whole or not at all.

    Parameters
    ----------
    path : Path
        Its folder exists.
    contract : list of dict
        As :func:`read_contract` returns it.
    title : str
        A comment for the head of the file; may have several lines.
    """
    head = "".join(f"# {line}".rstrip() + "\n" for line in title.splitlines())
    body = yaml.safe_dump(
        {"expectations": contract},
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
        width=98,
    )
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(head + body)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _parse(path: Path) -> tuple[yaml.Node | None, Any]:
    """Node tree and value of a YAML or JSON file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if text.lstrip().startswith(("{", "[")):
            text = text.replace("\t", " ")  # JSON may be indented by tabs, YAML may not
        return yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        found = " ".join(str(error).split())
        raise BadInput(
            Mistake("a contract is YAML or JSON in UTF-8", found, str(path), "mend the syntax")
        ) from error


def _expectation(entry: Any, node: yaml.Node, path: Path) -> tuple[dict[str, Any], list[Mistake]]:
    """One expectation in its normal form, and what is wrong with it."""
    here = f"{path}:{node.start_mark.line + 1}"
    if not isinstance(entry, dict):
        return {}, [Mistake("an expectation has type and kwargs", repr(entry), here)]
    lines = key_lines(node)

    def where(*keys: str) -> str:
        return f"{path}:{lines.get(keys, node.start_mark.line + 1)}"

    mistakes = []
    for name in sorted(str(key) for key in entry if key not in ENTRY_KEYS):
        remedy = "rename it to type" if name == "expectation_type" else ""
        remedy = remedy or _known_instead(name, ENTRY_KEYS)
        rule = "only known keys stand in an expectation"
        mistakes.append(Mistake(rule, name, where(name), remedy))
    kind, kwargs = str(entry.get("type", "")), entry.get("kwargs") or {}
    if kind in VOCABULARY and isinstance(kwargs, dict):
        mistakes += _argument_mistakes(kind, kwargs, where)
    elif kind in VOCABULARY:
        mistakes.append(Mistake("kwargs is a mapping", repr(kwargs), where("kwargs")))
    elif "expectation_type" not in entry:
        rule = "type is a known expectation" if kind else "an expectation has a type"
        mistakes.append(Mistake(rule, kind, where("type"), _known_instead(kind, set(VOCABULARY))))
    meta, wrong = _meta(entry, where)
    return {"type": kind, "kwargs": _plain(kwargs), "meta": meta}, mistakes + wrong


def _argument_mistakes(kind: str, kwargs: dict[str, Any], where: Any) -> list[Mistake]:
    known = VOCABULARY[kind]
    mistakes = []
    for name in sorted(str(key) for key in kwargs if key not in known):
        rule = f"only arguments of {kind} stand in its kwargs"
        remedy = _known_instead(name, set(known))
        mistakes.append(Mistake(rule, name, where("kwargs", name), remedy))
    for name in (word for word, required in known.items() if required and word not in kwargs):
        rule, remedy = f"{kind} needs {name}", f"add {name} to its kwargs"
        mistakes.append(Mistake(rule, "it is absent", where("kwargs"), remedy))
    share = kwargs.get("mostly", 1)
    number = isinstance(share, (int, float)) and not isinstance(share, bool)
    if "mostly" in known and not (number and 0 <= share <= 1):
        rule = "mostly is a share of rows from 0 to 1"
        mistakes.append(Mistake(rule, repr(share), where("kwargs", "mostly")))
    return mistakes


def _meta(entry: dict[str, Any], where: Any) -> tuple[dict[str, Any], list[Mistake]]:
    """``meta`` with severity and quarantine filled in; ours wins over the native severity."""
    meta = entry.get("meta") or {}
    if not isinstance(meta, dict):
        return {}, [Mistake("meta is a mapping", repr(meta), where("meta"))]
    mistakes = []
    place = ("meta", "severity") if "severity" in meta else ("severity",)
    word = meta.get("severity", entry.get("severity") or "error")
    if not isinstance(word, str) or word not in SEVERITIES:
        remedy = f"use one of: {', '.join(SEVERITIES)}"
        mistakes.append(Mistake("severity is a known word", repr(word), where(*place), remedy))
        word = "error"
    quarantine = meta.get("quarantine", False)
    if not isinstance(quarantine, bool):
        rule = "quarantine is true or false"
        mistakes.append(Mistake(rule, repr(quarantine), where("meta", "quarantine")))
    return {"severity": SEVERITIES[word], "quarantine": quarantine is True}, mistakes


def _known_instead(word: str, known: set[str]) -> str:
    """What may stand where an unknown word stands."""
    listed = f"use one of: {', '.join(sorted(known))}" if len(known) <= 20 else "remove it"
    return did_you_mean(word, known) or listed


def _plain(value: Any) -> Any:
    """JSON values only: YAML reads ``2020-01-01`` as a date."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value
