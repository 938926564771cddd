"""Plug-ins: how a pretrained network reads one kind of column, a file a kind.

Everything else about the column (stresses, views, what baselines see) stays its modality's:
:class:`Pretrained` is that modality with another ``learn``, ``encode`` and ``encoder``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, create_model

from penstock import fingerprint, plugins
from penstock.chunks import taken
from penstock.learning import pretrained, pretrained_encoder
from penstock.learning.kept import kept_in
from penstock.opened import Opened

if TYPE_CHECKING:
    from torch import Tensor, nn

    from penstock.modalities import Modality, Parted
    from penstock.spec import ModelSpec

LEARN_ROWS = 512
"""Training rows whose vectors say mean and deviation (house choice)."""
ENCODE_ROWS = 256
"""Rows whose arrays are held at once on their way through a network (house choice)."""

Named = dict[str, NDArray[np.generic]]


class Reader(Protocol):
    """How a pretrained network reads one kind of column.

    ``prepared`` is JSON: what of the preparation was settled by training rows and by the folder.
    """

    __name__: str
    TAKES: tuple[str, ...]
    """Names of the inputs of which a network has to take one."""
    FILES: tuple[str, ...]
    """Files beside config and weights that prepare the inputs."""

    def mistakes(self, folder: Path, config: Any) -> list[str]:
        """What the folder lacks to prepare inputs."""

    def learn(
        self,
        modality: Modality,
        column: pa.ChunkedArray,
        target: NDArray[np.generic],
        spec: ModelSpec,
        folder: Path,
    ) -> tuple[BaseModel, dict[str, Any]]:
        """The modality's state, at the network's size or rate, and ``prepared``."""

    def encode(
        self, modality: Modality, column: pa.ChunkedArray, state: Any, folder: Path
    ) -> Named:
        """Arrays of rows; ``length``: ``int32[n]``, 0 where there is nothing to read."""

    def prepare(self, arrays: dict[str, Tensor], prepared: dict[str, Any]) -> dict[str, Tensor]:
        """What the network takes, by name."""

    def pool(self, hidden: Tensor, arrays: dict[str, Tensor], prepared: dict[str, Any]) -> Tensor:
        """``float32[batch, width]`` of the last hidden states."""

    def without(
        self, modality: Modality, column: pa.ChunkedArray, state: Any, parted: Parted
    ) -> pa.Array:
        """A value without each of the parts that the modality found in it."""


class Prepared(BaseModel):
    """What is known of a column's pretrained network.

    Attributes
    ----------
    fingerprint : str
        Of its files.
    inputs : dict
        The reader's ``prepared``.
    mean, deviation : list of float
        Of the vectors that it makes of training rows.
    num_tokens : int
        Hidden states of the longest training row; many, until it is known.
    work : float
        Multiplications a row, roughly.
    """

    fingerprint: str
    inputs: dict[str, Any]
    mean: list[float] = []
    deviation: list[float] = []
    num_tokens: int = 512
    work: float = 0.0


@lru_cache
def _state_with(state: type[BaseModel]) -> type[BaseModel]:
    """The modality's state, with the field ``backbone``: the modality itself can read it too."""
    fields: Any = {"backbone": (Prepared, ...)}
    return create_model(f"Pretrained{state.__qualname__}", __base__=state, **fields)


def of(modality: Modality, kind: str, opened: Opened, tune: str) -> Modality:
    """A modality whose column a pretrained network reads, tuned as far as ``tune`` says."""
    return cast("Modality", Pretrained(modality, plugins.load(__name__, kind), opened, tune))


