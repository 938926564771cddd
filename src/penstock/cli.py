"""The story, at a terminal: ``penstock init | train | report | up | down | status | ...``.

Entry points translate only: words into calls, results into lines and exit statuses. Nothing
heavy is imported before a command needs it.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from penstock import __version__

if TYPE_CHECKING:
    from penstock.records import Decision

OK, CRASHED, BAD_INPUT, REFUSED, AWAITS_APPROVAL = 0, 1, 2, 3, 6
EXIT_STATUS = {
    "registered": OK,
    "kept_champion": OK,
    "awaiting_approval": AWAITS_APPROVAL,
    "refused": REFUSED,
}

app = App(
    name="penstock",
    help="The gated pipe from data to a model that has earned its place in the registry.",
    version=__version__,
)


def main() -> None:
    """Run a command; turn errors into one message and an exit status."""
    from penstock.errors import BadInput, PenstockError

    try:
        status = app(
            sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except CycloptsError as error:
        _tell(f"{error}\nSee: penstock --help")
        status = BAD_INPUT
    except BadInput as error:
        _tell(error.message)
        status = BAD_INPUT
    except PenstockError as error:
        _tell(error.message)
        status = CRASHED
    except KeyboardInterrupt:
        _tell("Interrupted. What was finished is kept; type the same command to go on.")
        status = 130
    except BrokenPipeError as error:  # a reader such as head has seen enough
        _tell(f"{error}: standard output was closed before its end")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = CRASHED
    raise SystemExit(status or OK)


@app.command
def init(
    folder: Path,
    /,
    *,
    source: str,
    target: str,
    query: str = "",
    sensitive: str = "",
    force: bool = False,
) -> int:
    """Look at the data and write pipeline.yaml, contract.yaml and card.md.

    Parameters
    ----------
    folder
        Where the three files go.
    source
        A file, a glob, a folder of files, or a name pattern such as 'images/{label}_{n}.png';
        a URL of files such as s3://bucket/rows.parquet; or a database's URL with #table, such
        as sqlite:///shop.db#orders. '${NAME}' stands for an environment variable: no password
        belongs here.
    target
        The column to predict.
    query
        For a database: SQL that selects the rows, or a table's name instead of #table.
    sensitive
        Columns whose groups are compared, with commas between them.
    force
        Replace files that are there already.
    """
    import tempfile

    from penstock import spec
    from penstock.adapters.project import write_project
    from penstock.adapters.sources import open_source
    from penstock.adapters.store import LocalStore
    from penstock.stages.ingest import check_columns, ingest
    from penstock.tables.proposal import propose

    names = [name.strip() for name in sensitive.split(",") if name.strip()]
    data = spec.Data(source=source, query=query, target=target, sensitive=names)
    opened = open_source(data, Path.cwd())
    check_columns(opened.schema.names, data, spec.SplitSpec())
    with tempfile.TemporaryDirectory() as scratch:
        store = LocalStore(Path(scratch))
        snapshot = ingest(opened, data, spec.SplitSpec(), store)
        contract = propose(store.table(snapshot.rows), snapshot.layout, names)
        written = write_project(folder, snapshot, data, contract, force)
    for note in snapshot.evidence.notes:
        _tell(f"note: {note}")
    for path in written:
        print(_short(path))
    print(f"Read them, then: penstock train {_short(folder)}")
    return OK


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
    from penstock import spec
    from penstock.services import Services

    path = spec.locate(pipeline)
    overrides = _overrides(set_ or [])
    services = Services(path, overrides)
    services.check()
    decision = _run_train(path, overrides, refresh, services)
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
    from penstock import spec
    from penstock.errors import BadInput, Mistake
    from penstock.services import Services

    path = Services(spec.locate(pipeline)).reports / "latest.html"
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
def sample(name: str, /, folder: Path | None = None) -> int:
    """Write a sample pipeline with its data to a folder.

    Parameters
    ----------
    name
        adult (census income, a table) or digits (8x8 handwritten digits, PNG files).
    folder
        Where it goes; default: data/NAME.
    """
    from penstock.adapters.samples import write_sample

    written = write_sample(name, folder or Path("data") / name)
    print(_short(written))
    print(f"Next: penstock train {_short(written)}")
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
    from penstock import spec
    from penstock.adapters import verification
    from penstock.services import Services

    services = Services(spec.locate(pipeline))
    services.connection.probe()
    registry, number = services.registry, str(version) if version else ""
    found = verification.version_of(services.spec.registered_name, number, registry)
    result = verification.verify(found, registry, services.store)
    print(verification.to_json(result) if json_ else verification.show(result))
    return CRASHED if result.broken else OK


@app.command
def schema() -> int:
    """Print the JSON schema of pipeline.yaml, for editors."""
    from penstock import spec

    print(json.dumps(spec.schema(), indent=2))
    return OK


@app.command
def up(
    *,
    prefect_port: int = 0,
    mlflow_port: int = 0,
    host: str = "",
    foreground: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Start Prefect, MLflow and a worker, and deploy every pipeline under data/.

    A second call says what runs and deploys again. Run it in the project's folder.

    Parameters
    ----------
    prefect_port
        Port of the Prefect page and its API; default: 4200.
    mlflow_port
        Port of the MLflow page and its API; default: 5000.
    host
        Address to listen on, default: 127.0.0.1; others demand passwords for both servers.
    foreground
        Stay and watch over the parts until SIGTERM, for a service manager.
    """
    from penstock import settings
    from penstock.servers import control

    project = Path.cwd().resolve()
    asked = control.Asked(host, prefect_port, mlflow_port)
    return control.up(settings.home_of(project), project, _say, asked, foreground)


