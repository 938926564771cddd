"""When flows start by themselves."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from penstock.errors import did_you_mean
from penstock.spec.part import Part


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
