"""One run of a pipeline: its services, what its stages gave, how it begins and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from prefect import Flow
from prefect.exceptions import CancelledRun, TerminationSignal
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed, Failed, State

from flows.progress import StageProgress
from penstock import fingerprint, pipeline_file, spec
from penstock.adapters.alive import alive
from penstock.evidence import Check, Frozen
from penstock.outcomes import Decision
from penstock.ports import Progress
from penstock.records import Backbone, Blob, Layout, Record, Snapshot
from penstock.services import Services

_current: ContextVar[Run] = ContextVar("penstock_run")


class SourceContent(Frozen):
    """What an ingest depends on: the content of its source."""

    description: str
    fingerprint: str


class Run:
    """One run of a pipeline: its services, and what its stages have given so far.

    Attributes
    ----------
    records : dict of str to Record
        By stage, in the order of the story.
    seconds : dict of str to float
        Of each stage in this run.
    cached : list of str
        Stages whose record was there already.
    mlflow_run : str
        Run id; empty before :meth:`begin`.
    """

    def __init__(self, services: Services, refresh: bool):
        self.services = services
        self.refresh = refresh
        self.records: dict[str, Record] = {}
        self.seconds: dict[str, float] = {}
        self.cached: list[str] = []
        self.keys: dict[str, str] = {}
        self.mlflow_run = ""
        self._backbones: dict[str, Backbone] | None = None

    @property
    def spec(self) -> spec.Pipeline:
        """The spec that runs."""
        return self.services.spec

    @property
    def store(self) -> Any:
        """Where big data is."""
        return self.services.store

    @property
    def contract(self) -> list[dict[str, Any]]:
        """The expectations of the contract file."""
        return self.services.contract

    @property
    def source(self) -> SourceContent:
        """The source and the fingerprint of its content."""
        source = self.services.source
        return SourceContent(description=source.description, fingerprint=source.fingerprint())

    @property
    def checks(self) -> list[Check]:
        """All checks measured so far, in the order of the story."""
        return [check for record in self.records.values() for check in record.evidence.checks]

    @property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of the data, the spec and each stage's record."""
        found = {"spec": fingerprint.of_json(self.spec.model_dump(mode="json"))}
        snapshot = self.records.get("ingest")
        if isinstance(snapshot, Snapshot):
            found["data"] = snapshot.rows.blob.sha256
        skipped = ("judge", "register")
        return found | {n: r.fingerprint for n, r in self.records.items() if n not in skipped}

    def key_of(self, stage: str) -> str:
        """The key under which the stage runs."""
        return self.keys[stage]

    def backbones(self, layout: Layout) -> dict[str, Backbone]:
        """The pretrained networks that the spec asks for, by column, in the store.

        Raises
        ------
        BadInput
            With every one that cannot be had or does not read its column.
        """
        if self._backbones is None:
            self._backbones = self.services.backbones(layout)
        return self._backbones

    def progress(self, stage: str) -> Progress:
        """Who is told how far a stage has come."""
        return StageProgress(stage)

    @cached_property
    def commit(self) -> str:
        """Git commit of the pipeline's folder; empty without one."""
        from penstock.adapters.tracking.runs import git_state

        return git_state(self.services.folder)[0]

    def card(self, checks: list[Check]) -> str:
        """The model card, from what a person wrote and from this run's records."""
        from penstock.adapters.card import model_card

        path = self.services.folder / "card.md"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        return model_card(self.spec, self.records, checks, text, self.mlflow_run, self.commit)

    def keep(self, decision: Decision) -> Blob:
        """Write the decision record, and keep it in the store."""
        from prefect.runtime import flow_run

        from penstock.ledger import decision_record

        known = self.keys, self.spec, self.contract, self.commit, str(flow_run.id or "")
        return decision_record(decision, self.records, *known).keep(self.store)

    def begin(self, snapshot: Snapshot) -> None:
        """Hold the spec's choices against the columns, and start the MLflow run.

        Raises
        ------
        BadInput
            With every choice that this table does not allow.
        """
        from prefect.runtime import flow_run

        from penstock.tables.choices import check_choices

        check_choices(self.spec, snapshot.layout)
        self.backbones(snapshot.layout)
        tags = {
            "penstock.pipeline": self.spec.name,
            "penstock.data": snapshot.rows.blob.sha256,
            "prefect.flow_run_id": str(flow_run.id or ""),
            "prefect.flow_run_name": str(flow_run.name or ""),
        }
        if PREFECT_API_URL.value():  # else the server ends with this run
            tags["prefect.flow_run_url"] = str(flow_run.ui_url or "")
        tracking = self.services.tracking
        name = f"{self.spec.name} {datetime.now():%Y-%m-%d %H:%M:%S}"
        self.mlflow_run = tracking.start(self.spec.name, tags, self.services.folder, name)

    def required(self, before_training: bool = False) -> list[str]:
        """Names of the checks without which nothing passes."""
        from penstock import tasks
        from penstock.stages.judge import BEFORE_TRAINING

        if before_training:
            return list(BEFORE_TRAINING)
        snapshot = self.records["ingest"]
        assert isinstance(snapshot, Snapshot)
        gated = self.spec.bias.gated(len(snapshot.layout.classes))
        needed = [*BEFORE_TRAINING, *tasks.load(snapshot.layout.task).REQUIRED]
        return [*needed, gated] if self.spec.data.sensitive else needed

    def end(self, decision: Decision) -> State[Any]:
        """Write the report, tell MLflow and Prefect, and say how the run ended."""
        from flows.events import emit_decision
        from flows.reporting import publish

        decision = publish(self, decision)
        emit_decision(decision, self.services)
        if decision.verdict == "refused":
            names = [c.label for c in decision.checks if c.blocks]
            return Failed(message=f"Refused by {', '.join(names)}.", name="Refused", data=decision)
        name = {"registered": "Registered", "kept_champion": "Champion kept"}
        return Completed(
            message=decision.why,
            name=name.get(decision.verdict, "Awaiting approval"),
            data=decision,
        )


