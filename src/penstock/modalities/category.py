"""Categories: one of a number of levels, without order."""

from __future__ import annotations
