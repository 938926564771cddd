"""``pipeline.yaml`` as one model: the file on disk, the JSON schema, the form in the UI.

No unions and no optional values, on purpose: forms show them badly. ``auto`` or ``0`` says
"size it from the data". Unknown keys are refused, all mistakes at once, each with its line.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from penstock.spec.data import NOT_READ, Data, Feature, SplitSpec, Task
from penstock.spec.gates import Gate, Gates
from penstock.spec.part import Part
from penstock.spec.schedule import RetrainSpec, Schedule, Timetable

__all__ = [
    "NOT_READ",
    "BiasSpec",
    "Compute",
    "Data",
    "DecisionSpec",
    "Encoder",
    "Feature",
    "Gate",
    "Gates",
    "ModelSpec",
    "MonitorSpec",
    "ObjectiveSpec",
    "Part",
    "Pipeline",
    "ProfileSpec",
    "Registry",
    "Report",
    "RetrainSpec",
    "Schedule",
    "ScoreSpec",
    "SplitSpec",
    "Task",
    "Timetable",
    "division_of",
]


class ObjectiveSpec(Part):
    """What training optimises and what the model is judged by."""

    loss: str = Field("auto", description="A loss of the task; auto: the task's default.")
    metric: str = Field("auto", description="The declared metric, with scikit-learn's name.")
    trial_rows: int = Field(
        6000, ge=0, le=1_000_000,
        description="Training rows on which the losses are tried against one another; 0: none.",
    )  # fmt: skip


class DecisionSpec(Part):
    """How scores become decisions; chosen on validation rows only."""

    temperature: bool = Field(True, description="Correct over- or underconfidence.")
    threshold: Literal["auto", "probable", "metric", "cost"] = Field(
        "auto",
        description="probable: the most probable class; metric: best for the declared metric;"
        " cost: least expected cost by `costs`; auto: metric where that reads decisions.",
    )
    costs: list[list[float]] = Field(
        [], description="Cost matrix: a row a true class, a column a decided class, sorted."
    )
    coverage: float = Field(
        0.9, gt=0, lt=1, description="Share of rows whose truth sets and intervals are to hold."
    )


class BiasSpec(Part):
    """Which gap between groups is gated, and what is done about it."""

    criterion: Literal["auto", "demographic_parity", "equalized_odds", "worst_group"] = Field(
        "auto",
        description="The gated quantity; the others are notes. auto: demographic_parity for two"
        " classes, else worst_group.",
    )
    mitigation: Literal["none", "reweigh", "thresholds"] = Field(
        "none",
        description="reweigh the training rows so that label and group are independent; or a"
        " threshold for each group, which needs the group at prediction time.",
    )
    column: str = Field(
        "", description="The sensitive column that is mitigated; empty: the first one."
    )
    min_rows: int = Field(30, ge=2, le=1_000_000, description="Fewest rows to judge a group by.")

    def gated(self, num_classes: int) -> str:
        """The gated quantity, with ``auto`` said; 0 classes is a regression.

        Examples
        --------
        >>> BiasSpec().gated(2), BiasSpec().gated(0)
        ('demographic_parity', 'worst_group')
        """
        usual = "demographic_parity" if num_classes == 2 else "worst_group"
        return usual if self.criterion == "auto" else self.criterion


class ProfileSpec(Part):
    """What the reference for monitoring holds."""

    sample_rows: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="Test rows of which numbers, categories and views of texts and files are kept"
        " with the model, for monitoring; 0: none.",
    )


class MonitorSpec(Part):
    """How later rows are held against the reference that travels with the model."""

    current: str = Field(
        "", description="Where new rows are, spelled like data.source; empty: data.source."
    )
    labels: str = Field(
        "", description="Where labels come later: data.key and the target; empty: nowhere."
    )
    every: Literal["whole", "day", "week", "month"] = Field(
        "whole",
        description="Window of a run that names none: the last whole day, week or month by"
        " data.time; whole: all rows there are.",
    )
    label_delay: int = Field(
        0,
        ge=0,
        le=1000,
        description="So many earlier windows are looked at again while labels of theirs are out.",
    )
    budget: float = Field(
        0.01,
        gt=0,
        le=0.5,
        description="Share of windows without any change that may raise an alarm.",
    )
    margin: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Where inputs drifted: fall of the metric, as a share of it, that is harm.",
    )
    min_labels: int = Field(
        100, ge=2, le=1_000_000, description="Fewest labelled rows that speak for themselves."
    )  # fmt: skip


class Encoder(Part):
    """A pretrained network that reads a column in place of the built-in encoder."""

    pretrained: str = Field(
        title="Pretrained",
        description="A folder, relative to this file's, or a repository of the Hugging Face hub.",
        min_length=1,
    )
    tune: Literal["frozen", "last", "all", "lora"] = Field(
        "frozen",
        description="What training changes of it: nothing; its last block; all; or low-rank"
        " additions to its linear layers.",
    )
    revision: str = Field("", description="Of a repository: branch, tag or commit; empty: main.")


class ModelSpec(Part):
    """The network and its training. 0 and auto are sized from the data."""

    epochs: int = Field(0, ge=0, le=10_000, description="Most epochs; 0: from the row count.")
    batch_size: int = Field(0, ge=0, le=1 << 20, description="Rows a step; 0: from the row count.")
    learning_rate: float = Field(0.0, ge=0, le=1, description="AdamW's peak rate; 0: default.")
    weight_decay: float = Field(-1.0, ge=-1, le=10, description="AdamW's decay; -1: default.")
    width: int = Field(0, ge=0, le=8192, description="Hidden units a layer; 0: default.")
    depth: int = Field(0, ge=0, le=64, description="Hidden layers; 0: default.")
    dropout: float = Field(-1.0, ge=-1, lt=1, description="Hidden dropout; -1: default.")
    column_dropout: float = Field(
        -1.0,
        ge=-1,
        lt=1,
        description="Share of rows in which an image, text or sound beside other columns is hidden"
        " while learning; -1: default.",
    )
    members: int = Field(
        0, ge=0, le=128, description="Ensemble members in one network; 0: default."
    )
    patience: int = Field(0, ge=0, le=10_000, description="Epochs without gain; 0: default.")
    image_size: int = Field(0, ge=0, le=1024, description="Side in pixels; 0: from the images.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of weights and batches.")
    encoders: dict[str, Encoder] = Field(
        {}, description="Columns of image, text or audio that a pretrained network reads."
    )

    @field_validator("encoders", mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        """Accept ``photo: models/vit`` for ``photo: {pretrained: models/vit}``."""
        if isinstance(value, dict):
            return {k: {"pretrained": v} if isinstance(v, str) else v for k, v in value.items()}
        return value

    @property
    def built_in(self) -> ModelSpec:
        """The same without pretrained networks."""
        return self.model_copy(update={"encoders": {}})


class Registry(Part):
    """Where the model is registered, and who says yes."""

    model: str = Field("", description="Registered name; empty: the pipeline's name.")
    approval: Literal["auto", "human"] = Field(
        "auto", description="human: a better challenger waits for a person's yes."
    )


class Compute(Part):
    """What the run may use."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if any.")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads; 0: all cores.")


