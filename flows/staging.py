"""How a stage runs as a Prefect task: cached by its key, timed, tried again, written down."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import State

from flows.keys import blobs_of, key_of
from flows.running import current
from penstock.records import Record

log = logging.getLogger("penstock.flows")

P = ParamSpec("P")
R = TypeVar("R", bound=Record)


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
    run.keys[name] = key_of(name, args, kwargs)
    options: dict[str, Any] = {}
    if wrapped.persist_result:
        options = {"result_storage": run.services.results, "refresh_cache": run.refresh}
        run.services.results.mkdir(parents=True, exist_ok=True)
    state = wrapped.with_options(**options)(*args, return_state=True, **kwargs)
    record = cast(Record, state.result())
    was_cached = state.name == "Cached"
    if was_cached and (lost := [blob.key for blob in blobs_of(record) if not run.store.has(blob)]):
        log.warning("%s: %s is gone from the store; computed again", name, ", ".join(lost))
        state = wrapped.with_options(**options | {"refresh_cache": True})(
            *args, return_state=True, **kwargs
        )
        record, was_cached = cast(Record, state.result()), False
    for blob in blobs_of(record):
        run.store.touch(blob)
    if was_cached and name not in run.records:
        run.cached.append(name)
    run.records.pop(name, None)  # of a stage that runs twice, the last one counts
    run.records[name] = record
    run.seconds[name] = round(run.seconds.pop(name, 0) + time.monotonic() - started, 3)
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
