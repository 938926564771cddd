"""``penstock prune``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from penstock.cli.app import OK, app

if TYPE_CHECKING:
    from penstock.adapters.pruning import Waste

Flag = Annotated[bool, Parameter(negative="")]


@app.command
def prune(
    pipeline: str = "",
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    dry_run: Flag = False,
    older_than: float = 0.0,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Free what no registered version cites and no running flow needs.

    Snapshots, weights and finished stages of refused and forgotten runs go, and their reports;
    they are computed again when they are needed again. Models, MLflow's runs, predictions and
    the monitor's history stay. Exit status: 0, 2 bad input, 1 crashed.

    Parameters
    ----------
    pipeline
        Only what its runs left: a folder, a pipeline.yaml, or a name under data/.
    all_
        What the runs of all pipelines of this project left.
    dry_run
        Say what would be freed, and free nothing.
    older_than
        Keep what was written or used in the last DAYS days.
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock import pipeline_file, settings
    from penstock.adapters import pruning
    from penstock.adapters.tracking.connection import Connection
    from penstock.adapters.tracking.registry import MlflowRegistry
    from penstock.errors import BadInput, Mistake

    if bool(pipeline) == all_:
        found = "both" if all_ else "neither"
        rule = "prune takes PIPELINE or --all"
        raise BadInput(Mistake(rule, found, "prune", "penstock prune --all --dry-run"))
    path = pipeline_file.locate(pipeline) if pipeline else None
    folder = path.parent if path else Path.cwd().resolve() / "data" / "any"
    places = settings.read(folder)
    name = pipeline_file.read(path).name if path else ""
    connection = Connection(places.tracking_uri, places.home)
    connection.probe()
    versions = MlflowRegistry(connection).everything()
    waste = pruning.waste(places.home, places.store, versions, older_than, name)
    if places.store_url:
        waste.notes.append("Only the cache here: other machines may need what is behind the URL.")
    if not dry_run:
        waste.free()
    print(json.dumps(_answer(waste, dry_run)) if json_ else _lines(waste, dry_run))
    return OK


def _answer(waste: Waste, dry_run: bool) -> dict[str, object]:
    kinds = {kind: {"count": n, "bytes": size} for kind, (n, size) in waste.by_kind().items()}
    return {
        "freed": not dry_run,
        "bytes": waste.num_bytes,
        "kinds": kinds,
        "kept_in_store": waste.num_kept,
        "notes": waste.notes,
    }


def _lines(waste: Waste, dry_run: bool) -> str:
    word = "would be freed" if dry_run else "freed"
    lines = [
        f"  {kind:16} {number:6,}  {size / 1e6:10,.1f} MB"
        for kind, (number, size) in waste.by_kind().items()
    ]
    total = f"{waste.num_bytes / 1e6:,.1f} MB {word}; {waste.num_kept:,} files of the store stay."
    return "\n".join([*lines, total, *(f"note: {note}" for note in waste.notes)])
