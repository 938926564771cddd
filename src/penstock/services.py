"""Wiring, read once: a pipeline file and the environment -> everything a run needs.

Each part is made when it is first asked for, so that what is not needed is not imported.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock import settings, spec
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock.adapters.expectations import GreatExpectations
    from penstock.adapters.store import LocalStore
    from penstock.adapters.tracking.connection import Connection
    from penstock.adapters.tracking.registry import MlflowRegistry
    from penstock.adapters.tracking.runs import Tracking
    from penstock.ports import Source


class Services:
    """The outside world of one pipeline.

    Parameters
    ----------
    path : Path
        Its ``pipeline.yaml``.
    overrides : dict, optional
        Dotted field names and their values for this run.

    Raises
    ------
    BadInput
        With every mistake of the spec; then with those of source and contract too.
    """

    def __init__(self, path: Path, overrides: dict[str, Any] | None = None):
        self.path = path
        self.folder = path.parent
        self.settings = settings.read(self.folder)
        try:
            self.spec = spec.read(path, overrides)
        except BadInput as error:
            sound = spec.sound_part(path, overrides)
            if sound is None:
                raise
            self.spec = sound
            raise BadInput([*error.mistakes, *self._mistakes_in_files()]) from None

    @cached_property
    def store(self) -> LocalStore:
        """Where snapshots, weights and checkpoints are."""
        from penstock.adapters.store import LocalStore, SharedStore

        if self.settings.store_url:
            return SharedStore(self.settings.store, self.settings.store_url)
        return LocalStore(self.settings.store)

    @cached_property
    def source(self) -> Source:
        """The data, opened and its header read."""
        from penstock.adapters.sources import open_source

        return open_source(self.spec.data, self.folder)

    @cached_property
    def contract(self) -> list[dict[str, Any]]:
        """The expectations of the contract file."""
        from penstock.contract import read_contract

        return read_contract(self.folder / self.spec.contract)

    @cached_property
    def expectations(self) -> GreatExpectations:
        """Who judges the contract."""
        from penstock.adapters.expectations import GreatExpectations

        return GreatExpectations()

    @cached_property
    def connection(self) -> Connection:
        """The way to MLflow."""
        from penstock.adapters.tracking.connection import Connection

        return Connection(self.settings.tracking_uri, self.settings.home)

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow runs."""
        from penstock.adapters.tracking.runs import Tracking

        return Tracking(self.connection)

    @cached_property
    def registry(self) -> MlflowRegistry:
        """Model versions and aliases."""
        from penstock.adapters.tracking.registry import MlflowRegistry

        return MlflowRegistry(self.connection)

    @property
    def results(self) -> Path:
        """Where Prefect keeps the records of finished stages."""
        return self.settings.home / "results"

    @property
    def reports(self) -> Path:
        """Where this pipeline's reports are."""
        return self.settings.home / "reports" / self.spec.name

    def check(self) -> None:
        """Find what is wrong with files and registry before anything heavy starts.

        Raises
        ------
        BadInput
            With the mistakes of spec, source and contract, or a home that cannot be written.
        RegistryUnreachable
            When MLflow gives no answer.
        """
        mistakes = self._mistakes_in_files()
        if why := settings.obstacle(self.settings.home):
            remedy = "set PENSTOCK_HOME to a folder of yours"
            mistakes.append(Mistake("home can be written", why, "PENSTOCK_HOME", remedy))
        if mistakes:
            raise BadInput(mistakes)
        self.connection.probe()

    def check_files(self) -> None:
        """Find what is wrong with spec, source and contract; nothing is read through.

        Raises
        ------
        BadInput
            With the mistakes of all three.
        """
        if mistakes := self._mistakes_in_files():
            raise BadInput(mistakes)

    def _mistakes_in_files(self) -> list[Mistake]:
        from penstock.stages.ingest import check_columns

        mistakes: list[Mistake] = []

        def columns() -> None:
            check_columns(self.source.schema.names, self.spec.data, self.spec.split)

        for look in (columns, lambda: self.contract):
            try:
                look()
            except BadInput as error:
                mistakes += error.mistakes
        return mistakes
