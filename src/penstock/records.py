"""The small frozen values that pass between stages.

A record *refers* to big data in the store (key and SHA-256) and never carries it. It never
holds an absolute path. Its fingerprint covers what it *is* (data, states, choices), not what
was said about it (evidence) nor how long it took.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from penstock.evidence import Check, Evidence, Frozen, Number
from penstock.fingerprint import of_json

Role = Literal["feature", "target", "split", "group", "time", "metadata", "left_out"]
VerdictWord = Literal["registered", "kept_champion", "awaiting_approval", "refused"]


class Blob(Frozen):
    """A file in the store.

    Attributes
    ----------
    key : str
        Store-relative, made from the content's SHA-256 and an ending.
    sha256 : str
        Of the content, hexadecimal.
    num_bytes : int
        Its size.
    """

    key: str
    sha256: str
    num_bytes: int = Field(ge=0)


class Rows(Frozen):
    """A table in the store: a Parquet file and its number of rows."""

    blob: Blob
    num_rows: int = Field(ge=0)


class Column(Frozen):
    """One column of a snapshot.

    Attributes
    ----------
    name : str
        As in the source.
    modality : str
        numeric, category, set, timestamp, text, image, audio, identifier or constant.
    arrow_type : str
        As Arrow spells it, for example ``int64`` or ``timestamp[us, tz=UTC]``.
    role : Role
        What the pipeline does with it.
    why : str
        Why it has this modality and role, when that is not obvious.
    """

    name: str
    modality: str
    arrow_type: str
    role: Role = "feature"
    why: str = ""


class Layout(Frozen):
    """What the columns of a table are and what is predicted.

    Attributes
    ----------
    columns : list of Column
        In the order of the source.
    target : str
        The column to predict.
    task : str
        ``classification`` or ``regression`` (a name in ``penstock.tasks``).
    classes : list of str
        The levels of the target in encoding order; empty for regression.
    sensitive : list of str
        Columns whose groups are compared.
    """

    columns: list[Column]
    target: str
    task: str
    classes: list[str] = []
    sensitive: list[str] = []

    def named(self, role: Role) -> list[str]:
        """Names of the columns with this role, in order."""
        return [column.name for column in self.columns if column.role == role]

    @property
    def features(self) -> list[Column]:
        """The columns that the model reads."""
        return [column for column in self.columns if column.role == "feature"]

    def column(self, name: str) -> Column:
        """The column of this name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


class Record(Frozen):
    """What every record has: its evidence and its cost.

    Attributes
    ----------
    evidence : Evidence
        What the stage found.
    seconds : float
        Wall-clock time of the stage that made it; never part of the fingerprint.
    """

    evidence: Evidence = Evidence()
    seconds: float = 0.0

    unsigned: ClassVar[set[str]] = {"evidence", "seconds"}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the record's content, without evidence and timings."""
        return of_json(self.model_dump(mode="json", exclude=self.unsigned))


class Snapshot(Record):
    """Immutable rows that were read once; from ``ingest``, and again, clean, from ``validate``."""

    rows: Rows
    layout: Layout
    source: str
    quarantine: Rows | None = None


class Split(Record):
    """Three parts of a snapshot. A stage is handed the parts it may see, never the whole."""

    train: Rows
    valid: Rows
    test: Rows
    layout: Layout


class Objective(Record):
    """What the training optimises and what it is judged by.

    Attributes
    ----------
    loss : str
        A name in ``penstock.learning.losses`` or of an entry point ``penstock.losses``.
    metric : str
        The declared metric, with scikit-learn's name.
    """

    loss: str
    metric: str


class Fitted(Record):
    """A trained model: weights, column states, and what it cost.

    Attributes
    ----------
    weights : Blob
        ``safetensors``.
    state : Blob
        JSON: layout, column states, network settings, format version.
    loss, metric : str
        The objective it was trained for.
    history : dict of str to list of float
        Per-epoch curves, replayed into MLflow.
    cost : dict of str to float
        ``seconds``, ``cpu_seconds``, ``peak_memory_mib``, ``num_parameters``, ``epochs``.
    layout : Layout
        What it reads and predicts.
    """

    weights: Blob
    state: Blob
    layout: Layout
    loss: str
    metric: str
    history: dict[str, list[Number]] = {}
    cost: dict[str, Number] = {}

    unsigned: ClassVar[set[str]] = {"evidence", "seconds", "cost"}


class Estimate(Frozen):
    """A measured quantity with its 95% interval."""

    value: Number
    low: Number = None
    high: Number = None


class Scorecard(Record):
    """How the model does on rows that nothing was fitted on.

    Attributes
    ----------
    metrics : dict of str to Estimate
        On the test rows, scikit-learn's names.
    baselines : dict of str to dict of str to float
        The same metrics for each baseline.
    predictions : Rows
        Test predictions with target and row losses.
    """

    metrics: dict[str, Estimate]
    baselines: dict[str, dict[str, Number]] = {}
    predictions: Rows


class Verdict(Record):
    """All checks of a run, judged."""

    passed: bool
    checks: list[Check]


class Decision(Record):
    """What became of the model: the last record of a run, and the JSON that ``train`` prints."""

    verdict: VerdictWord
    model: str
    version: str = ""
    run_id: str = ""
    flow_run_id: str = ""
    fingerprints: dict[str, str] = {}
    metrics: dict[str, Number] = {}
    checks: list[Check] = []
    timings: dict[str, float] = {}
    cached: list[str] = []
    report: str = ""
    why: str = ""

    def answer(self) -> dict[str, Any]:
        """The JSON object of ``penstock train --json``."""
        fields = {"name", "stage", "subject", "value", "low", "high", "limit", "outcome", "why"}
        checks = [
            check.model_dump(mode="json", include=fields | {"remedy"}) for check in self.checks
        ]
        return {
            "verdict": self.verdict,
            "model": self.model,
            "version": self.version or None,
            "run_id": self.run_id or None,
            "flow_run_id": self.flow_run_id or None,
            "fingerprint": self.fingerprints.get("data"),
            "metrics": self.metrics,
            "checks": checks,
            "seconds": self.timings,
            "cached": self.cached,
            "report": self.report or None,
        }
