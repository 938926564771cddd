"""Tell what each column of a table is: its storage type, its modality, its use to a model.

raw column -> :class:`Survey`, one for each column, decided over all rows
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock import modalities, plugins
from penstock.errors import Mistake
from penstock.tables import arrow_types, masking, named_files
from penstock.tables.arrow_types import Reading

MIN_ROWS = 20
"""With fewer values nothing is called an identifier (house choice)."""

UNIQUE = 0.98
"""Share of distinct values from which a code identifies its row: duplicates of a few rows do
not make a feature of it (house choice)."""

MOST_DISTINCT = 0.5
"""Largest share of distinct values at which text that no network reads serves as a category
(house choice)."""

ID_WORDS = {"id", "uuid", "guid", "key", "index", "idx", "no", "nr", "num", "number", "code", "pk"}
"""Last word of a name by which whole numbers that never repeat are taken for identifiers."""

MEDIA_ENDING = (
    r"\.(png|jpe?g|jpe|jfif|gif|bmp|tiff?|webp|avif|jp2|p[bgpn]m"
    r"|wave?|flac|og[ga]|opus|mp3|aiff?|au|caf)$"
)
"""How names of images and sounds end."""

NOT_FEATURES = ("identifier", "constant", "exclude")


@dataclass(frozen=True)
class Survey:
    """What was found out about one column.

    Attributes
    ----------
    name : str
        As in the source.
    modality : str
        A modality, ``identifier`` or ``constant``; empty when no modality can use the type.
    reading : Reading or None
        How its rows are read; None when they are not stored at all.
    why : str
        Why it has this modality.
    usable : bool
        Whether a model may read it.
    num_rows : int
        Rows surveyed.
    num_null, num_distinct : int or None
        After reading; None for media, whose values are not compared.
    infinite : int
        Infinite values that became null.
    summary : str
        A few numbers for people, no row's own values of text.
    names_files : bool
        Whether the rows name files, whose content is what is read.
    """

    name: str
    modality: str
    reading: Reading | None
    why: str = ""
    usable: bool = True
    num_rows: int = 0
    num_null: int | None = None
    num_distinct: int | None = None
    infinite: int = 0
    summary: str = ""
    names_files: bool = False


def survey(
    name: str, raw: pa.ChunkedArray, wanted: str = "auto", kind: str = "", mask: bool = False
) -> tuple[Survey, list[Mistake]]:
    """Survey one column.

    Parameters
    ----------
    name : str
        Its name, which tells identifiers.
    raw : pa.ChunkedArray
        All its rows; a sample is enough for media.
    wanted : str
        The modality that the spec says, or ``auto``.
    kind : str
        The modality that the source knows, ``category``, ``image``, ..., or empty.
    mask : bool
        Whether addresses and long numbers are hidden; the column is then read as text.

    Returns
    -------
    survey : Survey
    mistakes : list of Mistake
        When the values are not of the modality that the spec says.
    """
    said = wanted if wanted not in ("auto", "exclude") else ""
    reading = _masked(raw) if mask else _reading(raw, said or kind)
    if mask and reading is None:
        return Survey(name, "", None, "", usable=False), [
            _not_of(name, "text", [f"type {raw.type}"])
        ]
    if reading is None:
        reason = f"no modality reads columns of type {raw.type}"
        named = said and said not in NOT_FEATURES
        mistakes = [_not_of(name, said, [f"type {raw.type}"])] if named else []
        return Survey(name, "", None, reason, usable=False), mistakes
    typed = reading.read(raw)
    mistakes = _contradictions(name, said, typed if mask else raw, typed)
    modality, why = (said, "said in data.features") if said else infer(name, typed, kind)
    found = Survey(
        name,
        modality,
        reading,
        "; ".join(filter(None, (why, reading.why))),
        usable=wanted != "exclude" and modality not in NOT_FEATURES,
        num_rows=len(raw),
        infinite=arrow_types.count_infinite(raw),
        **_statistics(typed, modality),
    )
    return _without_encoder(found, wanted), mistakes


def infer(name: str, typed: pa.ChunkedArray, kind: str = "") -> tuple[str, str]:
    """The modality of a typed column, and why when it is not plain.

    Examples
    --------
    >>> infer("price", pa.chunked_array([[1.5, 2.5]]))
    ('numeric', '')
    >>> infer("customer_id", pa.chunked_array([list(range(7, 107))]))[0]
    'identifier'
    """
    if holds(kind) == "bytes":
        return kind, ""
    if typed.null_count == len(typed):
        return "constant", "no value in any row"
    comparable = not pa.types.is_binary(typed.type)
    if comparable and typed.null_count == 0 and pc.count_distinct(typed).as_py() == 1:
        return "constant", "one value in all rows"
    scores = {
        plugin: modalities.load(plugin).recognise(typed, name)
        for plugin in plugins.modules("penstock.modalities")
    }
    best = max(scores, key=lambda plugin: scores[plugin])
    if scores[best] == 0:
        return "", f"no modality recognises its values ({typed.type})"
    if kind == "category":
        return "category", ""
    if why := _identifies(name, typed, best):
        return "identifier", f"{why}; {FILES}" if not kind and _name_files(typed) else why
    return best, ""


def _identifies(name: str, typed: pa.ChunkedArray, modality: str) -> str:
    """Why these values only name their row; empty when they do not."""
    num_values = len(typed) - typed.null_count
    whole = pa.types.is_integer(typed.type)
    if num_values < MIN_ROWS or not (whole or modality == "category"):
        return ""
    if pa.types.is_boolean(typed.type):
        return ""
    num_distinct = pc.count_distinct(typed).as_py()
    if num_distinct < UNIQUE * num_values:
        return ""
    if not whole:
        return f"a code: {num_distinct} distinct values in {num_values} rows"
    limits = pc.min_max(typed).as_py()
    if limits["max"] - limits["min"] + 1 <= num_distinct / UNIQUE:
        return f"consecutive numbers: {num_distinct} distinct values in {num_values} rows"
    if named_like_id(name):
        return f"named like an identifier, {num_distinct} distinct values in {num_values} rows"
    return ""


FILES = (
    "they look like names of files, but none is there: name them relative to the table's folder, or"
    f" set {named_files.ROOT} to the folder that they are relative to"
)


def _name_files(typed: pa.ChunkedArray) -> bool:
    """Whether nearly all values end as files of images or sounds do."""
    if not pa.types.is_string(typed.type):
        return False
    ends = pc.match_substring_regex(typed.drop_null(), MEDIA_ENDING, ignore_case=True)
    return bool(pc.mean(ends.cast(pa.float64())).as_py() >= UNIQUE)


def named_like_id(name: str) -> bool:
    """Whether a column's name says that it identifies.

    Examples
    --------
    >>> [named_like_id(n) for n in ("id", "CustomerID", "order_no", "Unnamed: 0", "width", "paid")]
    [True, True, True, True, False, False]
    """
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    if name.startswith("__index_level_"):  # an index that pandas wrote beside the columns
        return True
    return bool(words) and (words[-1] in ID_WORDS or words[0] in ("id", "unnamed"))


def holds(modality: str) -> str:
    """As what a modality reads its columns; empty for what is none.

    Examples
    --------
    >>> holds("timestamp"), holds("set"), holds("identifier")
    ('time', 'text', '')
    """
    known = modality in plugins.modules("penstock.modalities")
    return modalities.load(modality).HOLDS if known else ""


def _reading(raw: pa.ChunkedArray, modality: str) -> Reading | None:
    """How the rows are read for a modality that was said, or by themselves."""
    held = holds(modality)
    if held in ("number", "time"):
        found = arrow_types.reading(raw, "numeric" if held == "number" else "timestamp")
        if found and held == "number" and pa.types.is_boolean(found.arrow_type):
            number = partial(pc.cast, target_type=pa.float64())
            return Reading(pa.float64(), _then(found.read, number), {})
        return found
    if held == "text":
        return arrow_types.reading(raw, "text")
    found = arrow_types.reading(raw)
    if held == "level" and found and found.tokens:
        return arrow_types.reading(raw, "text")  # what is no number is a level
    return found


def _masked(raw: pa.ChunkedArray) -> Reading | None:
    """How text is read whose addresses and long numbers are hidden; None for what is no text."""
    found = arrow_types.reading(raw, "text")
    if found is None or not pa.types.is_string(found.arrow_type):
        return None
    return Reading(found.arrow_type, _then(found.read, masking.masked), {}, "masked")


def _then(first: Callable[[Any], Any], second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda column: second(first(column))


def _contradictions(
    name: str, said: str, raw: pa.ChunkedArray, typed: pa.ChunkedArray
) -> list[Mistake]:
    """What is wrong with a modality that the spec says."""
    if not said or said in NOT_FEATURES:
        return []
    if typed.null_count == len(typed):
        return [
            Mistake(
                f"a column declared {said} has values",
                "no value in any row" if raw.null_count == len(raw) else "no value that is one",
                f"data.features.{name}",
                "remove it from data.features: it is then left out as constant",
            )
        ]
    kind = typed.type
    fits = {
        "number": pa.types.is_integer(kind) or pa.types.is_floating(kind),
        "time": pa.types.is_timestamp(kind),
        "text": pa.types.is_string(kind),
        "level": not pa.types.is_binary(kind),
        "bytes": pa.types.is_binary(kind),
    }
    if fits.get(holds(said), True):
        return []
    return [_not_of(name, said, _examples(raw))]


def _examples(raw: pa.ChunkedArray) -> list[str]:
    if pa.types.is_string(raw.type) or pa.types.is_large_string(raw.type):
        most = pc.mode(pc.dictionary_encode(raw.drop_null()).combine_chunks().indices, n=3)
        values = pc.dictionary_encode(raw.drop_null()).combine_chunks().dictionary
        return [repr(values[item["mode"]].as_py())[:40] for item in most.to_pylist()]
    return [f"type {raw.type}"]


def _not_of(name: str, said: str, examples: list[str]) -> Mistake:
    return Mistake(
        f"the values of a column declared {said} are that",
        f"such as {', '.join(examples)}",
        f"data.features.{name}",
        "correct its modality, or say auto",
    )


def _without_encoder(found: Survey, wanted: str) -> Survey:
    """Read a column whose modality no network reads as a category, or leave it out.

    Strings whose values repeat (sets, short texts) still tell something by which one it is.
    """
    if not found.usable:
        return found
    if not found.modality:
        return Survey(**{**found.__dict__, "usable": False})
    known = plugins.modules("penstock.modalities")
    if found.modality in known and hasattr(modalities.load(found.modality), "encoder"):
        return found
    why = f"no encoder for columns of {found.modality} is installed"
    known_values = found.num_rows - (found.num_null or 0)
    repeats = 0 < (found.num_distinct or 0) <= known_values * MOST_DISTINCT
    if (
        wanted == "auto"
        and repeats
        and found.reading
        and pa.types.is_string(found.reading.arrow_type)
    ):
        why = f"{why}; read as a category, because its values repeat"
        return Survey(**{**found.__dict__, "modality": "category", "why": why})
    return Survey(**{**found.__dict__, "usable": False, "why": why})


def _statistics(typed: pa.ChunkedArray, modality: str) -> dict[str, Any]:
    kind = typed.type
    if pa.types.is_binary(kind):
        return {}
    distinct = pc.count_distinct(typed).as_py()
    return {
        "num_null": typed.null_count,
        "num_distinct": distinct,
        "summary": _summary(typed, modality, distinct),
    }


def _summary(typed: pa.ChunkedArray, modality: str, num_distinct: int) -> str:
    """A few numbers; never a value of a text, which may be personal."""
    if num_distinct == 0 or modality == "identifier":
        return ""
    if pa.types.is_integer(typed.type) or pa.types.is_floating(typed.type):
        low, middle, high = pc.quantile(typed, [0, 0.5, 1]).to_pylist()
        return f"{low:.6g} to {high:.6g}, median {middle:.6g}"
    if pa.types.is_timestamp(typed.type):
        limits = pc.min_max(typed).as_py()
        return f"{limits['min']:%Y-%m-%d} to {limits['max']:%Y-%m-%d}"
    if modality == "text" and pa.types.is_string(typed.type):
        words = pc.mean(pc.count_substring_regex(typed, r"\S+")).as_py()
        return f"{words:.1f} words on average"
    most = pc.max(pc.value_counts(typed.drop_null()).field("counts")).as_py()
    share = most / (len(typed) - typed.null_count)
    return f"the most frequent level in {share:.1%} of the rows"
