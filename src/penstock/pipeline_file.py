"""Where ``pipeline.yaml`` is, and what it says: all mistakes at once, each with its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from penstock.errors import BadInput, Mistake, did_you_mean
from penstock.spec import Part, Pipeline
from penstock.yaml_lines import key_lines

FILE_NAME = "pipeline.yaml"


def locate(pipeline: str | Path, root: Path | None = None) -> Path:
    """The ``pipeline.yaml`` that a folder, a file or a name under ``data/`` stands for.

    Parameters
    ----------
    pipeline : str or Path
        As typed by the user.
    root : Path, optional
        Where relative paths start; default: the working directory.

    Raises
    ------
    BadInput
        When there is no such file.
    """
    root = root or Path.cwd()
    tried = [root / pipeline, root / pipeline / FILE_NAME, root / "data" / pipeline / FILE_NAME]
    for path in tried:
        if path.is_file():
            return path.resolve()
    raise BadInput(
        Mistake(
            rule="PIPELINE is a folder, a pipeline.yaml, or the name of a folder under data/",
            found=f"no file {FILE_NAME} for {str(pipeline)!r}",
            where=str(root),
            remedy="write one with: penstock init DIR --source FILE --target COLUMN",
        )
    )


def read(path: Path, overrides: dict[str, Any] | None = None) -> Pipeline:
    """Read a ``pipeline.yaml``.

    Parameters
    ----------
    path : Path
        The file.
    overrides : dict, optional
        Field names and their values for this run: dotted, such as ``{"split.seed": 1}``, or by
        section, as the form in the UI sends them, such as ``{"split": {"seed": 1}}``.

    Raises
    ------
    BadInput
        With every mistake, each with file and line.
    """
    root, raw = _parsed(path)
    lines = key_lines(root)
    mistakes = _repeated_keys(root, path)
    for name, value in dotted(overrides or {}).items():
        _override(raw, name, value)
        lines[tuple(name.split("."))] = -1
    try:
        pipeline = Pipeline.model_validate(raw)
    except ValidationError as error:
        mistakes += [_mistake(dict(found), path, lines) for found in error.errors()]
    if mistakes:
        raise BadInput(mistakes)
    return pipeline


def sound_part(path: Path, overrides: dict[str, Any] | None = None) -> Pipeline | None:
    """What a spec with mistakes says rightly of its source, so that the source is looked at too.

    Returns
    -------
    Pipeline or None
        With data, split and contract alone, unknown keys left out; None where ``data`` or
        ``contract`` is in doubt.
    """
    _, raw = _parsed(path)
    for name, value in dotted(overrides or {}).items():
        _override(raw, name, value)
    kept = {key: raw[key] for key in ("data", "split", "contract") if key in raw}
    try:
        Pipeline.model_validate({"name": "sound", **kept})
    except ValidationError as error:
        for found in error.errors():
            section, *names = map(str, found["loc"])
            if section not in kept and section == "split":
                continue
            if found["type"] == "extra_forbidden" and len(names) == 1:
                kept[section] = {k: v for k, v in kept[section].items() if k != names[0]}
            elif section == "split":
                kept.pop("split", None)
            else:
                return None
    return Pipeline.model_validate({"name": "sound", **kept})


def _parsed(path: Path) -> tuple[yaml.Node | None, dict[Any, Any]]:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(
            Mistake("the file is YAML in UTF-8", " ".join(str(error).split()), str(path))
        ) from error
    if not isinstance(raw, dict):
        raise BadInput(Mistake("the file is a YAML mapping", type(raw).__name__, str(path)))
    return root, raw


def schema() -> dict[str, Any]:
    """The JSON schema of ``pipeline.yaml``, for editors."""
    return Pipeline.model_json_schema()


def dotted(overrides: Mapping[str, Any], within: type[Part] = Pipeline) -> dict[str, Any]:
    """Overrides with a dotted name each, so that a section of some fields keeps its others.

    Examples
    --------
    >>> dotted({"split": {"seed": 1}, "gates": {"num_rows": {"limit": 9}}, "model.epochs": 2})
    {'split.seed': 1, 'gates.num_rows.limit': 9, 'model.epochs': 2}
    >>> dotted({"data": {"features": {"age": "category"}}})
    {'data.features': {'age': 'category'}}
    """
    found: dict[str, Any] = {}
    for name, value in overrides.items():
        field = within.model_fields.get(name)
        section = field.annotation if field else None
        if isinstance(value, dict) and isinstance(section, type) and issubclass(section, Part):
            found |= {f"{name}.{key}": one for key, one in dotted(value, section).items()}
        else:
            found[name] = value
    return found


def _override(raw: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    here = raw
    for parent in parents:
        inner = here.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise BadInput(Mistake("--set names a field of a section", name, "--set"))
        here = inner
    here[last] = value


def _repeated_keys(node: yaml.Node | None, path: Path) -> list[Mistake]:
    """YAML keeps the last of two equal keys without a word; that is a mistake here."""
    mistakes: list[Mistake] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                where = f"{path}:{key.start_mark.line + 1}"
                mistakes.append(Mistake("a key stands once in its section", key.value, where))
            seen.add(key.value)
            mistakes += _repeated_keys(value, path)
    return mistakes


def _mistake(error: dict[str, Any], path: Path, lines: dict[tuple[str, ...], int]) -> Mistake:
    location = tuple(str(part) for part in error["loc"])
    prefixes = [location[:length] for length in range(len(location), 0, -1)]
    known = next((lines[prefix] for prefix in prefixes if prefix in lines), 1)
    where = "--set" if known == -1 else f"{path}:{known}"
    field = ".".join(location)
    if error["type"] == "extra_forbidden":
        return Mistake("only known keys stand in the spec", field, where, _known_instead(location))
    if error["type"] == "missing":
        return Mistake(f"{field} is required", "nothing", where, f"add {field}")
    return Mistake(f"{field}: {error['msg']}", repr(error["input"]), where)


def _known_instead(location: tuple[str, ...]) -> str:
    """What may stand where an unknown key stands."""
    model: Any = Pipeline
    for part in location[:-1]:
        field = model.model_fields.get(part)
        model = field.annotation if field else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return "remove it"
    known = list(model.model_fields)
    close = did_you_mean(location[-1], known, cutoff=0.5)
    return close or f"remove it, or use one of: {', '.join(known)}"
