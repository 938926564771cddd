"""Train the network.

Deep learning is a loop that nudges weights until predictions meet the truth of the rows it
was shown. It says nothing about other rows, so this stage is handed the training rows and the
validation rows that stop it, and no others.

train rows, valid rows -> Fitted
"""

from __future__ import annotations

import resource
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import save_file
from torch import nn

from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.learning import losses, unread
from penstock.learning.encoded import Arrays, Encoded
from penstock.learning.loop import Course, Training, choose_device, make_repeatable
from penstock.learning.network import Network
from penstock.learning.ragged import Ragged
from penstock.learning.sizing import schedule_of
from penstock.learning.unread import Asked
from penstock.measure.licences import pretrained_notes, unknown_licences
from penstock.model import Learnt
from penstock.opened import opened
from penstock.ports import Progress, Store
from penstock.records import Backbone, Fitted, Layout, Objective, Rows
from penstock.spec import Compute, ModelSpec


def fit(
    train: Rows,
    valid: Rows,
    layout: Layout,
    objective: Objective,
    spec: ModelSpec,
    compute: Compute,
    store: Store,
    progress: Progress,
    key: str,
    backbones: dict[str, Backbone] | None = None,
) -> Fitted:
    """Train on ``train``, stop by ``valid``.

    Parameters
    ----------
    train, valid : Rows
        The only rows that are read.
    layout : Layout
        Columns and target.
    objective : Objective
        The loss that is optimised, and what each row counts in it: the loss curves, and the
        loss that stops the training, are weighted alike.
    spec : ModelSpec
        Network and training settings.
    compute : Compute
        Device and threads.
    store : Store
        Holds the rows, the checkpoints and the result.
    progress : Progress
        Told after every epoch.
    key : str
        Names the folder of checkpoints: a killed run that starts again with the same key goes
        on from its last epoch, to the same weights.
    backbones : dict of str to Backbone, optional
        The pretrained networks that ``spec.encoders`` asks for, by column.

    Raises
    ------
    ValueError
        When the objective's weights are not those of these rows, or its loss needs weights
        and has none.
    """
    started, cpu_started = time.monotonic(), time.process_time()
    _check_weights(objective, train, valid)
    make_repeatable(spec.seed, compute.threads)
    folder = store.scratch(key)
    backbones = backbones or {}
    learnt = Learnt.of(store.table(train), layout, spec, opened(backbones, store))
    rows = {"train": (train, objective.weights), "valid": (valid, objective.valid_weights)}
    encoded = {
        name: learnt.task.lessons(encode(part, learnt, store, folder / name, weights), learnt, name)
        for name, (part, weights) in rows.items()
    }
    device = choose_device(compute.device)
    training, worth, hidden = _trained(learnt, objective.loss, encoded, folder, device, progress)
    network, course, schedule = training.network, training.course, training.schedule
    seen = encoded["train"].head(learnt.task.GAP_ROWS)
    final = {"train": training.measure(seen), "valid": training.measure(encoded["valid"])}
    weights = folder / "weights.safetensors"
    save_file(learnt.tensors(network), weights)
    cost: dict[str, float | None] = {
        "seconds": time.monotonic() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "num_parameters": float(sum(weight.numel() for weight in network.parameters())),
        "epochs": float(len(course.train_loss)),
    }
    fitted = Fitted(
        weights=store.keep_file(weights),
        state=store.keep_bytes(learnt.to_json().encode(), ".json"),
        layout=layout,
        loss=objective.loss,
        metric=objective.metric,
        history={
            "train_loss": list(course.train_loss),
            "valid_loss": list(course.valid_loss),
            "learning_rate": list(course.learning_rate),
        },
        cost=cost,
        backbones=backbones,
        evidence=Evidence(
            checks=[generalisation_gap(final), *unknown_licences(backbones)],
            tables={"network": _network_table(network, learnt), "cost": _cost_table(cost)}
            | unread.tables(worth, hidden),
            figures={"loss": _loss_figure(course, objective.loss)},
            notes=[
                f"{schedule.epochs} epochs at most, batches of {schedule.batch_size} rows,"
                f" {device.type}; the weights of epoch {course.best_epoch + 1} are kept.",
                *unread.notes(worth, hidden),
                *pretrained_notes(backbones, spec),
            ],
        ),
    )
    shutil.rmtree(folder)
    return fitted


def _trained(
    learnt: Learnt,
    loss: str,
    encoded: dict[str, Encoded],
    folder: Path,
    device: torch.device,
    progress: Progress,
) -> tuple[Training, list[Asked], list[str]]:
    """The network, trained; again without the columns that told it nothing, where that is better.

    And what those columns were worth, and which are read no more.
    """

    def trained(folder: Path, hidden: list[str]) -> Training:
        torch.manual_seed(learnt.spec.seed)
        network = learnt.network().to(device)
        if isinstance(network, Network):
            for column in hidden:
                network.hide(column)
        how = learnt.task.loss(loss, learnt, network)
        training = Training(network, how, schedule_of(learnt.spec), folder, device)
        training.fit(encoded["train"], encoded["valid"], progress)
        return training

    first = trained(folder, [])
    found: list[Asked] = []
    if isinstance(first.network, Network):
        found = unread.asked(first.network, lambda: first.losses(encoded["valid"]))
    silent = [one.column for one in found if not one.tells]
    if silent:
        second = trained(folder / "again", silent)
        if second.measure(encoded["valid"]) <= first.measure(encoded["valid"]):
            return second, found, silent
    return first, found, []


