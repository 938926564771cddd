"""Write what a run did to MLflow: one run a flow run, explicit run ids, no global state.

parameters, metrics, curves, data, files -> an MLflow run
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from penstock.adapters.tracking.connection import Connection, without_secrets

if TYPE_CHECKING:
    from mlflow.entities import Metric

    from penstock.records import Rows

METRICS_PER_BATCH = 1000
PARAMS_PER_BATCH = 100
KEY_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
DIGEST_LENGTH = 36
"""MLflow's own limits (``mlflow.utils.validation``)."""

DESCRIPTION = "mlflow.note.content"
"""The tag that MLflow shows as a run's description."""

MODEL_TRAINING = "?workflowType=machine_learning"
"""Opens MLflow's page as one of trained models. Without it a browser that is new there gets the
page for language models: no curves, the run among *evaluation runs*."""

EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""The same, said to those servers that ask the experiment."""

SHARED_VIEW = "penstock"
SHARED_VIEW_TAG = f"mlflow.sharedViewState.{SHARED_VIEW}"
"""A view of the run list that MLflow keeps with the experiment, opened by its key in the address.
By itself the list has no column for any metric."""

DIFF_BYTES = 1 << 20
"""Most of an uncommitted change that is kept (house choice)."""

GIT_SECONDS = 10

Status = Literal["FINISHED", "FAILED", "KILLED"]


class Tracking:
    """Runs in MLflow.

    Every method raises :class:`penstock.errors.RegistryUnreachable` when MLflow gives no
    answer.

    Parameters
    ----------
    connection : Connection
        Opened by the first call.
    """

    def __init__(self, connection: Connection):
        self.connection = connection

    def start(
        self,
        pipeline: str,
        tags: Mapping[str, str],
        folder: Path | None = None,
        name: str | None = None,
    ) -> str:
        """Start a run in the experiment of this pipeline.

        Parameters
        ----------
        pipeline : str
            The experiment's name.
        tags : mapping of str to str
            Flow run, its address, fingerprints.
        folder : Path, optional
            The pipeline's folder: its git commit becomes a tag, an uncommitted change a file.
        name : str, optional
            Of the run; default: one that MLflow makes up.

        Returns
        -------
        str
            The run id.
        """
        client = self.connection.client
        commit, diff = git_state(folder) if folder else ("", "")
        written = {
            "mlflow.source.type": "PROJECT",
            "mlflow.source.name": f"penstock train {pipeline}",
        }
        if commit:
            written |= {"mlflow.source.git.commit": commit, "git.dirty": str(bool(diff)).lower()}
        written |= {key_of(key): without_secrets(text)[:TAG_LENGTH] for key, text in tags.items()}
        with self.connection.reaching():
            experiment = self._experiment(pipeline)
            run = client.create_run(experiment, _now(), written, name)
            run_id: str = run.info.run_id
            then = f"attributes.start_time = {run.info.start_time}"
            for other in client.search_runs([experiment], then):
                if other.info.run_id != run_id and written.items() <= other.data.tags.items():
                    client.delete_run(other.info.run_id)  # made by a request whose answer got lost
        if diff:
            self.log_files(run_id, {"git/uncommitted.diff": diff})
        return run_id

    def log_params(self, run_id: str, spec: Mapping[str, Any]) -> None:
        """Log a nested mapping as parameters with dotted names; secrets in URLs are blanked."""
        from mlflow.entities import Param

        params = [Param(key, text) for key, text in flat(spec).items()]
        with self.connection.reaching():
            for batch in _batches(params, PARAMS_PER_BATCH):
                self.connection.client.log_batch(run_id, params=batch)

    def log_metrics(self, run_id: str, stage: str, metrics: Mapping[str, float | None]) -> None:
        """Log numbers of a stage as ``stage/metric``; what is not a finite number is left out."""
        now = _now()
        self._log(run_id, _finite(((f"{stage}/{name}", v, now, 0) for name, v in metrics.items())))

    def log_curves(
        self, run_id: str, stage: str, curves: Mapping[str, Sequence[float | None]]
    ) -> None:
        """Log curves as ``stage/curve``, one step an epoch, counted from 1."""
        now = _now()
        points = (
            (f"{stage}/{name}", value, now, step)
            for name, values in curves.items()
            for step, value in enumerate(values, start=1)
        )
        self._log(run_id, _finite(points))

    def log_datasets(self, run_id: str, parts: Mapping[str, Rows], source: str) -> None:
        """Log ``train``, ``valid`` and ``test`` as inputs, by our own SHA-256.

        MLflow's digest reads only the first 10,000 rows and holds 36 characters; the first 36
        of ours are the digest, all 64 stand in the profile.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(
                    name=part,
                    digest=rows.blob.sha256[:DIGEST_LENGTH],
                    source_type="penstock",
                    source=json.dumps({"source": without_secrets(source), "key": rows.blob.key}),
                    profile=json.dumps({"num_rows": rows.num_rows, "sha256": rows.blob.sha256}),
                ),
                tags=[InputTag("mlflow.data.context", part)],
            )
            for part, rows in parts.items()
        ]
        with self.connection.reaching():
            self.connection.client.log_inputs(run_id, datasets=inputs)

    def log_files(self, run_id: str, files: Mapping[str, str | bytes | Path]) -> None:
        """Log files by the path that they get in the run: text, bytes or a local file."""
        with tempfile.TemporaryDirectory() as scratch:
            for name, content in files.items():
                target = Path(scratch) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, Path):
                    content = content.read_bytes()
                target.write_bytes(content.encode() if isinstance(content, str) else content)
            with self.connection.reaching():
                self.connection.client.log_artifacts(run_id, scratch)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags on a run, for example its verdict."""
        from mlflow.entities import RunTag

        written = [RunTag(key_of(k), without_secrets(v)[:TAG_LENGTH]) for k, v in tags.items()]
        with self.connection.reaching():
            for batch in _batches(written, PARAMS_PER_BATCH):
                self.connection.client.log_batch(run_id, tags=batch)

    def finish(self, run_id: str, status: Status = "FINISHED") -> None:
        """End a run; a cancelled one is ``KILLED``, so that none stays *Running* for ever."""
        with self.connection.reaching():
            self.connection.client.set_terminated(run_id, status)

    def describe(self, run_id: str, text: str) -> None:
        """Set the description of a run, Markdown, which stands on its page and in the list."""
        self.tag(run_id, {DESCRIPTION: text})

    def compare(self, run_id: str, metrics: Sequence[str], tags: Sequence[str]) -> None:
        """Have the list of this run's experiment show these metrics and tags, a column each."""
        columns = [f"tags.`{key_of(name)}`" for name in tags]
        columns += [f"metrics.`{key_of(name)}`" for name in metrics]
        newest = "attributes.start_time"
        view = {
            "selectedColumns": columns,
            "columnOrder": [newest, *columns],
            "orderByKey": newest,
            "orderByAsc": False,
        }
        client = self.connection.client
        with self.connection.reaching():
            experiment = client.get_run(run_id).info.experiment_id
            client.set_experiment_tag(experiment, SHARED_VIEW_TAG, json.dumps(view))

    def url(self, run_id: str) -> str:
        """Where a person sees the run; empty when no server shows it."""
        return self._page(run_id, "")

    def pages(self, run_id: str, report: str, model: str, version: str) -> dict[str, str]:
        """Where a person sees the run, its report, and the version that it made.

        Parameters
        ----------
        run_id : str
            The run.
        report : str
            The report's path among the run's files.
        model, version : str
            The registered version; an empty version: none was made.

        Returns
        -------
        dict of str to str
            Label to address; empty when no server shows them.
        """
        if not self._base:
            return {}
        found = {"MLflow run": self.url(run_id)}
        found["Report"] = self._page(run_id, f"/artifacts/{quote(report)}")
        found["All runs"] = self._list(run_id)
        if version:
            path = f"models/{quote(model, safe='')}/versions/{quote(version, safe='')}"
            found[f"{model} v{version}"] = f"{self._base}/#/{path}{MODEL_TRAINING}"
        return found

    @property
    def _base(self) -> str:
        address = self.connection.page.rstrip("/")
        return address if address.startswith(("http://", "https://")) else ""

    def _page(self, run_id: str, path: str) -> str:
        if not self._base:
            return ""
        return f"{self._experiment_page(run_id)}/runs/{run_id}{path}{MODEL_TRAINING}"

    def _list(self, run_id: str) -> str:
        page = f"{self._experiment_page(run_id)}/runs{MODEL_TRAINING}"
        return f"{page}&viewStateShareKey={SHARED_VIEW}"

    def _experiment_page(self, run_id: str) -> str:
        with self.connection.reaching():
            experiment = self.connection.client.get_run(run_id).info.experiment_id
        return f"{self._base}/#/experiments/{experiment}"

    def _experiment(self, name: str) -> str:
        """The experiment of this name; made, or brought back from the bin, when needed."""
        from mlflow.exceptions import MlflowException

        client = self.connection.client
        found = client.get_experiment_by_name(name)
        if found is None:
            root = self.connection.artifact_root
            try:
                place = root and f"{root}/{name}"
                made: str = client.create_experiment(name, place, tags=EXPERIMENT_TAGS)
                return made
            except MlflowException:
                found = client.get_experiment_by_name(name)  # another process was faster
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        known: str = found.experiment_id
        return known

    def _log(self, run_id: str, metrics: list[Metric]) -> None:
        with self.connection.reaching():
            for batch in _batches(metrics, METRICS_PER_BATCH):
                self.connection.client.log_batch(run_id, metrics=batch)


