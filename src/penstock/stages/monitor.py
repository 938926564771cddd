"""Hold a window of later rows against the world that the model was made in.

A deep network never says that it does not know: it answers rows from another world as smoothly
as its own. So whether the world is still the same has to be asked from outside, again and
again, and a change that costs something told from one that does not.

Reference, Version, Source -> Drift
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock import modalities, plugins, tasks
from penstock.errors import BadInput, Mistake
from penstock.measure import metrics, sketches
from penstock.measure.drift import (
    alarm,
    column_tests,
    findings,
    means,
    performance,
    two_sample,
)
from penstock.measure.drift.alarm import Loss
from penstock.measure.drift.column_tests import ViewTest
from penstock.measure.drift.performance import Curve, Measured
from penstock.measure.drift.reference import Reference
from penstock.measure.drift.two_sample import TwoSample
from penstock.measure.intervals import Z95
from penstock.measure.predictions import Answers, answers_of
from penstock.ports import Progress, Scorer, Source, Version
from penstock.records import Column, Drift, Estimate, Layout
from penstock.spec import BiasSpec, Data, MonitorSpec
from penstock.tables import arriving, periods
from penstock.tables.windows import Window

SCORE_ROWS = 16_384
"""Rows scored at once (house choice)."""
SEED = 0
"""Of draws, folds and samples: equal windows, equal answers."""
PASSING = {("timestamp", "days")}
"""Views that change because time passes, which is no drift."""
VERSION, LOGGED = "model_version", "feature:"
"""In the prediction log: who predicted; how a feature begins whose name was taken."""
PREDICTIONS, TOGETHER = "predictions", "all columns together"
NOTHING = Measured(float("nan"), float("nan"))


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


@dataclass(frozen=True)
class Found:
    """What a window holds, typed and scored.

    Attributes
    ----------
    window : Window
        Its name and bounds.
    columns : pa.Table
        Typed, of every column that is there.
    absent : list of str
        Columns that the model reads and that are not there.
    unread : dict of str to int
        Values that could not be read, by column.
    answers : Answers
        Scores and decisions.
    labelled : bool[n]
        Rows whose truth is known.
    target : int64[k] or float64[k]
        Of those.
    foreign : int
        Labels that are no class of the model.
    """

    window: Window
    columns: pa.Table
    absent: list[str]
    unread: dict[str, int]
    answers: Answers
    labelled: NDArray[np.bool_]
    target: NDArray[Any]
    foreign: int

    @property
    def num_rows(self) -> int:
        """Of the window."""
        return len(self.answers.decided)

    @cached_property
    def known(self) -> Answers:
        """What was said of the labelled rows."""
        return self.answers.of(np.flatnonzero(self.labelled))


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
    typed, absent, unread = _typed(raw, _columns(watch, scorer), scorer)
    progress(1, 4, f"scores of {typed.num_rows} rows")
    answers = _scored(watch, scorer, raw, typed)
    truth = _truth(watch, scorer.layout, raw, labels)
    found = Found(span, typed, absent, unread, answers, *truth)
    progress(2, 4, "what changed")
    changes = _changes(watch, found)
    progress(3, 4, "whether it matters")
    return _decided(watch, scorer.layout, found, changes)


# ---------------------------------------------------------------- the rows of the window


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
    raw = _read(current)
    time, every = watch.data.time, watch.spec.every
    span = Window.parse(window) if window else None
    if span is not None or every != "whole":
        times = arriving.read_as(raw[time], _clock(layout, time))[0]
        span = span or periods.last_whole(times, every)
        raw = raw.filter(span.holds(times))
    if not raw.num_rows:
        rule = "a window has rows"
        found = f"none in {span.name}" if span else "none at all"
        remedy = "name another window, or another source of new rows: --current"
        raise BadInput(Mistake(rule, found, current.description, remedy))
    return raw, span or Window(_name(current))


def _read(source: Source) -> pa.Table:
    """All rows as the source gives them; columns of the prediction log under their own names."""
    batches = [b.cast(source.schema) for b in source.batches()]
    table = pa.Table.from_batches(batches, source.schema)
    own = [name.removeprefix(LOGGED) for name in table.column_names]
    return table.rename_columns(own) if len(set(own)) == len(own) else table


def _name(source: Source) -> str:
    """Of rows without a window: equal content, equal name."""
    return f"rows-{sha256(source.fingerprint().encode()).hexdigest()[:12]}"


def _clock(layout: Layout, name: str) -> Column:
    """The column of moments as training read it, or as ISO 8601."""
    known = {column.name: column for column in layout.columns}
    moment = Column(name=name, modality="timestamp", arrow_type="timestamp[us]")
    found = known.get(name, moment)
    return found if found.arrow_type.startswith("timestamp") else moment


def _columns(watch: Watch, scorer: Scorer) -> list[Column]:
    """What is compared or read by the model."""
    reads = {column.name: column for column in scorer.reads}
    known = {column.name: column for column in scorer.layout.columns}
    return [known.get(name) or reads[name] for name in {**reads, **watch.reference.columns}]


def _typed(
    raw: pa.Table, columns: list[Column], scorer: Scorer
) -> tuple[pa.Table, list[str], dict[str, int]]:
    """Typed columns; which of those that the model reads are absent; what could not be read."""
    reads = {column.name for column in scorer.reads}
    found, absent, unread = {}, [], {}
    for column in columns:
        if column.name in raw.column_names:
            found[column.name], lost = arriving.read_as(raw[column.name], column)
            if lost:
                unread[column.name] = lost
        elif column.name in reads:
            found[column.name] = arriving.absent(column, raw.num_rows)
            absent.append(column.name)
    return pa.table(found), absent, unread


def _scored(watch: Watch, scorer: Scorer, raw: pa.Table, typed: pa.Table) -> Answers:
    """What the model says of each row; what it has said where the rows come from its log."""
    if VERSION in raw.column_names:
        by = arriving.spelled(raw[VERSION])
        if pc.all(pc.equal(by, watch.version.number)).as_py():
            return answers_of(raw, scorer.layout)
    names = [column.name for column in scorer.reads]

    def batches() -> Iterator[tuple[int, pa.Table]]:
        for at in range(0, typed.num_rows, SCORE_ROWS):
            yield at, typed.select(names).slice(at, SCORE_ROWS)

    found = pa.concat_tables(table for _, table in scorer.predict(batches()))
    return answers_of(found, scorer.layout)


def _truth(
    watch: Watch, layout: Layout, raw: pa.Table, labels: Source | None
) -> tuple[NDArray[np.bool_], NDArray[Any], int]:
    """Which rows have a label, their target, and how many labels are no value of it."""
    target, key = layout.target, watch.data.key
    if labels is not None:
        later = _read(labels)
        column = pa.chunked_array(
            [later[target].combine_chunks().take(_places(raw[key], later[key]))]
        )
    elif target in raw.column_names:
        column = raw[target]
    else:
        return np.zeros(raw.num_rows, dtype=bool), np.empty(0, dtype=np.int64), 0
    typed, num_unread = arriving.read_as(column, layout.column(target))
    values: NDArray[np.float64]
    if layout.classes:
        codes = pc.index_in(arriving.spelled(typed), pa.array(layout.classes, pa.string()))
        values = codes.cast(pa.float64()).to_numpy(zero_copy_only=False)
    else:
        values = typed.cast(pa.float64(), safe=False).to_numpy()
    known = np.isfinite(values)
    foreign = num_unread + len(typed) - typed.null_count - int(known.sum())
    found = values[known].astype(np.int64) if layout.classes else values[known]
    return known, found, foreign


def _places(keys: pa.ChunkedArray, later: pa.ChunkedArray) -> pa.Array:
    """Where each row's label stands, null where there is none; of equal keys the last counts."""
    mine, theirs = (arriving.spelled(arriving.read_freely(k)) for k in (keys, later))
    theirs = theirs.combine_chunks() if isinstance(theirs, pa.ChunkedArray) else theirs
    backwards = theirs.take(pa.array(np.arange(len(theirs))[::-1]))
    place = pc.index_in(mine, backwards, skip_nulls=True)
    found = pc.subtract(len(theirs) - 1, place)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


