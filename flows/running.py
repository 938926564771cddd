"""How a stage runs as a Prefect task: its key, its cache, its progress, its place in a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from prefect import Flow, task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import CancelledRun, TerminationSignal
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed, Failed, State

from penstock import fingerprint, plugins, spec
from penstock.evidence import Check, Frozen
from penstock.ports import Progress
from penstock.records import Blob, Decision, Layout, Record, Scorecard, Snapshot
from penstock.services import Services

log = logging.getLogger("penstock.flows")

P = ParamSpec("P")
R = TypeVar("R", bound=Record)

SECONDS_BETWEEN_NEWS = 1.0
"""Least time between two progress messages of a stage (house choice)."""

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
        Run id; empty before :meth:`track`.
    """

    def __init__(self, services: Services, refresh: bool):
        self.services = services
        self.refresh = refresh
        self.records: dict[str, Record] = {}
        self.seconds: dict[str, float] = {}
        self.cached: list[str] = []
        self.keys: dict[str, str] = {}
        self.mlflow_run = ""

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

    def progress(self, stage: str) -> Progress:
        """Who is told how far a stage has come."""
        return StageProgress(stage)

    def card(self, scorecard: Scorecard) -> str:
        """The model version's description: the pipeline's card and what this run measured."""
        path = self.services.folder / "card.md"
        text = path.read_text(encoding="utf-8") if path.is_file() else self.spec.description
        lines = [f"- {name}: {_interval(estimate)}" for name, estimate in scorecard.metrics.items()]
        return "\n".join([text.strip(), "", "## Measured on the test rows (95%)", "", *lines])

    def track(self, snapshot: Snapshot) -> None:
        """Start the MLflow run: from here on its place in MLflow is known."""
        from prefect.runtime import flow_run

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

    def end(self, decision: Decision) -> State[Any]:
        """Write the report, tell MLflow and Prefect, and say how the run ended."""
        from flows.reporting import publish

        decision = publish(self, decision)
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
def opened(pipeline: str, overrides: dict[str, Any] | None, refresh: bool) -> Iterator[Run]:
    """Read the pipeline's file as it is now, and close the MLflow run however it ends."""
    services = Services(spec.locate(pipeline), overrides)
    services.check()
    run = Run(services, refresh)
    token = _current.set(run)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except (CancelledRun, TerminationSignal, KeyboardInterrupt):
        status = "KILLED"
        raise
    finally:
        _current.reset(token)
        if run.mlflow_run:
            services.tracking.finish(run.mlflow_run, status)  # type: ignore[arg-type]


def decision_of(flow: Flow[..., Any], *parameters: Any) -> Decision:
    """Run a flow in this process; refused is a decision too, not an error.

    Raises
    ------
    Exception
        What ended the flow before there was a decision.
    """
    state: Any = flow(*parameters, return_state=True)
    found = state.result(raise_on_failure=False)
    if isinstance(found, BaseException):
        raise found
    return cast(Decision, found)


