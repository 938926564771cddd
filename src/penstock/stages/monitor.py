"""Hold a window of later rows against the world that the model was made in.

A deep network never says that it does not know: it answers rows from another world as smoothly
as its own. So whether the world is still the same has to be asked from outside, again and
again, and a change that costs something told from one that does not.

Reference, Version, Source -> Drift
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock import modalities, plugins, tasks
from penstock.errors import BadInput, Mistake
from penstock.measure.drift import alarm, findings, harm
from penstock.measure.drift.changes import Changes, Found, changes
from penstock.measure.drift.reference import Reference
from penstock.measure.predictions import Answers
from penstock.outcomes import Drift
from penstock.ports import Progress, Scorer, Source, Version
from penstock.records import Column, Layout
from penstock.spec import BiasSpec, Data, MonitorSpec
from penstock.tables import arriving
from penstock.tables.new_rows import VERSION
from penstock.tables.rereading import spelled
from penstock.tables.windows import Window, clock, last_whole

SCORE_ROWS = 16_384
"""Rows scored at once (house choice)."""
PASSING = {("timestamp", "days")}
"""Views that change because time passes, which is no drift."""


@dataclass(frozen=True)
class Watch:
    """Who is watched, and by what rules.

    Attributes
    ----------
    version : Version
        Of the registered model.
    reference : Reference
        From its package.
    data : Data
        Key, time and sensitive columns.
    spec : MonitorSpec
        Budget, margin and labels.
    bias : BiasSpec
        Fewest rows of a group.
    history : sequence of dict
        What :meth:`Drift.answer` gave for earlier windows, for the charts.
    """

    version: Version
    reference: Reference
    data: Data
    spec: MonitorSpec
    bias: BiasSpec = field(default_factory=BiasSpec)
    history: Sequence[dict[str, Any]] = ()


def monitor(
    watch: Watch,
    scorer: Scorer,
    current: Source,
    labels: Source | None = None,
    window: str = "",
    progress: Progress = lambda done, total, note="": None,
) -> Drift:
    """Decide about one window.

    Parameters
    ----------
    watch : Watch
        Who is watched, and by what rules.
    scorer : Scorer
        The registered model.
    current : Source
        Raw rows; with the target, where it is known already.
    labels : Source, optional
        The key and the target, of rows whose truth came later.
    window : str
        ``A..B``; empty: as the spec says.
    progress : Progress
        Told how far it has come.

    Returns
    -------
    Drift
        With tables, figures and notes.

    Raises
    ------
    BadInput
        A window without rows, without the column that it is cut by, or of labels without a key.
    """
    _check(watch, current, labels, window)
    progress(0, 4, "rows")
    raw, span = _rows(watch, scorer.layout, current, window)
    task = tasks.load(scorer.layout.task)
    came = set(raw.column_names)
    if task.requests is not None:
        raw = task.requests(arriving.of_users(raw, scorer.layout), scorer.learnt)
        _require(raw, "a window holds something that the model was not trained on", current)
    needed = {column.name for column in scorer.reads}
    typed, absent, unread = arriving.typed(raw, _columns(watch, scorer), needed, current.roots)
    progress(1, 4, f"scores of {typed.num_rows} rows")
    answers = _scored(watch, scorer, raw, typed)
    later = arriving.read_whole(labels) if labels is not None else None
    if later is not None and task.requests is not None:
        later = task.requests(arriving.of_users(later, scorer.layout), scorer.learnt)
    made = [name for name in typed.column_names if name not in came and name not in absent]
    typed = typed.drop_columns(made)  # what was made of the rows here is no drift of them
    truth = arriving.truth(raw, scorer.layout, watch.data.key, later)
    signal = None if scorer.layout.classes else task.signal(answers.scores)
    found = Found(span.name, typed, absent, unread, answers, *truth, signal)
    progress(2, 4, "what changed")
    changed = changes(watch.reference, found, _views)
    progress(3, 4, "whether it matters")
    return _decided(watch, scorer.layout, found, changed)


def _check(watch: Watch, current: Source, labels: Source | None, window: str) -> None:
    """Find what the call says wrong, before rows are read."""
    data, mistakes = watch.data, []
    names = current.schema.names
    cut = bool(window) or watch.spec.every != "whole"
    if cut and data.time not in names:
        found = f"no column {data.time!r}" if data.time else "data.time is empty"
        rule = "a window is cut by the column of data.time"
        remedy = "say data.time in pipeline.yaml, or leave --window out"
        mistakes.append(Mistake(rule, found, current.description, remedy))
    if labels is not None:
        rule = "labels that come later are joined by data.key"
        if not data.key:
            remedy = "say in pipeline.yaml which column names a row: data.key"
            mistakes.append(Mistake(rule, "data.key is empty", "--labels", remedy))
        for name, source in ((data.key, current), (data.key, labels), (data.target, labels)):
            if name and name not in source.schema.names:
                known = ", ".join(source.schema.names[:20])
                found = f"no column {name!r}; there are {known}"
                mistakes.append(Mistake(rule, found, source.description, "name other columns"))
    if mistakes:
        raise BadInput(mistakes)


def _rows(watch: Watch, layout: Layout, current: Source, window: str) -> tuple[pa.Table, Window]:
    """The window's raw rows, and what it is called."""
    raw = arriving.read_whole(current)
    time, every = watch.data.time, watch.spec.every
    span = Window.parse(window) if window else None
    if span is not None or every != "whole":
        times = arriving.read_as(raw[time], clock(layout, time))[0]
        span = span or last_whole(times, every)
        raw = raw.filter(span.holds(times))
    _require(raw, "a window has rows", current, f"none in {span.name}" if span else "none at all")
    return raw, span or Window(f"rows-{sha256(current.fingerprint().encode()).hexdigest()[:12]}")


