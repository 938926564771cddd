"""Ranking: which items of a catalogue a user takes next.

An example of training is a user's past and the item that came next; of validation and test, a
user's past and all that came after. So a row of the test part is a user, and what is resampled.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.evidence import Evidence
from penstock.measure import predictions as said
from penstock.measure.ranking import lists, shown
from penstock.measure.ranking.interactions import LONGEST, codes_of, spelled
from penstock.measure.ranking.lists import COLD, METRICS, NONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from penstock.evidence import Figure
    from penstock.learning.encoded import Arrays, Inputs
    from penstock.learning.losses import Loss
    from penstock.measure.baselines import Baseline
    from penstock.measure.bias.by_group import Groups, Quantities, Scored
    from penstock.measure.predictions import Answers
    from penstock.records import Column, Layout, Policy

LOSSES = ("softmax",)
TARGET = "category"
SPLITS = ("per_user", "time", "column")
USERS = True
REQUIRED = ("beats_popularity", "compression")
CHUNK_ROWS = 256
"""Users at once (house choice: their scores of every item are held together)."""
TOP = 10
"""Items of a list as it is served (house choice)."""
TRAINED = 16
"""Items that a row of training or validation is held to (house choice: enough for its loss)."""
NOT_APPLICABLE = {
    "calibration": "a list is judged by the order of its items; how sure it is of each is not"
    " decided by.",
    "sets": "the list itself is the set, and its length is fixed.",
    "thresholds": "a list has no threshold: its first items are shown.",
    "attributions": "the past is one column of many items, which no straight way from a mean user"
    " leads to; columns are shuffled instead, and the past is stressed.",
    "reweighing": "what a user takes is no label that could be made independent of a group.",
    "telltale": "what is predicted is the next row's item, which no column of this row is a copy"
    " of; equal rows and times are looked at.",
    "equal rows": "what a user takes again is not to be found, whatever part it stands in.",
    "trial": "the softmax over the catalogue is the one loss there is",
}
PLAIN = ("numeric", "category", "set", "timestamp")
"""Modalities whose encoders read a whole catalogue at each step; others are read as numbers."""

__all__ = ["METRICS"]


def inputs(layout: Layout) -> list[Column]:
    """The user, the past and the context; of raw rows, the user."""
    features = layout.features
    return features or [column for column in layout.columns if column.role == "user"]


def metrics(layout: Layout) -> tuple[str, ...]:
    """NDCG at 10 first."""
    return tuple(METRICS)


def examples(
    parts: dict[str, pa.Table], layout: Layout
) -> tuple[dict[str, pa.Table], Layout, Evidence]:
    """From what users took to what they took before and next."""
    from penstock.measure.ranking.examples import made

    return made(parts, layout)


def requests(raw: pa.Table, learnt: Any) -> pa.Table:
    """Later rows of users, one a user; as they stand where they bring their past."""
    from penstock.measure.ranking.requests import asked

    return asked(raw, learnt)


def encode_target(column: pa.ChunkedArray, layout: Layout) -> NDArray[np.int64]:
    """Codes of what each row took, ``int64[n, most]``: -1 for items that training rows never had,
    -2 after the last.

    Raises
    ------
    ValueError
        When a row took nothing.
    """
    if column.null_count:
        raise ValueError(f"{column.null_count} target values are null")
    return codes_of(column, layout.catalogue, COLD, NONE)


def scale_target(target: NDArray[np.int64], state: dict[str, Any]) -> NDArray[np.int64]:
    """The first few items of each row, ``int64[n, 16]``."""
    found = np.full((len(target), TRAINED), NONE, dtype=np.int64)
    found[:, : target.shape[1]] = target[:, :TRAINED]
    return found


def learn(
    train: pa.Table, target: NDArray[np.int64], layout: Layout, spec: Any
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The catalogue's columns, how often each item was taken, and what each user took."""
    from penstock.measure.ranking.examples import past_of_users

    num_items = len(layout.catalogue)
    taken = target[:, 0]
    users, arrays = past_of_users(train, layout)
    found: dict[str, Any] = {"users": users, "past": layout.features[-1].name}
    arrays["popularity"] = np.bincount(taken[taken >= 0], minlength=num_items).astype(np.float32)
    states, read = _of_items(train, taken, layout, spec)
    return found | {"items": states}, arrays | read


def sized(spec: Any, train: pa.Table, layout: Layout) -> Any:
    """Sizes of two towers: few epochs, each of which sees every user many times."""
    from penstock.learning.sizing import sized as sized_by_rows

    rows = train.num_rows
    steps = math.ceil(rows / sized_by_rows(spec, rows).batch_size)
    enough = min(MOST_EPOCHS, max(EPOCHS, math.ceil(STEPS / steps)))
    said = {"epochs": spec.epochs or enough, "patience": spec.patience or PATIENCE}
    return sized_by_rows(spec.model_copy(update=said), rows)


