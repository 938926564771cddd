"""Free text of several words."""

from __future__ import annotations
