"""Sets of categories in one cell, such as 'Comedy|Drama'."""

from __future__ import annotations
