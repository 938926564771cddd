"""``pipeline.yaml`` as one model: the file on disk, the JSON schema, the form in the UI.

No unions and no optional values, on purpose: forms show them badly. ``auto`` or ``0`` says
"size it from the data". Unknown keys are refused, all mistakes at once, each with its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from penstock.errors import BadInput, Mistake
from penstock.evidence import Action

FILE_NAME = "pipeline.yaml"

Task = Literal["auto", "classification", "regression"]
Modality = Literal[
    "auto", "numeric", "category", "set", "timestamp", "text", "image", "audio",
    "identifier", "constant", "exclude",
]  # fmt: skip


class Part(BaseModel):
    """A section of the spec: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Feature(Part):
    """What is said about one column instead of inferred."""

    modality: Modality = Field("auto", description="Kind of column; `exclude` leaves it out.")


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
        " classes, any other number is a regression.",
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

    strategy: Literal["stratified", "group", "time", "column"] = Field(
        "stratified",
        description="stratified by the target (random for regression); whole groups; earlier"
        " rows before later ones; or a column that holds train, valid, test.",
    )
    column: str = Field("", description="The group, time or split column.")
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


class ModelSpec(Part):
    """The network and its training. 0 and auto are sized from the data."""

    epochs: int = Field(0, ge=0, le=10_000, description="Most epochs; 0: from the row count.")
    batch_size: int = Field(0, ge=0, le=1 << 20, description="Rows a step; 0: from the row count.")
    learning_rate: float = Field(0.0, ge=0, le=1, description="AdamW's peak rate; 0: default.")
    weight_decay: float = Field(-1.0, ge=-1, le=10, description="AdamW's decay; -1: default.")
    width: int = Field(0, ge=0, le=8192, description="Hidden units a layer; 0: default.")
    depth: int = Field(0, ge=0, le=64, description="Hidden layers; 0: default.")
    dropout: float = Field(-1.0, ge=-1, lt=1, description="Hidden dropout; -1: default.")
    members: int = Field(
        0, ge=0, le=128, description="Ensemble members in one network; 0: default."
    )
    patience: int = Field(0, ge=0, le=10_000, description="Epochs without gain; 0: default.")
    image_size: int = Field(0, ge=0, le=1024, description="Side in pixels; 0: from the images.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of weights and batches.")


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


def _gate(limit: float, action: Action, description: str) -> Any:
    return Field(Gate(limit=limit, action=action), description=description)


