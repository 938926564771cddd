"""The trained model: column states, network, policy. What the MLflow package carries.

It takes raw columns: all preprocessing is inside. Evaluation, stress, bias, the clean-process
check and the served model all predict through it, and decide by the same policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from safetensors import safe_open
from torch import Tensor, nn

from penstock import modalities, tasks
from penstock.errors import BadInput, Mistake
from penstock.learning.encoded import Arrays, Encoded, Inputs
from penstock.learning.loop import chunks_of
from penstock.measure import groups
from penstock.modalities import Modality
from penstock.opened import FOLDER, Opened, opened
from penstock.ports import Store
from penstock.records import Column, Fitted, Layout, Policy
from penstock.spec import ModelSpec
from penstock.tables.typed import typed_as

FORMAT = 1
"""Version of the state file: a reader refuses another one."""
WEIGHTS, STATE, POLICY = "weights.safetensors", "state.json", "policy.json"
KEPT = "kept."
"""How the names of arrays begin that stand beside the weights."""
SCORE_ROWS = 16_384
"""Rows encoded at once (house choice): memory stays bounded at any size."""


@dataclass(frozen=True)
class Learnt:
    """What training rows taught about the columns and the target, before any weight.

    Attributes
    ----------
    layout : Layout
        What is read and predicted.
    columns : dict of str to BaseModel
        Each feature's state, from its modality.
    target : dict
        From the task.
    spec : ModelSpec
        Network settings, every size said.
    pretrained : dict of str to Opened
        The networks that read columns in place of built-in encoders, as ``spec.encoders`` says.
    arrays : dict of str to array
        From the task: what it keeps beside the weights.
    """

    layout: Layout
    columns: dict[str, BaseModel]
    target: dict[str, Any]
    spec: ModelSpec
    pretrained: dict[str, Opened] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        train: pa.Table,
        layout: Layout,
        spec: ModelSpec,
        pretrained: dict[str, Opened] | None = None,
    ) -> Learnt:
        """Learn every state from training rows; no other rows can be given."""
        task = tasks.load(layout.task)
        spec = task.sized(spec, train, layout)
        target = task.encode_target(train[layout.target], layout)
        plain = target if target.ndim == 1 else np.zeros(len(target))  # one number a row, or none
        pretrained = pretrained or {}
        columns = {
            column.name: reading(column, spec, pretrained).learn(train[column.name], plain, spec)
            for column in task.inputs(layout)
        }
        for number, column in enumerate(task.inputs(layout)):
            modality = reading(column, spec, pretrained)
            if hasattr(modality, "learn_beside"):
                before = task.inputs(layout)[:number]
                others = {o.name: train[o.name] for o in before if o.modality == column.modality}
                here, own = train[column.name], columns[column.name]
                columns[column.name] = modality.learn_beside(here, others, own, target, spec)
        said, arrays = task.learn(train, target, layout, spec)
        state = task.learn_target(target, layout) | said
        return cls(layout, columns, state, spec, pretrained, arrays)

    def modality(self, name: str) -> Modality:
        """What reads a column: its modality, with its pretrained network if it has one."""
        return reading(self.layout.column(name), self.spec, self.pretrained)

    def encode_column(self, name: str, table: pa.Table) -> dict[str, NDArray[Any]]:
        """Arrays of a column; the table holds those that it is read beside, too."""
        modality, state = self.modality(name), self.columns[name]
        arrays = modality.encode(table[name], state)
        if others := {other: table[other] for other in self.beside(name)}:
            arrays |= modality.encode_beside(table[name], others, state)  # type: ignore[attr-defined]
        return arrays

    def beside(self, name: str) -> list[str]:
        """The columns that a column is read beside; it then tells of them too."""
        return list(getattr(self.columns[name], "beside", ()))

    @property
    def task(self) -> tasks.Task:
        """What is predicted."""
        return tasks.load(self.layout.task)

    @property
    def inputs(self) -> list[Column]:
        """The columns that the network reads."""
        return self.task.inputs(self.layout)

    def network(self) -> nn.Module:
        """A network with fresh weights; seed torch before."""
        return self.task.network(self)

    def encode(self, table: pa.Table) -> Arrays:
        """Arrays of every column that is read, of a table in the layout's types."""
        return self.task.encode(table, self)

    @property
    def encode_rows(self) -> int:
        """Rows encoded at once: fewer where a modality says that its arrays are large."""
        read = (self.modality(column.name) for column in self.inputs)
        return min((getattr(each, "ENCODE_ROWS", SCORE_ROWS) for each in read), default=SCORE_ROWS)

    def encode_target(self, table: pa.Table) -> NDArray[Any]:
        """The target as the network is trained on it."""
        codes = self.task.encode_target(table[self.layout.target], self.layout)
        return self.task.scale_target(codes, self.target)

    def tensors(self, network: nn.Module) -> dict[str, Tensor]:
        """What is kept in ``weights.safetensors``: weights, and :attr:`arrays` beside them."""
        weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
        arrays = {KEPT + name: torch.from_numpy(array) for name, array in self.arrays.items()}
        return weights | arrays

    def to_json(self) -> str:
        """The state file."""
        value = {
            "format": FORMAT,
            "layout": self.layout.model_dump(mode="json"),
            "columns": {
                name: state.model_dump(mode="json") for name, state in self.columns.items()
            },
            "target": self.target,
            "spec": self.spec.model_dump(mode="json"),
        }
        return json.dumps(value, sort_keys=True)

    @classmethod
    def from_json(
        cls, text: str, where: str = "", place: Callable[[str, str], Opened] | None = None
    ) -> Learnt:
        """Read a state file.

        Parameters
        ----------
        text, where : str
            The file's content, and its name for people.
        place : callable, optional
            From a column and the fingerprint of its pretrained network to its folder.

        Raises
        ------
        BadInput
            When its format is another one.
        """
        value = json.loads(text)
        if value.get("format") != FORMAT:
            raise BadInput(
                Mistake(
                    f"the model's state file has format {FORMAT}",
                    str(value.get("format")),
                    where,
                    "score it with the penstock that its own package carries",
                )
            )
        layout = Layout.model_validate(value["layout"])
        spec, states = ModelSpec.model_validate(value["spec"]), value["columns"]
        pretrained = {}
        if place:
            for name in spec.encoders:
                pretrained[name] = place(name, states[name]["backbone"]["fingerprint"])
        columns = {
            column.name: reading(column, spec, pretrained).State.model_validate(states[column.name])
            for column in tasks.load(layout.task).inputs(layout)
        }
        return cls(layout, columns, value["target"], spec, pretrained)

    @classmethod
    def read(
        cls, weights: Path, state: Path, place: Callable[[str, str], Opened] | None = None
    ) -> Learnt:
        """Read a state file, and the arrays that stand beside the weights."""
        learnt = cls.from_json(state.read_text(encoding="utf-8"), str(state), place)
        kept = _tensors(weights, "np", kept=True)
        return replace(learnt, arrays={name[len(KEPT) :]: array for name, array in kept.items()})


