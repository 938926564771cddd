"""Points in time."""

from __future__ import annotations