class Gates(Part):
    """One gate a check. A default limit is a house choice unless its text names a source."""

    num_rows: Gate = _gate(100, "refuse", "Fewest rows worth training on.")
    unreadable_rows: Gate = _gate(0.05, "refuse", "Share of records that could not be read.")
    left_out_columns: Gate = _gate(0, "note", "Columns that no model should read.")
    failed_expectations: Gate = _gate(0, "refuse", "Failed expectations of severity error.")
    failed_warnings: Gate = _gate(0, "warn", "Failed expectations of severity warning.")
    quarantined_rows: Gate = _gate(0.05, "refuse", "Share of rows sent to quarantine.")
    duplicate_rows: Gate = _gate(0.1, "warn", "Share of rows equal to an earlier one.")
    conflicting_labels: Gate = _gate(
        0.05, "warn", "Share of rows equal to another but for the target."
    )
    telltale_column: Gate = _gate(
        0, "refuse", "Columns, or pairs, that carry the label as only a copy of it would."
    )
    equal_rows: Gate = _gate(
        0.01, "refuse", "Share of test rows that stand in train, above chance."
    )
    group_overlap: Gate = _gate(0, "refuse", "Groups on both sides of the split.")
    time_overlap: Gate = _gate(0, "refuse", "Share of test rows not later than the last train row.")
    part_difference: Gate = _gate(
        0.6, "warn", "ROC AUC of a classifier that tells train rows from test rows."
    )
    generalisation_gap: Gate = _gate(0.5, "note", "Valid loss over train loss, minus 1.")
    beats_trivial: Gate = _gate(0, "refuse", "Gain over a constant prediction, shown.")
    beats_linear: Gate = _gate(0, "warn", "Gain over a linear model.")
    beats_boosting: Gate = _gate(-0.01, "warn", "Gain over gradient boosting.")
    calibration: Gate = _gate(0.02, "warn", "Calibration error above a perfect model's.")
    compression: Gate = _gate(0, "refuse", "Share of the label's entropy that is saved, shown.")
    metric_floor: Gate = _gate(-1e9, "refuse", "Least declared metric, where more is better.")
    metric_ceiling: Gate = _gate(1e30, "refuse", "Largest declared metric, where less is better.")
    weak_slice: Gate = _gate(0.2, "note", "Largest rise of the loss in a slice, shown, as a share.")
    servable: Gate = _gate(1e-6, "refuse", "Difference of scores in a clean process.")
    loss_choice: Gate = _gate(
        0, "warn", "Gain of another loss over the chosen one in the declared metric, shown."
    )
    coverage: Gate = _gate(
        -0.02, "warn", "Coverage of prediction sets or intervals, less the promise."
    )
    stress_drop: Gate = _gate(
        0.1, "note", "Share of the gain over a constant that a mild shift of the input costs."
    )
    randomised_weights: Gate = _gate(
        0.5, "warn", "Rank correlation of attributions with those of a random network."
    )
    convergence_delta: Gate = _gate(
        0.05, "warn", "Share of a prediction that its attributions leave unexplained."
    )
    demographic_parity: Gate = _gate(
        0.8, "refuse", "Least ratio of selection rates (the four-fifths rule, EEOC 1978)."
    )
    equalized_odds: Gate = _gate(
        0.1, "refuse", "Largest difference of true or false positive rates."
    )
    worst_group: Gate = _gate(
        0.5, "refuse", "Largest rise of the loss in a group over that of all rows, as a share."
    )
    beats_champion: Gate = _gate(
        0, "note", "Gain over the champion that is needed to take its place, shown."
    )
    champion_group: Gate = _gate(
        -0.02, "note", "Least gain over the champion in each judged group."
    )
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

    show_rows: bool = Field(False, description="Show raw rows (they may be personal).")


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
        import difflib

        close = difflib.get_close_matches(text, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
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

    @property
    def registered_name(self) -> str:
        """The model's name in the registry."""
        return self.registry.model or self.name

    @property
    def mitigated_column(self) -> str:
        """The sensitive column whose groups the mitigation levels; empty when there is none."""
        first = self.data.sensitive[0] if self.data.sensitive else ""
        return "" if self.bias.mitigation == "none" else self.bias.column or first


def locate(pipeline: str | Path, root: Path | None = None) -> Path:
    """The ``pipeline.yaml`` that a folder, a file or a name under ``data/`` stands for.

    Parameters
    ----------
    pipeline : str or Path
        As typed by the user.
    root : Path, optional
        Where relative paths start; default: the working directory.

    Raises
    ------
    BadInput
        When there is no such file.
    """
    root = root or Path.cwd()
    tried = [root / pipeline, root / pipeline / FILE_NAME, root / "data" / pipeline / FILE_NAME]
    for path in tried:
        if path.is_file():
            return path.resolve()
    raise BadInput(
        Mistake(
            rule="PIPELINE is a folder, a pipeline.yaml, or the name of a folder under data/",
            found=f"no file {FILE_NAME} for {str(pipeline)!r}",
            where=str(root),
            remedy="write one with: penstock init DIR --source FILE --target COLUMN",
        )
    )


def read(path: Path, overrides: dict[str, Any] | None = None) -> Pipeline:
    """Read a ``pipeline.yaml``.

    Parameters
    ----------
    path : Path
        The file.
    overrides : dict, optional
        Field names and their values for this run: dotted, such as ``{"split.seed": 1}``, or by
        section, as the form in the UI sends them, such as ``{"split": {"seed": 1}}``.

    Raises
    ------
    BadInput
        With every mistake, each with file and line.
    """
    root, raw = _parsed(path)
    lines = _lines(root)
    mistakes = _repeated_keys(root, path)
    for name, value in dotted(overrides or {}).items():
        _override(raw, name, value)
        lines[tuple(name.split("."))] = -1
    try:
        pipeline = Pipeline.model_validate(raw)
    except ValidationError as error:
        mistakes += [_mistake(dict(found), path, lines) for found in error.errors()]
    if mistakes:
        raise BadInput(mistakes)
    return pipeline


def sound_part(path: Path, overrides: dict[str, Any] | None = None) -> Pipeline | None:
    """What a spec with mistakes says rightly of its source, so that the source is looked at too.

    Returns
    -------
    Pipeline or None
        With data, split and contract alone, unknown keys left out; None where ``data`` or
        ``contract`` is in doubt.
    """
    _, raw = _parsed(path)
    for name, value in dotted(overrides or {}).items():
        _override(raw, name, value)
    kept = {key: raw[key] for key in ("data", "split", "contract") if key in raw}
    try:
        Pipeline.model_validate({"name": "sound", **kept})
    except ValidationError as error:
        for found in error.errors():
            section, *names = map(str, found["loc"])
            if section not in kept and section == "split":
                continue
            if found["type"] == "extra_forbidden" and len(names) == 1:
                kept[section] = {k: v for k, v in kept[section].items() if k != names[0]}
            elif section == "split":
                kept.pop("split", None)
            else:
                return None
    return Pipeline.model_validate({"name": "sound", **kept})


def _parsed(path: Path) -> tuple[yaml.Node | None, dict[Any, Any]]:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(
            Mistake("the file is YAML in UTF-8", " ".join(str(error).split()), str(path))
        ) from error
    if not isinstance(raw, dict):
        raise BadInput(Mistake("the file is a YAML mapping", type(raw).__name__, str(path)))
    return root, raw


def schema() -> dict[str, Any]:
    """The JSON schema of ``pipeline.yaml``, for editors."""
    return Pipeline.model_json_schema()


def dotted(overrides: Mapping[str, Any], within: type[Part] = Pipeline) -> dict[str, Any]:
    """Overrides with a dotted name each, so that a section of some fields keeps its others.

    Examples
    --------
    >>> dotted({"split": {"seed": 1}, "gates": {"num_rows": {"limit": 9}}, "model.epochs": 2})
    {'split.seed': 1, 'gates.num_rows.limit': 9, 'model.epochs': 2}
    >>> dotted({"data": {"features": {"age": "category"}}})
    {'data.features': {'age': 'category'}}
    """
    found: dict[str, Any] = {}
    for name, value in overrides.items():
        field = within.model_fields.get(name)
        section = field.annotation if field else None
        if isinstance(value, dict) and isinstance(section, type) and issubclass(section, Part):
            found |= {f"{name}.{key}": one for key, one in dotted(value, section).items()}
        else:
            found[name] = value
    return found


def _override(raw: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    here = raw
    for parent in parents:
        inner = here.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise BadInput(Mistake("--set names a field of a section", name, "--set"))
        here = inner
    here[last] = value


def _lines(node: yaml.Node | None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """Line of each key, counted from 1."""
    found: dict[tuple[str, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            found[here] = key.start_mark.line + 1
            found.update(_lines(value, here))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            here = (*path, str(index))
            found[here] = value.start_mark.line + 1
            found.update(_lines(value, here))
    return found


def _repeated_keys(node: yaml.Node | None, path: Path) -> list[Mistake]:
    """YAML keeps the last of two equal keys without a word; that is a mistake here."""
    mistakes: list[Mistake] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                where = f"{path}:{key.start_mark.line + 1}"
                mistakes.append(Mistake("a key stands once in its section", key.value, where))
            seen.add(key.value)
            mistakes += _repeated_keys(value, path)
    return mistakes


def _mistake(error: dict[str, Any], path: Path, lines: dict[tuple[str, ...], int]) -> Mistake:
    location = tuple(str(part) for part in error["loc"])
    prefixes = [location[:length] for length in range(len(location), 0, -1)]
    known = next((lines[prefix] for prefix in prefixes if prefix in lines), 1)
    where = "--set" if known == -1 else f"{path}:{known}"
    field = ".".join(location)
    if error["type"] == "extra_forbidden":
        return Mistake("only known keys stand in the spec", field, where, _did_you_mean(location))
    if error["type"] == "missing":
        return Mistake(f"{field} is required", "nothing", where, f"add {field}")
    return Mistake(f"{field}: {error['msg']}", repr(error["input"]), where)


def _did_you_mean(location: tuple[str, ...]) -> str:
    import difflib

    model: Any = Pipeline
    for part in location[:-1]:
        field = model.model_fields.get(part)
        model = field.annotation if field else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return "remove it"
    known = list(model.model_fields)
    close = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    return f"remove it, or use one of: {', '.join(known)}"
