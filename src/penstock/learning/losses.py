"""Losses by name. Each takes ``outputs`` ``float32[batch, members, outputs]`` and returns
``float32[batch]``: the mean over members of each row's loss.

A loss of another package is a function of that kind under the entry point group
``penstock.losses``; with an attribute ``task`` it is tried against the others of that task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

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


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "class_weighted": cross_entropy,
    "squared_error": squared_error,
    "absolute_error": absolute_error,
    "huber": huber,
}
BALANCED = frozenset({"class_weighted"})
"""Losses whose rows weigh so that each class counts the same; the weights come with the rows."""
ESTIMATES = {
    "cross_entropy": "the probability of each class",
    "class_weighted": "what that probability were if all classes were equally frequent",
    "squared_error": "the mean",
    "absolute_error": "the median",
    "huber": "the mean of near rows, while far rows count less: between mean and median",
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
