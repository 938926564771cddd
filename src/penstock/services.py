"""Wiring, read once: a pipeline file and the environment -> everything a run needs.

Each part is made when it is first asked for, so that what is not needed is not imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from penstock import pipeline_file, settings
from penstock.errors import BadInput, Mistake

if TYPE_CHECKING:
    from penstock.adapters.expectations import GreatExpectations
    from penstock.adapters.monitoring import History
    from penstock.adapters.orders import Orders
    from penstock.adapters.store import LocalStore
    from penstock.adapters.tracking.connection import Connection
    from penstock.adapters.tracking.registry import MlflowRegistry
    from penstock.adapters.tracking.runs import Tracking
    from penstock.ports import Source
    from penstock.records import Backbone, Layout
    from penstock.stages.score import Sinks
    from penstock.tables.windows import Window


@dataclass(frozen=True)
class Scoring:
    """What is scored, where it goes, and what that part of it is called."""

    source: Source
    sinks: Sinks
    window: Window


@dataclass(frozen=True)
class Watching:
    """What is held against the reference, and where its labels are."""

    current: Source
    labels: Source | None


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
            self.spec = pipeline_file.read(path, overrides)
        except BadInput as error:
            sound = pipeline_file.sound_part(path, overrides)
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

    @cached_property
    def orders(self) -> Orders:
        """Retrainings that were asked for, and what became of them."""
        from penstock.adapters.orders import Orders

        return Orders(self.settings.home, self.spec.registered_name)

    def backbones(self, layout: Layout) -> dict[str, Backbone]:
        """The pretrained networks that the spec asks for, by column, in the store.

        Raises
        ------
        BadInput
            With every one that cannot be had or does not read its column.
        """
        if not self.spec.model.encoders:
            return {}
        from penstock.adapters.hub import fetched

        return fetched(self.spec.model.encoders, layout, self.folder, self.store)

    @property
    def results(self) -> Path:
        """Where Prefect keeps the records of finished stages."""
        return self.settings.home / "results"

    @property
    def reports(self) -> Path:
        """Where this pipeline's reports are."""
        return self.settings.home / "reports" / self.spec.name

    @property
    def predictions(self) -> str:
        """Folder of the prediction log, one Parquet file a window, as sources and sinks say it."""
        return self._kept("predictions")

    @property
    def quarantine(self) -> str:
        """Folder of the rows that scoring set aside, one Parquet file a window."""
        return self._kept("quarantine")

    @cached_property
    def history(self) -> History:
        """What was found of each window of the model."""
        from penstock.adapters.monitoring import History

        root = (self.settings.store_url or str(self.settings.home)).rstrip("/")
        return History(f"{root}/monitoring", self.spec.registered_name)

    def watching(self, current: str, labels: str, window: str) -> Watching:
        """Open what is watched; what is not said is as ``monitor`` says it.

        Without a word about rows, those of the prediction log are taken where it has the window,
        else those of ``monitor.current``, else those of ``data.source``.

        Parameters
        ----------
        current, labels : str
            Spelt as ``monitor.current`` and ``monitor.labels``; relative paths start in the
            working directory, those of the spec in the pipeline's folder.
        window : str
            ``A..B``, or empty.

        Raises
        ------
        BadInput
            With the mistakes of all of them.
        """
        from penstock.adapters.sources import open_source
        from penstock.tables.windows import Window

        said, here = self.spec.monitor, Path.cwd()
        mistakes: list[Mistake] = []

        def opened(look: Callable[[], Any]) -> Any:
            try:
                return look()
            except BadInput as error:
                mistakes.extend(error.mistakes)

        def rows(place: str, folder: Path) -> Source:
            changed = {"source": place, "query": "", "format": "auto", "delimiter": ""}
            return open_source(self.spec.data.model_copy(update=changed), folder)

        span = opened(lambda: Window.parse(window)) if window else None
        logged = self._logged(span.name) if span and not current else ""
        place, folder = (current, here) if current else (logged or said.current, self.folder)
        found = opened(lambda: rows(place, folder) if place else self.source)
        stated, start = (labels, here) if labels else (said.labels, self.folder)
        truth = opened(lambda: rows(stated, start)) if stated else None
        if mistakes:
            raise BadInput(mistakes)
        return Watching(found, truth)

    def _logged(self, window: str) -> str:
        """The file of a window in the prediction log; empty when there is none."""
        from penstock.adapters import remote

        place = f"{self.predictions}window={quote(window, safe=' ')}/part.parquet"
        if "://" not in place:
            return place if Path(place).is_file() else ""
        files, path = remote.filesystem(place, "PENSTOCK_STORE")
        with remote.reaching(place):
            return place if remote.size(files, path) is not None else ""

    def scoring(self, source: str, output: str, window: str, query: str = "") -> Scoring:
        """Open what is scored and where it goes; what is not said is as ``score`` says it.

        Parameters
        ----------
        source, query, output : str
            Spelt as ``score.source``, ``score.query`` and ``score.output``; relative paths start
            in the working directory, those of the spec in the pipeline's folder.
        window : str
            ``A..B``; empty: all rows, under a name made from where they are.

        Raises
        ------
        BadInput
            With the mistakes of all of them, and of the contract.
        """
        from penstock.adapters.sinks import open_sink
        from penstock.adapters.sources import open_source
        from penstock.stages.score import Sinks
        from penstock.tables.windows import Window

        said = self.spec.score
        here = Path.cwd()
        rows, start = (source, here) if source else (said.source, self.folder)
        asked = query if source else query or said.query
        mistakes: list[Mistake] = []

        def opened(look: Callable[[], Any]) -> Any:
            try:
                return look()
            except BadInput as error:
                mistakes.extend(error.mistakes)

        def stated(text: str, option: str, field: str) -> str:
            if text:
                return text
            rule, remedy = f"score is told its {option}", f"say {option}, or {field} in the spec"
            raise BadInput(Mistake(rule, f"no {option} and no {field}", str(self.path), remedy))

        def new_rows() -> Source:
            named = stated(rows, "--input", "score.source")
            changed = {"source": named, "query": asked, "format": "auto", "delimiter": ""}
            return open_source(self.spec.data.model_copy(update=changed), start)

        def sink() -> Any:
            named = stated(output or said.output, "--output", "score.output")
            return open_sink(named, here if output else self.folder)

        found = opened(new_rows)
        span = opened(lambda: Window.parse(window)) if window else None
        places = opened(sink), opened(lambda: open_sink(self.quarantine, self.folder))
        log = opened(lambda: open_sink(self.predictions, self.folder)) if said.log else None
        opened(lambda: self.contract)
        if mistakes:
            raise BadInput(mistakes)
        whole = Window(_name_of(found.description, rows, asked, start))
        return Scoring(found, Sinks(*places, log), span or whole)

    def check_home(self) -> None:
        """Find whether the registry answers and the home can be written.

        Raises
        ------
        BadInput
            When the home cannot be written.
        RegistryUnreachable
            When MLflow gives no answer.
        """
        if mistakes := self._mistakes_in_home():
            raise BadInput(mistakes)
        self.connection.probe()

    def check(self) -> None:
        """Find what is wrong with files and registry before anything heavy starts.

        Raises
        ------
        BadInput
            With the mistakes of spec, source and contract, or a home that cannot be written.
        RegistryUnreachable
            When MLflow gives no answer.
        """
        if mistakes := [*self._mistakes_in_files(), *self._mistakes_in_home()]:
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

    def _mistakes_in_home(self) -> list[Mistake]:
        if why := settings.obstacle(self.settings.home):
            remedy = "set PENSTOCK_HOME to a folder of yours"
            return [Mistake("home can be written", why, "PENSTOCK_HOME", remedy)]
        return []

    def _kept(self, what: str) -> str:
        root = self.settings.store_url or str(self.settings.home)
        return f"{root.rstrip('/')}/{what}/{quote(self.spec.registered_name, safe='')}/"

    def _mistakes_in_files(self) -> list[Mistake]:
        from penstock.stages.ingest import check_columns

        mistakes: list[Mistake] = []

        def columns() -> None:
            check_columns(self.source.schema.names, self.spec.data, self.spec.split)

        def networks() -> None:
            if self.spec.model.encoders:
                from penstock.adapters.hub import check

                check(self.spec.model.encoders, self.folder)

        for look in (columns, lambda: self.contract, networks):
            try:
                look()
            except BadInput as error:
                mistakes += error.mistakes
        return mistakes


def _name_of(description: str, said: str, query: str, folder: Path) -> str:
    """The name of all rows of an input: the same for the same place, whatever it holds now."""
    from penstock import fingerprint

    place = said if "://" in said else str((folder / said).resolve())
    return f"{description[:150]} ({fingerprint.of_json([place, query])[:8]})"