# ---------------------------------------------------------------- what changed


@dataclass(frozen=True)
class Changes:
    """What changed in a window.

    Attributes
    ----------
    tests : list of ViewTest
        Of every view of every column, and of the predictions.
    adjusted : dict of str to float
        P-values of the family: columns, predictions, all columns together.
    together : TwoSample or None
        The classifier; None where there is no sample or too few rows.
    unsupported : float
        Share of rows that are like hardly any of the reference's.
    """

    tests: list[ViewTest]
    adjusted: dict[str, float]
    together: TwoSample | None
    unsupported: float


def _changes(watch: Watch, found: Found) -> Changes:
    views = {
        name: _views(watch.reference.modalities[name], found.columns[name])
        for name in found.columns.column_names
        if name in watch.reference.columns
    }
    tests = [
        test
        for name, each in views.items()
        for view, values in each.items()
        if (test := column_tests.compare(name, view, watch.reference.columns[name][view], values))
    ]
    tests += _prediction_tests(watch.reference, found.answers)
    family: dict[str, float] = {}
    for name in dict.fromkeys(test.column for test in tests):
        mine = [test.p_value for test in tests if test.column == name]
        family[name] = min(1.0, len(mine) * min(mine))
    together = _together(watch.reference, found.columns)
    if together is not None:
        family[TOGETHER] = together.p_value
    outside = _outside(watch.reference, views, found.num_rows)
    unsupported = max(outside, together.unsupported if together else 0.0)
    return Changes(tests, alarm.holm(family), together, unsupported)


