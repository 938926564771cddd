"""Losses by name. Each takes ``outputs`` ``float32[batch, members, outputs]`` and returns
``float32[batch]``: the mean over members of each row's loss.

A loss of another package is a function of that kind under the entry point group
``penstock.losses``; with an attribute ``task`` it is tried against the others of that task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

import torch
from torch import Tensor
from torch.nn import functional as F

from penstock.plugins import offered

Loss = Callable[[Tensor, Tensor], Tensor]


def of(name: str) -> Loss:
    """The loss of this name, from here or from an entry point ``penstock.losses``.

    Raises
    ------
    KeyError
        When there is none.
    """
    if name in LOSSES:
        return LOSSES[name]
    for point in entry_points(group="penstock.losses"):
        if point.name == name:
            loss: Loss = point.load()
            return loss
    raise KeyError(name)


def cross_entropy(outputs: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood of the class, in nats; ``target`` is ``int64[batch]``."""
    members = outputs.shape[1]
    each = F.cross_entropy(
        outputs.flatten(0, 1), target.repeat_interleave(members), reduction="none"
    )
    return each.view(-1, members).mean(dim=1)


def squared_error(outputs: Tensor, target: Tensor) -> Tensor:
    """Squared error; its best constant is the mean. ``target`` is ``float32[batch]``."""
    return (outputs[:, :, 0] - target[:, None]).square().mean(dim=1)


def absolute_error(outputs: Tensor, target: Tensor) -> Tensor:
    """Absolute error; its best constant is the median."""
    return (outputs[:, :, 0] - target[:, None]).abs().mean(dim=1)


def huber(outputs: Tensor, target: Tensor) -> Tensor:
    """Huber's loss with delta 1 (in standard deviations of the target), 1964."""
    values = outputs[:, :, 0]
    wanted = target[:, None].expand_as(values)
    return F.huber_loss(values, wanted, reduction="none").mean(dim=1)


def poisson(outputs: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood of a count whose logarithm of the mean is the output, less what does
    not depend on it. ``target`` is ``float32[batch]``."""
    logs = outputs[:, :, 0].clamp(-MOST_LOG, MOST_LOG)
    return (logs.exp() - target[:, None] * logs).mean(dim=1)


def ranked_probability(outputs: Tensor, target: Tensor) -> Tensor:
    """Ranked probability score (Epstein, 1969) of classes in their order.

    ``target`` is ``int64[batch]``.
    """
    reached = outputs.softmax(dim=2).cumsum(dim=2)[:, :, :-1]
    steps = torch.arange(reached.shape[2], device=outputs.device)
    truth = (steps >= target[:, None]).to(reached.dtype)
    return (reached - truth[:, None]).square().mean(dim=2).mean(dim=1)


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "class_weighted": cross_entropy,
    "squared_error": squared_error,
    "absolute_error": absolute_error,
    "huber": huber,
    "poisson": poisson,
    "ranked_probability": ranked_probability,
}
MOST_LOG = 30.0
"""Logarithms of expected counts end here: e**30 is beyond any count."""
BALANCED = frozenset({"class_weighted"})
"""Losses whose rows weigh so that each class counts the same; the weights come with the rows."""
ESTIMATES = {
    "bits_per_byte": "the probability of each next token",
    "cross_entropy": "the probability of each class",
    "class_weighted": "what that probability were if all classes were equally frequent",
    "squared_error": "the mean",
    "absolute_error": "the median",
    "softmax": "the probability of each item to be taken next",
    "huber": "the mean of near rows, while far rows count less: between mean and median",
    "poisson": "the expected count",
    "ranked_probability": "the probability of each class, by how many steps it is off",
}
"""What each loss makes the network estimate."""


def estimate_of(name: str) -> str:
    """What the loss of this name makes the network estimate; of a plug-in, what it says."""
    if name in ESTIMATES:
        return ESTIMATES[name]
    return (of(name).__doc__ or "not said").strip().splitlines()[0]


def of_task(task: str, named: Sequence[str]) -> list[str]:
    """The losses that can be tried for a task: its own, and plug-ins that say they are for it.

    Parameters
    ----------
    task : str
        Its name.
    named : sequence of str
        The task's ``LOSSES``.
    """
    plugged = [name for name in offered("penstock.losses") if getattr(of(name), "task", "") == task]
    return list(dict.fromkeys([*named, *plugged]))
