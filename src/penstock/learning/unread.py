"""Columns that are read no more, because the network is no better for them.

A text, an image or a sound beside other columns costs the most to read, and brings the most that is
learnt by heart. The network was shown rows without them while learning, so it can be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from penstock.learning.network import Network


@dataclass(frozen=True)
class Asked:
    """What a column was found to be worth.

    Attributes
    ----------
    column : str
        Its name.
    shown, hidden : float
        Loss on validation rows where it is shown, and where it is hidden.
    """

    column: str
    shown: float
    hidden: float

    @property
    def is_read(self) -> bool:
        """Whether the loss is lower for it."""
        return self.shown < self.hidden


def leave_out(network: Network, measure: Callable[[], float]) -> list[Asked]:
    """Hide for good, one after the other, the columns without which the loss is no higher.

    Parameters
    ----------
    network
        After training; its ``unread`` is changed.
    measure
        Loss on validation rows.

    Returns
    -------
    list of Asked
        A column that could be hidden each: those that are now, in that order, and what is left.
    """
    waiting = [int(number) for number in network.missing]
    found: list[Asked] = []
    shown = measure() if waiting else 0.0
    while waiting:
        tried = []
        for number in waiting:
            network.unread[number] = True
            tried.append(Asked(network.names[number], shown, measure()))
            network.unread[number] = False
        best = min(tried, key=lambda one: one.hidden)
        if best.is_read:
            return found + tried
        network.unread[network.names.index(best.column)] = True
        waiting.remove(network.names.index(best.column))
        found.append(best)
        shown = best.hidden
    return found