def stage(
    *, timeout_seconds: float, retries: int = 0, cached: bool = True
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a Prefect task of a stage.

    Parameters
    ----------
    timeout_seconds : float
        After which the stage fails.
    retries : int
        After an error of the outside world; a bad input is never tried again.
    cached : bool
        Whether an equal key gives the record that is there already.
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        name = function.__name__
        options: dict[str, Any] = {"cache_policy": NO_CACHE}
        if cached:
            options = {
                "cache_key_fn": lambda context, parameters: current().key_of(name),
                "persist_result": True,
                "result_serializer": "json",
            }
        wrapped = task(
            name=name,
            task_run_name=name,
            timeout_seconds=timeout_seconds,
            retries=retries,
            retry_delay_seconds=5,
            retry_condition_fn=_worth_another_try,
            **options,
        )(_timed(function))

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            return cast(R, _run(wrapped, name, args, kwargs))

        return run

    return wrap


def _run(wrapped: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Record:
    """Run a stage, or take its record; write down what it cost."""
    run = current()
    started = time.monotonic()
    run.keys[name] = _key(name, args, kwargs)
    options: dict[str, Any] = {}
    if wrapped.persist_result:
        options = {"result_storage": run.services.results, "refresh_cache": run.refresh}
        run.services.results.mkdir(parents=True, exist_ok=True)
    state = wrapped.with_options(**options)(*args, return_state=True, **kwargs)
    record = cast(Record, state.result())
    was_cached = state.name == "Cached"
    if was_cached and (lost := [blob.key for blob in _blobs(record) if not run.store.has(blob)]):
        log.warning("%s: %s is gone from the store; computed again", name, ", ".join(lost))
        state = wrapped.with_options(**options | {"refresh_cache": True})(
            *args, return_state=True, **kwargs
        )
        record, was_cached = cast(Record, state.result()), False
    run.records[name] = record
    run.seconds[name] = round(time.monotonic() - started, 3)
    if was_cached:
        run.cached.append(name)
    log.info("%s: %s", name, "cached" if was_cached else f"{run.seconds[name]:.1f} s")
    return record


def _timed(function: Callable[..., Record]) -> Callable[..., Record]:
    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Record:
        started = time.monotonic()
        record = function(*args, **kwargs)
        return record.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    return timed


def _worth_another_try(task: Any, run: Any, state: State[Any]) -> bool:
    """Whether the outside world failed; a bad input stays bad."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, OSError) and not isinstance(error, ValueError)


def _key(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """SHA-256 of the stage's code, the plug-ins that its table uses, and its inputs."""
    values = [*args, *kwargs.values()]
    modules = {f"penstock.stages.{name}"}
    for layout in filter(None, map(_layout, values)):
        modules.add(plugins.modules("penstock.tasks")[layout.task])
        known = plugins.modules("penstock.modalities")
        modules |= {known[column.modality] for column in layout.features}
    if name == "ingest":  # it asks every modality whose column it is
        modules |= set(plugins.modules("penstock.modalities").values())
    inputs = {str(position): _signed(value) for position, value in enumerate(args)}
    inputs |= {key: _signed(value) for key, value in kwargs.items()}
    return fingerprint.stage_key(name, fingerprint.code_version(*sorted(modules)), inputs)


def _layout(value: Any) -> Layout | None:
    return value if isinstance(value, Layout) else getattr(value, "layout", None)


def _signed(value: Any) -> Any:
    """A parameter as the JSON that signs it."""
    if isinstance(value, Record):
        return value.fingerprint
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [_signed(item) for item in value]
    return value


def _blobs(value: Any) -> Iterator[Blob]:
    """Every file in the store that a record cites."""
    if isinstance(value, Blob):
        yield value
    elif isinstance(value, Frozen):
        for name in type(value).model_fields:
            yield from _blobs(getattr(value, name))


class StageProgress:
    """Tells the log, and for long stages the run's page, how far a stage has come."""

    def __init__(self, stage: str):
        self.stage = stage
        self.told = 0.0
        self.artifact: UUID | None = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` steps; ``note`` in a few words."""
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        now = time.monotonic()
        if now - self.told < SECONDS_BETWEEN_NEWS and done < total:
            return
        self.told = now
        told = {"progress": (self.stage, done, total, note)}  # a terminal shows it as a bar
        text = f", {note}" if note else ""
        log.info("%s: %d of %d%s", self.stage, done, total, text, extra=told)
        share = 100.0 * done / total if total else 0.0
        if self.artifact is None:
            self.artifact = cast(
                UUID, create_progress_artifact(share, key=f"progress-{self.stage}")
            )
        else:
            update_progress_artifact(self.artifact, progress=share)


def _interval(estimate: Any) -> str:
    ends = "" if estimate.low is None else f" ({estimate.low:.4f} to {estimate.high:.4f})"
    return "not defined" if estimate.value is None else f"{estimate.value:.4f}{ends}"
