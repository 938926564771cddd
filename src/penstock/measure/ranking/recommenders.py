"""Simpler recommenders on the same rows: popularity, item neighbours, matrix factorisation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penstock.measure.baselines import Baseline
from penstock.measure.ranking import lists

CHUNK = 256
"""Users whose scores of every item are held at once (house choice)."""
NEIGHBOURS, SHRUNK = 50, 10.0
"""Of an item; of the cosine, by so many takers (house choice, as in Deldjoo et al., 2021)."""
FACTORS, ROUNDS, TRUST, WEIGHT = 64, 8, 20.0, 5.0
"""Of implicit alternating least squares; ``TRUST`` is alpha, ``WEIGHT`` lambda (house choice,
tried on generated tables)."""
REMEDIES = {
    "popularity": "too little is known of each user, or the past does not tell the future: bring"
    " more rows a user, or show what is popular",
    "item_knn": "train longer (model.epochs), or use item neighbours: they are cheaper",
    "matrix_factorisation": "train longer (model.epochs), or use matrix factorisation",
}

Matrix = Any
Recommender = Callable[[Matrix], Callable[[Matrix], NDArray[np.float64]]]


def matrix_of(codes: NDArray[np.int64], num_items: int) -> Matrix:
    """What each row took, ``float[n, items]`` of 0 and 1; negative codes are none."""
    rows, places = np.nonzero(codes >= 0)
    pairs = np.unique(np.stack([rows, codes[rows, places]]), axis=1)
    ones = np.ones(pairs.shape[1])
    return sparse.csr_matrix((ones, (pairs[0], pairs[1])), shape=(len(codes), num_items))


def popularity(seen: Matrix) -> Callable[[Matrix], NDArray[np.float64]]:
    """The same for everybody: how many took an item."""
    counts = np.asarray(seen.sum(axis=0)).reshape(-1)
    return lambda asked: np.repeat(counts[None], asked.shape[0], axis=0)


def item_knn(seen: Matrix) -> Callable[[Matrix], NDArray[np.float64]]:
    """Sum of the similarity to each item taken: shrunk cosine of the most similar ones
    (Sarwar et al., 2001)."""
    together = (seen.T @ seen).tocsr()
    norms = np.sqrt(together.diagonal())
    together.setdiag(0)
    together.eliminate_zeros()
    rows = np.repeat(np.arange(len(norms)), np.diff(together.indptr))
    alike = together.data / (norms[rows] * norms[together.indices] + SHRUNK)
    order = np.lexsort((together.indices, -alike, rows))
    place = np.arange(len(order)) - together.indptr[rows[order]]
    kept = order[place < NEIGHBOURS]
    size = (len(norms), len(norms))
    # a column holds an item's neighbours
    near = sparse.csr_matrix((alike[kept], (together.indices[kept], rows[kept])), shape=size)
    return lambda asked: np.asarray((asked @ near).todense())


def matrix_factorisation(seen: Matrix) -> Callable[[Matrix], NDArray[np.float64]]:
    """Implicit alternating least squares (Hu, Koren and Volinsky, 2008); an asking user's
    vector is solved from what was taken."""
    rng = np.random.default_rng(0)
    width = min(FACTORS, *seen.shape)
    items = rng.normal(0, 0.1, (seen.shape[1], width))
    taken, takers = seen.tocsr(), seen.T.tocsr()
    for _ in range(ROUNDS):
        users = _solved(taken, items)
        items = _solved(takers, users)
    return lambda asked: _solved(asked.tocsr(), items) @ items.T


def _solved(taken: Matrix, other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares of each row against the other side's vectors."""
    width = other.shape[1]
    base = other.T @ other + WEIGHT * np.eye(width)
    found = np.zeros((taken.shape[0], width))
    for row in np.flatnonzero(np.diff(taken.indptr)):  # a system of equations each
        mine = other[taken.indices[taken.indptr[row] : taken.indptr[row + 1]]]
        right = (1 + TRUST) * mine.sum(axis=0)
        found[row] = np.linalg.solve(base + TRUST * mine.T @ mine, right)
    return found


RECOMMENDERS: dict[str, Recommender] = {
    "popularity": popularity,
    "item_knn": item_knn,
    "matrix_factorisation": matrix_factorisation,
}


def simpler(seen: Matrix, asked: NDArray[np.int64], num_items: int) -> dict[str, Baseline]:
    """Lists of each simpler recommender for what each row took before.

    Parameters
    ----------
    seen : float[users, items]
        What each user took in training rows.
    asked : int64[n, k]
        What each test row took before, negative: none; it is left out of the lists.
    num_items : int
        Of the catalogue.
    """
    found = {}
    for name, learn in RECOMMENDERS.items():
        began = time.perf_counter()
        scored = learn(seen)
        parts = [
            lists.of_logits(scored(matrix_of(some, num_items)), some)
            for some in np.array_split(asked, max(1, -(-len(asked) // CHUNK)))
        ]
        found[name] = Baseline(
            scores=np.concatenate(parts),
            seconds=time.perf_counter() - began,
            notes=[],
            burden="prove" if name == "popularity" else "disprove",
            remedy=REMEDIES[name],
        )
    return found
