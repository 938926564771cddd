"""The small frozen values that pass between stages.

A record *refers* to big data in the store (key and SHA-256) and never carries it. It never
holds an absolute path. Its fingerprint covers what it *is* (data, states, choices), not what
was said about it (evidence) nor how long it took.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from penstock.evidence import Check, Evidence, Frozen, Number
from penstock.fingerprint import canonical, of_bytes

Role = Literal[
    "feature", "target", "split", "group", "time", "metadata", "left_out",
    "user", "item", "feedback", "weight",
]  # fmt: skip


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
    masked : bool
        Whether addresses and long numbers in it are hidden wherever it is read; see
        :mod:`penstock.tables.masking`.
    optional : bool
        Whether new rows may come without it: each value is then missing.
    """

    name: str
    modality: str
    arrow_type: str
    role: Role = "feature"
    why: str = ""
    masked: bool = False
    optional: bool = False


NAMES = " (file)"
"""Ends the name of the column that keeps the names of another column's files."""


class Layout(Frozen):
    """What the columns of a table are and what is predicted.

    Attributes
    ----------
    columns : list of Column
        In the order of the source.
    target : str
        The column to predict.
    task : str
        A name in ``penstock.tasks``, such as ``classification``.
    classes : list of str
        The levels of the target in encoding order; empty where there are no classes.
    catalogue : list of str
        What can be recommended, in encoding order; empty but for a ranking.
    relevant_from : float
        Of a ranking: a row counts as taken from this feedback on.
    """

    columns: list[Column]
    target: str
    task: str
    classes: list[str] = []
    catalogue: list[str] = []
    relevant_from: float = 0.0

    def named(self, role: Role) -> list[str]:
        """Names of the columns with this role, in order."""
        return [column.name for column in self.columns if column.role == role]

    def named_by(self, column: str) -> str:
        """The column with the names of a column's files; empty where they are not kept."""
        kept = self.named("metadata")
        return next((name for name in (column + NAMES, "path") if name in kept), "")

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


class Backbone(Frozen):
    """A pretrained network, before any training here.

    Attributes
    ----------
    name, revision : str
        A repository and its commit, or the name of a folder and nothing.
    licence : str
        As its own card says; ``unknown`` where it says nothing.
    files : dict of str to Blob
        By their names: config, weights, and what prepares its inputs.
    """

    name: str
    revision: str = ""
    licence: str = "unknown"
    files: dict[str, Blob]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its files, names and contents."""
        return of_bytes(canonical({name: blob.sha256 for name, blob in self.files.items()}))


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
    backbones : dict of str to Backbone
        The pretrained networks by the column that they read.
    """

    weights: Blob
    state: Blob
    layout: Layout
    loss: str
    metric: str
    history: dict[str, list[Number]] = {}
    cost: dict[str, Number] = {}
    backbones: dict[str, Backbone] = {}

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
    radius_rows : int
        Validation rows that the radius was chosen on.
    """

    temperature: float = Field(1.0, gt=0)
    threshold: Number = None
    costs: list[list[float]] = []
    grouping: Grouping | None = None
    thresholds: dict[str, float] = {}
    coverage: float = Field(0.9, gt=0, lt=1)
    radius: Number = None
    radius_rows: int = Field(0, ge=0)


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
