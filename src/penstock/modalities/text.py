"""Free text of several words.

A text is told by the terms that stand in it, by the order of its first pieces, and by how it is
written. Case and ways of writing the same character are levelled for the first two; the third
sees capitals.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from penstock.learning import pieces, terms
from penstock.learning.pieces import Pieces
from penstock.learning.terms import Counts
from penstock.measure import mistyped, shifts
from penstock.measure.bins import Said
from penstock.measure.contract import slack
from penstock.measure.languages import languages
from penstock.measure.words import Words
from penstock.modalities import MISSING, Parted, Stress

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec

HOLDS = "text"

MIN_WORDS = 3.0
MIN_DISTINCT = 0.5
"""Text has at least so many words on average, and at least so large a share of its values is
distinct (house choice)."""
LONG_CHARACTERS = 60
LONG_DISTINCT = 0.2
"""Long values are text already when fewer are distinct (house choice)."""

MAX_CHARACTERS = 20_000
"""What stands behind is not read (house choice: some eight pages)."""
MAX_LEARN_ROWS = 20_000
MAX_LEARN_CHARACTERS = 16_000_000
"""Texts from which terms are learnt, evenly spaced (house choice)."""
MAX_PIECE_CHARACTERS = 2_000_000
"""Characters from which pieces are learnt (house choice: more give the same pieces)."""
MAX_LENGTH = 256
"""Most pieces that are read in order (house choice: what two cores can learn)."""
MAX_TERMS_OF_ONE = 512
"""Most terms of a text, those that tell most of it (house choice)."""
NUM_TELLING = 256
"""Terms that the baselines see (house choice: gradient boosting on more columns would take longer
than the network)."""
LEAST_WIDTH, WIDTH = 8, 256
"""Least width of the encoders' vectors, and the network's width from which all is read: a narrower
one reads less of a text, so that a quick trial of losses is quick (house choice)."""
CHANCE, LEAST_BELIEVED = 4.0, 0.1
"""A term that is no stranger than that is hardly believed (house choice: of terms that tell
nothing, one in twenty is stranger)."""
NUM_BINS = 8
"""Parts of equal size into which a target of values is cut to find these (house choice)."""


class State(BaseModel):
    """What is learnt from training texts.

    Attributes
    ----------
    merges : list of str
        Pairs of pieces, in the order in which they are joined.
    terms : list of int
        Keys of the known terms, ascending; see :mod:`penstock.learning.terms`.
    rarity : list of float
        Of each: how rare it is among texts, times how far what it tells is believed.
    telling : list of int
        Numbers of the terms that tell most of the target, ascending.
    length, num_terms : int
        Pieces of a text that are read in order, and terms of a text that are read.
    mean, deviation : list of float
        Of each measure of :func:`measures`.
    """

    merges: list[str]
    terms: list[int]
    rarity: list[float]
    telling: list[int]
    length: int
    num_terms: int
    mean: list[float]
    deviation: list[float]


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Strings of several words that mostly differ."""
    if not pa.types.is_string(column.type):
        return 0.0
    values = column.drop_null()
    if not len(values):
        return 0.0
    distinct = pc.count_distinct(values).as_py() / len(values)
    words = pc.mean(pc.count_substring_regex(values, r"\S+")).as_py()
    characters = pc.mean(pc.utf8_length(values)).as_py()
    if words < MIN_WORDS:
        return 0.1
    long = characters >= LONG_CHARACTERS and distinct >= LONG_DISTINCT
    return 0.8 if distinct >= MIN_DISTINCT or long else 0.1


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """Pieces, terms and lengths from an evenly spaced sample of the texts."""
    some = _spaced(column, MAX_LEARN_ROWS, MAX_LEARN_CHARACTERS)
    texts = _texts(column.take(pa.array(some)))
    few = _spaced(texts, MAX_LEARN_ROWS, MAX_PIECE_CHARACTERS)
    merges = pieces.learn(texts.take(pa.array(few)))
    cut = pieces.cutter(tuple(merges)).cut(texts)
    keys, num_texts = terms.texts_with(cut)
    known = terms.known(keys, num_texts)
    counts = terms.counted(cut, keys[known])
    strange = strangeness(counts, int(known.sum()), np.asarray(target)[some])
    rarity = terms.rarities(num_texts[known], len(texts)) * believed(strange)
    written = measures(texts)
    there = ~np.isnan(written[:, 0])
    seen = written[there] if there.any() else np.zeros((1, written.shape[1]))
    return State(
        merges=merges,
        terms=keys[known].tolist(),
        rarity=rarity.round(4).tolist(),
        telling=sorted(np.argsort(-strange, kind="stable")[:NUM_TELLING].tolist()),
        length=_size(np.bincount(cut.row, minlength=1), 90, int(MAX_LENGTH * _share(spec))),
        num_terms=_size(
            np.bincount(counts.row, minlength=1), 99, int(MAX_TERMS_OF_ONE * _share(spec))
        ),
        mean=seen.mean(axis=0).tolist(),
        deviation=seen.std(axis=0).clip(min=1e-3).tolist(),
    )


