"""Next token: the text goes on; with what? The target is a column of text, a document a row.

Only the text itself is read; other columns make groups and slices. A model of what comes next is
a code: what it holds for probable costs few bits, so it is measured in bits per byte of UTF-8,
which knows nothing of how the text was cut into tokens. What ends a document is paid for too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.measure.language import tallies
from penstock.measure.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.evidence import Evidence, Figure
    from penstock.learning.causal import Causal
    from penstock.learning.encoded import Arrays, Encoded, Inputs
    from penstock.learning.losses import Loss
    from penstock.measure.baselines import Baseline
    from penstock.measure.bias.by_group import Groups, Quantities, Scored
    from penstock.measure.calibration import Calibration
    from penstock.measure.predictions import Answers
    from penstock.model import Learnt, Model
    from penstock.records import Column, Layout, Policy
    from penstock.spec import ModelSpec
    from penstock.writing import Reader

LOSSES = ("bits_per_byte",)
TARGET = "text"
METRICS = {
    "bits_per_byte": Metric("lower", 0.0, float("inf"), tallies.bits_per_byte),
    "byte_perplexity": Metric("lower", 1.0, float("inf"), tallies.byte_perplexity),
    "token_perplexity": Metric("lower", 1.0, float("inf"), tallies.token_perplexity),
    "token_accuracy": Metric("higher", 0.0, 1.0, tallies.token_accuracy),
}
NOT_APPLICABLE = {
    "telltale": "only the text is read, so no other column can carry it.",
    "thresholds": "what comes next is drawn by its probability; nothing is decided.",
    "sets": "a set of tokens that holds the next one would hold most of them.",
    "trial": "there is one loss: bits per byte, which is the metric",
    "attributions": "the network reads one column; what of it counts is asked by hiding it.",
    "reweighing": "a document counts by its bytes.",
}
CHUNK_ROWS = 256
"""Documents through the network at once (house choice)."""
GAP_ROWS = 256
"""Windows of training text on which the loss is measured again (house choice)."""
BRIEF_CHARACTERS = 600
"""Of documents that are read many times over, as when they are stressed (house choice)."""
UNIFORM_BITS = 8.0
"""Of a byte about which nothing is known."""


def metrics(layout: Layout) -> tuple[str, ...]:
    """Bits per byte first."""
    return tuple(METRICS)


def inputs(layout: Layout) -> list[Column]:
    """The text itself."""
    return [layout.column(layout.target)]


def _texts(column: pa.ChunkedArray | pa.Array) -> pa.LargeStringArray:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.cast(pa.large_string())


def encode_target(column: pa.ChunkedArray, layout: Layout) -> NDArray[np.float64]:
    """UTF-8 bytes of each document; ValueError when one is null."""
    from penstock.learning.tokens import bytes_of

    if column.null_count:
        raise ValueError(f"{column.null_count} target values are null")

    return bytes_of(_texts(column)).astype(np.float64)


def sized(spec: ModelSpec, train: pa.Table, layout: Layout) -> ModelSpec:
    """Sizes from the bytes of training text."""
    from penstock.learning import windows

    return windows.sized(spec, encode_target(train[layout.target], layout).astype(np.int64))


def briefly(table: pa.Table, layout: Layout) -> pa.Table:
    """Documents by their first characters."""
    place = table.column_names.index(layout.target)
    short = pc.utf8_slice_codeunits(table[layout.target], 0, BRIEF_CHARACTERS)
    return table.set_column(place, layout.target, short)


def learn(
    train: pa.Table, target: NDArray[Any], layout: Layout, spec: ModelSpec
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """``merges`` of pieces to tokens; ``window``: how many tokens are read at once."""
    from penstock.learning import tokens, windows

    texts = _texts(train[layout.target])
    merges = tokens.learn(texts)
    return {"merges": merges, "window": windows.window_of(target)}, {}


def _tokens(learnt: Learnt) -> Any:
    from penstock.learning.tokens import tokens_of

    return tokens_of(tuple(learnt.target["merges"]))


def encode(table: pa.Table, learnt: Learnt) -> Arrays:
    """``codes``: each document's tokens between two ENDs."""
    name = learnt.layout.target
    return {name: {"codes": _tokens(learnt).cut(_texts(table[name]))}}


def lessons(rows: Encoded, learnt: Learnt, part: str) -> Encoded:
    """Windows of one stream of documents; of validation rows an evenly spaced part."""
    from penstock.learning import windows

    name, window = learnt.layout.target, learnt.target["window"]
    found = windows.lessons(rows.inputs[name]["codes"], name, _tokens(learnt).sizes, window)
    if part != "train":
        return windows.some(found, window)
    found.epoch_rows = windows.epoch_rows(found.num_rows, window)
    return found


def network(learnt: Learnt) -> Any:
    """A causal transformer."""
    import torch

    from penstock.learning.causal import Causal, Size

    spec = learnt.spec
    size = Size(spec.width, spec.depth, learnt.target["window"], spec.dropout)
    return Causal(torch.from_numpy(_tokens(learnt).sizes), size)