class Report(Part):
    """What the report may show."""

    show_rows: bool = Field(
        False,
        description="Show single rows: those that the model is most wrong about, and texts,"
        " pictures and sounds with what moved their answers (may be personal).",
    )


class ScoreSpec(Part):
    """What is scored by itself, on a schedule; a call may say another source and output."""

    source: str = Field("", description="New rows, spelt as data.source.")
    query: str = Field("", description="For a database: SQL that selects the new rows.")
    output: str = Field(
        "",
        description="Where predictions go: a file, a folder that ends with / and holds one file a"
        " window, or a database's URL with #table.",
    )
    log: bool = Field(
        True, description="Keep what was predicted from what, window by window, for monitoring."
    )


class Pipeline(Part):
    """One model line: from its data to its name in the registry."""

    name: str = Field(title="Name", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    description: str = Field("", description="One line for people.")
    data: Data
    contract: str = Field(
        "contract.yaml", description="Great Expectations suite, relative to this file's folder."
    )
    split: SplitSpec = SplitSpec()
    objective: ObjectiveSpec = ObjectiveSpec()
    model: ModelSpec = ModelSpec()
    decision: DecisionSpec = DecisionSpec()
    bias: BiasSpec = BiasSpec()
    profile: ProfileSpec = ProfileSpec()
    monitor: MonitorSpec = MonitorSpec()
    retrain: RetrainSpec = RetrainSpec()
    registry: Registry = Registry()
    score: ScoreSpec = ScoreSpec()
    schedule: Schedule = Schedule()
    gates: Gates = Gates()
    compute: Compute = Compute()
    report: Report = Report()

    @model_validator(mode="before")
    @classmethod
    def _of_users(cls, value: Any) -> Any:
        """Rows of users are named by who took, and ordered by ``data.time`` where the split names
        no column."""
        if not isinstance(value, dict) or not isinstance(value.get("data"), dict):
            return value
        data, split = value["data"], value.get("split") or {}
        if not data.get("user") or not isinstance(split, dict):
            return value
        value = value | {"data": data | {"key": data.get("key") or data["user"]}}
        by_time = split.get("strategy", "auto") in ("auto", "per_user", "time")
        if by_time and data.get("time") and not split.get("column"):
            return value | {"split": split | {"column": data["time"]}}
        return value

    @property
    def registered_name(self) -> str:
        """The model's name in the registry."""
        return self.registry.model or self.name

    @property
    def mitigated_column(self) -> str:
        """The sensitive column whose groups the mitigation levels; empty when there is none."""
        first = self.data.sensitive[0] if self.data.sensitive else ""
        return "" if self.bias.mitigation == "none" else self.bias.column or first


def division_of(data: Data) -> SplitSpec:
    """How rows are divided where nothing is said of it but what the columns are.

    Examples
    --------
    >>> division_of(Data(source="x", target="item", user="who", time="when")).column
    'when'
    """
    return Pipeline.model_validate({"name": "new", "data": data.model_dump()}).split
