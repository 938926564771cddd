"""Does what a model writes go round in circles? (Holtzman et al., 2020; Welleck et al., 2020)"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Check
from penstock.measure.intervals import Z95

RUN = 4
"""Tokens of the runs that are looked for again (Welleck et al., 2020: seq-rep-4)."""
SHORTEST = 16
"""Tokens of the shortest text that is looked at (house choice)."""
MIN_TEXTS = 10
"""Fewer on either side say `insufficient` (house choice)."""


def repeated(codes: NDArray[Any], run: int = RUN) -> float:
    """Share of a text's runs that stood in it before; nan where it has none.

    Examples
    --------
    >>> repeated(np.array([1, 2, 3, 1, 2, 3]), run=2)
    0.4
    """
    if len(codes) < run:
        return float("nan")
    runs = np.lib.stride_tricks.sliding_window_view(codes, run)
    return 1.0 - len(np.unique(runs, axis=0)) / len(runs)


def repetition(written: Sequence[NDArray[Any]], real: Sequence[NDArray[Any]]) -> Check:
    """Repeated runs in what the model wrote, less those in real text of the same lengths.

    Parameters
    ----------
    written, real : sequence of int[m]
        Tokens of texts; short ones are left out.
    """
    mine, theirs = (
        np.array([repeated(one) for one in side if len(one) >= SHORTEST])
        for side in (written, real)
    )
    enough = min(len(mine), len(theirs)) >= MIN_TEXTS
    value = wide = float("nan")
    if enough:
        value = float(mine.mean() - theirs.mean())
        wide = Z95 * math.sqrt(mine.var(ddof=1) / len(mine) + theirs.var(ddof=1) / len(theirs))
    return Check(
        name="repetition",
        stage="evaluate",
        value=value,
        low=value - wide,
        high=value + wide,
        burden="disprove",
        enough=enough,
        why=f"Of the runs of {RUN} tokens in {len(mine)} texts that the model wrote,"
        f" {mine.mean():.1%} stood there before; in {len(theirs)} real ones of the same length it"
        f" is {theirs.mean():.1%}."
        if enough
        else f"{len(mine)} written and {len(theirs)} real texts of {SHORTEST} tokens or more are"
        " too few to tell.",
        remedy="train longer (model.epochs), or draw with a temperature nearer to 1",
    )
