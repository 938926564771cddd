"""The small frozen values that pass between stages.

A record *refers* to big data in the store (key and SHA-256) and never carries it. It never
holds an absolute path. Its fingerprint covers what it *is* (data, states, choices), not what
was said about it (evidence) nor how long it took.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from penstock.evidence import Check, Evidence, Frozen, Number
from penstock.fingerprint import canonical, of_bytes

Role = Literal["feature", "target", "split", "group", "time", "metadata", "left_out"]
VerdictWord = Literal[
    "registered", "kept_champion", "awaiting_approval", "refused", "rejected", "rolled_back"
]
"""The last two are a person's word about a version."""


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
    """

    columns: list[Column]
    target: str
    task: str
    classes: list[str] = []

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
        return of_bytes(self.signed)

    @property
    def signed(self) -> bytes:
        """What the fingerprint is the SHA-256 of: canonical JSON."""
        return canonical(self.model_dump(mode="json", exclude=self.unsigned))


class Snapshot(Record):
    """Immutable rows that were read once; from ``ingest``, and again, clean, from ``validate``."""

    rows: Rows
    layout: Layout
    source: str
    quarantine: Rows | None = None

    unsigned: ClassVar[set[str]] = {"evidence", "seconds", "source"}
    """The same rows from another place are the same rows."""


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
    weights : Rows, optional
        One column ``weight``, ``float64``, mean 1: what each training row counts, in the order
        of the training rows. None: every row counts the same.
    valid_weights : Rows, optional
        The same for the validation rows, by the training rows' rule: training stops by the
        objective that it optimises.
    """

    loss: str
    metric: str
    weights: Rows | None = None
    valid_weights: Rows | None = None


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


class Grouping(Frozen):
    """How a column makes groups; what :mod:`penstock.measure.groups` reads.

    Attributes
    ----------
    column : str
        Its name.
    levels : list of str
        The groups of a column of names; empty for numbers.
    edges : list of float
        Ascending inner bounds between the groups of a column of numbers.
    """

    column: str
    levels: list[str] = []
    edges: list[float] = []


class Policy(Record):
    """What turns scores into decisions; chosen on validation rows only.

    Attributes
    ----------
    temperature : float
        Probabilities are raised to the power of its inverse and normalised (Guo et al., 2017).
    threshold : float or None
        Two classes: the second one is decided from this probability on. None: the most
        probable class, or the least cost.
    costs : list of list of float
        What it costs to decide the column's class where the row's class is true; empty:
        every error costs the same.
    grouping, thresholds : Grouping and dict of str to float
        A threshold a group, by the group's name; groups without one take ``threshold``.
    coverage : float
        Share of rows whose truth the prediction set or interval is to hold.
    radius : float or None
        Split-conformal quantile of the nonconformity scores; None: no sets or intervals.
    """

    temperature: float = Field(1.0, gt=0)
    threshold: Number = None
    costs: list[list[float]] = []
    grouping: Grouping | None = None
    thresholds: dict[str, float] = {}
    coverage: float = Field(0.9, gt=0, lt=1)
    radius: Number = None


class Findings(Record):
    """What a stage found that measures only: its evidence is its content."""

    unsigned: ClassVar[set[str]] = {"seconds"}


