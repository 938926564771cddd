"""Score new rows with a registered model, and keep what was predicted from what.

A network has an answer for whatever numbers it is handed: a negative age, a column in another
unit, a model that nobody approved all give probabilities that look like any others. So only a
version that passed its gates predicts here, only on rows that keep the contract that its
training rows kept, and what it said about which rows is written down where it can be held
against the truth later.

ports.Source, ports.Scorer -> Scored; rows into sinks
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from penstock import tags
from penstock.errors import Mistake, NoVerdict
from penstock.outcomes import Scored
from penstock.tables.new_rows import LABELS, NewRows

if TYPE_CHECKING:
    from penstock import ports, spec
    from penstock.tables.windows import Window

PASSED = "passed"


@dataclass(frozen=True)
class Sinks:
    """Where rows go.

    Attributes
    ----------
    output : ports.Sink
        Predictions.
    quarantine : ports.Sink
        Rows that break the contract, as they came, with ``_reason``.
    log : ports.Sink, optional
        Key, time, typed features and predictions, for monitoring; None: not kept.
    """

    output: ports.Sink
    quarantine: ports.Sink
    log: ports.Sink | None = None


def usable(model: str, number: str, registry: ports.Registry) -> ports.Version:
    """The version that may score: the champion, or the one of this number.

    Raises
    ------
    NoVerdict
        When there is none, or it did not pass its gates.
    """
    version = registry.version(model, number) if number else registry.champion(model)
    rule = "only a version with a passed verdict scores"
    if version is None:
        found = f"no version {number}" if number else "no champion yet"
        raise NoVerdict(Mistake(rule, found, f"model {model}", "train the pipeline first"))
    if version.tags.get(tags.VERDICT) != PASSED:
        verdict = version.tags.get(tags.VERDICT)
        found = f"{tags.VERDICT} is {verdict!r}" if verdict else f"no tag {tags.VERDICT}"
        remedy = "let penstock train judge the model; only that writes a verdict"
        raise NoVerdict(Mistake(rule, found, f"model {model} version {version.number}", remedy))
    return version


def score(
    source: ports.Source,
    scorer: ports.Scorer,
    contract: list[dict[str, Any]],
    sinks: Sinks,
    window: Window,
    data: spec.Data,
    version: ports.Version,
    run_id: str = "",
    progress: ports.Progress | None = None,
) -> Scored:
    """Score the rows of a window, in constant memory at any size.

    The output has the key, or ``row``, the position in the input; the time; prediction,
    probabilities, set or interval, and whether to abstain; ``model_version``, ``run_id`` and
    ``window``. Written in place of what the window held; an error leaves that as it was.

    Parameters
    ----------
    source : ports.Source
        New rows; the target need not be there.
    scorer : ports.Scorer
        The packaged model.
    contract : list of dict
        Rules of columns that scoring reads count; a row that breaks one marked
        ``quarantine`` is set aside.
    sinks : Sinks
        Where rows go.
    window : Window
        Which rows, and what they are called.
    data : spec.Data
        ``key``, ``time`` and ``sensitive`` are read.
    version : ports.Version
        Which model this is, for the record.
    run_id : str
        Of this run.

    Raises
    ------
    BadInput
        With every column that is absent, or holds other things than in training; a window
        without ``data.time``.
    NotServable
        When the model cannot score.
    """
    started = time.perf_counter()
    rows = NewRows(source, scorer, contract, window, data)
    labels = dict(zip(LABELS, (version.number, run_id, window.name), strict=True))
    pace = _Pace(progress, rows)
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(sinks.output.window(window.name))
        quarantine = stack.enter_context(sinks.quarantine.window(window.name))
        log = stack.enter_context(sinks.log.window(window.name)) if sinks.log else None
        counts: Counter[str] = Counter()
        with contextlib.closing(_generator(scorer, rows)) as answered:
            for number, (passed, found) in enumerate(answered):
                wide = _beside(found, _constant(labels, found.num_rows))
                _write(output, _beside(passed.named, wide), number)
                _write(quarantine, passed.aside, number)
                if log is not None:
                    _write(log, _beside(_beside(passed.named, passed.kept), wide), number)
                counts["scored"] += found.num_rows
                counts["aside"] += passed.aside.num_rows
                pace.tell(counts["scored"] + counts["aside"])
    return Scored(
        model=version.name,
        version=version.number,
        window=window.name,
        num_rows=counts["scored"] + counts["aside"],
        num_scored=counts["scored"],
        num_quarantined=counts["aside"],
        output=sinks.output.description,
        quarantine=sinks.quarantine.description if counts["aside"] else "",
        log=sinks.log.description if sinks.log else "",
        run_id=run_id,
        evidence=rows.evidence(),
        seconds=round(time.perf_counter() - started, 3),
    )


class _Pace:
    """Tells how far it has come, how fast, and how long it still takes."""

    def __init__(self, progress: ports.Progress | None, rows: NewRows):
        self.progress, self.rows = progress, rows
        self.started = time.perf_counter()

    def tell(self, done: int) -> None:
        if self.progress is None:
            return
        rate = done / max(time.perf_counter() - self.started, 1e-6)
        note = f"{rate:,.0f} rows/s"
        total = self.rows.total if self.rows.window.start is None else 0
        if total > done:
            note += f", {(total - done) / rate:.0f} s left"
        self.progress(done, max(total, done) if total else 0, note)


def _generator(scorer: ports.Scorer, rows: NewRows) -> Any:
    """A generator of answers, which can be closed whatever made it."""
    yield from scorer.predict(rows)


def _constant(labels: dict[str, str], num_rows: int) -> pa.Table:
    return pa.table({name: pa.repeat(pa.scalar(text), num_rows) for name, text in labels.items()})


def _beside(left: pa.Table, right: pa.Table) -> pa.Table:
    names = [*left.column_names, *right.column_names]
    return pa.Table.from_arrays([*left.columns, *right.columns], names=names)


def _write(writer: ports.RowWriter, table: pa.Table, number: int) -> None:
    """Append; the first batch is written even without rows, since it says the columns."""
    if table.num_rows or number == 0:
        writer.write(table)