def _spaced(column: pa.ChunkedArray | pa.Array, rows: int, characters: int) -> NDArray[np.int64]:
    """Evenly spaced rows, at most so many, of about so many characters."""
    long = pc.mean(pc.min_element_wise(pc.utf8_length(column), MAX_CHARACTERS)).as_py() or 1.0
    count = min(len(column), rows, max(1, int(characters / max(long, 1.0))))
    return np.linspace(0, len(column) - 1, count).astype(np.int64)


def _share(spec: ModelSpec) -> float:
    """How much of a text the network reads, in (0, 1]."""
    return min(1.0, (spec.width or WIDTH) / WIDTH)


def _size(sizes: NDArray[np.int64], percentile: int, most: int) -> int:
    """Enough for so many percent of the rows that have any, from 4 to the most."""
    some = sizes[sizes > 0]
    wanted = int(np.ceil(np.percentile(some, percentile))) if len(some) else 0
    return max(4, min(most, wanted))


def strangeness(counts: Counts, num_terms: int, target: NDArray[np.generic]) -> NDArray[np.float64]:
    """How much more each term's presence differs between classes, or between parts of the values,
    than by chance: chi-square over its degrees of freedom, ``float64[num_terms]``, 1 by chance.
    """
    part = target.astype(np.int64)
    if target.dtype.kind == "f":
        values = target.astype(np.float64)
        part = np.searchsorted(np.quantile(values, np.linspace(0, 1, NUM_BINS + 1)[1:-1]), values)
    num_rows = np.bincount(part)
    classes = len(num_rows)
    place = counts.term * classes + part[counts.row]
    seen = np.bincount(place, minlength=num_terms * classes).reshape(-1, classes)
    expected = seen.sum(axis=1, keepdims=True) * num_rows / max(1, num_rows.sum())
    squares = (seen - expected) ** 2 / np.maximum(expected, 1e-12)
    found: NDArray[np.float64] = squares.sum(axis=1) / max(1, np.count_nonzero(num_rows) - 1)
    return found


