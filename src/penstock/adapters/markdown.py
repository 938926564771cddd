"""Text and tables as Markdown that shows them as they are, whatever the data says."""

from __future__ import annotations

import html
import re

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What no page can show: control characters and halves of pairs."""


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escaped("a|b <i>")
    'a\\\\|b &lt;i&gt;'
    """
    flat = " ".join(UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text).split())
    return re.sub(r"([\\`*_{}\[\]|~#!])", r"\\\1", html.escape(flat, quote=False))


def pipes(columns: list[str], rows: list[list[str]]) -> str:
    """A table; every cell is escaped."""
    cells = [[escaped(text) for text in row] for row in rows]
    head = [escaped(text) for text in columns]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *cells])
