"""Deep learning is a loop: feed, predict, compare, push the error back, nudge, repeat."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penstock.learning import checkpoints
from penstock.learning.encoded import Encoded, Inputs
from penstock.learning.losses import Loss

WARM_UP = 0.05
"""Share of the steps over which the learning rate rises (house choice)."""
PREDICT_ROWS = 4096
"""Rows of a batch when nothing is learnt (house choice: large enough for the device)."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Attributes
    ----------
    epochs, batch_size, patience : int
        Most epochs; rows a step; epochs without a better valid loss before stopping.
    learning_rate, weight_decay : float
        AdamW's (Loshchilov and Hutter, 2019); the rate follows a cosine after a warm-up.
    seed : int
        Of batches and dropout; each epoch draws from its own seed, so that a run that
        goes on from a checkpoint draws what an undisturbed one would have drawn.
    """

    epochs: int
    batch_size: int
    patience: int
    learning_rate: float
    weight_decay: float
    seed: int


@dataclass
class Course:
    """How the training went; JSON all through.

    Attributes
    ----------
    train_loss, valid_loss, learning_rate : list of float
        One value an epoch.
    best_epoch : int
        The epoch, from 0, whose weights are kept; -1 before the first.
    """

    train_loss: list[float] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    best_epoch: int = -1

    @property
    def best_loss(self) -> float:
        """Valid loss of the best epoch; infinite before the first, and where it is not a number."""
        loss = self.valid_loss[self.best_epoch] if self.best_epoch >= 0 else math.inf
        return math.inf if math.isnan(loss) else loss


class Training:
    """One training run: network, loss, optimiser, and where it stands.

    Parameters
    ----------
    network : nn.Module
        From :class:`penstock.learning.network.Network`; on its device.
    loss : callable
        Row losses from outputs and target. Where the rows have weights, what is optimised,
        and what stops the training, is the weighted mean, of valid rows too.
    schedule : Schedule
        How long and how fast.
    folder : Path or None
        For checkpoints; None: without, for a training too short to be worth one.
    device : torch.device
        Where batches are moved.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        schedule: Schedule,
        folder: Path | None,
        device: torch.device,
    ):
        self.network = network
        self.spread = spread_over_devices(network, device)
        self.loss = loss
        self.schedule = schedule
        self.folder = folder
        self.device = device
        self.optimiser = torch.optim.AdamW(
            learning(network),
            lr=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            fused=True,
        )
        self.course = Course()
        self.best: dict[str, Tensor] = {}

    def fit(
        self, train: Encoded, valid: Encoded, progress: Callable[[int, int, str], None]
    ) -> Course:
        """Repeat epochs until the schedule ends or the valid loss has stopped falling.

        Goes on from the folder's checkpoint when there is one. Afterwards the network holds
        the weights of the best epoch.
        """
        self.resume()
        started = time.monotonic()
        first = len(self.course.train_loss)
        for epoch in range(first, self.schedule.epochs):
            if epoch - self.course.best_epoch > self.schedule.patience:
                break
            self.epoch(epoch, train, valid)
            self.save()
            left = (time.monotonic() - started) / (epoch + 1 - first)
            left *= self.schedule.epochs - epoch - 1
            note = f"valid loss {self.course.valid_loss[-1]:.4f}, at most {left:.0f} s left"
            progress(epoch + 1, self.schedule.epochs, note)
        self.network.load_state_dict(self.best)
        return self.course

    def epoch(self, epoch: int, train: Encoded, valid: Encoded) -> None:
        """See every training row once, then measure the loss on the validation rows."""
        generator = torch.Generator().manual_seed(self.schedule.seed * 100_003 + epoch)
        torch.manual_seed(self.schedule.seed * 100_003 + epoch)  # dropout
        self.network.train()
        steps = math.ceil((train.epoch_rows or train.num_rows) / self.schedule.batch_size)
        total, mass = torch.zeros((), device=self.device), 0.0
        for number, rows in enumerate(train.shuffled(self.schedule.batch_size, generator)):
            rate = self.rate((epoch * steps + number) / (self.schedule.epochs * steps))
            part = train.mass(rows)
            total += self.step(rows, train, rate) * part
            mass += part
        self.course.train_loss.append(float(total) / mass)
        self.course.learning_rate.append(rate)
        self.course.valid_loss.append(self.measure(valid))
        if self.course.valid_loss[-1] < self.course.best_loss or self.course.best_epoch < 0:
            self.course.best_epoch = epoch
            self.best = {k: v.detach().clone() for k, v in self.network.state_dict().items()}

    def step(self, rows: Tensor, train: Encoded, rate: float) -> Tensor:
        """The loop's body; returns the batch's (weighted) mean loss."""
        inputs, target = train.take(rows, self.device)  # feed data
        outputs = self.spread(inputs)  # predict
        each = self.loss(outputs, target)  # compare with the truth
        error = weighted_mean(each, train.weights(rows, self.device))
        self.optimiser.zero_grad(set_to_none=True)
        error.backward()  # push the error back
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.optimiser.step()  # nudge the weights
        return error.detach()

    def rate(self, done: float) -> float:
        """Learning rate after this share of the steps: linear warm-up, then a half cosine."""
        if done < WARM_UP:
            share = done / WARM_UP
        else:
            share = 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))
        return self.schedule.learning_rate * max(share, 1e-3)

    def measure(self, rows: Encoded) -> float:
        """Mean loss without learning, weighted where the rows have weights."""
        return float(self.losses(rows).mean())

    def losses(self, rows: Encoded) -> Tensor:
        """Loss of each row without learning, times its weight over the mean one; ``float64[n]``."""
        self.network.eval()
        parts = []
        with torch.inference_mode():
            for numbers in rows.in_order(PREDICT_ROWS):
                inputs, target = rows.take(numbers, self.device)
                each = self.loss(self.network(inputs), target).double()
                weights = rows.weights(numbers, self.device)
                parts.append((each if weights is None else each * weights).cpu())
        every = torch.cat(parts)
        return every * (len(every) / rows.mass(torch.arange(len(every))))

    def save(self) -> None:
        """Write the checkpoint of the last whole epoch, where there is a folder for it."""
        if self.folder is None:
            return
        tensors = {
            "network": self.network.state_dict(),
            "best": self.best,
            "optimiser": checkpoints.optimiser_tensors(self.optimiser),
        }
        checkpoints.save(self.folder, tensors, vars(self.course))

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if any."""
        found = None if self.folder is None else checkpoints.load(self.folder)
        if found is None:
            return
        tensors, state = found
        self.network.load_state_dict(tensors["network"])
        self.best = {name: tensor.to(self.device) for name, tensor in tensors["best"].items()}
        checkpoints.restore_optimiser(self.optimiser, tensors["optimiser"])
        self.course = Course(**state)


def learning(network: nn.Module) -> list[dict[str, Any]]:
    """The weights that learn, by the share of the learning rate at which they do.

    1, unless the module that they are part of says its ``learning_share``.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    >>> network[1].learning_share = 0.1
    >>> [(group["share"], len(group["params"])) for group in learning(network)]
    [(1.0, 2), (0.1, 2)]
    """
    shares: dict[Tensor, float] = {}
    for module in network.modules():
        if hasattr(module, "learning_share"):
            shares |= dict.fromkeys(module.parameters(), float(module.learning_share))  # type: ignore[arg-type]
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    groups: dict[float, list[Tensor]] = {1.0: []}
    for weight in weights:
        groups.setdefault(shares.get(weight, 1.0), []).append(weight)
    return [{"params": params, "share": share} for share, params in groups.items()]


def weighted_mean(each: Tensor, weights: Tensor | None) -> Tensor:
    """``sum(w * l) / sum(w)``; the plain mean without weights.

    Examples
    --------
    >>> float(weighted_mean(torch.tensor([1.0, 3.0]), torch.tensor([3.0, 1.0])))
    1.5
    """
    return each.mean() if weights is None else (each * weights).sum() / weights.sum()


def chunks_of(
    network: nn.Module, rows: Encoded, device: torch.device, chunk_rows: int = PREDICT_ROWS
) -> Iterator[tuple[Any, Inputs]]:
    """A network's outputs for so many rows at a time, and what it read; without learning."""
    network.eval()
    for numbers in rows.in_order(chunk_rows):
        inputs = rows.take(numbers, device)[0]
        with torch.inference_mode():
            outputs = network(inputs)
        yield outputs, inputs


def outputs_of(network: nn.Module, rows: Encoded, device: torch.device) -> NDArray[np.float32]:
    """Outputs ``float32[n, members, outputs]`` of a network, without learning."""
    parts = [outputs.cpu() for outputs, _ in chunks_of(network, rows, device)]
    outputs: NDArray[np.float32] = torch.cat(parts).numpy()
    return outputs


def choose_device(wish: str) -> torch.device:
    """``cuda`` where there is one and the wish allows it, else ``cpu``."""
    if wish == "cpu" or (wish == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    return torch.device("cuda")


def spread_over_devices(network: nn.Module, device: torch.device) -> Any:
    """The network itself, or a copy on each of several GPUs that share every batch."""
    if device.type == "cuda" and torch.cuda.device_count() > 1:
        return nn.DataParallel(network)
    return network


def make_repeatable(seed: int, threads: int) -> None:
    """Same machine, same seed, same weights.

    Parameters
    ----------
    seed : int
        Of the weights.
    threads : int
        CPU threads, part of what fixes the sums; 0 leaves torch's choice.
    """
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what CUDA asks for this
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