def _views(modality: str, values: pa.ChunkedArray) -> dict[str, pa.Array]:
    """What a column is compared by, without what changes because time passes."""
    known = modality in plugins.modules("penstock.modalities")
    plug = modalities.load(modality if known else "category")
    plug = plug if hasattr(plug, "views") else modalities.load("category")
    found = plug.views(values)
    return {view: v for view, v in found.items() if (modality, view) not in PASSING}


def _prediction_tests(reference: Reference, answers: Answers) -> list[ViewTest]:
    """Predictions against those of the test rows: how sure, and which."""
    if "prediction" in reference.scores:
        sketch = sketches.read(reference.scores["prediction"])
        found = [column_tests.compare(PREDICTIONS, "value", sketch, pa.array(answers.scores))]
        return [test for test in found if test]
    sure = answers.scores[np.arange(len(answers.decided)), answers.decided]
    sketch = sketches.read(reference.scores["confidence"])
    names = reference.scores["classes"]
    decided = sketches.Levels(
        levels=names,
        counts=reference.scores["decided"],
        other=0,
        missing=0,
        num_distinct=len(names),
    )
    said = pa.array(names, pa.string()).take(pa.array(answers.decided))
    found = [
        column_tests.compare(PREDICTIONS, "confidence", sketch, pa.array(sure, pa.float64())),
        column_tests.compare(PREDICTIONS, "decided", decided, said),
    ]
    return [test for test in found if test]


def _together(reference: Reference, columns: pa.Table) -> TwoSample | None:
    """The classifier, on the sample and as many rows of the window as it can take."""
    if reference.sample is None:
        return None
    names = [name for name in reference.sample.column_names if name in columns.column_names]
    now = columns.select(names)
    if now.num_rows > two_sample.MAX_ROWS:
        rng = np.random.default_rng(SEED)
        now = now.take(np.sort(rng.permutation(now.num_rows)[: two_sample.MAX_ROWS]))
    both = []
    for table in (reference.sample.select(names), now):
        views = {n: _views(reference.modalities[n], table[n]) for n in names}
        both.append(two_sample.matrix(views, reference.columns))
    (before, codes), (after, _) = both
    return two_sample.tell_apart(before, after, codes, SEED)


def _outside(reference: Reference, views: two_sample.Views, num_rows: int) -> float:
    """Share of rows with a value that no row of the reference had or reached, above chance."""
    beyond, calm = np.zeros(num_rows, dtype=bool), 1.0
    for name, each in views.items():
        for view, values in each.items():
            sketch = reference.columns[name][view]
            if len(values) != num_rows:
                continue  # of media, a part is looked at
            beyond |= column_tests.outside(sketch, values)
            if not sketch.missing:
                beyond |= pc.is_null(values).to_numpy(zero_copy_only=False)
            calm *= 1 - column_tests.outside_chance(sketch)
    return max(0.0, float(beyond.mean()) - (1 - calm))


# ---------------------------------------------------------------- whether it matters