def believed(strange: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far what a term tells is believed: ``1 - CHANCE / strangeness``, at least LEAST_BELIEVED.

    The share that chance does not explain (James and Stein, 1961), of many terms.

    Examples
    --------
    >>> believed(np.array([1.0, 40.0])).tolist()
    [0.1, 0.9]
    """
    found: NDArray[np.float64] = 1 - CHANCE / np.maximum(strange, CHANCE)
    return found.clip(min=LEAST_BELIEVED)


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """``pieces``: ``int16[n, length]``, the first pieces' codes from 1, 0 after the end;
    ``terms``: ``int16[n, k]`` and ``count``: ``uint8[n, k]``, the terms that tell most, by code
    from 1, and how often each stands there; ``measures``: ``float32[n, 5]``, nan where missing.
    """
    texts = _texts(column)
    first = np.zeros((len(texts), state.length), dtype=np.int16)
    found = np.zeros((len(texts), state.num_terms), dtype=np.int16)
    count = np.zeros((len(texts), state.num_terms), dtype=np.uint8)
    rarity = np.array(state.rarity)
    for rows, cut, counts in _counted(texts, state):
        place = terms.places(cut.row)
        read = place < state.length
        first[rows][cut.row[read], place[read]] = cut.codes[read] + 1
        terms.fill(found[rows], count[rows], counts, rarity)
    written = measures(texts).astype(np.float32)
    return {"pieces": first, "terms": found, "count": count, "measures": written}


def _counted(texts: pa.LargeStringArray, state: State) -> Iterator[tuple[slice, Pieces, Counts]]:
    """Runs of rows, with their pieces and their known terms."""
    cutter = pieces.cutter(tuple(state.merges))
    keys = np.array(state.terms, dtype=np.int64)
    for start, some in pieces.chunks(texts):
        cut = cutter.cut(some)
        yield slice(start, start + len(some)), cut, terms.counted(cut, keys)


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """Terms, the order of pieces, and how it is written, side by side.

    The narrower the network, the narrower they are.
    """
    from penstock.learning import text_encoders
    from penstock.learning.encoders import Beside

    num_pieces = pieces.cutter(tuple(state.merges)).num_pieces
    width = max(LEAST_WIDTH, int(text_encoders.PLANES * _share(spec) ** 2))
    return Beside(
        text_encoders.TermBag(state.rarity, width),
        text_encoders.PieceConvolution(num_pieces, width),
        text_encoders.Measures(state.mean, state.deviation),
    )


def plain(column: pa.ChunkedArray, state: State) -> NDArray[np.float64]:
    """For models that read only numbers: tf-idf weights of the most telling terms, the text's
    own of length one, and its measures; ``float64[n, <= 256 + 5]``."""
    texts = _texts(column)
    rarity = np.array(state.rarity)
    telling = np.array(state.telling, dtype=np.int64)
    found = np.zeros((len(texts), len(telling)))
    for rows, _, counts in _counted(texts, state):
        weight = terms.weights(counts.count, rarity[counts.term])
        total = np.bincount(counts.row, weight**2, minlength=len(found[rows]))
        place = np.searchsorted(telling, counts.term).clip(max=max(0, len(telling) - 1))
        there = telling[place] == counts.term if len(telling) else place > 0
        row = counts.row[there]
        found[rows][row, place[there]] = weight[there] / np.sqrt(total[row])
    return np.hstack([found, np.nan_to_num(measures(texts))])


def measures(texts: pa.LargeStringArray) -> NDArray[np.float64]:
    """How texts are written, ``float64[n, 5]``, nan where missing: the logarithms of characters
    and words plus one; the shares of capitals, digits and signs."""
    seen = _measured(texts)
    logs = [np.log1p(seen["characters"]), np.log1p(seen["words"])]
    return np.stack([*logs, *(seen[name] for name in SHARES)], axis=1)


SHARES = {"capitals": r"\p{Lu}", "digits": r"\p{Nd}", "signs": r"[^\s\pL\pM\pN]"}
"""Patterns of characters whose share is measured."""


def _measured(texts: pa.LargeStringArray) -> dict[str, NDArray[np.float64]]:
    def numbers(found: pa.Array) -> NDArray[np.float64]:
        return np.asarray(found.cast(pa.float64()).to_numpy(zero_copy_only=False))

    characters = numbers(pc.utf8_length(texts))
    seen = {"characters": characters, "words": numbers(pc.count_substring_regex(texts, r"\S+"))}
    for name, pattern in SHARES.items():
        seen[name] = numbers(pc.count_substring_regex(texts, pattern)) / np.maximum(characters, 1)
    return seen


def _texts(column: pa.ChunkedArray | pa.Array) -> pa.LargeStringArray:
    """What is read of each text."""
    large = column.cast(pa.large_string())
    whole = large.combine_chunks() if isinstance(large, pa.ChunkedArray) else large
    return pc.utf8_slice_codeunits(whole, 0, MAX_CHARACTERS)


MAX_WORDS = 64
"""Distinct words of a text that are hidden in turn, those that its terms weigh most (house choice).
"""
MAX_SHOWN_CHARACTERS = 3_000
"""Of a text in the report (house choice)."""


def parted(column: pa.ChunkedArray, state: State) -> Parted:
    """The text without each of its words, wherever the word stands."""
    words, tried = _tried(column, state)
    without = pa.array([words.without(number) for number in tried], pa.large_string())
    names = [words.names[number] for number in tried]
    return Parted(names, encode(pa.chunked_array([without]), state), without)


def _tried(column: pa.ChunkedArray, state: State) -> tuple[Words, list[int]]:
    """The words of a text, and those of them that are hidden in turn, in order of appearance."""
    words = Words.of(_texts(column)[0].as_py() or "")
    weight = np.zeros(len(words.names))
    rarity = np.array(state.rarity)
    for rows, _, counts in _counted(pa.array(words.names, pa.large_string()), state):
        weight[rows] = np.bincount(counts.row, rarity[counts.term], minlength=len(weight[rows]))
    weight *= 1 + np.log(np.maximum(words.counts, 1))
    return words, sorted(np.argsort(-weight, kind="stable")[:MAX_WORDS].tolist())


def shown(
    column: pa.ChunkedArray | None, state: State, tints: NDArray[np.float64]
) -> dict[str, Any]:
    """The text with its words tinted; nothing for all rows, which have no words in common."""
    if column is None:
        return {}
    words, tried = _tried(column, state)
    every = np.zeros(len(words.names))
    every[tried] = tints
    return {"text": words.tinted(every, MAX_SHOWN_CHARACTERS)}


SHINGLE = 3
"""Neighbouring words of which near texts share most (house choice)."""


def shingles(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Row and hash of every three neighbouring words, levelled; ascending by row."""
    from pandas.util import hash_array

    lists = pieces.words_of(_texts(column))
    coded = lists.flatten().dictionary_encode()
    hashes = hash_array(np.asarray(coded.dictionary.to_pylist(), dtype=object))
    word = hashes[coded.indices.to_numpy()] if len(coded) else np.zeros(0, np.uint64)
    row = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    last = max(0, len(row) - SHINGLE + 1)
    code = np.zeros(last, np.uint64)
    for place in range(SHINGLE):
        code = (code * np.uint64(0x100000001B3)) ^ word[place : place + last]
    same = row[:last] == row[len(row) - last :]
    return row[:last][same], code[same]


LENGTH_SLACK = 4
"""A text may be so many times as long as the longest one seen (house choice)."""


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """Texts that are not empty and not absurdly long."""
    lengths = pc.min_max(pc.utf8_length(column.cast(pa.large_string()))).as_py()
    if lengths["min"] is None:
        return []
    kwargs = {
        "column": name,
        "min_value": min(lengths["min"], 1),
        "max_value": LENGTH_SLACK * max(lengths["max"], 1),
        "mostly": slack.mostly(slack.stray_share(len(column) - column.null_count)),
    }
    return [
        {
            "type": "expect_column_value_lengths_to_be_between",
            "kwargs": kwargs,
            "meta": {"severity": "error", "quarantine": True},
        }
    ]


STRESSES = (
    Stress(
        "typos",
        (0.01, 0.03, 0.1),
        "{strength:.0%} of the letters of {column} are mistyped",
        "haste, a small keyboard, characters read from a scan",
        "train on texts with mistakes too, or correct spelling before both training and scoring",
    ),
    Stress(
        "unknown words",
        (0.05, 0.15, 0.5),
        "{strength:.0%} of the words of {column} are words that nobody has seen",
        "slang, new names and products, another language",
        "train on newer texts, and retrain when the share of words that training never saw grows",
    ),
    Stress(
        "capitals",
        (0.1, 0.3, 1.0),
        "{column} is in capitals in {strength:.0%} of the rows",
        "another form or keyboard, a system that stores capitals only",
        "write all texts alike before both training and scoring",
    ),
    Stress(
        "cut short",
        (0.25, 0.5, 0.9),
        "{column} lacks its last {strength:.0%}",
        "a field with a limit, a preview in place of the text",
        "train on texts that are cut short too, or bound their length in the contract",
    ),
    MISSING,
)
"""Three strengths each (house choice)."""


def stressed(
    column: pa.ChunkedArray, state: State, name: str, strength: float, rng: np.random.Generator
) -> pa.ChunkedArray:
    """What is read of the texts, mistyped, of unknown words, in capitals, cut short or missing."""
    texts = _texts(column)
    if name == "missing":
        return shifts.emptied(pa.chunked_array([texts]), strength, rng)
    if name == "capitals":
        hit = pa.array(shifts.hit(len(texts), strength, rng), pa.bool_())
        return pa.chunked_array([pc.if_else(hit, pc.utf8_upper(texts), texts)])
    if name == "cut short":
        return pa.chunked_array([mistyped.cut_short(texts, strength)])
    spoilt = mistyped.typos if name == "typos" else mistyped.unknown_words
    return pa.chunked_array([spoilt(texts, strength, rng)])


SCRIPTS = (
    "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Thai", "Han", "Hiragana",
    "Katakana", "Hangul",
)  # fmt: skip
"""Of several that are equally frequent in a text, the first is named."""
MAX_VIEWED = 1_000
"""Characters by which script and language are told (house choice)."""


SAID = dict.fromkeys(("characters", "words"), Said("shortest", "longest"))
"""How slices of them are said."""


def views(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """``characters`` and ``words``: how long it is. ``capitals``, ``digits`` and ``signs``: their
    share of the characters. ``script``: in which most of its letters are, or ``none``.
    ``language``: which one its little words are of, or ``unknown``.

    All but ``characters`` are of what is read of it.
    """
    texts = _texts(column)
    large = column.cast(pa.large_string())
    whole = large.combine_chunks() if isinstance(large, pa.ChunkedArray) else large
    seen = {name: pa.array(found, from_pandas=True) for name, found in _measured(texts).items()}
    seen["characters"] = pc.utf8_length(whole).cast(pa.float64())
    begun = pc.utf8_slice_codeunits(texts, 0, MAX_VIEWED)
    return seen | {"script": _script(begun), "language": languages(begun)}


def _script(texts: pa.LargeStringArray) -> pa.StringArray:
    counts = [pc.count_substring_regex(texts, rf"\p{{{name}}}") for name in SCRIPTS]
    numbers = np.stack([pc.fill_null(count, 0).to_numpy() for count in counts], axis=1)
    best = np.where(numbers.any(axis=1), numbers.argmax(axis=1), len(SCRIPTS))
    names = pa.array([*SCRIPTS, "none"]).take(pa.array(best, pa.int64()))
    return pc.if_else(texts.is_valid(), names, pa.scalar(None, pa.string()))