def loss(name: str, learnt: Learnt, network: Any) -> Loss:
    """Bits per byte of each row."""

    def bits_per_byte(outputs: Any, target: Any) -> Any:
        each = outputs if network.training else outputs.by_row()
        return each[:, 0] / each[:, 1].clamp(min=1)

    return bits_per_byte


def scores_of(outputs: Any, inputs: Inputs, learnt: Learnt) -> NDArray[Any]:
    """A tally a document, :data:`penstock.measure.language.tallies.TALLY`."""
    return tallies.of_costs(outputs)


def row_losses(scores: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64]:
    """Bits per byte of each document; of an empty one, the bits of its end."""
    found: NDArray[np.float64] = scores["bits"] / np.maximum(scores["bytes"], 1.0)
    return found


def constant(target: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Eight bits a byte: the text as it lies on a disk."""
    return tallies.priced(UNIFORM_BITS * target, target)


def decided(
    scores: NDArray[Any], policy: Policy, groups: Sequence[str], codes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Bits per byte of each document."""
    return row_losses(scores, scores["bytes"])


def signal(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Bits per byte of each document."""
    return row_losses(scores, scores["bytes"])


def predictions(
    scores: NDArray[Any], decided: NDArray[Any], policy: Policy, layout: Layout
) -> dict[str, Any]:
    """``prediction``: bits per byte of the document. ``byte_perplexity``, ``token_perplexity``:
    2 to the power of bits per byte, and per token. ``bits``, ``bytes``, ``tokens`` (its end is
    one); ``tokens_right``: how many were the most probable one."""
    each = row_losses(scores, scores["bytes"])
    return {
        "prediction": each,
        "byte_perplexity": 2.0**each,
        "token_perplexity": 2.0 ** (scores["bits"] / np.maximum(scores["tokens"], 1.0)),
        "bits": scores["bits"].copy(),
        "bytes": scores["bytes"].copy(),
        "tokens": scores["tokens"].copy(),
        "tokens_right": scores["true"].sum(axis=1),
    }


def empty_scores(layout: Layout) -> NDArray[Any]:
    """One document of nothing."""
    return np.zeros(1, dtype=tallies.TALLY)


def answers(predictions: pa.Table, layout: Layout) -> Answers:
    """The tallies, as far as they were written down."""
    from penstock.errors import Mistake, NotServable
    from penstock.measure.predictions import Answers

    wanted = ("bits", "bytes", "tokens", "tokens_right")
    if absent := [name for name in wanted if name not in predictions.column_names]:
        found = ", ".join(predictions.column_names)
        raise NotServable(Mistake(f"the model answers with {', '.join(absent)}", found))
    bits, size, count, right = (
        pc.cast(predictions[name], pa.float64()).to_numpy() for name in wanted
    )
    scores = tallies.priced(bits, size)
    scores["tokens"] = count
    scores["true"][:, 0] = right
    return Answers(scores, row_losses(scores, size))


def simpler(model: Model, train: pa.Table, test: pa.Table, seed: int) -> dict[str, Baseline]:
    """Frequencies of bytes, tokens after tokens, two compressors that know the training text."""
    from penstock.measure.language.codes import simpler

    name, tokens = model.layout.target, _tokens(model.learnt)
    return simpler(_texts(train[name]), _texts(test[name]), tokens)


def calibration(scores: NDArray[Any], target: NDArray[Any], seed: int) -> Calibration | None:
    """Of the most probable next token."""
    return tallies.calibration(scores, seed)


def quantities(rows: Scored, by: Groups) -> Quantities:
    """How often the next token is the most probable one."""
    from dataclasses import replace

    from penstock.measure.bias.by_group import declared

    return {"token_accuracy": declared(replace(rows, metric="token_accuracy"), by, seed=0)}


def looked_at(target: NDArray[Any], layout: Layout) -> Evidence:
    """How much text there is, and how long documents are."""
    from penstock.measure.language import pictures

    beside = [column.name for column in layout.features]
    found = pictures.lengths(target)
    if not beside:
        return found
    said = f"Only {layout.target} is read; {', '.join(beside)} make groups and slices, no more."
    return found.model_copy(update={"notes": [said]})


def figures(scores: NDArray[Any], target: NDArray[Any], layout: Layout) -> dict[str, Figure]:
    """Cost by place, by length, and whether stated probabilities come true."""
    from penstock.measure.language import pictures

    return pictures.figures(scores)


def evidence(
    model: Model,
    train: pa.Table,
    test: pa.Table,
    scores: NDArray[Any],
    target: NDArray[Any],
    seed: int,
) -> Evidence:
    """What it knows by heart, what it writes, and whether that goes round in circles."""
    seen, new = (_texts(table[model.layout.target]) for table in (train, test))
    return _reader(model).evidence(seen, new, scores, seed)


def explained(
    model: Model, train: pa.Table, test: pa.Table, seed: int, show_rows: bool
) -> Evidence:
    """What the text before is worth, by how much of it is read."""
    brief = _texts(briefly(test, model.layout)[model.layout.target])
    return _reader(model).worth_of_context(brief, seed, show_rows)


def _reader(model: Model) -> Reader:
    from penstock.writing import Reader

    return Reader(cast("Causal", model.network), _tokens(model.learnt))
