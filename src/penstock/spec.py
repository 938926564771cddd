"""``pipeline.yaml`` as one model: the file on disk, the JSON schema, the form in the UI.

No unions and no optional values, on purpose: forms show them badly. ``auto`` or ``0`` says
"size it from the data". Unknown keys are refused, all mistakes at once, each with its line.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from penstock import plugins
from penstock.errors import did_you_mean
from penstock.evidence import Action

Task = Literal[
    "auto", "classification", "ordinal", "regression", "count", "ranking", "next_token",
]  # fmt: skip
NOT_READ = ("identifier", "constant", "exclude")
"""What may be said of a column instead of a modality: no network reads it."""


class Part(BaseModel):
    """A section of the spec: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _modalities() -> list[str]:
    return ["auto", *plugins.modules("penstock.modalities"), *NOT_READ]


class Feature(Part):
    """What is said about one column instead of inferred."""

    modality: str = Field(
        "auto",
        description="Kind of column; `exclude` leaves it out.",
        json_schema_extra=lambda schema: schema.update({"enum": [*_modalities()]}),
    )

    @field_validator("modality")
    @classmethod
    def _installed(cls, name: str) -> str:
        """A file of penstock.modalities, or what another package adds to them."""
        known = _modalities()
        if name not in known:
            raise ValueError(f"{did_you_mean(name, known)} one of: {', '.join(known)}".strip())
        return name

    mask: bool = Field(
        False,
        description="Text: hide e-mail addresses, URLs and numbers of seven or more digits, before"
        " anything is stored, learnt or predicted.",
    )


