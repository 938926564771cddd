"""Give a packaged model its version and its alias.

The registry has no compare-and-set: lock, read the champion again, then set the alias. *No
champion yet* and *out of reach* are different answers.

package, run -> version
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.adapters.clean_process import rescore
from penstock.adapters.tracking.connection import Connection
from penstock.adapters.tracking.package import package
from penstock.ports import Version

if TYPE_CHECKING:
    import pyarrow as pa
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
FINGERPRINT_TAG = "penstock.model"
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow answers for a model, and for an alias, that does not exist."""

DESCRIPTION_LENGTH = 5000
"""MLflow's column for descriptions."""


class MlflowRegistry:
    """MLflow's registry as :class:`penstock.ports.Registry`."""

    def __init__(self, connection: Connection):
        self.connection = connection

    def champion(self, name: str) -> Version | None:
        """The version with the alias ``champion``; None when there is none yet."""
        return self._aliased(name, CHAMPION)

    def challenger(self, name: str) -> Version | None:
        """The version with the alias ``challenger``; None when there is none."""
        return self._aliased(name, CHALLENGER)

    def version(self, name: str, number: str) -> Version | None:
        """The version of this number; None when there is none."""
        return next((one for one in self.history(name) if one.number == number), None)

    def same(self, name: str, fingerprint: str) -> Version | None:
        """The newest version that was made from this model; None when there is none."""
        client = self.connection.client
        query = f"name = '{name}' AND tags.`{FINGERPRINT_TAG}` = '{fingerprint}'"
        with self.connection.reaching():
            found = list(client.search_model_versions(query))
        if not found:
            return None
        newest = max(found, key=lambda version: int(version.version))
        return Version(name, str(newest.version), dict(newest.tags))

    def history(self, name: str) -> list[Version]:
        """All versions, the oldest first."""
        with self.connection.reaching():
            found = self._all_versions(f"name = '{name}'")
        return sorted(found, key=lambda version: int(version.number))

    def everything(self) -> list[Version]:
        """All versions of all models."""
        with self.connection.reaching():
            return self._all_versions("")

    def package(self, files: dict[str, Path], destination: Path) -> Path:
        """Write the model as a folder that serves itself."""
        return package(files, destination)

    def rescore(self, package: Path, table: pa.Table) -> pa.Table:
        """Predictions of a package for raw rows, from a clean process."""
        return rescore(package, table)

    def fetch(self, version: Version, destination: Path) -> Path:
        """Copy the folder of a version."""
        client = self.connection.client
        from mlflow.artifacts import download_artifacts

        with self.connection.reaching():
            source = client.get_model_version_download_uri(version.name, version.number)
            destination.mkdir(parents=True, exist_ok=True)
            folder = download_artifacts(
                artifact_uri=source, dst_path=str(destination), tracking_uri=self.connection.uri
            )
        return Path(folder)

    def add(
        self, package: Path, run_id: str, name: str, tags: dict[str, str], description: str
    ) -> Version:
        """Make a version with the alias ``challenger``, shown on the run's page as its model."""
        from mlflow.exceptions import MlflowException

        client = self.connection.client
        with self.connection.reaching():
            self._ensure_model(name)
            model_id, location = self._log_model(package, run_id, name)
            number = ""
            try:
                made = client.create_model_version(
                    name,
                    location,  # a models:/ source is looked up in MLflow's global address
                    run_id=run_id,
                    tags=tags,
                    description=description[:DESCRIPTION_LENGTH],
                    model_id=model_id,
                )
                number = self._first(made)
                shown = json.dumps([{"name": name, "version": number}])
                client.set_logged_model_tags(model_id, {"mlflow.modelVersions": shown})
                client.set_registered_model_alias(name, CHALLENGER, number)
            except (MlflowException, OSError, KeyboardInterrupt):
                if number:
                    self._delete(name, number)
                client.delete_logged_model(model_id)
                raise
        return Version(name, number, tags)

    def describe(self, name: str, text: str) -> None:
        """Say in Markdown what the model is for, on its page: above its versions."""
        client = self.connection.client
        with self.connection.reaching():
            if client.get_registered_model(name).description != text[:DESCRIPTION_LENGTH]:
                client.update_registered_model(name, text[:DESCRIPTION_LENGTH])

    def nominate(self, version: Version, tags: dict[str, str]) -> None:
        """Give it the alias ``challenger``, and write tags on it."""
        client = self.connection.client
        with self.connection.reaching():
            for key, value in tags.items():
                client.set_model_version_tag(version.name, version.number, key, value)
            client.set_registered_model_alias(version.name, CHALLENGER, version.number)

    def tag(self, version: Version, tags: dict[str, str]) -> None:
        """Write tags on it; an empty text takes a tag away."""
        with self.connection.reaching():
            self._tag(version, tags)

    def withdraw(self, version: Version) -> None:
        """Take the alias ``challenger`` away from it, if it has it."""
        waiting = self.challenger(version.name)
        if waiting and waiting.number == version.number:
            with self.connection.reaching():
                self.connection.client.delete_registered_model_alias(version.name, CHALLENGER)

    def promote(
        self, version: Version, expected: Version | None, tags: dict[str, str] | None = None
    ) -> bool:
        """Make it the champion if the champion is still ``expected``."""
        client = self.connection.client
        lock = re.sub(r"[^\w.-]", "_", version.name)
        with self.connection.reaching(), self.connection.lock(f"promote-{lock}"):
            now = self.champion(version.name)
            if (now and now.number) != (expected and expected.number):
                return False
            self._tag(version, tags or {})
            client.set_registered_model_alias(version.name, CHAMPION, version.number)
            self.withdraw(version)
        return True

    def _tag(self, version: Version, tags: dict[str, str]) -> None:
        client = self.connection.client
        said = client.get_model_version(version.name, version.number).tags
        for key, value in tags.items():
            if value:
                client.set_model_version_tag(version.name, version.number, key, value)
            elif key in said:
                client.delete_model_version_tag(version.name, version.number, key)

    def _all_versions(self, query: str) -> list[Version]:
        """Page by page: MLflow gives ten thousand at most at once."""
        found: list[Version] = []
        token = None
        while True:
            page = self.connection.client.search_model_versions(query, page_token=token)
            found += [Version(v.name, str(v.version), dict(v.tags)) for v in page]
            token = page.token
            if not token:
                return found

    def _aliased(self, name: str, alias: str) -> Version | None:
        from mlflow.exceptions import MlflowException

        client = self.connection.client
        with self.connection.reaching():
            try:
                found = client.get_model_version_by_alias(name, alias)
            except MlflowException as error:
                if error.error_code in ABSENT and "not found" in str(error):
                    return None
                raise
        return Version(name, str(found.version), dict(found.tags))

    def _first(self, made: ModelVersion) -> str:
        """The version's number; one that was made again, since the answer got lost, goes."""
        client = self.connection.client
        found = client.search_model_versions(f"name = '{made.name}' AND run_id = '{made.run_id}'")
        numbers = sorted(int(one.version) for one in found if one.source == made.source)
        for number in numbers[1:]:
            self._delete(made.name, str(number))
        return str(numbers[0])

    def _delete(self, name: str, number: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.connection.client.delete_model_version(name, number)
        except MlflowException as error:
            if error.error_code not in ABSENT:
                raise

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.connection.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _log_model(self, package: Path, run_id: str, name: str) -> tuple[str, str]:
        """Keep the folder as a logged model of the run; returns its id and place."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.exceptions import MlflowException
        from mlflow.models import Model

        client = self.connection.client
        experiment = client.get_run(run_id).info.experiment_id
        logged = client.create_logged_model(experiment, name, source_run_id=run_id)
        mine = f"source_run_id = '{run_id}'"
        for other in client.search_logged_models([experiment], filter_string=mine):
            if other.model_id != logged.model_id:  # made by a request whose answer got lost
                client.delete_logged_model(other.model_id)
        card = Model.load(str(package))
        card.run_id, card.model_id = run_id, logged.model_id
        card.save(str(package / "MLmodel"))
        client.log_model_artifacts(logged.model_id, str(package))
        client.finalize_logged_model(logged.model_id, "READY")
        try:
            client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        except MlflowException:  # it stands there already where only the answer got lost
            outputs = client.get_run(run_id).outputs
            known = outputs.model_outputs if outputs else []
            if logged.model_id not in [one.model_id for one in known]:
                raise
        return logged.model_id, logged.artifact_location
