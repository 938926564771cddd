"""``penstock monitor``."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from penstock.cli.app import OK, app

ALARM = 4


@app.command
def monitor(
    pipeline: str,
    /,
    *,
    current: str = "",
    labels: str = "",
    window: str = "",
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Hold later rows against the world that the champion was made in.

    Exit status: 0 steady, or drift that does not matter; 4 alarm, 2 bad input, 1 crashed.

    Parameters
    ----------
    pipeline
        A folder, a pipeline.yaml, or the name of a folder under data/.
    current
        New rows, with the target where it is known already: a file, a glob, a folder, a URL, or
        a database's URL with #table; default: what was scored in this window, else
        monitor.current or data.source of the spec.
    labels
        Rows of data.key and the target, whose truth came later; default: monitor.labels.
    window
        A..B, ISO dates or moments: only rows of which data.time lies in it; B is no longer in.
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock.cli.running import prepared, services_of

    services = services_of(pipeline)
    services.check_home()
    services.watching(current, labels, window)
    with prepared(services):
        from flows.monitor import monitor as flow
        from flows.running import result_of

        drift = result_of(flow, str(services.path), current, labels, window)
    if json_:
        print(json.dumps(drift.answer()))
    else:
        word = {"steady": "STEADY", "drift": "DRIFT THAT DOES NOT MATTER"}
        print(f"{word.get(drift.outcome, 'ALARM')}: {drift.model} version {drift.version},", end="")
        print(f" window {drift.window}, {drift.num_rows:,} rows")
        print(f"  {drift.why}")
        print(f"  report   {drift.report}")
    return ALARM if drift.outcome == "alarm" else OK