def flat(spec: Mapping[str, Any]) -> dict[str, str]:
    """A nested mapping as parameters: dotted names, texts within MLflow's limits, no secrets.

    Examples
    --------
    >>> flat({"split": {"test": 0.2, "column": ""}})
    {'split.test': '0.2', 'split.column': ''}
    """
    found: dict[str, str] = {}
    waiting = [("", spec)]
    while waiting:
        prefix, mapping = waiting.pop(0)
        for name, value in mapping.items():
            key = f"{prefix}.{name}" if prefix else str(name)
            if isinstance(value, Mapping) and value:
                waiting.append((key, value))
                continue
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found[_unused(key_of(key), found)] = without_secrets(text)[:PARAM_LENGTH]
    return found


def key_of(name: str) -> str:
    """A name as MLflow takes it: letters, digits and ``_ - . : /`` and spaces.

    Examples
    --------
    >>> key_of("capital-gain (USD)")
    'capital-gain _USD_'
    """
    parts = re.sub(r"[^\w\-. :/]", "_", name).split("/")
    # MLflow refuses a key that is not its own normal form as a path
    kept = [part.strip() for part in parts if part.strip() not in ("", ".", "..")]
    return "/".join(kept)[:KEY_LENGTH].rstrip("/") or "_"


def git_state(folder: Path) -> tuple[str, str]:
    """Commit and uncommitted change of the repository around a folder; empty without one."""
    commit = _git(folder, "rev-parse", "HEAD").strip()
    if not commit:
        return "", ""
    status = _git(folder, "status", "--porcelain", "--untracked-files=normal")
    if not status.strip():
        return commit, ""
    diff = _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff")
    if len(diff) > DIFF_BYTES:
        diff = f"{diff[:DIFF_BYTES]}\n... cut after {DIFF_BYTES} characters\n"
    return commit, without_secrets(f"{status}\n{diff}")


def _git(folder: Path, *arguments: str) -> str:
    """What git says; empty when there is no git, no repository, or no answer in time."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _unused(key: str, taken: Mapping[str, str]) -> str:
    number, free = 2, key
    while free in taken:
        free, number = f"{key[: KEY_LENGTH - 5]}_{number}", number + 1
    return free


def _finite(points: Iterable[tuple[str, float | None, int, int]]) -> list[Metric]:
    from mlflow.entities import Metric

    return [
        Metric(key_of(name), float(value), stamp, step)
        for name, value, stamp, step in points
        if value is not None and math.isfinite(value)
    ]


def _batches(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _now() -> int:
    return int(time.time() * 1000)
