"""What every section of the spec is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A section of the spec: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