class Pretrained:
    """A modality whose column a pretrained network reads.

    Parameters
    ----------
    modality : Modality
        What the column is.
    reader : Reader
        Of that kind.
    opened : Opened
        The network's folder.
    tune : str
        What training changes of it.
    """

    def __init__(self, modality: Modality, reader: Reader, opened: Opened, tune: str):
        self.modality, self.reader, self.opened, self.tune = modality, reader, opened, tune
        self.kind = reader.__name__.rpartition(".")[2]
        self.State = _state_with(modality.State)
        if tune != "frozen":  # else the arrays are as small as its vectors
            self.ENCODE_ROWS = ENCODE_ROWS

    def __getattr__(self, name: str) -> Any:
        """All else is the modality's."""
        return getattr(self.modality, name)

    def learn(
        self, column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec
    ) -> BaseModel:
        """The modality's state, and how the network's vectors of training rows are spread.

        Raises
        ------
        Unfit
            When the network does not read what its folder prepares, or makes no numbers of it.
        """
        folder = self.opened.folder
        own, inputs = self.reader.learn(self.modality, column, target, spec, folder)
        about = Prepared(fingerprint=self.opened.fingerprint, inputs=inputs)
        state = self.State(**own.model_dump(), backbone=about)
        places = np.linspace(0, len(column) - 1, min(len(column), LEARN_ROWS)).astype(np.int64)
        some = taken(column, places)
        network = pretrained.frozen(folder, self.kind)
        self._num_tokens(network, some.slice(0, 1), state)  # else it cannot read any row
        found, length = self._features(some, state)
        if lost := len(found) - int(np.isfinite(found).all(axis=1).sum()):
            rule, remedy = "a pretrained network makes numbers of values", "see its weights"
            raise pretrained.Unfit(rule, f"{lost} of {len(found)} vectors are not", remedy)
        seen = found[length > 0] if (length > 0).any() else np.zeros((2, found.shape[1]), "f4")
        mean, deviation = pretrained_encoder.standard_of(seen)
        num_tokens = self._num_tokens(network, some.slice(int(length.argmax()), 1), state)
        work = pretrained.work_of(network, num_tokens)
        if self.tune != "frozen":
            del network
            pretrained.let_go()
        update = {"mean": mean, "deviation": deviation, "num_tokens": num_tokens, "work": work}
        return state.model_copy(update={"backbone": about.model_copy(update=update)})

    def encode(self, column: pa.ChunkedArray, state: Any) -> Named:
        """``length``: ``int32[n]``; and ``features``: ``float32[n, width]`` of a network that
        stays as it is, else what the network takes."""
        if self.tune != "frozen":
            return self.reader.encode(self.modality, column, state, self.opened.folder)
        features, length = self._features(column, state)
        return {"features": features, "length": length}

    def parted(self, column: pa.ChunkedArray, state: Any) -> Parted:
        """The parts that the modality finds, and what the network reads without each."""
        modality: Any = self.modality
        found: Parted = modality.parted(column, state)
        if not found.names:
            return replace(found, arrays=self.encode(column.slice(0, 0), state))
        values = self.reader.without(modality, column, state, found)
        return replace(found, arrays=self.encode(pa.chunked_array([values]), state))

    def encoder(self, state: Any, spec: ModelSpec) -> nn.Module:
        """What stands between the arrays and the network of all columns."""
        about = state.backbone
        given = about.mean, about.deviation, about.work
        if self.tune == "frozen":
            return pretrained_encoder.Pretrained(*given)
        network = pretrained.tuned(pretrained.read(self.opened.folder, self.kind), self.tune)
        return pretrained_encoder.Pretrained(
            *given,
            network=network,
            prepare=self._prepare(state),
            pool=self._pool(state),
            num_tokens=about.num_tokens,
            rate=pretrained.RATE[self.tune],
        )

    def _num_tokens(self, network: nn.Module, one: pa.ChunkedArray, state: Any) -> int:
        arrays = self.reader.encode(self.modality, one, state, self.opened.folder)
        return pretrained.num_tokens(network, arrays, self._prepare(state))

    def _prepare(self, state: Any) -> pretrained.Prepare:
        return lambda arrays: self.reader.prepare(arrays, state.backbone.inputs)

    def _pool(self, state: Any) -> pretrained.Pool:
        return lambda hidden, arrays: self.reader.pool(hidden, arrays, state.backbone.inputs)

    def _features(
        self, column: pa.ChunkedArray, state: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Vectors and lengths of rows; those that were made before are not made again."""
        if self.opened.store is None:
            return self._made(column, state)
        kept = kept_in(self.opened.store.cache(f"features-{self._preparation(state)}"))
        return kept.of(column, lambda some: self._made(some, state))

    def _made(
        self, column: pa.ChunkedArray, state: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        network = pretrained.frozen(self.opened.folder, self.kind)
        at_once = min(ENCODE_ROWS, pretrained.rows_at_once(network, state.backbone.num_tokens))
        parts, lengths = [], []
        for at in range(0, len(column), ENCODE_ROWS):
            some = column.slice(at, ENCODE_ROWS)
            arrays = self.reader.encode(self.modality, some, state, self.opened.folder)
            made = pretrained.features(
                network, arrays, self._prepare(state), self._pool(state), at_once
            )
            length = arrays["length"].astype(np.int32)
            parts.append(np.where(length[:, None] > 0, made, np.float32(0)))
            lengths.append(length)
        if not parts:
            return np.zeros((0, max(1, len(state.backbone.mean))), "f4"), np.zeros(0, "i4")
        return np.concatenate(parts), np.concatenate(lengths)

    def _preparation(self, state: Any) -> str:
        """SHA-256 of all that a vector depends on beside the value."""
        return fingerprint.of_json(
            {
                "backbone": state.backbone.fingerprint,
                "inputs": state.backbone.inputs,
                "code": fingerprint.code_version(self.reader.__name__, self.modality.__name__),
                "transformers": metadata.version("transformers"),
            }
        )
