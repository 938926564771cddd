"""Plug-ins: one kind of column a file.

A modality is a module of this package, or of another package that names it under the entry
point group ``penstock.modalities``. It offers the functions of :class:`Modality`; nothing
else in penstock knows what a number, a category or an image is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from pydantic import BaseModel

from penstock import plugins

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from penstock.spec import ModelSpec


Holds = Literal["number", "time", "text", "bytes", "level"]


@dataclass(frozen=True)
class Stress:
    """One way in which the world changes a column.

    Attributes
    ----------
    name : str
        In one word, for tables.
    strengths : tuple of float
        Three, the mildest first; what they measure is the modality's business.
    says : str
        What happens, as a clause with ``{column}`` and a format of ``{strength}``.
    stands_for : str
        What in the world it stands for.
    remedy : str
        What makes a model robust to it, or keeps it out.
    """

    name: str
    strengths: tuple[float, float, float]
    says: str
    stands_for: str
    remedy: str

    def clause(self, column: str, strength: float) -> str:
        """What happens to a column at a strength.

        Examples
        --------
        >>> stress = Stress("unit", (2.0, 3.0, 4.0), "{column} is times {strength:g}", "", "")
        >>> stress.clause("age", 2.0)
        'age is times 2'
        """
        return self.says.format(column=column, strength=strength)


MISSING = Stress(
    "missing",
    (0.1, 0.3, 1.0),
    "{column} is missing in {strength:.0%} of the rows",
    "a form without the field, a sensor that is out, a file that is lost",
    "train on rows in which it is missing too, or bound its nulls in the contract",
)
EXCHANGED = Stress(
    "exchanged",
    (0.1, 0.3, 1.0),
    "{column} comes from another row in {strength:.0%} of the rows",
    "a join on the wrong key, a field filled in by habit",
    "check the join, and lean less on one column: bring others that tell the same",
)
"""What befalls columns of any kind; :mod:`penstock.measure.shifts` does both."""


@dataclass(frozen=True)
class Parted:
    """One value, with each of its parts hidden in turn.

    Attributes
    ----------
    names : list of str
        Of the parts; equal names in other rows are the same part.
    arrays : dict of str to np.ndarray
        As :meth:`Modality.encode` gives them; the first axis counts the parts, each row is the
        value without that part.
    values : pa.Array, optional
        These values themselves, where there are such, for another network than the built-in one.
    """

    names: list[str]
    arrays: dict[str, np.ndarray]
    values: pa.Array | None = None


class Modality(Protocol):
    """What every stage asks of one kind of column.

    Columns come as Arrow arrays of the snapshot's type. ``n`` is the number of rows.

    A modality whose values have parts that a person can point at (words, patches) also has
    ``parted(column, state) -> Parted``, of a column of one row: at most 64 parts, none where
    nothing can be hidden; and ``shown(column, state, tints) -> dict``: fields of an
    :class:`penstock.evidence.Exhibit` that show the row with its parts tinted (``float64[parts]``
    in [-1, 1]), its caption being added to the stage's. Where every value has the same parts, the
    column may be None: what is shown then stands for all rows, and holds no value of any.
    ``specimen(state)`` is a made-up column of one
    row, for people to see or hear what the stresses do where no row may be shown.

    A modality whose values are copied with small changes (an image, saved again) also has
    ``likeness(column) -> float32[n, k]``: vectors that are near to one another for copies.

    A modality that reads a column beside others of its kind (the time between two moments) also has
    ``learn_beside(column, others, state, target, spec) -> State``, of those before it in the
    layout, by name; its State then has ``beside``, with the names that it reads, and
    ``encode_beside(column, others, state)`` gives arrays of their own names.

    A modality whose values can be nearly equal also has ``shingles(column) -> (row, code)``:
    ``int64[m]`` ascending and ``uint64[m]``, hashes of what each value is made of; values that
    share most of them are nearly equal.

    One whose views are numbers may say in ``SAID``, by their names, how a person calls the least
    and the largest (:class:`penstock.measure.bins.Said`): "the darkest fifth".

    One whose arrays are large says in ``ENCODE_ROWS`` how many rows are encoded at once.

    Attributes
    ----------
    HOLDS : {"number", "time", "text", "bytes", "level"}
        As what its columns are read and kept: whole numbers or floats, timestamps, strings,
        content of files; ``level``: numbers, strings, booleans or times, as they come.
    State : type of BaseModel
        What :meth:`learn` gives.
    STRESSES : tuple of Stress
        How the world changes such a column.
    """

    __name__: str
    HOLDS: Holds
    State: type[BaseModel]
    STRESSES: tuple[Stress, ...]

    def recognise(self, column: pa.ChunkedArray, name: str) -> float:
        """How sure this modality is that the column is its own, in [0, 1]."""

    def expectations(self, column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
        """Expectations in Great Expectations' form that these values meet, with slack."""

    def learn(self, column: pa.ChunkedArray, target: np.ndarray, spec: ModelSpec) -> BaseModel:
        """Learn the state from training rows.

        ``target`` is ``int64[n]`` class codes or ``float64[n]`` values. The state is small
        and JSON all through: it is stored with the weights.
        """

    def encode(self, column: pa.ChunkedArray, state: Any) -> dict[str, np.ndarray]:
        """Encode rows: named arrays whose first axis is ``n``. Never fails on a value."""

    def encoder(self, state: Any, spec: ModelSpec) -> Any:
        """An ``nn.Module`` from those arrays (as tensors) to ``float32[batch, width]``.

        It has an attribute ``width: int``.

        A modality that no matrix of floats can hold (an image) also has
        ``plain(column, state) -> float64[n, k]`` for the baselines.
        """

    def stressed(
        self,
        column: pa.ChunkedArray,
        state: Any,
        name: str,
        strength: float,
        rng: np.random.Generator,
    ) -> pa.ChunkedArray:
        """The column as a stress of :attr:`STRESSES` leaves it, of a type that encodes too.

        Raw values in, raw values out; the same rows, in order. A larger strength changes more.

        A modality whose values are costly to read (an image) also has
        ``reduced(column, state)``: a column that is encoded alike and cheaper to read.
        """

    def views(self, column: pa.ChunkedArray) -> dict[str, pa.Array]:
        """What two windows of it are compared by, each ``float64[n]`` or ``string[n]``.

        Nulls where there is nothing to compare. Never fails on a value.
        """


def load(name: str) -> Modality:
    """The modality of this name; KeyError when there is none."""
    return cast(Modality, plugins.load(__name__, name))
