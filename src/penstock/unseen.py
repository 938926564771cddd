"""How test rows differ from training rows, and which natural shift is like it.

Rows that were divided by group or by time are those that a model meets in new groups and later. A
shift of training rows that moves them to where test rows stand says why it fares worse there.

Stressed rows of test, training rows -> Evidence
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.evidence import Evidence
from penstock.measure import departure, drops, unseen_tables
from penstock.measure.departure import Departure
from penstock.measure.matrix import codes_of
from penstock.measure.stress_drops import Trial, Trials
from penstock.measure.unseen_tables import Gap, Likely
from penstock.stressed import MAX_COLUMNS, Stressed

MOST_SEEN, MAX_COMPARED = 240, 3
"""Training rows that test rows are compared with, and columns: those that differ most (house
choice: some seconds on two cores)."""
MIN_GROUP = 20
"""Rows of a group that is shown (house choice)."""


def unseen(bench: Stressed, train: pa.Table, columns: list[str], metric: str) -> Evidence:
    """How the test rows differ from training rows, and which shift of training rows is like it.

    Where rows were divided by group or by time, that is what the model meets in new groups and
    later; the shift that is like it says why it fares worse there.
    """
    model, seed = bench.model, bench.seed
    if bench.exchange is None:
        return Evidence(
            notes=[
                "Test rows were not compared with training rows: columns have no"
                " encodings of their own in this network."
            ]
        )
    seen = Stressed(model, train, seed, MOST_SEEN)
    kinds = departure.kinds_of(seen.target, bench.target)
    every = {
        name: Departure.of(seen.said(name), bench.said(name), kinds, seed)
        for name in columns[:MAX_COLUMNS]
    }
    far = sorted(every, key=lambda name: -every[name].distance)[:MAX_COMPARED]
    found = {name: every[name] for name in far}
    gap = _gap(seen, bench, metric)
    likely, accounted, views = [], {}, []
    for name in [name for name, one in found.items() if one.shown]:
        modality = model.learnt.modality(name)
        here, there = (modality.views(side.raw[name]) for side in (seen, bench))
        views += unseen_tables.views(name, here, there)
        tried, moves = _likely(seen, name, found[name], metric)
        likely += tried
        accounted[name] = found[name].accounted(moves)
    likely.sort(key=lambda one: -one.likeness[0])
    tables, figures = {}, {}
    if likely:
        tables["unseen"] = unseen_tables.shifts(likely, gap)
        figures["unseen"] = unseen_tables.figure(likely[:MAX_COLUMNS])
    said = unseen_tables.notes(gap, found, likely, accounted, views)
    if views:
        tables["unseen_views"] = unseen_tables.view_table(views, likely)
    records = _by_group(seen, bench, far[0], metric) if far else []
    if records:
        group = model.layout.named("group")[0]
        tables["unseen_groups"] = unseen_tables.groups(records, group, far[0], metric)
        said += unseen_tables.among(records, group)
    return Evidence(tables=tables, figures=figures, notes=said)


def _gap(seen: Stressed, bench: Stressed, metric: str) -> Gap:
    """How much worse the test rows fare; the two sides are resampled apart."""
    sides = [(side.target, side.before) for side in (seen, bench)]
    here, there = (drops.measured(metric, *side) for side in sides)
    samples = [drops.draws(metric, *side, seen.seed + n) for n, side in enumerate(sides)]
    worse = float(drops.worse(metric, here, there))
    low, high = drops.around(worse, drops.worse(metric, *samples))
    return Gap(metric, here, there, (worse, low, high), len(seen.target), len(bench.target))


def _likely(
    seen: Stressed, name: str, way: Departure, metric: str
) -> tuple[list[Likely], list[NDArray[np.float64]]]:
    """Each shift of a column at the strength most like the test rows, and where it moves rows."""
    modality = seen.model.learnt.modality(name)
    before = modality.views(seen.table[name])
    here = seen.said(name)
    likely, moves = [], []
    for stress in modality.STRESSES:
        tried = [seen.changed(name, stress, place) for place in range(len(stress.strengths))]
        if tried[-1].null_count > seen.table[name].null_count:
            continue  # rows that say nothing are like any others that say less
        means = [(seen.said(name, column) - here).mean(axis=0) for column in tried]
        moves += means
        likeness = [way.likeness(mean) for mean in means]
        place = int(np.argmax([value for value, *_ in likeness]))
        trial = Trial(name, stress, place, seen.after(name, tried[place]), 0.0)
        (record,) = Trials(metric, seen.target, seen.before, [trial], seen.seed).measured()
        drop = (record["drop"], record["low"], record["high"])
        moved = unseen_tables.moved(before, modality.views(tried[place]))
        likely.append(
            Likely(name, stress.name, trial.clause, trial.strength, likeness[place], drop, moved)
        )
    return likely, moves


def _by_group(seen: Stressed, bench: Stressed, name: str, metric: str) -> list[dict[str, Any]]:
    """How each group fares, and how far it stands from the training rows of other groups."""
    declared = bench.model.layout.named("group")
    if not declared or declared[0] not in bench.table.column_names:
        return []
    kinds = departure.kinds_of(seen.target, bench.target)
    codes = codes_of(seen.table[declared[0]])
    records: list[dict[str, Any]] = []
    for part, side, kind in (("test", bench, kinds[1]), ("train", seen, kinds[0])):
        groups = side.table[declared[0]]
        for code in np.unique(codes_of(groups)):
            rows = np.flatnonzero(codes_of(groups) == code)
            others = np.flatnonzero(codes != code) if side is seen else np.arange(len(codes))
            if len(rows) < MIN_GROUP or len(others) < MIN_GROUP:
                continue
            far = Departure.of(
                seen.said(name)[others],
                side.said(name)[rows],
                [kinds[0][others], kind[rows]],
                seen.seed,
            )
            target, before = side.target[rows], side.before.of(rows)
            value = drops.measured(metric, target, before)
            samples = drops.draws(metric, target, before, seen.seed)
            low, high = np.nanquantile(samples, [0.025, 0.975]).tolist()
            record = {"group": str(groups[int(rows[0])].as_py()), "part": part, "rows": len(rows)}
            record |= {metric: value, "low": low, "high": high}
            records.append(record | {"distance": far.distance, "by lot": far.chance})
    return records
