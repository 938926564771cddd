"""Write a trained model as a folder that serves itself.

The folder holds weights (``safetensors``), state and policy (JSON), the code that reads them,
the signature, an example and the pinned requirements; and the profile that later rows are
compared with. No pickle, and no penstock to install.

weights, state, policy -> folder
"""

from __future__ import annotations

import ast
import importlib.util
import shutil
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from penstock import fingerprint, plugins
from penstock.adapters.tracking.connection import quietly

if TYPE_CHECKING:
    import pandas as pd

    from penstock.records import Layout

FORMAT_VERSION = "2"
"""Of the package; a reader refuses what it does not know. 1 had no policy."""

FILES = {
    "weights": "weights.safetensors",
    "state": "state.json",
    "policy": "policy.json",
    "profile": "profile.json",
    "sample": "sample.parquet",
}
"""Names of the artifacts; :meth:`penstock.model.Model.load` reads the first three by these."""
SIGNED = ("weights", "state", "policy")
"""What every package has, and what makes two models the same one."""

EXAMPLES: dict[str, Any] = {
    "double": 0.0,
    "string": "",
    "boolean": False,
    "datetime": "2000-01-01T00:00:00",
    "binary": b"",
}
"""One made-up value of each kind: an example never shows a row of a person."""


def package(files: dict[str, Path], destination: Path) -> Path:
    """Write the package.

    Parameters
    ----------
    files : dict of str to Path
        By their names in :data:`FILES`: weights, state and policy; profile and sample where
        there are any. Files of pretrained networks by their place, ``backbones/...``.
    destination : Path
        A folder that does not exist yet.

    Returns
    -------
    Path
        ``destination``.
    """
    from penstock.model import Model

    with tempfile.TemporaryDirectory() as scratch, quietly():
        import mlflow.pyfunc

        folder = Path(scratch)
        for name, file in files.items():
            target = folder / FILES.get(name, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        model = Model.load(folder)
        modules = code_of(model.layout, model.learnt.spec.encoders)
        copy_code(modules, folder / "penstock")
        mlflow.pyfunc.save_model(
            path=str(destination),
            python_model=str(Path(__file__).parents[1] / "serving.py"),
            artifacts={
                top: str(folder / FILES.get(top, top))
                for top in dict.fromkeys(name.partition("/")[0] for name in files)
            },
            code_paths=[str(folder / "penstock")],
            signature=signature(model),
            input_example=example(model),
            pip_requirements=requirements(modules),
            metadata=_metadata(model, files),
        )
    for pycache in destination.rglob("__pycache__"):
        shutil.rmtree(pycache)
    _forget_places(destination)
    return destination


def code_of(layout: Layout, pretrained: Iterable[str] = ()) -> list[str]:
    """Dotted names of all modules that the model needs, sorted.

    The import closure of ``penstock.model``, of what ``serving.py`` imports, and of the
    plug-ins that the layout names, with the packages around them.

    Parameters
    ----------
    layout : Layout
        Of the model.
    pretrained : iterable of str
        Columns that a pretrained network reads.
    """
    roots = {"penstock.model", "penstock.tables.arrow_types"}
    names = fingerprint.closure(*roots, *plugins.of_table(layout, pretrained))
    for name in tuple(names):
        parents = name.split(".")[:-1]
        names.update(".".join(parents[:depth]) for depth in range(1, len(parents) + 1))
    return sorted(names)


def copy_code(modules: list[str], destination: Path) -> None:
    """Copy penstock's own modules; those of other distributions become requirements."""
    for name in modules:
        if name.partition(".")[0] == "penstock":
            source = _source(name)
            parts = name.split(".")[1:]
            if source.name == "__init__.py":
                target = destination.joinpath(*parts, "__init__.py")
            else:
                target = destination.joinpath(*parts[:-1], source.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def requirements(modules: list[str]) -> list[str]:
    """Pinned distributions that these modules import, MLflow and the script's own included.

    Local versions are cut (``torch==2.13.0``, not ``+cpu``): no index has them.
    """
    tops = {"mlflow", "pandas", "pyarrow", "safetensors"}
    for name in modules:
        top = name.partition(".")[0]
        tops |= _imports(_source(name)) if top == "penstock" else {top}
    distributions = _distributions()
    names = {distributions[top] for top in tops if top != "penstock" and top in distributions}
    return sorted(f"{name}=={Version(metadata.version(name)).public}" for name in names)


def signature(model: Any) -> Any:
    """Inputs by name, nullable ones not required; see ``serving.py`` on *any*."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name, not null) for name, _, null in model.inputs()]),
        outputs=Schema([ColSpec(DataType[kind], name) for name, kind in model.outputs()]),
    )


def example(model: Any) -> pd.DataFrame:
    """One made-up row."""
    import pandas as pd

    return pd.DataFrame([{name: EXAMPLES[kind] for name, kind, _ in model.inputs()}])


def _metadata(model: Any, files: dict[str, Path]) -> dict[str, Any]:
    """Format version, fingerprint, and the kinds of the inputs that the signature leaves out."""
    signed = [fingerprint.of_file(files[name]) for name in SIGNED]
    kinds = [
        {"name": n, "kind": kind, "nullable": nullable} for n, kind, nullable in model.inputs()
    ]
    return {
        "penstock_format": FORMAT_VERSION,
        "penstock_model": fingerprint.of_json(signed),
        "inputs": kinds,
    }


def _forget_places(destination: Path) -> None:
    """Write names where MLflow wrote absolute paths of this machine; it reads them alike."""
    from mlflow.models import Model as Card

    card = Card.load(str(destination))
    flavor = card.flavors["python_function"]
    flavor["model_code_path"] = "serving.py"
    for artifact in flavor["artifacts"].values():
        artifact["uri"] = artifact["path"]
    card.save(str(destination / "MLmodel"))


def _source(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source for {module}", name=module)
    return Path(spec.origin)


def _imports(source: Path) -> set[str]:
    """First names of the modules that a file imports, but for the standard library."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


@lru_cache(maxsize=1)
def _distributions() -> dict[str, str]:
    """Distribution of each importable name; of several, the one that is called like it."""
    found = metadata.packages_distributions()
    return {top: top if top in names else names[0] for top, names in found.items()}