def _of_items(
    train: pa.Table, taken: NDArray[np.int64], layout: Layout, spec: Any
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """States of the columns of the items, and the catalogue as they read it."""
    from penstock import plugins

    codes, rows = np.unique(taken, return_index=True)
    rows, codes = rows[codes >= 0], codes[codes >= 0]
    place = np.full(len(layout.catalogue), -1)
    place[codes] = rows
    one_each = train.take(pa.array(place, mask=place < 0))
    states: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for column in layout.columns:
        if column.role != "item":
            continue
        modality = plugins.load("penstock.modalities", column.modality)
        values = one_each[column.name]
        state = modality.learn(values, np.zeros(len(values)), spec)
        if column.modality not in PLAIN and not hasattr(modality, "plain"):
            continue
        if column.modality in PLAIN:
            named = modality.encode(values, state)
        else:
            numbers = np.nan_to_num(modality.plain(values, state))
            spread = np.where(numbers.std(axis=0) > 0, numbers.std(axis=0), 1.0)
            named = {"numbers": ((numbers - numbers.mean(axis=0)) / spread).astype(np.float32)}
        states[column.name] = {"modality": column.modality, "state": state.model_dump(mode="json")}
        arrays |= {f"item.{column.name}.{name}": array for name, array in named.items()}
    return states, arrays


def encode(table: pa.Table, learnt: Any) -> Arrays:
    """The past as codes, the latest first, and each other column by its modality."""
    from penstock.measure.ranking.examples import past_of

    arrays: Any = {"past": {"items": past_of(table, learnt)}}
    for name in context_of(learnt):
        arrays[name] = learnt.modality(name).encode(table[name], learnt.columns[name])
    return arrays


def context_of(learnt: Any) -> list[str]:
    """The columns of a row beside who asks and the past."""
    user = learnt.layout.features[0].name
    return [c.name for c in learnt.layout.features if c.name not in (user, learnt.target["past"])]


def network(learnt: Any) -> nn.Module:
    """Two towers over the catalogue."""
    import torch

    from penstock import plugins
    from penstock.learning.two_towers import FixedNumbers, TwoTowers

    catalogue: dict[str, dict[str, Any]] = {}
    encoders = {}
    for column, found in sorted(learnt.target["items"].items()):
        head = f"item.{column}."
        catalogue[column] = {
            name[len(head) :]: torch.from_numpy(array)
            for name, array in learnt.arrays.items()
            if name.startswith(head)
        }
        modality = plugins.load("penstock.modalities", found["modality"])
        if found["modality"] in PLAIN:
            state = modality.State.model_validate(found["state"])
            encoders[column] = modality.encoder(state, learnt.spec)
        else:
            encoders[column] = FixedNumbers(catalogue[column]["numbers"].shape[1])
    rows = {
        name: learnt.modality(name).encoder(learnt.columns[name], learnt.spec)
        for name in context_of(learnt)
    }
    popularity = torch.from_numpy(learnt.arrays["popularity"])
    return TwoTowers(popularity, encoders, catalogue, rows, WIDTH, LONGEST, learnt.spec.dropout)


WIDTH = 64
"""Of the vectors of users and items (house choice)."""
EPOCHS, MOST_EPOCHS, STEPS, PATIENCE = 6, 30, 800, 2
"""Epochs, unless there are fewer steps in them (house choice)."""


def loss(name: str, learnt: Any, network: nn.Module) -> Loss:
    """The softmax over the catalogue, sampled where it is large."""
    import torch

    from penstock.learning.two_towers import softmax_over

    popularity = torch.from_numpy(learnt.arrays["popularity"])
    found: Any = softmax_over(popularity, lambda: network.training)
    return found


def scores_of(outputs: Any, inputs: Inputs, learnt: Any) -> NDArray[Any]:
    """Lists, without what was taken before; what is popular where nothing was."""
    past = inputs["past"]["items"].cpu().numpy()
    logits = outputs.logits().detach().cpu().numpy()
    unknown = ~(past >= 0).any(axis=1)
    logits[unknown] = np.log(learnt.arrays["popularity"] + 0.5)
    found = lists.of_logits(logits, past)
    found["known"] = ~unknown
    return found


def empty_scores(layout: Layout) -> NDArray[Any]:
    """One empty list."""
    return lists.empty(1, TOP)


def row_losses(scores: NDArray[Any], target: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean negative log-probability of what each user took, in nats."""
    return lists.losses(scores, target)


def constant(target: NDArray[np.int64], layout: Layout) -> NDArray[Any]:
    """One list for all: items by their share of what these rows took."""
    counts = np.bincount(target[target >= 0], minlength=len(layout.catalogue))
    return lists.of_shares(counts, len(target))


def predictions(
    scores: NDArray[Any], decided: NDArray[Any], policy: Policy, layout: Layout
) -> dict[str, Any]:
    """``prediction``, a JSON list of items, the best first; ``basis``, whether it rests on what
    the user took or, where nothing is known, on what is popular; ``score_<place>``, the
    log-probability of each to be taken next, and ``score_rest`` that of an item beyond them."""
    names = np.asarray(layout.catalogue, dtype=object)
    head = min(TOP, scores["items"].shape[1])
    texts = [
        json.dumps(names[row[row >= 0]].tolist(), ensure_ascii=False)
        for row in scores["items"][:, :head]
    ]
    columns: dict[str, Any] = {
        "prediction": np.asarray(texts, dtype=object),
        "basis": np.where(scores["known"] > 0, "past", "popularity").astype(object),
    }
    for place in range(TOP):
        inside = place < head
        column = scores["logp"][:, place] if inside else np.full(len(scores), -np.inf)
        columns[f"score_{place + 1}"] = np.where(np.isfinite(column), column, np.nan).astype(
            np.float64
        )
    columns["score_rest"] = scores["rest"].astype(np.float64)
    return columns


def answers(predictions: pa.Table, layout: Layout) -> Answers:
    """The lists as they were served."""
    table = predictions["prediction"].to_pylist()
    code = {name: number for number, name in enumerate(layout.catalogue)}
    found = lists.empty(len(table), TOP)
    for row, text in enumerate(table):
        items = [code.get(name, COLD) for name in json.loads(text or "[]")][:TOP]
        found["items"][row, : len(items)] = items
    for place in range(TOP):
        column = predictions[f"score_{place + 1}"].cast(pa.float64()).to_numpy()
        found["logp"][:, place] = np.nan_to_num(column, nan=-np.inf)
    found["rest"] = predictions["score_rest"].cast(pa.float64()).to_numpy()
    basis = pc.equal(predictions["basis"].cast(pa.string()), "past").fill_null(False)
    found["known"] = basis.to_numpy(zero_copy_only=False)
    return said.Answers(found, found)


def signal(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Probability of the ten items that are shown to hold what is taken next."""
    shown_: NDArray[np.float64] = np.exp(scores["logp"][:, :TOP].astype(np.float64)).sum(axis=1)
    return shown_


def simpler(model: Any, train: pa.Table, test: pa.Table, seed: int) -> dict[str, Baseline]:
    """Popularity, item neighbours, matrix factorisation."""
    from penstock.measure.ranking import recommenders
    from penstock.measure.ranking.examples import known_of

    num_items = len(model.layout.catalogue)
    everybody = np.arange(len(model.learnt.target["users"]))
    whose, known, step = known_of(everybody, model.learnt, until_test=True)
    items = np.full((len(everybody), int(step.max(initial=0)) + 1), NONE, dtype=np.int64)
    items[whose, step] = known
    seen = recommenders.matrix_of(items, num_items)
    asked = encode(test, model.learnt)["past"]["items"].astype(np.int64)
    return recommenders.simpler(seen, asked, num_items)


def quantities(rows: Scored, by: Groups) -> Quantities:
    """Recall, and how popular what is shown is, by group."""
    from penstock.measure.bias.by_group import means

    return {
        "recall_at_10": means(lists.recall(rows.target, rows.scores, TOP), by),
        "mrr": means(lists.reciprocal_rank(rows.target, rows.scores), by),
        "items_taken": means(lists.num_relevant(rows.target), by),
    }


def evidence(
    model: Any,
    train: pa.Table,
    test: pa.Table,
    scores: NDArray[Any],
    target: NDArray[np.int64],
    seed: int,
) -> Evidence:
    """Coverage, novelty, and the start from nothing: users and items that are new."""
    return shown.of_test(scores, target, model.learnt.arrays["popularity"], seed)


def exposure(predictions: pa.Table, model: Callable[[], Any], seed: int) -> Evidence:
    """Whether popular items are shown more than they are taken."""
    learnt = model().learnt
    scores = answers(predictions, learnt.layout).scores
    target = said.restored(predictions["_target"])
    return shown.of_items(scores, target, learnt.arrays["popularity"], seed)


def figures(scores: NDArray[Any], target: NDArray[np.int64], layout: Layout) -> dict[str, Figure]:
    """Recall by the length of the list."""
    return shown.by_length(scores, target)


def looked_at(target: NDArray[np.int64], layout: Layout) -> Evidence:
    """How unevenly items are taken."""
    return shown.of_catalogue(target[target >= 0], len(layout.catalogue))


def nonconformity(scores: NDArray[Any], target: NDArray[np.int64]) -> NDArray[np.float64]:
    """The loss: no sets are made of it."""
    return row_losses(scores, target)


def name_of(value: pa.ChunkedArray) -> pa.ChunkedArray:
    """Items as the catalogue spells them."""
    return spelled(value)
