"""Write down what the world looked like when the model was made.

A deep network answers as surely for rows like none it has seen as for those it was trained on,
and nothing in the answer tells them apart. So what it was trained on is kept with it, small
enough to travel, for later rows to be compared with.

Fitted, Policy, Scorecard, train and test rows -> Profile
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock import contents, modalities, tasks
from penstock.evidence import Evidence, Figure, Series, Table
from penstock.measure import groups, metrics, sketches
from penstock.measure.drift import means, performance
from penstock.measure.drift.reference import FORMAT
from penstock.measure.predictions import Answers, restored
from penstock.measure.sketches import Levels, Numbers
from penstock.ports import Progress, Store
from penstock.records import Column, Fitted, Policy, Profile, Rows, Scorecard
from penstock.spec import ProfileSpec

ALL_BINS = 1_600
"""Bins of all columns together (house choice: some 40 kB)."""
MIN_BINS = 5
"""A column has at least so many, however many columns there are (house choice)."""
CONFIDENCES = [n / 20 for n in range(1, 20)]
"""Inner edges of the bins of probabilities (house choice)."""
MAX_FILES = 2_000
"""Most images or sounds that are looked at, evenly spaced (house choice: seconds)."""


def profile(
    fitted: Fitted,
    policy: Policy,
    scorecard: Scorecard,
    train: Rows,
    test: Rows,
    spec: ProfileSpec,
    store: Store,
    progress: Progress,
    sensitive: Sequence[str] = (),
) -> Profile:
    """Sketch the training rows' columns and the test rows' scores.

    Parameters
    ----------
    fitted, policy, scorecard : Fitted, Policy, Scorecard
        The model, its decisions and what it scored on the test rows.
    train, test : Rows
        Raw rows.
    spec : ProfileSpec
        Of how many test rows the views are kept.
    store, progress
        Where files are kept; who is told.
    sensitive : sequence of str
        Columns whose groups have reference metrics, beside the one that makes thresholds.

    Returns
    -------
    Profile
        The file is JSON: ``format``, ``columns`` (their views' sketches), ``scores``,
        ``losses``, ``metric``, ``metrics``, ``groups``, and ``rows``, what was said of the rows
        of the sample; what :mod:`penstock.measure.drift.reference` reads.
    """
    columns = _columns(fitted, policy, sensitive)
    rows = test if tasks.load(fitted.layout.task).USERS else train  # like those that come later
    past = store.table(rows, columns=[column.name for column in columns])
    progress(0, len(columns) + 1, "columns")
    views: dict[str, dict[str, pa.Array]] = {}
    for done, column in enumerate(columns, start=1):
        values = past[column.name]
        most = MAX_FILES if pa.types.is_binary(values.type) else len(values)
        views[column.name] = views_of(column, values, contents.looked_at(len(values), most))
        progress(done, len(columns) + 1, column.name)
    num_views = sum(len(found) for found in views.values())
    num_bins = int(np.clip(ALL_BINS // max(1, num_views), MIN_BINS, sketches.NUM_BINS))
    sketched = {
        name: {view: sketches.learn(values, num_bins) for view, values in found.items()}
        for name, found in views.items()
    }
    predictions = store.table(scorecard.predictions)
    task = tasks.load(fitted.layout.task)
    answers = task.answers(predictions, fitted.layout)
    target, losses = (restored(predictions[name]) for name in ("_target", "_row_loss"))
    if task.USERS:  # by the lists as they are served, which is what later rows are known by
        losses = task.row_losses(answers.scores, target)
    losses = losses.astype(np.float64)
    signal = None if fitted.layout.classes else task.signal(answers.scores)
    names = [c.name for c in columns if c.name in sensitive or _makes_groups(c, policy)]
    now = store.table(test, columns=names)
    content: dict[str, Any] = {
        "format": FORMAT,
        "task": fitted.layout.task,
        "columns": {
            column.name: {
                "modality": column.modality,
                "views": {v: s.model_dump() for v, s in sketched[column.name].items()},
            }
            for column in columns
        },
        "scores": scores_of(answers, target, fitted.layout.classes)
        if signal is None
        else values_of(signal, np.abs(signal - target) if task.TARGET == "number" else losses),
        "row_loss": sketches.learn(_array(losses)).model_dump(),
        "num_rows": len(target),
        "metric": fitted.metric,
        "metrics": {n: e.model_dump() for n, e in scorecard.metrics.items()},
        "groups": {
            name: by_group(fitted.metric, past[name], now[name], name, answers, target)
            for name in names
        },
    }
    content["losses"] = losses_of(answers, losses, content["scores"])
    places = _places(test.num_rows, spec)
    said = answers if signal is None else Answers(signal, signal)
    truth = target if target.ndim == 1 else losses
    content["rows"] = rows_of(said.of(places), truth[places]) if len(places) else None
    blob = store.keep_bytes(json.dumps(content, separators=(",", ":")).encode(), ".json")
    sample = sample_of(_columns(fitted, policy, ()), test, places, store)
    progress(len(columns) + 1, len(columns) + 1, "kept")
    return Profile(
        sketch=blob,
        sample=sample,
        evidence=Evidence(
            tables={"columns": _table(columns, sketched, blob.num_bytes, rows is test)},
            figures=_figures(content["scores"], fitted.layout.classes),
            notes=_notes(sample, sketched),
        ),
    )


def views_of(
    column: Column, values: pa.ChunkedArray, rows: NDArray[np.int64]
) -> dict[str, pa.Array]:
    """What rows of a column are compared by: its modality's views; of any other, its text."""
    modality = modalities.load(column.modality) if _known(column.modality) else None
    if modality is None or not hasattr(modality, "views"):
        modality = modalities.load("category")
    return contents.views_of_rows(modality, values, rows)


def scores_of(answers: Answers, target: NDArray[Any], classes: list[str]) -> dict[str, Any]:
    """What the scores of the test rows were like.

    Returns
    -------
    dict
        ``confidence`` (of the decided class) and ``calibration`` (in each bin of the
        stated probability the rows, the sum of what was stated and the number that came true;
        of the second of two classes, else of the decided one), ``decided``, ``target`` and
        ``stated`` by class.
    """
    decided, codes = answers.decided, target.astype(np.int64)
    confidence = answers.scores[np.arange(len(decided)), decided]
    two = len(classes) == 2
    stated, true = (answers.scores[:, 1], codes == 1) if two else (confidence, codes == decided)
    place = np.searchsorted(CONFIDENCES, stated, side="left")
    count = len(CONFIDENCES) + 1
    return {
        "confidence": sketches.within(_array(confidence), CONFIDENCES).model_dump(),
        "calibration": {
            "of": classes[1] if two else "",
            "edges": CONFIDENCES,
            "rows": np.bincount(place, minlength=count).tolist(),
            "stated": np.bincount(place, weights=stated, minlength=count).tolist(),
            "true": np.bincount(place, weights=true, minlength=count).astype(int).tolist(),
        },
        "classes": classes,
        "decided": np.bincount(decided, minlength=len(classes)).tolist(),
        "target": np.bincount(codes, minlength=len(classes)).tolist(),
        "stated": answers.scores.mean(axis=0).tolist(),
    }


def values_of(signal: NDArray[np.float64], errors: NDArray[np.float64]) -> dict[str, Any]:
    """The same where there are no classes: sketches of ``prediction`` and ``error``."""
    return {
        "prediction": sketches.learn(_array(signal)).model_dump(),
        "error": sketches.learn(_array(errors)).model_dump(),
    }


def by_group(
    metric: str,
    past: pa.ChunkedArray,
    now: pa.ChunkedArray,
    name: str,
    answers: Answers,
    target: NDArray[Any],
) -> dict[str, Any]:
    """How a column makes groups, and rows and declared metric of each on the test rows."""
    grouping = groups.learn(past, name)
    codes = groups.codes(now, grouping)
    measure = metrics.of(metric).measure
    found: dict[str, Any] = {}
    for code, group in enumerate(groups.names_of(grouping)):
        rows = np.flatnonzero(codes == code)
        if rows.size:
            part = answers.of(rows)
            value = measure(target[rows], part.scores, part.decided)
            known = float(value) if np.isfinite(value) else None
            found[group] = {"rows": int(rows.size), "metric": known}
    return {"grouping": grouping.model_dump(), "groups": found}


def _columns(fitted: Fitted, policy: Policy, sensitive: Sequence[str]) -> list[Column]:
    """The features, and the columns that make groups."""
    layout = fitted.layout
    features = {column.name for column in tasks.load(layout.task).inputs(layout)}
    return [
        column
        for column in layout.columns
        if column.name in features
        or (column.name in sensitive and column.name != layout.target)
        or _makes_groups(column, policy)
    ]


def _makes_groups(column: Column, policy: Policy) -> bool:
    return policy.grouping is not None and policy.grouping.column == column.name


def _known(modality: str) -> bool:
    from penstock import plugins

    return modality in plugins.modules("penstock.modalities")


def losses_of(
    answers: Answers, losses: NDArray[np.float64], scores: dict[str, Any]
) -> dict[str, Any]:
    """What the test rows cost, for windows of later rows to be held against.

    Returns
    -------
    dict
        Classes: ``expected`` by each row's own scores, and ``excess`` of the loss over that.
        Numbers: ``excess`` is the loss itself.
    """
    if "calibration" not in scores:
        return {"excess": means.learn(losses).model_dump(), "mean": float(losses.mean())}
    truth = performance.Curve.of(scores["calibration"]).truth(answers)
    expected = performance.expected_losses(answers.scores, truth)
    return {
        "expected": means.learn(expected).model_dump(),
        "excess": means.learn(losses - expected).model_dump(),
        "mean": float(losses.mean()),
    }


def rows_of(answers: Answers, target: NDArray[Any]) -> dict[str, Any]:
    """Scores, decision and truth of the rows of the sample, in its order."""
    return {
        "scores": np.round(answers.scores.astype(np.float64), SCORE_DIGITS).tolist()
        if answers.scores.ndim == 2
        else answers.scores.tolist(),
        "decided": answers.decided.tolist(),
        "target": target.tolist(),
    }


def _places(num_rows: int, spec: ProfileSpec) -> NDArray[np.int64]:
    """Which test rows are kept, ``int64[k]`` ascending."""
    if num_rows <= spec.sample_rows:
        return np.arange(num_rows)
    rng = np.random.default_rng(SAMPLE_SEED)
    places: NDArray[np.int64] = np.sort(rng.permutation(num_rows)[: spec.sample_rows])
    return places


def sample_of(
    columns: list[Column], test: Rows, places: NDArray[np.int64], store: Store
) -> Rows | None:
    """What test rows are compared by: a struct of views for each column; None without a row.

    No content of a text or a file: these are looked at, not kept.
    """
    if not len(places):
        return None
    table = store.table(test, columns=[column.name for column in columns])
    kept = {}
    for column in columns:
        views = views_of(column, table[column.name], places)
        kept[column.name] = pa.StructArray.from_arrays(list(views.values()), list(views))
    return store.keep_table(pa.table(kept))


SCORE_DIGITS = 5
"""Of the scores of the sample's rows (house choice: ten bytes a score)."""
SAMPLE_SEED = 0
"""Of the sample: equal rows, equal sample."""


def _array(values: NDArray[Any]) -> pa.Array:
    return pa.array(values, pa.float64())


def _table(
    columns: list[Column],
    sketched: dict[str, dict[str, Numbers | Levels]],
    num_bytes: int,
    of_test: bool,
) -> Table:
    records = [
        {
            "column": column.name,
            "modality": column.modality,
            "view": view,
            "frame": f"{len(sketch.counts)} bins"
            if isinstance(sketch, Numbers)
            else f"{len(sketch.levels)} of {sketch.num_distinct} levels",
            "missing": sketch.missing,
            "mean": sketch.mean if isinstance(sketch, Numbers) else None,
        }
        for column in columns
        for view, sketch in sketched[column.name].items()
    ]
    of = "test" if of_test else "training"
    note = f"Of the {of} rows. The profile is {num_bytes / 1000:.1f} kB."
    return Table.of("What later rows are compared with", records, note)


def _figures(scores: dict[str, Any], classes: list[str]) -> dict[str, Figure]:
    """The distribution of the scores on the test rows."""
    name = "confidence" if classes else "prediction"
    sketch = Numbers.model_validate(scores[name])
    if sketch.low is None or sketch.high is None:
        return {}
    ends = [0.0, *sketch.edges, 1.0] if classes else [sketch.low, *sketch.edges, sketch.high]
    middles = [(a + b) / 2 for a, b in pairwise(ends)]
    widths = [b - a or 1.0 for a, b in pairwise(ends)]
    shares = [c / sketch.num_values for c in sketch.counts]
    density = shares if classes else [s / w for s, w in zip(shares, widths, strict=True)]
    title = "Confidence in the decided class" if classes else "Predictions"
    figure = Figure(
        title=f"{title} on the test rows",
        x="probability of the decided class" if classes else "prediction, in the target's unit",
        y="share of rows" if classes else "share of rows a unit",
        series=[Series(name="test rows", x=[*middles], y=[*density], style="step")],
        note="What monitoring compares later scores with.",
    )
    return {"scores": figure}


def _notes(sample: Rows | None, sketched: dict[str, dict[str, Numbers | Levels]]) -> list[str]:
    notes = ["No row travels with the model: profile.sample_rows is 0."]
    if sample:
        notes = [
            f"Of {sample.num_rows} test rows travel with the model, for monitoring: numbers and"
            " categories of the inputs, of texts and files only such as their length; and what was"
            " said of them beside the truth. They may be personal data: profile.sample_rows: 0"
            " keeps none."
        ]
    named = [
        n for n, views in sketched.items() if any(isinstance(s, Levels) for s in views.values())
    ]
    if named:
        shown = ", ".join(named[:10]) + (", ..." if len(named) > 10 else "")
        notes.append(f"The profile names the most frequent levels of {shown}, whatever is kept.")
    return notes
