"""What the search of a split found, as checks, tables and figures for a person.

Nothing is decided here: a check leaves its limit to the gates.
"""

from __future__ import annotations

import numpy as np

from penstock.evidence import Check, Figure, Series, Table
from penstock.measure import division
from penstock.measure.intervals import wilson
from penstock.measure.leaks import leakage, overlap
from penstock.measure.leaks.telling import Telling
from penstock.records import Layout

STAGE = "split"
SHOWN_COLUMNS = 40


def equal_rows(part: np.ndarray, units: np.ndarray, groups: np.ndarray | None = None) -> Check:
    """Test rows that stand in train, above chance; ``units`` are numbers that equal rows share.

    ``groups`` are those by which the rows were divided, if they were.
    """
    sides = [part == division.TRAIN, part == division.TEST]
    train, test = (units[side] for side in sides)
    by_group = [] if groups is None else [groups[side] for side in sides]
    estimate, chance = overlap.equal_rows(train, test, *by_group)
    share = float(np.isin(test, train).mean())
    return Check(
        name="equal_rows", stage=STAGE, burden="disprove", **estimate.model_dump(),
        why=f"{share:.2%} of {len(test)} test rows stand in train with the same values and"
        f" target; {chance:.2%} of the train rows have an equal one among themselves.",
        remedy="Remove repeated rows, or let penstock divide them: split.strategy: stratified"
        " keeps equal rows on one side.",
    )  # fmt: skip


def near_copies(name: str, found: np.ndarray, examples: list[str]) -> Check:
    """Test rows whose value of a column is nearly that of a train row; ``found`` is ``bool[m]``."""
    low, high = wilson(int(found.sum()), len(found))
    example = f", for example {'; '.join(examples)}" if examples else ""
    return Check(
        name="near_copies", stage=STAGE, subject=name, burden="disprove",
        value=float(found.mean()), low=low, high=high,
        why=f"{int(found.sum())} of {len(found)} test rows have a near copy of their {name} in"
        f" train: the same one, saved again or changed a little{example}.",
        remedy="Remove the copies, or keep them together: a column that names the original, and"
        " split.strategy: group by it.",
    )  # fmt: skip


def near_families(part: np.ndarray, family: np.ndarray, names: list[str]) -> Check:
    """The same of columns that are compared together: ``family`` numbers near rows alike."""
    train, test = (family[part == side] for side in (division.TRAIN, division.TEST))
    hit = np.isin(test, train)
    low, high = wilson(int(hit.sum()), len(hit))
    share = float(hit.mean()) if len(test) else None
    among = float((np.bincount(train)[train] > 1).mean()) if len(train) else 0.0
    return Check(
        name="near_copies", stage=STAGE, subject=", ".join(names), burden="disprove",
        value=share, low=low, high=high, enough=share is not None,
        why=f"{share or 0:.1%} of {len(test)} test rows have nearly the same"
        f" {' and '.join(names)} as a train row: most runs of words are the same. So have"
        f" {among:.1%} of the train rows among themselves.",
        remedy="The metrics hold for rows that repeat earlier ones so often. Divide by what such"
        " rows have in common (a template, a thread, a sender: split.strategy: group), or remove"
        " the repeats.",
    )  # fmt: skip


def telltale_words(found: dict[str, list[Telling]], classes: list[str], target: str) -> Check:
    """Texts in which single words tell the classes; ``classes`` by the codes of the words."""
    told = {name: words for name, words in found.items() if words}
    said = "; ".join(
        f"in {name} "
        + ", ".join(f"{one.word!r} tells {classes[one.code]} ({one.area:.3f})" for one in words)
        for name, words in told.items()
    )
    columns = ", ".join(told or found)
    return Check(
        name="telltale_words", stage=STAGE, value=float(len(told)),
        why=f"Single words tell {target} as good as without error (ROC AUC): {said}."
        if told
        else f"No single word of {columns} tells {target} without error.",
        remedy=f"Ask when {columns} is written. If {target} is known by then, or written into it,"
        f" leave it out: data.features.{next(iter(told))}: exclude."
        if told
        else "",
    )  # fmt: skip


def group_overlap(name: str, num_shared: int, num_groups: int, examples: list[str]) -> Check:
    """Groups of a column that have rows in more than one part."""
    example = f", for example {', '.join(examples)}" if examples else ""
    return Check(
        name="group_overlap", stage=STAGE, subject=name, value=float(num_shared),
        why=f"{num_shared} of {num_groups} groups of {name} have rows in more than one"
        f" part{example}.",
        remedy=f"Divide by whole groups: split.strategy: group, split.column: {name}.",
    )  # fmt: skip


