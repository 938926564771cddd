"""Artifacts that the MLflow server of ``penstock up`` wrote, read and written without it.

mlflow-artifacts:/1/<run>/artifacts -> <home>/artifacts/1/<run>/artifacts

The server hands out addresses that only a server understands, and keeps the files in the home.
A run on the files in the home, after ``penstock down``, would find the experiment and the
champion but not their files; so without a server these addresses mean that folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

SCHEME = "mlflow-artifacts"


def reach_without_server(folder: Path) -> None:
    """From now on, in this process, addresses of proxied artifacts mean files in this folder.

    An address that names a server still goes to it, and so does every address of a client that
    speaks to one.
    """
    from mlflow.store.artifact import artifact_repository_registry as registry
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    def repository(
        artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> Any:
        served = urlsplit(tracking_uri or "").scheme in ("http", "https")
        if served or urlsplit(artifact_uri).netloc:
            return MlflowArtifactsRepository(artifact_uri, tracking_uri, registry_uri)
        return LocalArtifactRepository((folder / relative_path(artifact_uri)).as_uri())

    registry._artifact_repository_registry.register(SCHEME, repository)


def relative_path(artifact_uri: str) -> Path:
    """Where a proxied artifact lies below the server's folder.

    Raises
    ------
    ValueError
        When the address points out of that folder.

    Examples
    --------
    >>> relative_path("mlflow-artifacts:/1/3f2a/artifacts/model").as_posix()
    '1/3f2a/artifacts/model'
    """
    path = Path(unquote(urlsplit(artifact_uri).path).lstrip("/"))
    if ".." in path.parts:
        raise ValueError(f"{artifact_uri} points out of the artifacts' folder")
    return path
