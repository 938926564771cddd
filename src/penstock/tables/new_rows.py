"""New rows on their way to a model: read, typed, and held against the contract, batch by batch.

ports.Source -> batches that a :class:`penstock.ports.Scorer` reads, and what goes around it
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock import tasks
from penstock.errors import BadInput, Mistake
from penstock.evidence import Evidence, Table
from penstock.measure.contract import rules
from penstock.records import Column
from penstock.tables import file_columns
from penstock.tables.rereading import Rereader, read_all
from penstock.tables.windows import Window, clock

if TYPE_CHECKING:
    from penstock import ports, spec

BATCH_ROWS = 65_536
"""Most rows in memory at a time in each of the places a batch passes (house choice)."""

MOST_REASONS = 20
"""Reasons of quarantine that the evidence lists (house choice)."""

POSITION, PLACE, REASON = "row", "_row", "_reason"
VERSION = "model_version"
LABELS = (VERSION, "run_id", "window")
"""What stands behind each prediction."""

LOGGED = "feature:"
"""How a feature begins in the prediction log whose name was taken."""

OUTPUTS = ("prediction", "prediction_set", "prediction_low", "prediction_high", "abstain")
"""Names that predictions have, beside ``probability_<class>``."""


@dataclass(frozen=True)
class Passed:
    """What goes around the model and stands beside its predictions.

    Attributes
    ----------
    named : pa.Table
        Key or position, and time, of the rows that are scored.
    kept : pa.Table
        Their typed features and groups, for the log.
    aside : pa.Table
        The rows that are not scored, as they came.
    """

    named: pa.Table
    kept: pa.Table
    aside: pa.Table


class NewRows:
    """Reads, types and checks rows; iterated in another thread than the one that writes.

    Parameters
    ----------
    source : ports.Source
        New rows.
    scorer : ports.Scorer
        Who says which columns it reads.
    contract : list of dict
        Rules of columns that are read here count.
    window : Window
        Which rows.
    data : spec.Data
        ``key``, ``time`` and ``sensitive`` are read.

    Attributes
    ----------
    total : int
        Rows of the source; 0 where it does not say.

    Raises
    ------
    BadInput
        With all columns that are absent.
    """

    def __init__(
        self,
        source: ports.Source,
        scorer: ports.Scorer,
        contract: list[dict[str, Any]],
        window: Window,
        data: spec.Data,
    ):
        there = set(source.schema.names)
        asks = tasks.load(scorer.layout.task).USERS  # who asks for a list has taken nothing yet
        if asks and window.start is None and data.time not in there:
            data = data.model_copy(update={"time": ""})
        self.source, self.window, self.key, self.time = source, window, data.key, data.time
        served = [c for c in scorer.reads if not c.optional or c.name in there]
        _require_columns(source, [c.name for c in served], window, data)
        reads = [*served, *_groups(source, scorer, data)]
        self.readers = [Rereader(column, source.roots) for column in reads]
        self.served, self.num_features = served, len(served)
        self.named = [
            column.name
            for column in served
            if file_columns.names_files(source.schema.field(column.name).type, column.modality)
        ]
        self.clock = Rereader(clock(scorer.layout, data.time)) if data.time else None
        names = {*(c.name for c in reads), data.key, data.time}
        self.contract = [r for r in contract if r["kwargs"].get("column", data.target) in names]
        self.unanswered = rules.unanswered(
            [r for r in contract if r["kwargs"].get("column", "") in {"", *names}]
        )
        self.key_reader = _key_reader(scorer, data.key, self.contract)
        classes = [f"probability_{name}" for name in scorer.layout.classes]
        taken = {*OUTPUTS, *classes, POSITION, *LABELS, data.key, data.time}
        self.renamed = {c.name: f"{LOGGED}{c.name}" for c in reads if c.name in taken - {""}}
        for name in (data.key, data.time):
            self.renamed.pop(name, None)
        self.total = 0
        self.num_timeless = 0
        self.reasons: Counter[str] = Counter()

    def __iter__(self) -> Iterator[tuple[Passed, pa.Table]]:
        """Batches on their way: what goes around the model, and what it reads."""
        position, nothing = 0, True
        for batch in self.source.batches(self._told):
            for some in self._parts(batch):
                part = pa.Table.from_batches([some])
                places = np.arange(position, position + part.num_rows)
                position += part.num_rows
                inside = self._inside(part, places)
                if inside is not None:
                    nothing = False
                    yield self._ready(*inside)
        if nothing:
            yield self._ready(self.source.schema.empty_table(), np.arange(0), None)

    def evidence(self) -> Evidence:
        """What was noticed on the way."""
        notes = [f"This rule of the contract is not held against single rows: {rule}."
                 for rule in self.unanswered]  # fmt: skip
        notes += [
            f"Values of {reader.column.name} that are no {reader.column.arrow_type},"
            f" read as missing: {reader.num_unread}."
            for reader in (*self.readers, *([self.clock] if self.clock else []))
            if reader.num_unread and reader.column.name not in self.named  # those are set aside
        ]
        if self.num_timeless:
            notes.append(f"Rows without {self.time}, which lie in no window: {self.num_timeless}.")
        notes += [f"In the log {name} is called {new}." for name, new in self.renamed.items()]
        notes += [f"{where}: {why}" for where, why in self.source.unreadable[:MOST_REASONS]]
        most: list[list[Any]] = [[why, n] for why, n in self.reasons.most_common(MOST_REASONS)]
        table = Table(title="Rows in quarantine", columns=["reason", "rows"], rows=most)
        return Evidence(notes=notes, tables={"quarantine": table} if most else {})

    def _parts(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """A batch cut into what fits in memory."""
        for start in range(0, batch.num_rows, BATCH_ROWS):
            some = batch.slice(start, BATCH_ROWS)
            yield from file_columns.parts(some, self.named, self.source.roots)

    def _told(self, done: int, total: int, note: str = "") -> None:
        self.total = total if note == "rows" else 0

    def _inside(
        self, part: pa.Table, places: NDArray[Any]
    ) -> tuple[pa.Table, NDArray[Any], pa.ChunkedArray | None] | None:
        """The rows of the window, their positions and times; None when it has none of them."""
        if self.clock is None:
            return part, places, None
        times = self.clock.read(part[self.time])
        if self.window.start is None:
            return part, places, times
        self.num_timeless += times.null_count
        inside = np.asarray(self.window.holds(times).to_numpy(), dtype=bool)
        if not inside.any():
            return None
        mask = pa.array(inside)
        return part.filter(mask), places[inside], times.filter(mask)

    def _ready(
        self, part: pa.Table, places: NDArray[Any], times: pa.ChunkedArray | None
    ) -> tuple[Passed, pa.Table]:
        typed = read_all(self.readers, part)
        if self.clock is not None and times is None:
            times = self.clock.read(part[self.time])
        named = {self.key: _plain(part[self.key])} if self.key else {POSITION: pa.array(places)}
        if times is not None:
            named[self.time] = times
        checked = named | dict(zip(typed.column_names, typed.columns, strict=True))
        if self.key_reader is not None:
            checked[self.key] = self.key_reader.read(part[self.key])
        why = rules.reasons(pa.table(checked), self.contract)
        lost = {reader.column.name: reader.lost for reader in self.readers}
        faults, columns = file_columns.broken(typed, self.served, lost)
        why = np.where((why == "") & (faults != ""), columns + ": " + faults, why)
        broken = why != ""
        names, rows, aside = pa.table(named), typed, part.slice(0, 0)
        reasons = why[broken]
        if broken.any():
            self.reasons.update(reasons.tolist())
            keep = pa.array(~broken)
            names, rows, aside = (
                names.filter(keep),
                rows.filter(keep),
                part.filter(pa.array(broken)),
            )
        aside = _set(_set(aside, PLACE, pa.array(places[broken])), REASON,
                     pa.array(reasons, pa.string()))  # fmt: skip
        kept = rows.drop_columns([n for n in (self.key, self.time) if n in rows.column_names])
        kept = kept.rename_columns([self.renamed.get(n, n) for n in kept.column_names])
        return Passed(names, kept, aside), rows.select(range(self.num_features))


def _require_columns(
    source: ports.Source, needed: list[str], window: Window, data: spec.Data
) -> None:
    """BadInput with all that is missing before the first row is read."""
    mistakes = []
    if window.start is not None and not data.time:
        mistakes.append(
            Mistake(
                "a window is cut by data.time, the column that says when a row is from",
                "data.time is empty",
                "--window",
                "name that column as data.time, or score without a window",
            )
        )
    said = {data.key: "data.key", data.time: "data.time"}
    for name in dict.fromkeys([*needed, *filter(None, (data.key, data.time))]):
        times = source.schema.names.count(name)
        if times != 1:
            what = said.get(name) or "the model reads it"
            found = f"column {name} is absent" if not times else f"column {name} {times} times"
            remedy = "add the column, empty where nothing is known"
            rule = f"the input has every column that scoring needs ({what})"
            mistakes.append(Mistake(rule, found, source.description, remedy))
    for name, field in said.items():
        if name in (*OUTPUTS, *LABELS):
            rule, remedy = "predictions have a column of that name", "rename the column"
            mistakes.append(Mistake(rule, f"{field} is {name}", field, remedy))
    if mistakes:
        raise BadInput(mistakes)


def _groups(source: ports.Source, scorer: ports.Scorer, data: spec.Data) -> list[Column]:
    """Sensitive columns that the model does not read, where the input has them."""
    read = {column.name for column in scorer.reads}
    known = {column.name: column for column in scorer.layout.columns}
    names = [name for name in data.sensitive if name in known and name not in read]
    return [known[name] for name in names if source.schema.names.count(name) == 1]


def _key_reader(scorer: ports.Scorer, key: str, contract: list[dict[str, Any]]) -> Rereader | None:
    """Reads keys as training did, where the contract has a rule for them."""
    ruled = any(rule["kwargs"].get("column") == key for rule in contract)
    known = {column.name: column for column in scorer.layout.columns}
    text = Column(name=key, modality="category", arrow_type="string")
    return Rereader(known.get(key, text)) if key and ruled else None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    is_coded = pa.types.is_dictionary(column.type)
    return column.cast(column.type.value_type) if is_coded else column


def _set(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The table with this column, in place of one that is called so."""
    kept = table.drop_columns([name]) if name in table.column_names else table
    return kept.append_column(name, values)
