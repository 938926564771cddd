"""What a stage found: checks, tables and figures.

A stage *measures*: it fills in a check's value and interval. Only ``stages/judge.py``
*decides*: it adds the limit and the outcome from the pipeline's ``gates:``.

Tables and figures are small by contract (they are what a person looks at), so they travel
inside the record as plain JSON; anything that grows with the data lives in the store.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_TABLE_ROWS = 500
"""Most rows of an evidence table (house choice: what a person can still leaf through)."""

MAX_EXHIBITS = 48
MAX_MEDIA_CHARACTERS = 400_000
"""Most exhibits of a gallery, and most base64 of one picture or sound (house choice: a report of
some megabytes still opens at once)."""

Outcome = Literal["unjudged", "pass", "note", "warn", "refuse", "insufficient"]
Action = Literal["refuse", "warn", "note"]


def _nan_to_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_nan_to_none)]
"""A finite float, or None: NaN and infinities become null on the wire."""


class Frozen(BaseModel):
    """A value that never changes after it was made, and refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Check(Frozen):
    """One measured value against one limit.

    The limit and the outcome are empty until the judge fills them in.

    Attributes
    ----------
    name : str
        The gate that judges it, a field of :class:`penstock.spec.Gates` or a plug-in's.
    stage : str
        The stage that measured it.
    subject : str
        What it is about (a column, a group), empty for the whole.
    value, low, high : float or None
        The measurement and its interval; None when it could not be measured.
    better : {"lower", "higher"}
        Which direction is good; so whether the limit is a maximum or a minimum.
    burden : {"value", "prove", "disprove"}
        Which end of the interval is held against the limit. ``value``: the measurement
        itself. ``prove``: the *unfavourable* end, so that the good must be shown.
        ``disprove``: the *favourable* end, so that only a shown harm fails. ``differ``: the
        value itself, but only where the interval excludes ``neutral``, so that what chance
        alone explains does not fail.
    neutral : float or None
        For ``differ``: the value of no effect, for example 1 for a ratio.
    level : float
        Confidence of the interval, in (0, 1).
    gated : bool
        False for a quantity that is reported beside the gated one: it is a note at most.
    enough : bool
        False when there were too few rows to measure: the outcome is ``insufficient``.
    why, remedy : str
        What was found, in words; what to do if it fails.
    limit : float or None
        From the gate.
    outcome : str
        ``pass``, ``note``, ``warn``, ``refuse`` or ``insufficient``.
    action : str
        The gate's action, also from the gate.
    """

    name: str
    stage: str
    subject: str = ""
    value: Number = None
    low: Number = None
    high: Number = None
    better: Literal["lower", "higher"] = "lower"
    burden: Literal["value", "prove", "disprove", "differ"] = "value"
    neutral: Number = None
    level: float = 0.95
    gated: bool = True
    enough: bool = True
    why: str = ""
    remedy: str = ""
    limit: Number = None
    outcome: Outcome = "unjudged"
    action: Action = "refuse"

    @property
    def blocks(self) -> bool:
        """Whether a judged check keeps the model out of the registry.

        A refusal does; so does ``insufficient`` where the gate's action is to refuse, because
        a gate that cannot decide refuses.
        """
        return self.outcome == "refuse" or (
            self.outcome == "insufficient" and self.action == "refuse"
        )

    @property
    def label(self) -> str:
        """``stage/name`` and the subject, as logs and artifacts show it."""
        return f"{self.stage}/{self.name}" + (f"[{self.subject}]" if self.subject else "")