def _decided(watch: Watch, layout: Layout, found: Found, changes: Changes) -> Drift:
    budget = watch.spec.budget
    drifted = [name for name, p in changes.adjusted.items() if p <= budget]
    guess, guessed = _estimate(watch.reference, found, changes, bool(drifted))
    fact, measured = _realised(watch, layout, found)
    share = found.labelled.mean()
    known = alarm.sides(guess, fact, float(share))
    decision = alarm.decide(known, bool(drifted), changes.unsupported, budget, watch.spec.margin)
    outcome = "alarm" if decision.harm != "none" else "drift" if drifted else "steady"
    drift = Drift(
        model=watch.version.name,
        version=watch.version.number,
        window=found.window.name,
        num_rows=found.num_rows,
        num_labelled=int(found.labelled.sum()),
        outcome=outcome,
        harm=decision.harm,
        drift_p_value=min(changes.adjusted.values(), default=None),
        harm_p_value=decision.p_value,
        budget=budget,
        drifted=drifted,
        metric=watch.reference.metric,
        reference=watch.reference.declared,
        estimated=_stated(guessed),
        realised=_stated(measured),
        separation=_separation(changes.together),
        unsupported=changes.unsupported,
    )
    drift = drift.model_copy(update={"why": findings.sentence(drift, known, watch.spec.margin)})
    evidence = findings.evidence_of(
        drift, watch.reference, layout, changes.tests, changes.adjusted, known, watch.spec,
        found.absent, found.unread, found.foreign, watch.history,
        findings.groups_of(
            watch.reference, layout, found.columns, found.known, found.target, found.labelled,
            tasks.load(layout.task).row_losses(found.known.scores, found.target),
            watch.bias, SEED,
        ),
    )  # fmt: skip
    return drift.model_copy(update={"evidence": evidence})


def _estimate(
    reference: Reference, found: Found, changes: Changes, drifted: bool
) -> tuple[Loss | None, Measured]:
    """What scores alone say of the loss and of the declared metric; nothing of a regression."""
    curve = reference.curve
    if curve is None or reference.expected is None:
        return None, NOTHING
    answers = found.answers
    expected = performance.expected_losses(answers.scores, curve.truth(answers))
    p_value = means.p_value(reference.expected, float(expected.mean()), found.num_rows)
    if drifted and changes.together and reference.rows is not None:
        curve = curve.weighted(reference.rows, reference.target, changes.together.weights)
    value = performance.estimated(reference.metric, answers, curve.truth(answers), SEED)
    return Loss("estimated", p_value, *_fall(reference, value), NOTHING), value


def _realised(watch: Watch, layout: Layout, found: Found) -> tuple[Loss | None, Measured]:
    """What labels say; None with too few of them."""
    reference, num = watch.reference, len(found.target)
    if num < watch.spec.min_labels:
        return None, NOTHING
    answers, target = found.known, found.target
    losses = tasks.load(layout.task).row_losses(answers.scores, target).astype(np.float64)
    curve: Curve | None = reference.curve
    if curve is not None:
        losses = losses - performance.expected_losses(answers.scores, curve.truth(answers))
    mean = float(losses.mean())
    p_value = means.p_value(reference.excess, mean, num)
    above, error = means.excess(reference.excess, mean, float(losses.var()), num)
    size = reference.mean_loss or math.nan
    value = performance.realised(reference.metric, answers, target, SEED)
    excess = Measured(above / size, error / size)
    return Loss("realised", p_value, *_fall(reference, value), excess), value


def _fall(reference: Reference, value: Measured) -> tuple[Measured, float]:
    """How much worse the declared metric is, and its size on the test rows."""
    known = reference.declared
    if known.value is None:
        return NOTHING, math.nan
    error = 0.0
    if known.low is not None and known.high is not None:
        error = (known.high - known.low) / (2 * Z95)
    sign = 1 if metrics.of(reference.metric).better == "higher" else -1
    fall = Measured(sign * (known.value - value.value), math.hypot(error, value.error))
    return fall, abs(known.value)


def _stated(value: Measured) -> Estimate | None:
    if not math.isfinite(value.value):
        return None
    low, high = value.interval
    return Estimate(value=value.value, low=low, high=high)


def _separation(together: TwoSample | None) -> Estimate | None:
    if together is None:
        return None
    return Estimate(value=together.area, low=together.low, high=together.high)