def _require(rows: pa.Table, rule: str, source: Source, found: str = "no such row") -> None:
    if not rows.num_rows:
        remedy = "name another window, or another source of new rows: --current"
        raise BadInput(Mistake(rule, found, source.description, remedy))


def _columns(watch: Watch, scorer: Scorer) -> list[Column]:
    """What is compared or read by the model."""
    reads = {column.name: column for column in scorer.reads}
    known = {column.name: column for column in scorer.layout.columns}
    return [known.get(name) or reads[name] for name in {**reads, **watch.reference.columns}]


def _scored(watch: Watch, scorer: Scorer, raw: pa.Table, typed: pa.Table) -> Answers:
    """What the model says of each row; what it has said where the rows come from its log."""
    if VERSION in raw.column_names:
        by = spelled(raw[VERSION])
        if pc.all(pc.equal(by, watch.version.number)).as_py():
            return tasks.load(scorer.layout.task).answers(raw, scorer.layout)
    names = [column.name for column in scorer.reads if column.name in typed.column_names]

    def batches() -> Iterator[tuple[int, pa.Table]]:
        read = typed.select(names).to_batches(max_chunksize=SCORE_ROWS)  # of files few at once
        yield from enumerate(pa.Table.from_batches([batch]) for batch in read)

    found = pa.concat_tables(table for _, table in scorer.predict(batches()))
    return tasks.load(scorer.layout.task).answers(found, scorer.layout)


def _views(modality: str, values: pa.ChunkedArray) -> dict[str, pa.Array]:
    """What a column is compared by, without what changes because time passes."""
    known = modality in plugins.modules("penstock.modalities")
    plug = modalities.load(modality if known else "category")
    plug = plug if hasattr(plug, "views") else modalities.load("category")
    found = plug.views(values)
    return {view: v for view, v in found.items() if (modality, view) not in PASSING}


def _decided(watch: Watch, layout: Layout, found: Found, changed: Changes) -> Drift:
    """Whether it matters, and everything that it was told by."""
    reference, spec = watch.reference, watch.spec
    drifted = [name for name, p in changed.adjusted.items() if p <= spec.budget]
    losses = tasks.load(layout.task).row_losses(found.known.scores, found.target)
    losses = losses.astype(np.float64)
    guess, estimated = harm.estimated(reference, found, changed, bool(drifted))
    fact, realised = harm.realised(reference, found, losses, spec.min_labels)
    known = alarm.sides(guess, fact, float(found.labelled.mean()))
    decision = alarm.decide(known, bool(drifted), changed.unsupported, spec.budget, spec.margin)
    drift = Drift(
        model=watch.version.name,
        version=watch.version.number,
        window=found.window,
        num_rows=found.num_rows,
        num_labelled=int(found.labelled.sum()),
        outcome="alarm" if decision.harm != "none" else "drift" if drifted else "steady",
        harm=decision.harm,
        drift_p_value=min(changed.adjusted.values(), default=None),
        harm_p_value=decision.p_value,
        budget=spec.budget,
        drifted=drifted,
        metric=reference.metric,
        reference=reference.declared,
        estimated=estimated.estimate,
        realised=realised.estimate,
        separation=changed.together.separation if changed.together else None,
        unsupported=changed.unsupported,
    )
    drift = drift.model_copy(update={"why": findings.sentence(drift, known, spec.margin)})
    of = tasks.load(layout.task).quantities
    by_group = findings.groups_of(reference, layout, found, losses, watch.bias, of)
    evidence = findings.evidence_of(
        drift, reference, layout, found, changed, known, spec, watch.history, by_group
    )
    return drift.model_copy(update={"evidence": evidence})