def _check_weights(objective: Objective, train: Rows, valid: Rows) -> None:
    for rows, weights in ((train, objective.weights), (valid, objective.valid_weights)):
        if weights is None and objective.loss in losses.BALANCED:
            raise ValueError(f"{objective.loss} is a weighting, and the objective has no weights")
        if weights is not None and weights.num_rows != rows.num_rows:
            raise ValueError(f"{weights.num_rows} weights for {rows.num_rows} rows")


def encode(
    rows: Rows, learnt: Learnt, store: Store, folder: Path, weights: Rows | None = None
) -> Encoded:
    """Encode rows once, batch by batch, into memory-mapped ``.npy`` files of a folder.

    Parameters
    ----------
    rows : Rows
        Raw rows.
    learnt : Learnt
        How they are encoded.
    store, folder
        Where the rows are; where the arrays go.
    weights : Rows, optional
        One column ``weight``: what each row counts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: Arrays = {}
    target = None
    at = 0
    names = list(dict.fromkeys([c.name for c in learnt.inputs] + [learnt.layout.target]))
    for batch in store.batches(rows, columns=names, batch_size=learnt.encode_rows):
        table = pa.Table.from_batches([batch])
        here = slice(at, at + table.num_rows)
        for number, (column, named) in enumerate(learnt.encode(table).items()):
            for name, values in named.items():
                path = folder / f"{number}-{name}.npy"
                array = arrays.setdefault(column, {}).get(name)
                if isinstance(values, Ragged):
                    arrays[column][name] = values.behind(array, path)
                    continue
                if array is None:
                    array = _mapped(path, values, rows.num_rows)
                    arrays[column][name] = array
                array[here] = values
        goal = learnt.encode_target(table)
        target = _mapped(folder / "target.npy", goal, rows.num_rows) if target is None else target
        target[here] = goal
        at += table.num_rows
    weight = None if weights is None else _encode_weights(weights, store, folder)
    return Encoded.of(arrays, rows.num_rows, target, weight)


def _encode_weights(weights: Rows, store: Store, folder: Path) -> np.ndarray:
    """``float32[n]``, memory-mapped."""
    shape = (weights.num_rows,)
    array = np.lib.format.open_memmap(
        folder / "weight.npy", mode="w+", dtype=np.float32, shape=shape
    )
    at = 0
    for batch in store.batches(weights, columns=["weight"]):
        array[at : at + batch.num_rows] = batch.column(0).to_numpy()
        at += batch.num_rows
    return array


def generalisation_gap(final: dict[str, float]) -> Check:
    """Valid loss over train loss, minus 1, both measured without dropout at the kept weights."""
    gap = final["valid"] / final["train"] - 1 if final["train"] > 0 else float("nan")
    return Check(
        name="generalisation_gap",
        stage="fit",
        value=gap,
        why=f"The loss is {final['train']:.4f} on training rows and {final['valid']:.4f} on"
        " validation rows.",
        remedy="more rows, or more model.dropout or model.weight_decay, would narrow it",
    )


def _mapped(path: Path, values: np.ndarray, num_rows: int) -> np.ndarray:
    shape = (num_rows, *values.shape[1:])
    return np.lib.format.open_memmap(path, mode="w+", dtype=values.dtype, shape=shape)


def _loss_figure(course: Course, loss: str) -> Figure:
    epochs: list[float | str] = [float(epoch + 1) for epoch in range(len(course.train_loss))]
    return Figure(
        title="Loss by epoch",
        x="epoch",
        y=loss.replace("_", " "),
        series=[
            Series(name="train (with dropout)", x=epochs, y=list(course.train_loss)),
            Series(name="valid", x=epochs, y=list(course.valid_loss)),
        ],
        marks=[(float(course.best_epoch + 1), "kept")],
        note="Training keeps the weights of the epoch with the lowest validation loss.",
    )


def _network_table(network: nn.Module, learnt: Learnt) -> Table:
    if not isinstance(network, Network):
        return Table.of(
            "Network",
            [
                {"part": name.replace("_", " "), "kind": type(module).__name__,
                 "parameters": sum(weight.numel() for weight in module.parameters())}
                for name, module in network.named_children()
            ],
        )  # fmt: skip
    encoders = dict(zip(network.names, network.encoders, strict=True))
    tuned = {name: f", pretrained ({one.tune})" for name, one in learnt.spec.encoders.items()}
    left_out = zip(network.names, network.unread.tolist(), strict=True)
    unread = {name: ", not read" for name, is_left in left_out if is_left}
    records: list[dict[str, Any]] = [
        {
            "part": column.name,
            "kind": column.modality + tuned.get(column.name, "") + unread.get(column.name, ""),
            "width": int(encoders[column.name].width),  # type: ignore[arg-type]
            "parameters": sum(weight.numel() for weight in encoders[column.name].parameters()),
        }
        for column in learnt.inputs
    ]
    inside = sum(record["parameters"] for record in records)
    total = sum(weight.numel() for weight in network.parameters())
    shape = network.shape
    records.append(
        {
            "part": "backbone and heads",
            "kind": f"{shape.depth} layers, {shape.members} members",
            "width": shape.width,
            "parameters": total - inside,
        }
    )
    return Table.of("Network", records)


def _cost_table(cost: dict[str, float | None]) -> Table:
    return Table.of("Cost", [{"quantity": name, "value": value} for name, value in cost.items()])