class Table(Frozen):
    """A small table for a person to read.

    Attributes
    ----------
    title : str
        One line.
    columns : list of str
        The header.
    rows : list of list
        JSON values; at most :data:`MAX_TABLE_ROWS`.
    note : str
        What the reader should know, for example how many rows were left out.
    """

    title: str
    columns: list[str]
    rows: list[list[Any]] = Field(max_length=MAX_TABLE_ROWS)
    note: str = ""

    @classmethod
    def of(cls, title: str, records: list[dict[str, Any]], note: str = "") -> Table:
        """Make a table from dictionaries; the first one gives the columns and their order.

        Examples
        --------
        >>> Table.of("parts", [{"part": "train", "rows": 8}]).rows
        [['train', 8]]
        """
        columns = list(records[0]) if records else []
        shown = records[:MAX_TABLE_ROWS]
        if len(records) > len(shown):
            note = f"{note} The first {len(shown)} of {len(records)} rows.".strip()
        rows = [[_nan_to_none(record.get(name)) for name in columns] for record in shown]
        return cls(title=title, columns=columns, rows=rows, note=note)


class Series(Frozen):
    """One line, one set of bars or one cloud of points of a figure.

    Attributes
    ----------
    name : str
        As the legend shows it.
    x : list of float or str
        Numbers, or category names for bars.
    y : list of float or None
        As long as ``x``; None is a gap.
    low, high : list of float or None, optional
        Interval around ``y``; as long as ``x`` when given.
    style : {"line", "dashed", "points", "bars", "step"}
        How it is drawn.
    """

    name: str
    x: list[float | str]
    y: list[Number]
    low: list[Number] = []
    high: list[Number] = []
    style: Literal["line", "dashed", "points", "bars", "step"] = "line"


class Figure(Frozen):
    """A chart as data; ``adapters/report.py`` draws it.

    Attributes
    ----------
    title, x, y : str
        Title and axis labels, with units.
    series : list of Series
        What is drawn.
    note : str
        How to read it, in one sentence.
    marks : list of (float, str)
        Vertical lines with a label, for example the epoch that was kept.
    horizontal : bool
        Bars that run to the right (long category names).
    """

    title: str
    x: str
    y: str
    series: list[Series]
    note: str = ""
    marks: list[tuple[float, str]] = []
    horizontal: bool = False


class Exhibit(Frozen):
    """One value of one row as a person reads, sees or hears it; what is empty is not shown.

    Attributes
    ----------
    caption : str
        What is to be known of it: the truth, the answer.
    text : list of (str, float)
        Runs of text, each with a tint in [-1, 1]: above 0 towards the answer, below 0 away from
        it, 0 none.
    picture : str
        A PNG image, base64.
    sound : str
        A WAV file, base64.
    """

    caption: str
    text: list[tuple[str, float]] = []
    picture: str = Field("", max_length=MAX_MEDIA_CHARACTERS, pattern=r"^[A-Za-z0-9+/]*={0,2}$")
    sound: str = Field("", max_length=MAX_MEDIA_CHARACTERS, pattern=r"^[A-Za-z0-9+/]*={0,2}$")


class Gallery(Frozen):
    """A few exhibits side by side.

    Attributes
    ----------
    title : str
        One line.
    exhibits : list of Exhibit
        At most :data:`MAX_EXHIBITS`.
    note : str
        How to read them, in one sentence.
    """

    title: str
    exhibits: list[Exhibit] = Field(max_length=MAX_EXHIBITS)
    note: str = ""


class Evidence(Frozen):
    """What a stage found.

    Attributes
    ----------
    checks : list of Check
        Judged later.
    tables : dict of str to Table
        In the order in which they are shown.
    figures : dict of str to Figure
        In the order in which they are shown.
    galleries : dict of str to Gallery
        In the order in which they are shown. What shows raw values of single rows stands here
        only where ``report.show_rows`` permits it.
    notes : list of str
        Sentences for the reader; a choice that was made for them, for example.
    """

    checks: list[Check] = []
    tables: dict[str, Table] = {}
    figures: dict[str, Figure] = {}
    galleries: dict[str, Gallery] = {}
    notes: list[str] = []

    def joined(self, other: Evidence) -> Evidence:
        """This, and the other's after it.

        Examples
        --------
        >>> Evidence(notes=["a"]).joined(Evidence(notes=["b"])).notes
        ['a', 'b']
        """
        return Evidence(
            checks=self.checks + other.checks,
            tables=self.tables | other.tables,
            figures=self.figures | other.figures,
            galleries=self.galleries | other.galleries,
            notes=self.notes + other.notes,
        )