def reading(column: Column, spec: ModelSpec, pretrained: dict[str, Opened]) -> Modality:
    """What reads a column: its modality, with its pretrained network if it has one."""
    modality = modalities.load(column.modality)
    if column.name not in spec.encoders:
        return modality
    # imported by name: a model without one does not carry the code
    backbones = import_module("penstock.backbones")
    tune = spec.encoders[column.name].tune
    return cast(Modality, backbones.of(modality, column.modality, pretrained[column.name], tune))


class Model:
    """A trained model.

    Parameters
    ----------
    learnt : Learnt
        Column and target states.
    network : nn.Module
        With its trained weights.
    policy : Policy, optional
        What turns scores into decisions; default: the most probable class.
    """

    def __init__(
        self,
        learnt: Learnt,
        network: nn.Module,
        policy: Policy | None = None,
        device: str = "cpu",
    ):
        self.learnt = learnt
        self.policy = policy or Policy()
        self.device = torch.device(device)
        self.network = network.to(self.device).eval()
        self.task = tasks.load(learnt.layout.task)

    @property
    def layout(self) -> Layout:
        """What is read and predicted."""
        return self.learnt.layout

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read ``weights.safetensors``, ``state.json`` and ``policy.json`` of a folder."""
        policy = Policy.model_validate_json((folder / POLICY).read_text(encoding="utf-8"))
        return cls.read(folder / WEIGHTS, folder / STATE, policy)

    @classmethod
    def of(cls, fitted: Fitted, store: Store, policy: Policy | None = None) -> Model:
        """Read the model of a record."""
        found = opened(fitted.backbones, store)
        files = store.path(fitted.weights), store.path(fitted.state)
        return cls.read(*files, policy, place=lambda column, _: found[column])

    @classmethod
    def read(
        cls,
        weights: Path,
        state: Path,
        policy: Policy | None = None,
        device: str = "cpu",
        place: Callable[[str, str], Opened] | None = None,
    ) -> Model:
        """Read a model from its files, and its pretrained networks from beside them unless
        ``place`` says where they are (see :meth:`Learnt.from_json`).

        Raises
        ------
        BadInput
            When the state's format is another one.
        """
        beside = state.parent / FOLDER
        place = place or (lambda _, name: Opened(beside / name, name))
        learnt = Learnt.read(weights, state, place)
        tensors = _tensors(weights, "pt", kept=False)
        with torch.random.fork_rng(devices=[]):  # drawn before they are read
            network = learnt.network()
        network.load_state_dict(tensors)
        return cls(learnt, network, policy, device)

    def scores(self, table: pa.Table) -> NDArray[Any]:
        """Probabilities ``float32[n, classes]`` after the policy's temperature, values
        ``float64[n]``, or what else the task says of each row.

        Parameters
        ----------
        table : pa.Table
            Raw columns. Each feature has to be there; nulls are allowed in all of them.

        Raises
        ------
        BadInput
            When a column is absent or cannot be read as its type.
        """
        typed = typed_as(table, self.learnt.inputs)
        parts = []
        for at in self._starts(typed):
            rows = self._encoded(typed.slice(at, self.learnt.encode_rows))
            parts += [self.scored(*some) for some in self._outputs(rows)]
        return np.concatenate(parts)

    def _outputs(self, rows: Encoded) -> Iterator[tuple[Any, Inputs]]:
        return chunks_of(self.network, rows, self.device, self.task.CHUNK_ROWS)

    def encoded(self, table: pa.Table) -> Encoded:
        """What the network reads, of a table that fits in memory encoded."""
        return self._encoded(typed_as(table, self.learnt.inputs))

    def scored(self, outputs: Any, inputs: Inputs) -> NDArray[Any]:
        """Scores of the network's outputs for these inputs, as :meth:`scores`."""
        with torch.inference_mode():  # outputs may be sums that are yet to be made
            scores = self.task.scores_of(outputs, inputs, self.learnt)
        return self.task.tempered(scores, self.policy.temperature)

    def decided(self, table: pa.Table, scores: NDArray[Any]) -> NDArray[Any]:
        """The policy's decision for each row: ``int64[n]`` class codes, or the scores.

        Parameters
        ----------
        table : pa.Table
            Raw columns; the one that makes groups is read where the policy has thresholds by
            group, even if the network does not read it.
        scores
            From :meth:`scores`.
        """
        grouping = self.policy.grouping
        if grouping is None:
            none = np.zeros(len(scores), dtype=np.int64)
            return self.task.decided(scores, self.policy, [], none)
        column = typed_as(table, [self.layout.column(grouping.column)])[grouping.column]
        codes = groups.codes(column, grouping)
        return self.task.decided(scores, self.policy, groups.names_of(grouping), codes)

    def predict(self, table: pa.Table) -> pa.Table:
        """One row a row: ``prediction``, ``probability_<class>``, and the set or interval."""
        scores = self.scores(table)
        return self.answer(scores, self.decided(table, scores))

    def answer(self, scores: NDArray[Any], decided: NDArray[Any]) -> pa.Table:
        """The output columns for scores and decisions."""
        columns = self.task.predictions(scores, decided, self.policy, self.layout)
        types = {name: pa.string() if v.dtype.kind == "O" else None for name, v in columns.items()}
        # what a row has no value of is missing, not a number that is none
        return pa.table(
            {name: pa.array(v, types[name], from_pandas=True) for name, v in columns.items()}
        )

    def row_losses(self, table: pa.Table) -> NDArray[Any]:
        """Loss of each row ``float[n]``; the target column has to be there."""
        target = self.task.encode_target(table[self.layout.target], self.layout)
        return self.task.row_losses(self.scores(table), target)

    def embed(self, table: pa.Table) -> NDArray[np.float32]:
        """Hidden representation ``float32[n, width]``, the mean over members.

        Of :class:`penstock.learning.network.Network`, and of others that have an ``embed``.
        """
        typed = typed_as(table, self.learnt.inputs)
        parts = []
        with torch.inference_mode():
            for at in self._starts(typed):
                rows = self._encoded(typed.slice(at, self.learnt.encode_rows))
                inputs, _ = rows.take(torch.arange(rows.num_rows), self.device)
                hidden = self.network.embed(inputs)  # type: ignore[operator]
                parts.append(hidden.mean(dim=1).cpu().numpy())
        return np.concatenate(parts)

    def inputs(self) -> list[tuple[str, str, bool]]:
        """Name, kind and nullability of each raw column that is read.

        Kinds: double, string, boolean, datetime, binary.
        """
        return [(c.name, _kind(c.arrow_type), True) for c in self.reads]

    @property
    def reads(self) -> list[Column]:
        """The columns that a prediction needs: the inputs, and the one that makes groups."""
        inputs = self.learnt.inputs
        grouping = self.policy.grouping
        if grouping is None or grouping.column in {column.name for column in inputs}:
            return inputs
        return [*inputs, self.layout.column(grouping.column)]

    def outputs(self) -> list[tuple[str, str]]:
        """Name and kind of each output column."""
        scores = self.task.empty_scores(self.layout)
        decided = np.zeros(1, dtype=np.int64) if self.layout.classes else scores
        columns = self.task.predictions(scores, decided, self.policy, self.layout)
        kinds = {"f": "double", "b": "boolean"}
        return [(n, kinds.get(v.dtype.kind, "string")) for n, v in columns.items()]

    def _starts(self, table: pa.Table) -> range:
        return range(0, max(1, table.num_rows), self.learnt.encode_rows)

    def _encoded(self, table: pa.Table) -> Encoded:
        return Encoded.of(self.learnt.encode(table), table.num_rows)


def _tensors(weights: Path, framework: str, kept: bool) -> dict[str, Any]:
    """The arrays that stand beside the weights, or the weights."""
    with safe_open(weights, framework=framework) as file:
        names = [name for name in file.keys() if name.startswith(KEPT) == kept]  # noqa: SIM118
        return {name: file.get_tensor(name) for name in sorted(names)}


def _kind(arrow_type: str) -> str:
    if arrow_type == "bool":
        return "boolean"
    if arrow_type.startswith(("timestamp", "date")):
        return "datetime"
    if arrow_type == "binary":
        return "binary"
    return "string" if arrow_type == "string" else "double"
