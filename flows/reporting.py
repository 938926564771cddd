"""What a finished run leaves behind: the report, the MLflow run, the Prefect artifacts."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from penstock.outcomes import Decision
from penstock.records import Fitted, Record, Scorecard, Snapshot, Split

if TYPE_CHECKING:
    from flows.running import Run


REPORT = "report.html"
"""Its path among the files of the MLflow run."""


def publish(run: Run, decision: Decision) -> Decision:
    """Complete the decision, write the report, and log both.

    Returns
    -------
    Decision
        With run ids, timings and the report's path.
    """
    from penstock.adapters import card, report, report_markdown

    name = f"{run.mlflow_run or flow_run.id}.html"
    path = run.services.reports / name
    decision = decision.model_copy(
        update={
            "run_id": run.mlflow_run,
            "flow_run_id": str(flow_run.id or ""),
            "timings": run.seconds,
            "cached": run.cached,
            "report": str(path),
        }
    )
    records = run.records | {"register": decision}
    made = decision.version if decision.verdict != "kept_champion" else ""
    pages = run.services.tracking.pages(run.mlflow_run, REPORT, decision.model, made)
    lasting = PREFECT_API_URL.value()  # a server that was started for this run ends with it
    prefect = {"Prefect flow run": str(flow_run.ui_url or "")} if lasting else {}
    html = report.render(decision, records, run.spec, _but(pages, "Report") | prefect)
    write(path, html)
    write(run.services.reports / "latest.html", html)
    write(run.services.reports / "latest.json", json.dumps(decision.answer(), indent=2))
    _log_to_mlflow(run, decision, html)
    around = _but(pages, "MLflow run") | prefect
    run.services.tracking.describe(run.mlflow_run, report_markdown.brief(decision, records, around))
    if made:
        run.services.registry.describe(decision.model, card.line_card(run.spec))
    _show_in_prefect(run, decision, records, pages)
    return decision


def key_of(run: Run) -> str:
    """How the keys of a pipeline's artifacts begin: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", run.spec.name.lower()).strip("-")


def _but(pages: dict[str, str], here: str) -> dict[str, str]:
    """The links of a page to the others."""
    return {label: url for label, url in pages.items() if label != here}


def _show_in_prefect(
    run: Run, decision: Decision, records: dict[str, Record], pages: dict[str, str]
) -> None:
    """The report, its tables and the links, as artifacts of the run's page."""
    from penstock.adapters import report_markdown

    key = key_of(run)
    for what, table in {
        "metrics": report_markdown.metrics_table(decision, records),
        "checks": report_markdown.checks_table(decision.checks),
    }.items():
        if table:
            create_table_artifact(table, key=f"{key}-{what}", description=what.capitalize())
    for label, url in pages.items():
        name = label if label in ("Report", "MLflow run", "All runs") else "Model version"
        slug = name.lower().replace(" ", "-")
        create_link_artifact(url, link_text=label, key=f"{key}-{slug}-link", description=name)
    if not pages:  # no server shows it, so a person opens the file
        text = f"On the machine that ran it: `{decision.report}`"
        create_markdown_artifact(text, key=f"{key}-report-file", description="Report (HTML)")
    text = report_markdown.markdown(decision, records, pages)
    create_markdown_artifact(text, key=f"{key}-report", description="What was decided")


def _log_to_mlflow(run: Run, decision: Decision, html: str) -> None:
    """Numbers by stage, curves, data, files and the verdict; a cached stage's are replayed."""
    tracking, run_id = run.services.tracking, run.mlflow_run
    spec = run.spec.model_dump(mode="json")
    tracking.log_params(run_id, {name: part for name, part in spec.items() if name != "gates"})
    for stage, record in run.records.items():
        numbers = {check.name: check.value for check in record.evidence.checks}
        if isinstance(record, Scorecard):
            numbers |= {name: estimate.value for name, estimate in record.metrics.items()}
            columns = sorted(record.metrics, key=lambda name: name != run.spec.objective.metric)
            columns = [f"{stage}/{name}" for name in columns] + ["fit/seconds"]
            tracking.compare(run_id, columns, ["penstock.verdict", "penstock.refused_by"])
        if isinstance(record, Fitted):
            numbers |= record.cost
            tracking.log_curves(run_id, stage, record.history)
        if isinstance(record, Split):
            parts = {"train": record.train, "valid": record.valid, "test": record.test}
            source = run.records["ingest"]
            text = source.source if isinstance(source, Snapshot) else ""
            tracking.log_datasets(run_id, parts, text)
        if stage != "judge":
            tracking.log_metrics(run_id, stage, numbers | {"seconds": run.seconds[stage]})
    files = {
        REPORT: html,
        "spec.yaml": yaml.safe_dump(spec, sort_keys=False, allow_unicode=True),
        "decision.json": json.dumps(decision.answer(), indent=2),
        "model_card.md": run.card(decision.checks),
    }
    if decision.record:
        files["decision_record.json"] = run.store.path(decision.record).read_text("utf-8")
    tracking.log_files(run_id, files)
    outcomes = {f"{check.outcome}" for check in decision.checks}
    blocking = [check.label for check in decision.checks if check.blocks]
    refused = blocking if decision.verdict == "refused" else []
    tracking.tag(
        run_id,
        {
            "penstock.verdict": decision.verdict,
            "penstock.version": decision.version or "none",
            "penstock.refused_by": ", ".join(refused) or "none",
            "penstock.outcomes": ", ".join(sorted(outcomes)),
        },
    )


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
