"""What becomes of a model and of what it says: decisions, scores, drift, retrainings.

Records as :mod:`penstock.records` has them, of the life after the training.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from penstock.evidence import Check, Frozen, Number
from penstock.records import Blob, Estimate, Record, Rows

VerdictWord = Literal[
    "registered", "kept_champion", "awaiting_approval", "refused", "rejected", "rolled_back"
]
"""The last two are a person's word about a version."""


class Decision(Record):
    """What became of the model: the last record of a run, and the JSON that ``train`` prints.

    Attributes
    ----------
    version : str
        The one in use afterwards, or the one that waits for a yes.
    challenger, champion : str
        The version that was held against the champion; the champion it found.
    record : Blob, optional
        The decision record in the store.
    """

    verdict: VerdictWord
    model: str
    version: str = ""
    challenger: str = ""
    champion: str = ""
    record: Blob | None = None
    run_id: str = ""
    flow_run_id: str = ""
    fingerprints: dict[str, str] = {}
    metrics: dict[str, Number] = {}
    checks: list[Check] = []
    timings: dict[str, float] = {}
    cached: list[str] = []
    report: str = ""
    why: str = ""

    def answer(self) -> dict[str, Any]:
        """The JSON object of ``penstock train --json``."""
        fields = {"name", "stage", "subject", "value", "low", "high", "limit", "outcome", "why"}
        checks = [
            check.model_dump(mode="json", include=fields | {"remedy"}) for check in self.checks
        ]
        return {
            "verdict": self.verdict,
            "model": self.model,
            "version": self.version or None,
            "run_id": self.run_id or None,
            "flow_run_id": self.flow_run_id or None,
            "fingerprint": self.fingerprints.get("data"),
            "metrics": self.metrics,
            "checks": checks,
            "seconds": self.timings,
            "cached": self.cached,
            "report": self.report or None,
        }


class Answer(Frozen):
    """What a person said about a version.

    Attributes
    ----------
    approve : bool
        Whether it may take the champion's place.
    name, reason : str
        Who says so, and why; both stand in the decision record.
    """

    approve: bool
    name: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=2000)

    @property
    def sentence(self) -> str:
        """Who said what, and why.

        Examples
        --------
        >>> Answer(approve=True, name="Ada", reason="Seen the report.").sentence
        'Approved by Ada: Seen the report.'
        """
        text = f"{'Approved' if self.approve else 'Rejected'} by {self.name}: {self.reason}"
        return text if text.endswith((".", "!", "?")) else f"{text}."


class Scored(Record):
    """What became of new rows, and the JSON that ``score`` prints.

    Attributes
    ----------
    model, version : str
        Which model scored them.
    window : str
        Whose rows were written in place of those it had.
    num_rows, num_scored, num_quarantined : int
        Rows read in the window, scored, and set aside because they break the contract.
    output, quarantine, log : str
        Where the rows went, without secrets; empty where nothing was written.
    run_id : str
        Of the run that scored them; it stands beside each prediction.
    """

    model: str
    version: str
    window: str
    num_rows: int = Field(ge=0)
    num_scored: int = Field(ge=0)
    num_quarantined: int = Field(ge=0)
    output: str
    quarantine: str = ""
    log: str = ""
    run_id: str = ""

    @property
    def rows_per_second(self) -> float:
        """Rows read in a second, from the first row asked for to the last one written."""
        return self.num_rows / self.seconds if self.seconds else 0.0

    def answer(self) -> dict[str, Any]:
        """The JSON object of ``penstock score --json``."""
        return {
            "verdict": "scored",
            "model": self.model,
            "version": self.version,
            "run_id": self.run_id or None,
            "rows": self.num_rows,
            "scored": self.num_scored,
            "quarantined": self.num_quarantined,
            "window": self.window,
            "output": self.output,
            "quarantine": self.quarantine or None,
            "log": self.log or None,
            "seconds": self.seconds,
            "rows_per_second": round(self.rows_per_second, 1),
            "notes": self.evidence.notes,
        }


class Drift(Record):
    """What a window of later rows says of a model: the JSON that ``monitor`` prints.

    Attributes
    ----------
    model, version : str
        Who is watched.
    window : str
        ``A..B``, or a name made from the rows.
    num_rows, num_labelled : int
        Rows of the window; those whose truth is known.
    outcome : {"steady", "drift", "alarm"}
        ``drift``: inputs or predictions changed, and nothing says that it matters. ``alarm``:
        harm is estimated or realised, or the rows are like none that the model was tested on.
    harm : {"none", "estimated", "realised", "unknown"}
        What the alarm rests on; ``unknown``: rows without support in the reference.
    drift_p_value, harm_p_value : float
        Adjusted for everything that was looked at in this window; None where not measured.
    budget : float
        Share of windows without any change that may raise drift, and that may raise alarm.
    drifted : list of str
        Columns that changed, and ``predictions``, the most changed first.
    metric : str
        The declared one.
    reference, estimated, realised : Estimate
        The metric on the test rows of the training; on this window, without and with labels.
        None where it cannot be told.
    separation : Estimate
        ROC AUC of a classifier that tells the window's rows from the reference's; 0.5: none.
    unsupported : float
        Share of rows that are like hardly any row of the reference.
    """

    model: str
    version: str
    window: str
    num_rows: int = Field(ge=0)
    num_labelled: int = Field(0, ge=0)
    outcome: Literal["steady", "drift", "alarm"]
    harm: Literal["none", "estimated", "realised", "unknown"] = "none"
    drift_p_value: Number = None
    harm_p_value: Number = None
    budget: float
    drifted: list[str] = []
    metric: str
    reference: Estimate
    estimated: Estimate | None = None
    realised: Estimate | None = None
    separation: Estimate | None = None
    unsupported: Number = None
    why: str = ""
    run_id: str = ""
    flow_run_id: str = ""
    report: str = ""

    unsigned: ClassVar[set[str]] = {"evidence", "seconds", "run_id", "flow_run_id", "report"}

    def answer(self) -> dict[str, Any]:
        """The JSON object of ``penstock monitor --json``."""
        return self.model_dump(mode="json", exclude={"evidence", "seconds"})


class RetrainOrder(Record):
    """A retraining that was asked for, and what became of it.

    Attributes
    ----------
    id, model : str
        Of the order; of the registered model.
    status : {"open", "done", "failed", "declined"}
        ``declined``: it was not worth it, or not the time. ``failed``: the training did not
        reach a decision.
    reason : str
        Why it was asked for: a schedule, a person, an alarm of the monitor.
    why : str
        Why it was opened or declined; how it ended.
    asked_at, ended_at : str
        UTC, ISO 8601; empty while it is open.
    rows : Rows, optional
        The snapshot that was read for it.
    num_new_rows : int
        Its labelled rows that the training before did not have; -1: not counted.
    flow_run_id, verdict, version : str
        Where it ran, and what it ended with.
    """

    id: str
    model: str
    status: Literal["open", "done", "failed", "declined"]
    reason: str = ""
    why: str = ""
    asked_at: str
    ended_at: str = ""
    rows: Rows | None = None
    num_new_rows: int = Field(-1, ge=-1)
    flow_run_id: str = ""
    verdict: str = ""
    version: str = ""

    unsigned: ClassVar[set[str]] = {"evidence", "seconds"}
