"""Hide addresses and long numbers in text, before anything is stored, shown or learnt.

strings -> strings with ``[email]``, ``[url]`` and ``[number]`` in their place
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

MASKS = {
    "[email]": r"[\pL\pM\p{Nd}._%+'-]+@[\pL\pM\p{Nd}-]+(?:\.[\pL\pM\p{Nd}-]+)+",
    "[url]": r"(?i)\b(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>\"]+",
    "[number]": r"\+?\(?\p{Nd}(?:[ \x{a0}()./-]{0,2}\p{Nd}){6,}",
}
"""What is hidden, and its pattern, in the order in which they are looked for. A number has seven
digits or more, alone or with single signs between them, as telephone, card and account numbers
have (house choice); a date may be taken for one."""


def masked(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of strings with what :data:`MASKS` finds replaced; nulls stay.

    Examples
    --------
    >>> texts = ["Ask jo.b@mail.example.org or +39 055 123-4567 (room 12).", None]
    >>> masked(pa.chunked_array([texts])).to_pylist()
    ['Ask [email] or [number] (room 12).', None]
    >>> masked(pa.chunked_array([["see https://x.org/a?id=1, www.y.com"]])).to_pylist()
    ['see [url] [url]']
    """
    for name, pattern in MASKS.items():
        column = pc.replace_substring_regex(column, pattern=pattern, replacement=name)
    return column
