"""Change the input as the world would, and see what the model makes of it.

Models that ace benchmarks fall over trivial changes of the input: new lighting, another unit, a
missing field. A test part that was drawn like the training part knows nothing of them, so every
kind of column brings its own natural shifts, each at three strengths.

Fitted, Policy, test rows, train rows -> Findings
"""

from __future__ import annotations

from penstock.evidence import Evidence
from penstock.measure import stress_tables
from penstock.measure.stress_drops import Trial, Trials
from penstock.model import Model
from penstock.ports import Progress, Store
from penstock.records import Findings, Fitted, Policy, Rows
from penstock.stressed import Stressed
from penstock.unseen import unseen


def stress(
    fitted: Fitted,
    policy: Policy,
    test: Rows,
    seed: int,
    store: Store,
    progress: Progress,
    train: Rows | None = None,
    show_rows: bool = False,
) -> Findings:
    """Measure what each natural shift of each column costs.

    Parameters
    ----------
    fitted : Fitted
        The trained model.
    policy : Policy
        What turns its scores into decisions.
    test : Rows
        A sample of them is stressed.
    seed : int
        Of the sample, the shifts and the resamples.
    store, progress
        Where rows are; who is told.
    train : Rows, optional
        What the test rows are compared with, to say which shift they are like.
    show_rows : bool
        Whether the evidence may show raw rows: one of each column that is seen or heard, under
        each shift. Otherwise made-up values are shown, where the modality has any.
    """
    model = Model.of(fitted, store, policy)
    bench = Stressed(model, store.table(test), seed)
    columns, notes = bench.columns()
    every: list[Trial] = []
    for number, name in enumerate(columns):
        progress(number, len(columns) + 1, name)
        every += bench.trials(name)
    progress(len(columns), len(columns) + 1, "intervals")
    trials = Trials(fitted.metric, bench.target, bench.before, every, seed)
    records = trials.measured()
    compared = unseen(bench, store.table(train), columns, fitted.metric) if train else Evidence()
    evidence = Evidence(
        checks=[trials.stress_drop(bench.constant())],
        tables={
            "stresses": stress_tables.table(records, fitted.metric, trials.summary()),
            "legend": stress_tables.legend(trial.stress for trial in every),
            **compared.tables,
        },
        figures=stress_tables.figures(records, fitted.metric) | compared.figures,
        galleries=bench.galleries(columns, show_rows),
        notes=[*notes, *stress_tables.notes(records), *compared.notes],
    )
    progress(len(columns) + 1, len(columns) + 1, "done")
    return Findings(evidence=evidence)