class Profile(Record):
    """The reference for monitoring.

    Attributes
    ----------
    sketch : Blob
        JSON with a format version: what each column and the scores looked like.
    sample : Rows, optional
        A bounded sample of raw feature rows; None where the spec switches it off.
    """

    sketch: Blob
    sample: Rows | None = None


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
        The output columns for the test rows, in their order; ``_target`` (class codes or
        values), ``_decided`` (class codes or values) and ``_row_loss`` beside them.
    """

    metrics: dict[str, Estimate]
    baselines: dict[str, dict[str, Number]] = {}
    predictions: Rows


class Verdict(Record):
    """All checks of a run, judged."""

    passed: bool
    checks: list[Check]


class Drift(Record):
    """What a window of later rows says of a model: the JSON that ``monitor`` prints.

    Attributes
    ----------
    model, version : str
        Who is watched.
    window : str
        ``A..B``, or a name made from the rows.
    num_rows, num_labelled : int
        Rows of the window; those whose truth is known.
    outcome : {"steady", "drift", "alarm"}
        ``drift``: inputs or predictions changed, and nothing says that it matters. ``alarm``:
        harm is estimated or realised, or the rows are like none that the model was tested on.
    harm : {"none", "estimated", "realised", "unknown"}
        What the alarm rests on; ``unknown``: rows without support in the reference.
    drift_p_value, harm_p_value : float
        Adjusted for everything that was looked at in this window; None where not measured.
    budget : float
        Share of windows without any change that may raise drift, and that may raise alarm.
    drifted : list of str
        Columns that changed, and ``predictions``, the most changed first.
    metric : str
        The declared one.
    reference, estimated, realised : Estimate
        The metric on the test rows of the training; on this window, without and with labels.
        None where it cannot be told.
    separation : Estimate
        ROC AUC of a classifier that tells the window's rows from the reference's; 0.5: none.
    unsupported : float
        Share of rows that are like hardly any row of the reference.
    """

    model: str
    version: str
    window: str
    num_rows: int = Field(ge=0)
    num_labelled: int = Field(0, ge=0)
    outcome: Literal["steady", "drift", "alarm"]
    harm: Literal["none", "estimated", "realised", "unknown"] = "none"
    drift_p_value: Number = None
    harm_p_value: Number = None
    budget: float
    drifted: list[str] = []
    metric: str
    reference: Estimate
    estimated: Estimate | None = None
    realised: Estimate | None = None
    separation: Estimate | None = None
    unsupported: Number = None
    why: str = ""
    run_id: str = ""
    flow_run_id: str = ""
    report: str = ""

    unsigned: ClassVar[set[str]] = {"evidence", "seconds", "run_id", "flow_run_id", "report"}

    def answer(self) -> dict[str, Any]:
        """The JSON object of ``penstock monitor --json``."""
        return self.model_dump(mode="json", exclude={"evidence", "seconds"})


class RetrainOrder(Record):
    """A retraining that was asked for, and what became of it.

    Attributes
    ----------
    id, model : str
        Of the order; of the registered model.
    status : {"open", "done", "failed", "declined"}
        ``declined``: it was not worth it, or not the time. ``failed``: the training did not
        reach a decision.
    reason : str
        Why it was asked for: a schedule, a person, an alarm of the monitor.
    why : str
        Why it was opened or declined; how it ended.
    asked_at, ended_at : str
        UTC, ISO 8601; empty while it is open.
    rows : Rows, optional
        The snapshot that was read for it.
    num_new_rows : int
        Its labelled rows that the training before did not have; -1: not counted.
    flow_run_id, verdict, version : str
        Where it ran, and what it ended with.
    """

    id: str
    model: str
    status: Literal["open", "done", "failed", "declined"]
    reason: str = ""
    why: str = ""
    asked_at: str
    ended_at: str = ""
    rows: Rows | None = None
    num_new_rows: int = Field(-1, ge=-1)
    flow_run_id: str = ""
    verdict: str = ""
    version: str = ""

    unsigned: ClassVar[set[str]] = {"evidence", "seconds"}


class Answer(Frozen):
    """What a person said about a version.

    Attributes
    ----------
    approve : bool
        Whether it may take the champion's place.
    name, reason : str
        Who says so, and why; both stand in the decision record.
    """

    approve: bool
    name: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=2000)

    @property
    def sentence(self) -> str:
        """Who said what, and why.

        Examples
        --------
        >>> Answer(approve=True, name="Ada", reason="Seen the report.").sentence
        'Approved by Ada: Seen the report.'
        """
        text = f"{'Approved' if self.approve else 'Rejected'} by {self.name}: {self.reason}"
        return text if text.endswith((".", "!", "?")) else f"{text}."


class Decision(Record):
    """What became of the model: the last record of a run, and the JSON that ``train`` prints.

    Attributes
    ----------
    version : str
        The one in use afterwards, or the one that waits for a yes.
    challenger, champion : str
        The version that was held against the champion; the champion it found.
    record : Blob, optional
        The decision record in the store.
    """

    verdict: VerdictWord
    model: str
    version: str = ""
    challenger: str = ""
    champion: str = ""
    record: Blob | None = None
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


class Scored(Record):
    """What became of new rows, and the JSON that ``score`` prints.

    Attributes
    ----------
    model, version : str
        Which model scored them.
    window : str
        Whose rows were written in place of those it had.
    num_rows, num_scored, num_quarantined : int
        Rows read in the window, scored, and set aside because they break the contract.
    output, quarantine, log : str
        Where the rows went, without secrets; empty where nothing was written.
    run_id : str
        Of the run that scored them; it stands beside each prediction.
    """

    model: str
    version: str
    window: str
    num_rows: int = Field(ge=0)
    num_scored: int = Field(ge=0)
    num_quarantined: int = Field(ge=0)
    output: str
    quarantine: str = ""
    log: str = ""
    run_id: str = ""

    @property
    def rows_per_second(self) -> float:
        """Rows read in a second, from the first row asked for to the last one written."""
        return self.num_rows / self.seconds if self.seconds else 0.0

    def answer(self) -> dict[str, Any]:
        """The JSON object of ``penstock score --json``."""
        return {
            "verdict": "scored",
            "model": self.model,
            "version": self.version,
            "run_id": self.run_id or None,
            "rows": self.num_rows,
            "scored": self.num_scored,
            "quarantined": self.num_quarantined,
            "window": self.window,
            "output": self.output,
            "quarantine": self.quarantine or None,
            "log": self.log or None,
            "seconds": self.seconds,
            "rows_per_second": round(self.rows_per_second, 1),
            "notes": self.evidence.notes,
        }
