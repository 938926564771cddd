"""What a model of text paid for each document, in sums that can be added up over documents.

bits of each token -> a tally a document -> metrics
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.measure.calibration import NUM_SIMULATIONS, Calibration

NUM_BINS = 10
"""Parts of [0, 1] by which stated probabilities are held against what came (house choice)."""
PLACES = (0, 8, 32, 128, 512, 2048)
"""Tokens of the document before a token, from which each part of the curve begins."""
LONG_RUN = 24
"""Tokens in a row that are all the most probable one: so long a run is known by heart (house
choice; Carlini et al., 2023, take 50 of a large model's)."""
TALLY = np.dtype(
    [
        ("bits", "f8"),
        ("bytes", "f8"),
        ("tokens", "f8"),
        ("by_heart", "f8"),
        ("place_bits", "f8", (len(PLACES),)),
        ("place_bytes", "f8", (len(PLACES),)),
        ("count", "f8", (NUM_BINS,)),
        ("stated", "f8", (NUM_BINS,)),
        ("true", "f8", (NUM_BINS,)),
    ]
)
"""Of one document: what it cost; its UTF-8 bytes; its tokens, its end among them; its bytes in
runs of at least :data:`LONG_RUN` tokens that were each the most probable one; cost and bytes by
place; tokens by the probability that the most probable one was given, the sum of these
probabilities, and how often it came."""
WIDTH = TALLY.itemsize // 8


def tallies(
    bits: NDArray[Any],
    size: NDArray[np.int64],
    stated: NDArray[Any],
    hit: NDArray[np.bool_],
    num_targets: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Sums by document.

    Parameters
    ----------
    bits : float[m]
        What each token cost, document after document.
    size : int64[m]
        Its bytes.
    stated : float[m]
        Probability of the most probable one.
    hit : bool[m]
        Whether that one came.
    num_targets : int64[n]
        Tokens of each document.

    Returns
    -------
    float64[n, WIDTH]
        As :data:`TALLY`; :func:`named` names its columns.

    Examples
    --------
    >>> found = named(tallies(np.array([1.0, 3.0]), np.array([2, 0]), np.array([0.5, 0.1]),
    ...                       np.array([True, False]), np.array([2])))
    >>> found["bits"].tolist(), found["bytes"].tolist(), found["true"][0, 5]
    ([4.0], [2.0], np.float64(1.0))
    """
    count = len(num_targets)
    row = np.arange(count).repeat(num_targets)
    begun = np.cumsum(num_targets) - num_targets
    place = np.arange(len(row)) - begun.repeat(num_targets)

    def summed(values: Any = None, part: Any = None, parts: int = 1) -> NDArray[np.float64]:
        where = row if part is None else row * parts + part
        found = np.bincount(where, values, minlength=count * parts)
        return found.reshape(count, parts).astype(np.float64)

    near = np.searchsorted(PLACES, place, side="right") - 1
    level = np.minimum((stated * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    known = long_runs(hit, row)
    return np.hstack(
        [
            summed(bits),
            summed(size),
            summed(),
            summed(size * known),
            summed(bits, near, len(PLACES)),
            summed(size, near, len(PLACES)),
            summed(None, level, NUM_BINS),
            summed(stated, level, NUM_BINS),
            summed(hit, level, NUM_BINS),
        ]
    )


def of_costs(costs: Any) -> NDArray[Any]:
    """Tallies ``TALLY[n]`` of what a network's tokens cost.

    Parameters
    ----------
    costs : penstock.learning.causal.Costs
        With tensors of any device.
    """
    each = (costs.bits, costs.size, costs.stated, costs.hit, costs.num_targets)
    return named(tallies(*(tensor.cpu().numpy() for tensor in each)))


def named(sums: NDArray[np.float64]) -> NDArray[Any]:
    """The same as a structured array :data:`TALLY` ``[n]``."""
    found: NDArray[Any] = np.ascontiguousarray(sums, dtype=np.float64).view(TALLY)[:, 0]
    return found


def priced(bits: NDArray[Any], size: NDArray[Any]) -> NDArray[Any]:
    """Tallies of which only cost and bytes are known, ``float[n]`` each."""
    found = np.zeros(len(bits), dtype=TALLY)
    found["bits"], found["bytes"] = bits, size
    return found


def calibration(scores: NDArray[Any], seed: int) -> Calibration:
    """Whether the most probable next token comes as often as stated.

    ``error = sum over parts of (tokens in part / tokens) * |share right - mean stated|`` (Naeini
    et al., 2015), parts of equal width. Whatever depends on what in a text: if what is stated is
    right each time, the deviations do not add up, so that chance alone is simulated from what was
    stated (normal, with the binomial's variance at the part's mean).
    """
    count, stated, true = (scores[name].sum(axis=0) for name in ("count", "stated", "true"))
    total = max(1.0, float(count.sum()))
    share = np.divide(stated, count, out=np.zeros(NUM_BINS), where=count > 0)
    spread = np.sqrt(count * share * (1 - share))
    drawn = np.random.default_rng(seed).normal(size=(NUM_SIMULATIONS, NUM_BINS)) * spread
    null = np.abs(drawn).sum(axis=1) / total
    error = float(np.abs(true - stated).sum() / total)
    low, high = np.quantile(null, [0.025, 0.975])
    worse = (np.count_nonzero(null >= error) + 1) / (NUM_SIMULATIONS + 1)
    return Calibration(error, float(null.mean()), float(low), float(high), float(worse))


def long_runs(
    hit: NDArray[np.bool_], row: NDArray[np.int64], least: int = LONG_RUN
) -> NDArray[np.bool_]:
    """Which members stand in a run of at least so many hits within one row.

    Examples
    --------
    >>> hit = np.array([True, True, False, True, True])
    >>> long_runs(hit, np.array([0, 0, 0, 0, 1]), least=2).tolist()
    [True, True, False, False, False]
    """
    if not len(hit):
        return hit
    new = np.r_[True, (hit[1:] != hit[:-1]) | (row[1:] != row[:-1])]
    run = np.cumsum(new) - 1
    long = np.bincount(run) >= least
    return hit & long[run]


def bits_per_byte(target: Any, scores: NDArray[Any]) -> float:
    """All bits over all bytes; nan where there is no byte."""
    return _ratio(scores["bits"].sum(), scores["bytes"].sum())


def byte_perplexity(target: Any, scores: NDArray[Any]) -> float:
    """2 to the power of bits per byte: among how many equal bytes the choice seems to be."""
    return float(2 ** bits_per_byte(target, scores))


def token_perplexity(target: Any, scores: NDArray[Any]) -> float:
    """2 to the power of bits per token; other tokens, other figure."""
    return float(2 ** _ratio(scores["bits"].sum(), scores["tokens"].sum()))


def token_accuracy(target: Any, scores: NDArray[Any]) -> float:
    """Share of tokens that were the most probable one."""
    return _ratio(scores["true"].sum(), scores["tokens"].sum())


def by_heart(scores: NDArray[Any]) -> float:
    """Share of bytes in runs that the model would have continued word for word."""
    return _ratio(scores["by_heart"].sum(), scores["bytes"].sum())


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else float("nan")
