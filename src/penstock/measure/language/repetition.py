"""Does what a model writes go round in circles? (Holtzman et al., 2020; Welleck et al., 2020)"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN = 4
"""Tokens of the runs that are looked for again (Welleck et al., 2020: seq-rep-4)."""


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
