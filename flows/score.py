"""New rows in, predictions out: with the champion, or another version that passed its gates."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, State

from flows.form import number_box, text_box
from flows.reporting import key_of
from flows.running import flow_run_name, opened
from flows.tasks import score as score_rows
from penstock.adapters.markdown import escaped, pipes
from penstock.outcomes import Scored
from penstock.services import Services


@flow(name="score", flow_run_name=flow_run_name, validate_parameters=False)
def score(
    pipeline: str,
    input: Annotated[str, text_box("New rows; empty: score.source of the spec.")] = "",
    output: Annotated[str, text_box("Where they go; empty: score.output of the spec.")] = "",
    window: Annotated[str, text_box("A..B, ISO dates; empty: all rows.")] = "",
    version: Annotated[int, number_box("Of the model; 0: the champion.")] = 0,
) -> State[Any]:
    """Score new rows with the champion.

    Parameters
    ----------
    pipeline : str
        A folder, a ``pipeline.yaml``, or the name of a folder under ``data/``.
    input, output : str
        Files, folders, URLs or tables.
    window : str
        Only rows whose ``data.time`` lies in it; what it held before is replaced.
    version : int
        A version that passed its gates.
    """
    with opened(pipeline, None, refresh=False, check=Services.check_home) as run:
        scored = score_rows(input, output, window, str(version) if version else "")
        key = f"{key_of(run)}-scores"
        create_markdown_artifact(_summary(scored), key=key, description="Scored rows")
    return Completed(message=_sentence(scored), name="Scored", data=scored)


def _sentence(scored: Scored) -> str:
    aside = f", {scored.num_quarantined:,} set aside" if scored.num_quarantined else ""
    return f"{scored.num_scored:,} rows scored by {scored.model} version {scored.version}{aside}."


def _summary(scored: Scored) -> str:
    """What a person wants to know, as Markdown."""
    rows = {
        "model": f"{scored.model} version {scored.version}",
        "window": scored.window,
        "rows": f"{scored.num_rows:,}",
        "scored": f"{scored.num_scored:,}",
        "set aside": f"{scored.num_quarantined:,}",
        "output": scored.output,
        "rows a second": f"{scored.rows_per_second:,.0f}",
    }
    text = pipes(["", ""], [[name, value] for name, value in rows.items()])
    text += "\n\n" + "\n".join(f"- {escaped(note)}" for note in scored.evidence.notes)
    table = scored.evidence.tables.get("quarantine")
    if table:
        text += "\n\n" + pipes(table.columns, [[str(cell) for cell in row] for row in table.rows])
    return text
