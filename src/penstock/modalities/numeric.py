"""Numbers: amounts, measurements, counts."""

from __future__ import annotations