class Data(Part):
    """Where the rows are and what is predicted."""

    unsigned: ClassVar[set[str]] = {"sensitive", "key", "time"}
    """What the snapshot does not depend on."""

    source: str = Field(
        title="Source",
        description="A file, a glob, a folder of files or a name pattern such as"
        " images/{label}_{index}.png, relative to this file's folder; a URL of files such as"
        " s3://bucket/rows/*.parquet; or a database's URL with #table, such as"
        " postgresql://host/shop#orders. ${NAME} stands for an environment variable.",
        min_length=1,
    )
    query: str = Field(
        "",
        description="For a database: SQL that selects the rows, with ORDER BY, or a table's name"
        " instead of #table.",
    )
    target: str = Field(title="Target", description="Column to predict.", min_length=1)
    task: Task = Field(
        "auto",
        description="auto: text, booleans, path groups and integers of up to 20 levels are"
        " classes, any other number is a regression. ordinal: classes that have an order; count:"
        " whole numbers from 0 on, how often something happens; ranking: the target is an item"
        " that users took; next_token: the target is a text, predicted token by token.",
    )
    order: list[str] = Field(
        [], description="For ordinal: the classes, the lowest first; empty: the numbers' order."
    )
    weight: str = Field(
        "", description="Column that says how much a row counts in training; no feature."
    )
    user: str = Field("", description="For a ranking: column that says who took the item.")
    feedback: str = Field(
        "", description="For a ranking: column of ratings; empty: each row counts as taken."
    )
    feedback_from: float = Field(
        0.0, description="For a ranking: a row is relevant from this rating on."
    )
    context: list[str] = Field(
        [], description="For a ranking: columns that are known when a list is asked for."
    )
    sensitive: list[str] = Field([], description="Columns whose groups are compared.")
    key: str = Field("", description="Column that names a row, by which labels come later.")
    time: str = Field("", description="Column that says when a row is from, for windows.")
    features: dict[str, Feature] = Field(
        {}, description="Columns whose modality is said here instead of inferred."
    )
    format: Literal["auto", "csv", "jsonl", "parquet", "files"] = Field(
        "auto", description="auto: by the file's ending."
    )
    encoding: str = Field("utf-8", description="Text encoding of CSV and JSON lines.")
    delimiter: str = Field("", description="CSV delimiter; empty: told from the file.")

    @field_validator("features", mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        """Accept ``age: numeric`` for ``age: {modality: numeric}``."""
        if isinstance(value, dict):
            return {k: {"modality": v} if isinstance(v, str) else v for k, v in value.items()}
        return value


class SplitSpec(Part):
    """How rows are divided into train, valid and test."""

    strategy: Literal["auto", "stratified", "group", "time", "column", "per_user"] = Field(
        "auto",
        description="stratified by the target (random where there are no classes); whole groups;"
        " earlier rows before later ones; a column that holds train, valid, test; or of each user"
        " the earlier rows before the later ones. auto: stratified, for a ranking per_user.",
    )
    column: str = Field(
        "", description="The group, time or split column; per_user: the time, empty: data.time."
    )
    test: float = Field(0.2, gt=0, lt=1, description="Share of rows in test.")
    valid: float = Field(0.1, gt=0, lt=1, description="Share of rows in valid.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of the division.")


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
        1000, ge=0, le=100_000, description="Raw rows kept with the model; 0: none."
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


class Gate(Part):
    """The limit of one check, and what happens beyond it."""

    limit: float = Field(description="Largest or smallest value that passes, by the check.")
    action: Action = Field("refuse", description="What a failure does to the verdict.")


def _gate(action: Action, limit: float, description: str) -> Any:
    return Field(Gate(limit=limit, action=action), description=description)


_refuse, _warn, _note = (partial(_gate, action) for action in ("refuse", "warn", "note"))


class Gates(Part):
    """One gate a check. A default limit is a house choice unless its text names a source."""

    num_rows: Gate = _refuse(100, "Fewest rows worth training on.")
    unreadable_rows: Gate = _refuse(0.05, "Share of records that could not be read.")
    left_out_columns: Gate = _note(0, "Columns that no model should read.")
    failed_expectations: Gate = _refuse(0, "Failed expectations of severity error.")
    failed_warnings: Gate = _warn(0, "Failed expectations of severity warning.")
    quarantined_rows: Gate = _refuse(0.05, "Share of rows sent to quarantine.")
    duplicate_rows: Gate = _warn(0.1, "Share of rows equal to an earlier one.")
    conflicting_labels: Gate = _warn(0.05, "Share of rows equal to another but for the target.")
    telltale_column: Gate = _refuse(
        0, "Columns, or pairs, that carry the label as only a copy of it would."
    )
    equal_rows: Gate = _refuse(0.01, "Share of test rows that stand in train, above chance.")
    near_copies: Gate = _warn(
        0.01, "Share of test rows with a near copy of a text, image or sound in train."
    )
    group_overlap: Gate = _refuse(0, "Groups on both sides of the split.")
    time_overlap: Gate = _refuse(0, "Share of test rows not later than the last train row.")
    part_difference: Gate = _warn(
        0.6, "ROC AUC of a classifier that tells train rows from test rows."
    )
    generalisation_gap: Gate = _note(0.5, "Valid loss over train loss, minus 1.")
    unknown_licences: Gate = _warn(0, "Pretrained networks that state no licence.")
    beats_trivial: Gate = _refuse(0, "Gain over a constant prediction, shown.")
    beats_linear: Gate = _warn(0, "Gain over a linear model.")
    beats_boosting: Gate = _warn(-0.01, "Gain over gradient boosting.")
    beats_popularity: Gate = _refuse(0, "Gain over the most popular items, shown.")
    beats_item_knn: Gate = _warn(0, "Gain over item neighbours.")
    beats_matrix_factorisation: Gate = _warn(0, "Gain over matrix factorisation.")
    beats_ngram: Gate = _warn(0, "Gain over frequencies of tokens after others.")
    beats_zlib: Gate = _warn(0, "Gain over zlib that was given the training text.")
    beats_xz: Gate = _warn(0, "Gain over xz that was given the training text.")
    memorised: Gate = _refuse(
        0.05, "Share of training text that is known by heart, above that of other text."
    )
    repetition: Gate = _warn(0.1, "Repeated runs in what is written, above those in real text.")
    calibration: Gate = _warn(0.02, "Calibration error above a perfect model's.")
    compression: Gate = _refuse(0, "Share of the label's entropy that is saved, shown.")
    metric_floor: Gate = _refuse(-1e9, "Least declared metric, where more is better.")
    metric_ceiling: Gate = _refuse(1e30, "Largest declared metric, where less is better.")
    weak_slice: Gate = _note(0.2, "Largest rise of the loss in a slice, shown, as a share.")
    servable: Gate = _refuse(1e-6, "Difference of scores in a clean process.")
    loss_choice: Gate = _warn(
        0, "Gain of another loss over the chosen one in the declared metric, shown."
    )
    coverage: Gate = _warn(-0.02, "Coverage of prediction sets or intervals, less the promise.")
    stress_drop: Gate = _note(
        0.1, "Share of the gain over a constant that a mild shift of the input costs."
    )
    randomised_weights: Gate = _warn(
        0.5, "Rank correlation of attributions with those of a random network."
    )
    convergence_delta: Gate = _warn(
        0.05, "Share of a prediction that its attributions leave unexplained."
    )
    demographic_parity: Gate = _refuse(
        0.8, "Least ratio of selection rates (the four-fifths rule, EEOC 1978)."
    )
    equalized_odds: Gate = _refuse(0.1, "Largest difference of true or false positive rates.")
    worst_group: Gate = _refuse(
        0.5, "Largest rise of the loss in a group over that of all rows, as a share."
    )
    beats_champion: Gate = _note(
        0, "Gain over the champion that is needed to take its place, shown."
    )
    champion_group: Gate = _note(-0.02, "Least gain over the champion in each judged group.")
    extra: dict[str, Gate] = Field({}, description="Gates of checks that plug-ins add.")

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, value: Any) -> Any:
        """A gate of which only the limit or only the action is said keeps its other default."""
        if not isinstance(value, dict):
            return value
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        return {
            name: defaults[name].model_dump() | said
            if isinstance(said, dict) and isinstance(defaults.get(name), Gate)
            else said
            for name, said in value.items()
        }

    def of(self, check: str) -> Gate | None:
        """The gate of a check's name; None when nobody declared one."""
        if check in type(self).model_fields and check != "extra":
            gate: Gate = getattr(self, check)
            return gate
        return self.extra.get(check)


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


