"""SHA-256 of files, of values, and of the code that a stage depends on.

A stage key = SHA-256 of the stage's name, its code, the fingerprints of its inputs and the
part of the spec that it reads. Same key, same result: the flow reuses it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

CHUNK_BYTES = 1 << 20
NUMERIC_LIBRARIES = ("torch", "numpy", "pandas", "great_expectations", "scikit-learn", "pyarrow")
"""Libraries whose version is part of every stage's code version."""


def of_bytes(content: bytes) -> str:
    """Hexadecimal SHA-256 of bytes.

    Examples
    --------
    >>> of_bytes(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def of_json(value: Any) -> str:
    """Hexadecimal SHA-256 of a JSON value in canonical form.

    Examples
    --------
    >>> of_json({"b": 1, "a": 2}) == of_json({"a": 2, "b": 1})
    True
    """
    return of_bytes(canonical(value))


def canonical(value: Any) -> bytes:
    """A JSON value in its one form: sorted keys, no spaces, UTF-8.

    Examples
    --------
    >>> canonical({"b": 1, "a": "\u00fc"}).decode()
    '{"a":"\u00fc","b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def code_version(*modules: str) -> str:
    """SHA-256 over the source of these modules and of all that they import of their package.

    Imports inside functions count too; those under ``if TYPE_CHECKING`` change nothing and do
    not. The versions of the numeric libraries are part of it.

    Parameters
    ----------
    *modules : str
        Dotted names, for example ``penstock.stages.fit`` and ``penstock.modalities.numeric``.

    Returns
    -------
    str
        Hexadecimal SHA-256.
    """
    sources = {name: of_bytes(_source(name)) for name in sorted(closure(*modules))}
    return of_json({"sources": sources, "libraries": _library_versions()})


def closure(*roots: str) -> set[str]:
    """These modules and all that they import of their own package, however deep.

    Examples
    --------
    >>> "penstock.evidence" in closure("penstock.records")
    True
    """
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(_imports(name))
    return seen


def stage_key(stage: str, code: str, inputs: dict[str, Any]) -> str:
    """The cache key of one run of a stage.

    Parameters
    ----------
    stage : str
        Its name.
    code : str
        From :func:`code_version`.
    inputs : dict
        JSON values: fingerprints of records and the part of the spec that is read.
    """
    return f"{stage}-{of_json({'stage': stage, 'code': code, 'inputs': inputs})}"


@cache
def _source(module: str) -> bytes:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source for {module}", name=module)
    return Path(spec.origin).read_bytes()


@cache
def _imports(module: str) -> tuple[str, ...]:
    package = module.partition(".")[0]
    found: set[str] = set()
    for node in _run(ast.parse(_source(module))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found.update(
            name for name in names if name.partition(".")[0] == package and _is_module(name)
        )
    return tuple(sorted(found))


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only type checkers read."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _run(child)


@cache
def _is_module(name: str) -> bool:
    """Whether a dotted name is a module's; only packages are imported to find out."""
    parent = name.rpartition(".")[0]
    if parent and not _is_package(parent):
        return False
    return importlib.util.find_spec(name) is not None


@cache
def _is_package(name: str) -> bool:
    if not _is_module(name):
        return False
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None


@lru_cache(maxsize=1)
def _library_versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in NUMERIC_LIBRARIES}
