"""Columns that are read no more, because a network without them is better.

A text, an image or a sound beside other columns costs the most to read, and brings the most that is
learnt by heart. The network was shown rows without them while learning, so it can be asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.evidence import Table
from penstock.learning.network import Network


@dataclass(frozen=True)
class Asked:
    """What a column was found to be worth.

    Attributes
    ----------
    column : str
        Its name.
    shown, hidden : float
        Mean loss of validation rows where it is shown, and where it is hidden.
    error : float
        Standard error of their difference.
    """

    column: str
    shown: float
    hidden: float
    error: float

    @property
    def tells(self) -> bool:
        """Whether the loss is lower for it by more than its standard error.

        Of networks that are as good the smaller one is tried (Breiman et al., 1984).
        """
        return self.hidden - self.shown > self.error


def asked(network: Network, losses: Callable[[], Tensor]) -> list[Asked]:
    """What each column that can be hidden is worth beside all others.

    One that does not tell is hidden while others are asked: of two that say the same, one stays.

    Parameters
    ----------
    network
        After training; it reads all columns again afterwards.
    losses
        Of validation rows, ``float64[n]``.

    Returns
    -------
    list of Asked
        Those that do not tell first, the least useful one ahead.
    """
    waiting = [network.names[int(number)] for number in network.missing]
    found: list[Asked] = []
    shown = losses() if waiting else torch.zeros(1)
    while waiting:
        without = {}
        for column in waiting:
            network.hide(column)
            without[column] = losses()
            network.hide(column, for_good=False)
        tried = [_asked(column, shown, hidden) for column, hidden in without.items()]
        silent = [one for one in tried if not one.tells]
        if not silent:
            found += tried
            break
        worst = min(silent, key=lambda one: one.hidden)
        network.hide(worst.column)
        waiting.remove(worst.column)
        found.append(worst)
        shown = without[worst.column]
    for one in found:
        network.hide(one.column, for_good=False)
    return found


def _asked(column: str, shown: Tensor, hidden: Tensor) -> Asked:
    error = float((hidden - shown).std(correction=0)) / math.sqrt(len(shown))
    return Asked(column, float(shown.mean()), float(hidden.mean()), error)


def notes(found: list[Asked], hidden: list[str]) -> list[str]:
    """A sentence for each column that is read no more."""
    return [
        f"{one.column} is not read: the loss on validation rows was {one.hidden:.4g} without it and"
        f" {one.shown:.4g} with it, and the network that was trained again without it is no worse."
        for one in found
        if one.column in hidden
    ]


def tables(found: list[Asked], hidden: list[str]) -> dict[str, Table]:
    """What each column that can be hidden is worth; no table where there is none."""
    records = [
        {"column": one.column, "loss with it": one.shown, "loss without it": one.hidden,
         "standard error": one.error, "read": "no" if one.column in hidden else "yes"}
        for one in found
    ]  # fmt: skip
    title = "Worth of texts, images and sounds beside the other columns, on validation rows"
    note = (
        "Where the loss is not lower for a column by more than the standard error, the network is"
        " trained again without it; the better one is kept."
    )
    return {"worth": Table.of(title, records, note=note)} if records else {}
