"""``penstock score``."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from penstock.cli.app import OK, app, tell


@app.command
def score(
    pipeline: str,
    /,
    *,
    input_: Annotated[str, Parameter(name="--input")] = "",
    output: str = "",
    window: str = "",
    version: Annotated[int, Parameter(name="--version")] = 0,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Score new rows with the champion, in constant memory at any size.

    Exit status: 0 scored, 3 no version with a passed verdict, 2 bad input, 1 crashed.

    Parameters
    ----------
    pipeline
        A folder, a pipeline.yaml, or the name of a folder under data/.
    input_
        New rows: a file, a glob, a folder, a URL, or a database's URL with #table; default:
        score.source of the spec.
    output
        Where predictions go: a file, a folder that ends with / and holds one file a window, or
        a database's URL with #table; default: score.output of the spec. What the same window or
        input had there is replaced.
    window
        A..B, ISO dates or moments: only rows of which data.time lies in it; B is no longer in.
    version
        Of the registered model; default: the champion.
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock.cli.running import prepared, services_of
    from penstock.errors import NoVerdict

    services = services_of(pipeline)
    services.check_home()
    services.scoring(input_, output, window)
    number = str(version) if version else ""
    model = services.spec.registered_name
    try:
        from penstock.stages.score import usable

        usable(model, number, services.registry)
        with prepared(services):
            from flows.running import result_of
            from flows.score import score as flow

            scored = result_of(flow, str(services.path), input_, output, window, version)
    except NoVerdict as error:
        if json_:
            why = error.mistakes[0].found
            refusal = {"verdict": "refused", "model": model, "version": number or None, "why": why}
            print(json.dumps(refusal))
        raise
    if json_:
        print(json.dumps(scored.answer()))
        return OK
    for note in scored.evidence.notes:
        tell(f"note: {note}")
    print(f"{scored.num_scored:,} rows scored by {scored.model} version {scored.version}", end="")
    print(f" at {scored.rows_per_second:,.0f} rows a second: {scored.output}")
    if scored.num_quarantined:
        print(f"{scored.num_quarantined:,} rows set aside: {services.quarantine}")
    return OK
