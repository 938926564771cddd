"""Later rows against the world that the champion was made in: steady, drift, or alarm."""

from __future__ import annotations

import json
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed, State

from flows import events
from flows.form import text_box
from flows.reporting import key_of, write
from flows.running import Run, flow_run_name, opened
from flows.tasks import monitor as look
from penstock.outcomes import Drift
from penstock.services import Services


@flow(name="monitor", flow_run_name=flow_run_name, validate_parameters=False)
def monitor(
    pipeline: str,
    current: Annotated[
        str, text_box("New rows; empty: the prediction log, or as the spec says.")
    ] = "",
    labels: Annotated[str, text_box("Key and target; empty: monitor.labels of the spec.")] = "",
    window: Annotated[str, text_box("A..B, ISO dates; empty: as monitor.every says.")] = "",
) -> State[Any]:
    """Hold a window of later rows against the champion's reference.

    Without ``window``, earlier ones whose labels were not all there are looked at again too, as
    many as ``monitor.label_delay`` says.

    Parameters
    ----------
    pipeline : str
        A folder, a ``pipeline.yaml``, or the name of a folder under ``data/``.
    current, labels : str
        Files, folders, URLs or tables.
    window : str
        Only rows whose ``data.time`` lies in it; what was known of it is replaced.
    """
    with opened(pipeline, None, refresh=False, check=Services.check_home) as run:
        found = [publish(run, look(current, labels, window))]
        for earlier in [] if window else waiting(run, found[0]):
            run.services.tracking.finish(run.mlflow_run)
            found.append(publish(run, look(current, labels, earlier)))
    names = {"steady": "Steady", "drift": "Drift"}
    alarms = [drift for drift in found if drift.outcome == "alarm"]
    name = "Alarm" if alarms else names[found[0].outcome]
    why = " ".join(drift.why for drift in alarms) or found[0].why
    return Completed(message=why, name=name, data=alarms[0] if alarms else found[0])


def waiting(run: Run, newest: Drift) -> list[str]:
    """Windows of the same version, ``monitor.label_delay`` at most, that still lack labels."""
    lines = [
        line["window"]
        for line in run.services.history.lines()
        if line["version"] == newest.version
        and line["window"] != newest.window
        and ".." in line["window"]
        and line["num_labelled"] < line["num_rows"]
    ]
    count = run.spec.monitor.label_delay
    return lines[-count:] if count else []


def publish(run: Run, drift: Drift) -> Drift:
    """Write the report, log the window to MLflow and the history, and send the event of an alarm.

    Returns
    -------
    Drift
        With run ids and the report's path.
    """
    from penstock.adapters import drift_page

    services, tracking = run.services, run.services.tracking
    tags = {
        "penstock.pipeline": run.spec.name,
        "penstock.flow": "monitor",
        "penstock.version": drift.version,
        "penstock.window": drift.window,
        "penstock.outcome": drift.outcome,
        "mlflow.source.name": f"penstock monitor {run.spec.name}",
        "prefect.flow_run_id": str(flow_run.id or ""),
    }
    run.mlflow_run = tracking.start(
        run.spec.name, tags, services.folder, f"monitor {drift.window}"[:200]
    )
    path = services.reports / "monitoring" / f"{run.mlflow_run}.html"
    drift = drift.model_copy(
        update={
            "run_id": run.mlflow_run,
            "flow_run_id": str(flow_run.id or ""),
            "report": str(path),
        }
    )
    mlflow_url = tracking.url(run.mlflow_run)
    lasting = PREFECT_API_URL.value()  # a server that was started for this run ends with it
    places = {"MLflow run": mlflow_url, "Prefect flow run": flow_run.ui_url if lasting else ""}
    html = drift_page.render(drift, {name: url for name, url in places.items() if url})
    write(path, html)
    write(services.reports / "monitoring" / "latest.html", html)
    tracking.log_metrics(run.mlflow_run, "monitor", _numbers(drift))
    answer = json.dumps(drift.answer(), indent=2)
    tracking.log_files(run.mlflow_run, {"report.html": html, "drift.json": answer})
    services.history.keep(drift)
    key = key_of(run)
    create_markdown_artifact(
        drift_page.markdown(drift), key=f"{key}-monitor", description="What became of the window"
    )
    for label, url in tracking.pages(run.mlflow_run, "report.html", "", "").items():
        name = label.lower().replace(" ", "-")
        create_link_artifact(url, link_text=label, key=f"{key}-monitor-{name}")
    if drift.outcome == "alarm":
        events.emit(
            events.DRIFT, services, f"{drift.model}, {drift.window}: {drift.why}", **drift.answer()
        )
    return drift


def _numbers(drift: Drift) -> dict[str, float | None]:
    """What charts of MLflow show over runs."""
    found: dict[str, float | None] = {
        "rows": drift.num_rows,
        "labels": drift.num_labelled,
        "alarm": float(drift.outcome == "alarm"),
        "drift": float(bool(drift.drifted)),
        "unsupported": drift.unsupported,
        "drift_p_value": drift.drift_p_value,
        "harm_p_value": drift.harm_p_value,
    }
    for name, estimate in {
        f"reference_{drift.metric}": drift.reference,
        f"estimated_{drift.metric}": drift.estimated,
        f"realised_{drift.metric}": drift.realised,
        "separation": drift.separation,
    }.items():
        found[name] = estimate.value if estimate else None
    return found
