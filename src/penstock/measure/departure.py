"""How far unseen rows stand from seen ones in what a network makes of them, and which way.

A mean over classes of the difference of means, so that other shares of the classes are no
difference; in deviations of a row from the mean of its class.

numbers that a network makes of seen and of unseen rows -> vectors, distances, cosines
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUM_DRAWS = 200
"""Resamples and permutations (house choice)."""
NUM_PARTS = 5
"""Parts of equal size into which a target of values is cut, each a class (house choice)."""

Floats = NDArray[np.float64]


def kinds_of(seen: NDArray[np.generic], unseen: NDArray[np.generic]) -> list[NDArray[np.int64]]:
    """Classes of seen and unseen rows from their targets: codes, or parts of the seen values.

    Examples
    --------
    >>> [part.tolist() for part in kinds_of(np.arange(10.0), np.array([-5.0, 4.4, 99.0]))]
    [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [0, 2, 4]]
    """
    if seen.dtype.kind != "f":
        return [seen.astype(np.int64), unseen.astype(np.int64)]
    edges = np.quantile(seen.astype(np.float64), np.linspace(0, 1, NUM_PARTS + 1)[1:-1])
    return [np.searchsorted(edges, part, side="right") for part in (seen, unseen)]


def weights_of(kinds: NDArray[np.int64], unseen: NDArray[np.bool_], times: Floats) -> Floats:
    """What each row counts in the difference of means, ``float64[n]``.

    Of each class that has rows on both sides, unseen rows add up to its share of these rows, and
    seen ones to its negative.

    Parameters
    ----------
    kinds : int64[n]
        Class of each row.
    unseen : bool[n]
        Side of each row.
    times : float64[n]
        How often the row was drawn.
    """
    size = int(kinds.max(initial=0)) + 1
    there = np.bincount(kinds, times * unseen, size)
    here = np.bincount(kinds, times * ~unseen, size)
    share = np.where((there > 0) & (here > 0), there, 0.0)
    share /= max(share.sum(), 1e-12)
    up, down = share / np.maximum(there, 1e-12), share / np.maximum(here, 1e-12)
    found: Floats = times * np.where(unseen, up[kinds], -down[kinds])
    return found


@dataclass(frozen=True)
class Departure:
    """How unseen rows stand apart.

    Attributes
    ----------
    way : float64[d]
        Mean of the unseen less that of the seen, by class, in deviations.
    draws : float64[draws, d]
        The same of resampled rows.
    distance, low, high : float
        Length of the way, less what chance adds to it, with its 95% interval over rows; 0
        where chance explains all.
    chance : float
        The distance that one in twenty divisions of the same rows by lot exceeds.
    """

    way: Floats
    draws: Floats
    distance: float
    low: float
    high: float
    chance: float

    @classmethod
    def of(
        cls, seen: Floats, unseen: Floats, kinds: list[NDArray[np.int64]], seed: int
    ) -> Departure:
        """Measure ``float64[n, d]`` and ``float64[m, d]`` of classes ``kinds``."""
        unit = max(within(seen, kinds[0]), 1e-12)
        rows, kind = np.concatenate([seen, unseen]) / unit, np.concatenate(kinds)
        side = np.arange(len(rows)) >= len(seen)
        rng, once = np.random.default_rng(seed), np.ones(len(rows))
        drawn, dealt = [], []
        for _ in range(NUM_DRAWS):
            times = np.concatenate([_times(len(part), rng) for part in (seen, unseen)])
            drawn.append(weights_of(kind, side, times))
            dealt.append(weights_of(kind, _dealt(kind, side, rng), once))
        way = weights_of(kind, side, once) @ rows
        draws, chance = np.array(drawn) @ rows, np.array(dealt) @ rows
        noise = float(np.square(draws - way).sum(axis=1).mean())
        low, high = np.quantile(np.square(draws).sum(axis=1) - 2 * noise, [0.025, 0.975])
        by_lot = np.quantile(np.square(chance).sum(axis=1), 0.95) - noise
        size = np.square(way).sum() - noise
        far, least, most, lot = (
            float(np.sqrt(max(0.0, square))) for square in (size, low, high, by_lot)
        )
        return cls(way, draws, far, least, most, lot)

    @property
    def shown(self) -> bool:
        """Whether chance does not explain it."""
        return self.distance > self.chance

    def likeness(self, moved: Floats) -> tuple[float, float, float]:
        """Cosine of the way with where rows are moved (``float64[d]``), with its interval.

        1: the same way; 0: another way; -1: the opposite way.
        """
        unit = moved / max(float(np.linalg.norm(moved)), 1e-12)
        value = float(self.way @ unit) / max(float(np.linalg.norm(self.way)), 1e-12)
        found = self.draws @ unit / np.maximum(np.linalg.norm(self.draws, axis=1), 1e-12)
        low, high = np.quantile(found, [0.025, 0.975])
        return value, float(low), float(high)

    def accounted(self, moves: list[Floats]) -> float:
        """Share of the squared way that these moves add up to, each at any strength, in [0, 1]."""
        from scipy.optimize import nnls

        total = float(np.square(self.way).sum())
        if not moves or total <= 0:
            return 0.0
        _, left = nnls(np.stack(moves, axis=1), self.way)
        return float(np.clip(1 - left**2 / total, 0.0, 1.0))


def within(rows: Floats, kinds: NDArray[np.int64]) -> float:
    """Root mean square distance of rows from the mean of their class.

    Examples
    --------
    >>> within(np.array([[0.0, 0.0], [6.0, 8.0], [1.0, 1.0]]), np.array([0, 0, 1]))
    4.08248290463863
    """
    size = np.maximum(np.bincount(kinds), 1)
    means = np.zeros((len(size), rows.shape[1]))
    np.add.at(means, kinds, rows)
    means /= size[:, None]
    return float(np.sqrt(np.square(rows - means[kinds]).sum(axis=1).mean()))


def _times(count: int, rng: np.random.Generator) -> Floats:
    """How often each of so many rows is drawn."""
    return np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)


def _dealt(
    kinds: NDArray[np.int64], side: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """The sides dealt out anew within each class."""
    lot = np.lexsort((rng.random(len(kinds)), kinds))
    found = np.empty_like(side)
    found[lot] = side[np.argsort(kinds, kind="stable")]
    return found
