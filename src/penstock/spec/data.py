"""The rows, what is predicted from them, and how they are divided."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from penstock import plugins
from penstock.errors import did_you_mean
from penstock.spec.part import Part

Task = Literal[
    "auto", "classification", "ordinal", "regression", "count", "ranking", "next_token",
]  # fmt: skip
NOT_READ = ("identifier", "constant", "exclude")
"""What may be said of a column instead of a modality: no network reads it."""


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
        [],
        description="For ordinal: the classes, the lowest first; empty: the numbers' order. Of two"
        " classes the positive one last; empty: the last one by spelling.",
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
    key: str = Field(
        "", description="Column that names a row, by which labels come later; ranking: the user."
    )
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

    @field_validator("order", mode="before")
    @classmethod
    def _spelled(cls, value: Any) -> Any:
        """Accept numbers and booleans as YAML reads them: ``[1, 0]``, ``[false, true]``."""
        if isinstance(value, list):
            bare = [str(each).lower() if isinstance(each, bool) else each for each in value]
            return [str(each) if isinstance(each, int | float) else each for each in bare]
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
        "",
        description="The group, time or split column; per_user: the time, empty: data.time, or the"
        " order of the rows.",
    )
    test: float = Field(0.2, gt=0, lt=1, description="Share of rows in test.")
    valid: float = Field(0.1, gt=0, lt=1, description="Share of rows in valid.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of the division.")
