"""Addresses and places, from the environment only: never from a spec, never from a form."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where penstock keeps its things.

    Attributes
    ----------
    home : Path
        Store, databases, checkpoints: ``PENSTOCK_HOME``, or ``.penstock`` in the project.
    tracking_uri : str
        MLflow: ``MLFLOW_TRACKING_URI``, or an SQLite file in ``home``.
    store : Path
        Folder of the store: ``PENSTOCK_STORE``, or ``store`` in ``home``.
    """

    home: Path
    tracking_uri: str
    store: Path


def project_of(pipeline_folder: Path) -> Path:
    """The folder that a pipeline belongs to.

    ``<project>/data/<name>`` belongs to ``<project>``; any other folder to its parent.

    Examples
    --------
    >>> project_of(Path("/srv/churn/data/weekly")).as_posix()
    '/srv/churn'
    >>> project_of(Path("/srv/churn/weekly")).as_posix()
    '/srv/churn'
    """
    parent = pipeline_folder.parent
    return parent.parent if parent.name == "data" else parent


def read(pipeline_folder: Path) -> Settings:
    """Settings for the pipeline in this folder.

    Parameters
    ----------
    pipeline_folder : Path
        Absolute path of the folder that holds ``pipeline.yaml``.
    """
    default_home = project_of(pipeline_folder) / ".penstock"
    home = Path(os.environ.get("PENSTOCK_HOME") or default_home).expanduser().resolve()
    return Settings(
        home=home,
        tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}",
        store=Path(os.environ.get("PENSTOCK_STORE") or home / "store").expanduser().resolve(),
    )


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def obstacle(path: Path) -> str:
    """Why nothing can be written below a path that need not be there yet; empty when it can."""
    place = existing(path)
    if not place.is_dir():
        return f"{place} is no folder"
    return "" if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written"