@app.command
def down() -> int:
    """End what penstock up started; runs are cancelled, history and models are kept."""
    from penstock import settings
    from penstock.servers import control

    return control.down(settings.home_of(Path.cwd()), _say)


@app.command
def status(*, json_: Annotated[bool, Parameter(name="--json", negative="")] = False) -> int:
    """Say what runs, since when, at which address, and what is deployed.

    Exit status: 0 when all parts run, else 1.

    Parameters
    ----------
    json_
        Print one JSON object on standard output and nothing else there.
    """
    from penstock import settings
    from penstock.servers.status import status, table

    found = status(settings.home_of(Path.cwd()))
    print(json.dumps(found) if json_ else table(found))
    return OK if found["up"] else CRASHED


@app.command
def doctor(pipeline: str = "", /) -> int:
    """Say what is here and what is missing: versions, device, store, MLflow.

    Parameters
    ----------
    pipeline
        Whose store and MLflow are tried; default: those of the working directory.
    """
    from penstock.doctor import findings

    found = findings(pipeline)
    for line in found:
        print(f"{'ok  ' if line.ok else 'FAIL'} {line.what}: {line.found}")
        if not line.ok:
            print(f"     to do: {line.remedy}")
    return OK if all(line.ok for line in found) else CRASHED


def _run_train(path: Path, overrides: dict[str, Any], refresh: bool, services: Any) -> Decision:
    """Run the train flow in this process; its log goes to standard error."""
    new = [p for p in (services.settings.home, services.settings.store) if not p.exists()]
    unwanted: list[Path] = []
    atexit.register(_remove, unwanted)  # before Prefect's own, so it runs after its server ended
    _prepare_prefect(services)
    handler = _log_to_terminal()
    from flows.running import decision_of
    from flows.train import train as flow
    from penstock.errors import BadInput

    try:
        return decision_of(flow, str(path), refresh, overrides)
    except BadInput:
        unwanted += new
        raise
    finally:
        handler.close()


def _prepare_prefect(services: Any) -> None:
    """Prefect's own place and manners, where the user has not said them."""
    defaults = {
        "PREFECT_HOME": str(services.settings.home / "prefect"),
        "PREFECT_LOGGING_EXTRA_LOGGERS": "penstock",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
        "DO_NOT_TRACK": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin starve one another on a shared machine
    }
    from penstock.servers.parts import passwords

    defaults |= passwords(os.environ)  # in the shell that started the servers
    if services.settings.prefect_api_url:
        defaults["PREFECT_API_URL"] = services.settings.prefect_api_url
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)


def _log_to_terminal() -> logging.Handler:
    """Show penstock's log on standard error."""
    from penstock.adapters import terminal

    handler = terminal.handler()
    logger = logging.getLogger("penstock")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    if not os.environ.get("PREFECT_API_URL"):
        logger.info("Starting Prefect for this run ...")
    return handler


def _remove(folders: list[Path]) -> None:
    """Take away what a run made that kept nothing."""
    import shutil

    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _overrides(pairs: list[str]) -> dict[str, Any]:
    """``a.b=value`` pairs; values are YAML, so that numbers and lists are what they look like.

    Examples
    --------
    >>> _overrides(["split.seed=1", "data.sensitive=[sex]"])
    {'split.seed': 1, 'data.sensitive': ['sex']}
    """
    import yaml

    from penstock.errors import BadInput, Mistake

    found, mistakes = {}, []
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            mistakes.append(Mistake("--set takes FIELD=VALUE", pair, "--set", "--set split.seed=1"))
            continue
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            mistakes.append(Mistake("VALUE is YAML", " ".join(str(error).split()), f"--set {name}"))
    if mistakes:
        raise BadInput(mistakes)
    return found


def _short(path: Path) -> str:
    """A path as the user would type it."""
    here = Path.cwd()
    resolved = path.resolve()
    return str(resolved.relative_to(here) if resolved.is_relative_to(here) else resolved)


def _say(text: str) -> None:
    print(text, flush=True)


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