def time_overlap(part: np.ndarray, times: np.ndarray, column: str) -> Check:
    """Test rows that are not later than the last train row."""
    share = overlap.not_later(times[part == division.TRAIN], times[part == division.TEST])
    return Check(
        name="time_overlap", stage=STAGE, subject=column, value=share,
        why=f"{share:.2%} of the test rows are not later than the last train row by"
        f" {column}.",
        remedy="Divide by time: split.strategy: time.",
    )  # fmt: skip


SIGNATURES = {
    "copy": "given the label, nothing else tells it, as of a copy with noise",
    "sufficient": "given it, nothing else tells the label, as of the label's own source",
    "perfect": "it tells the label without error, while everything else together does not",
}


def time_overlap_of_users(
    part: np.ndarray, users: np.ndarray, times: np.ndarray, column: str
) -> Check:
    """Share of test rows that are not later than their user's last row of train."""
    last = np.full(int(users.max()) + 1, -np.inf)
    seen = part == division.TRAIN
    np.maximum.at(last, users[seen], times[seen])
    late = times[part == division.TEST] <= last[users[part == division.TEST]]
    return Check(
        name="time_overlap", stage=STAGE, value=float(late.mean()) if len(late) else 0.0,
        why=f"{int(late.sum())} of {len(late)} test rows are not later by {column} than the last"
        " training row of their user.",
        remedy="Divide by split.strategy: per_user.",
    )  # fmt: skip


def no_telltale(layout: Layout) -> Check:
    """Images and sounds alone: there is no column that could be a copy of the label."""
    return Check(
        name="telltale_column", stage=STAGE, value=0.0,
        why=f"No column but images or sounds: none can carry {layout.target} as a copy of it.",
    )  # fmt: skip


def not_repeated(why: str) -> Check:
    """Equal rows in train and test, where they do not tell what is to be predicted."""
    return Check(name="equal_rows", stage=STAGE, value=0.0, why=f"Not applicable: {why}")


def not_searched(why: str) -> Check:
    """The task has no label that a column could be a copy of."""
    return Check(name="telltale_column", stage=STAGE, value=0.0, why=f"Not applicable: {why}")


def telltale_column(found: leakage.Search, layout: Layout) -> Check:
    """How many columns, or pairs, carry the target as only a copy of it would."""
    measure = "ROC AUC" if layout.task == "classification" else "share of variance"
    sentences = [
        f"{t.name}: {measure} {t.alone:.3f} alone, {t.rest:.3f} of everything else;"
        f" {SIGNATURES[t.signature]} (correlation {t.given_label:+.3f} given the label,"
        f" {t.given_column:+.3f} given the column)."
        for t in found.telltales
    ]
    names = ", ".join(t.name for t in found.telltales)
    return Check(
        name="telltale_column", stage=STAGE, subject=names, value=float(len(found.telltales)),
        why=" ".join(sentences)
        or f"None of {len(found.columns)} columns, and no two together, carries {layout.target}"
        " as only a copy of it would.",
        remedy=f"Ask where {names or 'the column'} comes from. If it is made from"
        f" {layout.target}, or known only after it, set data.features.<column>: exclude.",
    )  # fmt: skip


def columns_alone(found: leakage.Search, layout: Layout) -> Table:
    """What each column tells, the strongest first, and what it was accused of."""
    flagged = {
        part: t.signature for t in found.telltales for part in (t.name, *t.name.split(" + "))
    }
    measure = "roc_auc" if layout.task == "classification" else "share_of_variance"
    records = [
        {"column": c.name, measure: round(c.skill, 4), "low": round(c.low, 4),
         "high": round(c.high, 4), "flagged_by": flagged.get(c.name, "")}
        for c in found.columns
    ]  # fmt: skip
    note = "Out of fold on train rows; of several classes, the one that the column tells best."
    return Table.of("What each column tells by itself", records, note)


def columns_figure(found: leakage.Search, layout: Layout) -> Figure:
    """The same as bars with their intervals."""
    shown = found.columns[:SHOWN_COLUMNS]
    measure = "ROC AUC" if layout.task == "classification" else "share of variance"
    return Figure(
        title=f"What each column tells of {layout.target} by itself", x=measure, y="column",
        series=[
            Series(
                name=measure, style="bars", x=[c.name for c in shown], y=[c.skill for c in shown],
                low=[c.low for c in shown], high=[c.high for c in shown],
            )
        ],
        note="One column far above the others is worth a question.",
        horizontal=True,
    )  # fmt: skip
