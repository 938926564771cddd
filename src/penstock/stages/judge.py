"""Hold every check against the pipeline's gates.

A model that aces one number can fail in ten other ways, so one number never decides: all
evidence is judged together, and what cannot be decided does not pass.

Evidence -> Verdict
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock.evidence import Check, Evidence, Table
from penstock.measure.judging import judged
from penstock.records import Verdict
from penstock.spec import Gates

BEFORE_TRAINING = ("num_rows", "failed_expectations", "telltale_column")
REQUIRED = (*BEFORE_TRAINING, "beats_trivial", "compression")
"""Checks without which there is no verdict but a refusal, where their gates may refuse."""


def judge(checks: list[Check], gates: Gates, required: Sequence[str] = REQUIRED) -> Verdict:
    """Judge the checks of a run.

    Parameters
    ----------
    checks : list of Check
        Measured by the stages, in the order of the story.
    gates : Gates
        Limits and actions.
    required : sequence of str
        Names that have to be among the checks; a missing one is refused as not measured.

    Returns
    -------
    Verdict
        ``passed`` is true when no check refuses and none that may refuse is insufficient.
    """
    measured = {check.name for check in checks}
    missing = [
        Check(
            name=name,
            stage="judge",
            enough=False,
            why=f"{name} was not measured.",
            remedy="run again with --refresh; a stage that should have measured it did not",
        )
        for name in required
        if name not in measured
    ]
    results = [judged(check, gates.of(check.name)) for check in [*checks, *missing]]
    blocking = [check for check in results if check.blocks]
    return Verdict(
        passed=not blocking,
        checks=results,
        evidence=Evidence(tables={"outcomes": _outcomes(results)}),
    )


def _outcomes(checks: list[Check]) -> Table:
    words = ("pass", "note", "warn", "insufficient", "refuse")
    counts = [{"outcome": word, "checks": sum(c.outcome == word for c in checks)} for word in words]
    return Table.of("Outcomes", counts)