def flow_run_name() -> str:
    """What the run is called in the UI: ``train`` and the pipeline's folder."""
    from prefect.runtime import flow_run

    path = Path(flow_run.parameters["pipeline"])
    return f"{flow_run.flow_name} {path.parent.name if path.suffix else path.name}"


def current() -> Run:
    """The run that this stage is part of."""
    return _current.get()


@contextmanager
def opened(
    pipeline: str,
    overrides: dict[str, Any] | None,
    refresh: bool,
    check: Callable[[Services], None] = Services.check,
) -> Iterator[Run]:
    """Read the pipeline's file as it is now, and close the MLflow run however it ends."""
    services = Services(pipeline_file.locate(pipeline), overrides)
    check(services)
    run = Run(services, refresh)
    token = _current.set(run)
    status = "FAILED"
    try:
        with alive(services.settings.home):
            yield run
        status = "FINISHED"
    except (CancelledRun, TerminationSignal, KeyboardInterrupt):
        status = "KILLED"
        raise
    finally:
        _current.reset(token)
        if run.mlflow_run:
            services.tracking.finish(run.mlflow_run, status)  # type: ignore[arg-type]


def result_of(flow: Flow[..., Any], *parameters: Any) -> Any:
    """Run a flow in this process; what a *Failed* state holds is a result too, not an error.

    Raises
    ------
    Exception
        What ended the flow before there was a result.
    """
    state: Any = flow(*parameters, return_state=True)
    found = state.result(raise_on_failure=False)
    if isinstance(found, BaseException):
        raise found
    return found


def decision_of(flow: Flow[..., Any], *parameters: Any) -> Decision:
    """Run a flow in this process that ends with a decision; refused is one too."""
    return cast(Decision, result_of(flow, *parameters))
