"""Addresses and places: never from a spec, never from a form.

The environment comes first, then the servers that ``penstock up`` started for this home, then
files in the home. Servers count only while their supervisor lives: after a crash of the machine
a run falls back to the files, and says so; ``penstock down`` leaves nothing to fall back from.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from penstock import standing

log = logging.getLogger("penstock.settings")


@dataclass(frozen=True)
class Settings:
    """Where penstock keeps its things.

    Attributes
    ----------
    home : Path
        Store, databases, checkpoints: ``PENSTOCK_HOME``, or ``.penstock`` in the project.
    tracking_uri : str
        MLflow: ``MLFLOW_TRACKING_URI``, the server of ``penstock up``, or an SQLite file in
        ``home``.
    prefect_api_url : str
        Prefect: ``PREFECT_API_URL``, or the server of ``penstock up``; empty: each run starts
        one of its own.
    store : Path
        Folder of the store: ``PENSTOCK_STORE``, or ``store`` in ``home``; ``cache`` in ``home``
        when the store is behind a URL.
    store_url : str
        ``PENSTOCK_STORE`` when that is a URL, such as ``s3://bucket/penstock``: machines that
        name the same one share what they made.
    """

    home: Path
    tracking_uri: str
    prefect_api_url: str
    store: Path
    store_url: str = ""


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
    home = home_of(project_of(pipeline_folder))
    house = standing_house(home)
    said = os.environ.get("PENSTOCK_STORE", "")
    url = said if "://" in said else ""
    return Settings(
        home=home,
        tracking_uri=os.environ.get("MLFLOW_TRACKING_URI")
        or (house.tracking_uri if house else f"sqlite:///{home / 'mlflow.db'}"),
        prefect_api_url=os.environ.get("PREFECT_API_URL")
        or (house.prefect_api_url if house else ""),
        store=home / "cache" if url else Path(said or home / "store").expanduser().resolve(),
        store_url=url,
    )


def home_of(project: Path) -> Path:
    """Where a project's store, databases and logs are."""
    said = os.environ.get("PENSTOCK_HOME") or project / ".penstock"
    return Path(said).expanduser().resolve()


def alarm_url() -> str:
    """Where alarms are sent: ``PENSTOCK_ALARM_URL``, a secret; empty: nowhere."""
    return os.environ.get("PENSTOCK_ALARM_URL", "").strip()


def standing_house(home: Path) -> standing.House | None:
    """The servers of this home, if they are watched over; a word if they are gone."""
    house = standing.read(home)
    if house is None or house.stands:
        return house
    log.warning(
        "The servers that penstock up started for %s are gone; this run uses the files there."
        " To start them again: penstock up",
        home,
    )
    return None


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def obstacle(path: Path) -> str:
    """Why nothing can be written below a path that need not be there yet; empty when it can."""
    place = existing(path)
    if not place.is_dir():
        return f"{place} is no folder"
    return "" if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written"
