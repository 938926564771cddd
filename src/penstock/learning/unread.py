"""Columns that are read no more, because the network is no better for them.

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
    def is_read(self) -> bool:
        """Whether the loss is lower for it by more than its standard error.

        Of networks that are as good the smaller one is kept (Breiman et al., 1984).
        """
        return self.hidden - self.shown > self.error


def leave_out(network: Network, losses: Callable[[], Tensor]) -> list[Asked]:
    """Hide for good, one after the other, the columns without which the loss is no higher.

    Parameters
    ----------
    network
        After training; its ``unread`` is changed.
    losses
        Of validation rows, ``float64[n]``.

    Returns
    -------
    list of Asked
        A column that could be hidden each: those that are now, in that order, and what is left.
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
        spare = [one for one in tried if not one.is_read]
        if not spare:
            return found + tried
        best = min(spare, key=lambda one: one.hidden)
        network.hide(best.column)
        waiting.remove(best.column)
        found.append(best)
        shown = without[best.column]
    return found


def _asked(column: str, shown: Tensor, hidden: Tensor) -> Asked:
    error = float((hidden - shown).std(correction=0)) / math.sqrt(len(shown))
    return Asked(column, float(shown.mean()), float(hidden.mean()), error)


def notes(asked: list[Asked]) -> list[str]:
    """A sentence for each column that is read no more."""
    return [
        f"{one.column} is not read: the loss on validation rows is {one.hidden:.4g} without it and"
        f" {one.shown:.4g} with it. The network was trained again without it."
        for one in asked
        if not one.is_read
    ]


def tables(asked: list[Asked]) -> dict[str, Table]:
    """What each column that can be hidden is worth; no table where there is none."""
    records = [
        {"column": one.column, "loss with it": one.shown, "loss without it": one.hidden,
         "standard error": one.error, "read": "yes" if one.is_read else "no"}
        for one in asked
    ]  # fmt: skip
    title = "Worth of texts, images and sounds beside the other columns, on validation rows"
    note = "Read where the loss is lower for it by more than the standard error of the difference."
    return {"worth": Table.of(title, records, note=note)} if records else {}
