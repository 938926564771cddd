"""From data to a model, and what is known of it: ``train``, ``report``, ``verify``."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from penstock.cli.app import CRASHED, EXIT_STATUS, OK, app, overrides_of


@app.command
def train(
    pipeline: str,
    /,
    *,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    refresh: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Train a model and register it if every gate lets it pass.

    Exit status: 0 registered or champion kept, 3 refused, 6 awaits approval, 2 bad input,
    1 crashed.

    Parameters
    ----------
    pipeline
        A folder, a pipeline.yaml, or the name of a folder under data/.
    set_
        A field of the spec for this run: split.seed=1. May be repeated.
    refresh
        Compute every stage again, whatever is cached.
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock.cli.running import prepared, services_of

    overrides = overrides_of(set_ or [])
    services = services_of(pipeline, overrides)
    services.check()
    with prepared(services):
        from flows.running import decision_of
        from flows.train import train as flow

        decision = decision_of(flow, str(services.path), refresh, overrides)
    if json_:
        print(json.dumps(decision.answer()))
    else:
        from penstock.adapters import terminal

        terminal.show(decision, services.connection.address)
    return EXIT_STATUS[decision.verdict]


@app.command
def report(
    pipeline: str, /, *, show: Annotated[bool, Parameter(name="--open", negative="")] = False
) -> int:
    """Print the path of the newest report of a pipeline.

    Parameters
    ----------
    pipeline
        A folder, a pipeline.yaml, or the name of a folder under data/.
    show
        Open it in the browser as well.
    """
    from penstock.cli.running import services_of
    from penstock.errors import BadInput, Mistake

    path = services_of(pipeline).reports / "latest.html"
    if not path.is_file():
        raise BadInput(
            Mistake("a report follows a run", "no run yet", str(path), f"penstock train {pipeline}")
        )
    print(path)
    if show:
        import webbrowser

        webbrowser.open(path.as_uri())
    return OK


@app.command
def verify(
    pipeline: str,
    /,
    *,
    version: Annotated[int, Parameter(name="--version")] = 0,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Recompute the chain from data to decision; name the first link that does not hold.

    Exit status: 0 every link holds, 1 one does not, 2 bad input.

    Parameters
    ----------
    pipeline
        A folder, a pipeline.yaml, or the name of a folder under data/.
    version
        Of the registered model; default: the champion.
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock.adapters import verification
    from penstock.cli.running import services_of

    services = services_of(pipeline)
    services.connection.probe()
    registry, number = services.registry, str(version) if version else ""
    found = verification.version_of(services.spec.registered_name, number, registry)
    result = verification.verify(found, registry, services.store)
    print(verification.to_json(result) if json_ else verification.show(result))
    return CRASHED if result.broken else OK