class Timetable(Part):
    """When a flow of this pipeline starts by itself."""

    cron: str = Field("", description="Five fields, such as 0 3 * * 1; empty: never by itself.")
    timezone: str = Field("UTC", description="IANA name, such as Europe/Rome.")

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, text: str) -> str:
        from datetime import UTC, datetime

        from cronsim import CronSim, CronSimError

        if not text.strip():
            return ""
        if len(text.split()) != 5:
            raise ValueError("five fields: minute, hour, day of month, month, day of week")
        try:
            CronSim(text, datetime.now(UTC))
        except CronSimError as error:
            raise ValueError(
                f"no cron schedule ({error}); five fields, such as 0 3 * * 1"
            ) from error
        return text.strip()

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, text: str) -> str:
        import zoneinfo

        known = zoneinfo.available_timezones()
        if text in known:
            return text
        hint = did_you_mean(text, known)
        hint = f"; {hint}" if hint else ""
        raise ValueError(f"no timezone of the IANA list, such as Europe/Rome{hint}")


class RetrainSpec(Part):
    """When a model is worth training again; a person may at any time."""

    on_drift: bool = Field(True, description="An alarm of the monitor starts a retraining.")
    cooldown_days: float = Field(
        1.0, ge=0, le=3650, description="Least time between two retrainings."
    )
    min_new_rows: int = Field(
        100, ge=0, le=1_000_000_000,
        description="Fewest labelled rows that the training before did not have.",
    )  # fmt: skip
    budget_runs_per_30_days: int = Field(
        8, ge=0, le=10_000, description="Most retrainings in any 30 days; 0: none by themselves."
    )


class Schedule(Part):
    """When each flow of this pipeline starts by itself; a plain text is its cron, in UTC."""

    train: Timetable = Field(Timetable(), description="Train on the source as it is then.")
    score: Timetable = Field(Timetable(), description="Score new rows with the champion.")
    monitor: Timetable = Field(Timetable(), description="Compare new rows with the reference.")
    retrain: Timetable = Field(Timetable(), description="Train again where it is worth it.")

    @field_validator("*", mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        """Accept ``train: 0 3 * * 1`` for ``train: {cron: 0 3 * * 1}``."""
        return {"cron": value} if isinstance(value, str) else value


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
    def _ordered(cls, value: Any) -> Any:
        """Rows of a user are ordered by ``data.time`` where the split names no column."""
        if not isinstance(value, dict) or not isinstance(value.get("data"), dict):
            return value
        data, split = value["data"], value.get("split") or {}
        if not isinstance(split, dict) or not (data.get("user") and data.get("time")):
            return value
        by_time = split.get("strategy", "auto") in ("auto", "per_user", "time")
        if by_time and not split.get("column"):
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
