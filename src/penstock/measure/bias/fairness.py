"""The gaps between groups that can be gated, as checks.

Each quantity is one check a column, over the groups that have enough rows; each group that
has too few is a check of its own, which is ``insufficient`` and never a pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from penstock.errors import BadInput, Mistake
from penstock.evidence import Check
from penstock.measure import metrics
from penstock.measure.bias import gaps
from penstock.measure.bias.by_group import Counts, Groups, Scored
from penstock.measure.bias.gaps import Gap
from penstock.measure.groups import MISSING, OTHER
from penstock.records import Layout
from penstock.spec import BiasSpec

STAGE = "bias"
PARITY, ODDS, WORST = "demographic_parity", "equalized_odds", "worst_group"
RATES = ("true_positive_rate", "false_positive_rate")
FEWEST = 10
"""Fewest rows that a remedy proposes to judge a group by (house choice)."""


def offered(layout: Layout) -> tuple[str, ...]:
    """The quantities that a task has, the default criterion first."""
    return (PARITY, ODDS, WORST) if len(layout.classes) == 2 else (WORST,)


def criterion_of(spec: BiasSpec, layout: Layout) -> str:
    """The gated quantity, with ``auto`` replaced.

    Raises
    ------
    BadInput
        When the task does not have it: rates of selection, of true and of false positives need
        one class that is selected, so two classes.

    Examples
    --------
    >>> criterion_of(BiasSpec(), Layout(columns=[], target="y", task="regression"))
    'worst_group'
    """
    names, name = offered(layout), spec.gated(len(layout.classes))
    if name not in names:
        found = f"has {len(layout.classes)} classes" if layout.classes else "is a number"
        raise BadInput(
            Mistake(
                f"{name} is for a target of two classes",
                f"{layout.target} {found}",
                "bias.criterion",
                f"use {' or '.join(names)}, or auto",
            )
        )
    return name


@dataclass(frozen=True)
class Judging:
    """What the checks of one column are made from.

    Attributes
    ----------
    rows : Scored
        Test rows.
    by : Groups
        Of one sensitive column.
    criterion : str
        The gated quantity; the others are notes.
    min_rows : int
        Fewest rows behind a rate or a mean.
    seed : int
        Of the random deals.
    """

    rows: Scored
    by: Groups
    criterion: str
    min_rows: int
    seed: int

    @property
    def judged(self) -> list[int]:
        """Groups with enough rows."""
        return np.flatnonzero(self.by.sizes >= self.min_rows).tolist()

    @property
    def rates(self) -> dict[str, Counts]:
        """Hits and totals of each rate in each group."""
        return self.by.rates(self.rows.target, self.rows.decided)

    def checks(self) -> list[Check]:
        """One a quantity, and one for each group that has too few rows."""
        found = [self._too_few(code) for code in self._small()]
        if len(self.judged) < 2:
            return [self._nothing_to_compare(), *found]
        quantities = {PARITY: self.parity, ODDS: self.odds, WORST: self.worst}
        measured = [quantities[name]() for name in offered(self.rows.layout)]
        if self.rows.num_classes == 2:
            found += self._one_class()
        return [*measured, *found]

    def families(self) -> list[Counts]:
        """Hits and totals of TPR and FPR; both 0 in a group with too few of them to judge."""
        counts, enough = self.rates, self.by.sizes >= self.min_rows
        both = []
        for name in RATES:
            hits, totals = counts[name]
            kept = enough & (totals >= self.min_rows)
            both.append((np.where(kept, hits, 0), np.where(kept, totals, 0)))
        return both

    def parity(self) -> Check:
        """The smallest ratio of selection rates; 1: equal rates."""
        judged, names = self.judged, self.by.names
        hits, totals = (counts[judged] for counts in self.rates["selection_rate"])
        gap, label = gaps.ratio(hits, totals, self.seed), self.rows.layout.classes[1]
        if gap is None:
            why = f"{label!r} is decided for none of {totals.sum()} rows: no rates to compare."
            return self._undecided(PARITY, why, "look at the thresholds: nobody is selected")
        low, high = gap.less, gap.more
        share = [f"{h / t:.1%} of {t} rows of {names[judged[i]]}"
                 for i in (low, high) for h, t in [(hits[i], totals[i])]]  # fmt: skip
        return self._check(
            PARITY, gap, "higher", 1.0,
            f"{label!r} is decided for {share[0]} and for {share[1]}: a ratio of"
            f" {gap.value:.2f} ({self._interval(gap, '.2f')}).",
            "set bias.mitigation to thresholds (needs the column at prediction time) or to"
            " reweigh, with bias.column: " + self.by.name + "; compare the base rates of the"
            " groups, and gate another quantity (bias.criterion) if that one is what counts",
        )  # fmt: skip

    def odds(self) -> Check:
        """The largest difference of true or of false positive rates; 0: equal rates."""
        families, names = self.families(), self.by.names
        if not any(np.count_nonzero(totals) > 1 for _, totals in families):
            why = f"No two groups of {self.by.name} have {self.min_rows} rows of one class."
            return self._undecided(ODDS, why, "bring more test rows of each class and group")
        kept = [f if np.count_nonzero(f[1]) > 1 else (f[0] * 0, f[1] * 0) for f in families]
        gap = gaps.difference(kept, self.seed)
        hits, totals = kept[gap.family]
        share = [f"{hits[i] / totals[i]:.1%} of {totals[i]} in {names[i]}"
                 for i in (gap.more, gap.less)]  # fmt: skip
        return self._check(
            ODDS, gap, "lower", 0.0,
            f"The {RATES[gap.family].replace('_', ' ')} is {share[0]} and {share[1]}: a difference"
            f" of {gap.value:.3f} ({self._interval(gap, '.3f')}).",
            "bring more rows of the group whose errors are more, or features that tell its truth;"
            " thresholds by group that level selection rates often widen this gap",
        )  # fmt: skip

    def worst(self) -> Check:
        """The largest rise of a group's mean loss over that of all rows; 0: none."""
        gap = gaps.rise(self.rows.losses, self.by.codes, self.judged, self.seed)
        group, size = self.by.names[gap.more], int(self.by.sizes[gap.more])
        return self._check(
            WORST, gap, "lower", 0.0,
            f"The mean loss of {size} rows of {group} is {gap.value:+.0%} against that of all"
            f" {len(self.rows.losses)} rows ({self._interval(gap, '+.0%')}).",
            f"bring more rows of {group}, or features that tell its truth, or set"
            " bias.mitigation: reweigh",
        )  # fmt: skip

    def _check(
        self, name: str, gap: Gap, better: Literal["lower", "higher"], neutral: float,
        why: str, remedy: str,
    ) -> Check:  # fmt: skip
        told = "" if gap.told else " Chance alone can explain that much."
        return Check(
            name=name, stage=STAGE, subject=self.by.name, value=gap.value, low=gap.low,
            high=gap.high, better=better, burden="differ", neutral=neutral, level=gaps.LEVEL,
            gated=name == self.criterion, why=why + told, remedy=remedy,
        )  # fmt: skip

    def _interval(self, gap: Gap, form: str) -> str:
        pairs = "groups" if gap.less < 0 else "pairs of groups"
        return f"{gap.low:{form}} to {gap.high:{form}}, {gaps.LEVEL:.2%} over all {pairs}"

    def _undecided(self, name: str, why: str, remedy: str, group: str = "") -> Check:
        subject = f"{self.by.name}[{group}]" if group else self.by.name
        return Check(
            name=name, stage=STAGE, subject=subject, gated=name == self.criterion, enough=False,
            better="higher" if name == PARITY else "lower", burden="differ", why=why, remedy=remedy,
        )  # fmt: skip

    def _small(self) -> list[int]:
        return np.flatnonzero(self.by.sizes < self.min_rows).tolist()

    def _too_few(self, code: int) -> Check:
        """A group below ``min_rows``.

        Rows without a value and values that training rows did not have are reported alike, but
        as a note: nobody chose them as a group, and nobody can merge them with another one.
        """
        group, size = self.by.names[code], int(self.by.sizes[code])
        check = self._undecided(
            self.criterion,
            f"{group} of {self.by.name} has {size} test rows; {self.min_rows} are needed to judge"
            " it. The other groups are judged without it.",
            self._more_rows(self.criterion, group, size, "rows"),
            group,
        )
        if self.by.named[code]:
            return check
        ways = {
            MISSING: f"fill in the values of {self.by.name}",
            OTHER: "bring training rows of these levels, or merge them with another level",
        }
        remedy = f"{ways[group]}; from {self.min_rows} rows on they are judged as a group"
        return check.model_copy(update={"gated": False, "remedy": remedy})

    def _one_class(self) -> list[Check]:
        """Groups with enough rows, but not of both classes: there is no TPR, or no FPR."""
        base, sizes = self.rates["base_rate"]
        found = []
        for code in self.judged:
            for num, label in zip(
                (int(sizes[code] - base[code]), int(base[code])),
                self.rows.layout.classes, strict=True,
            ):  # fmt: skip
                if num < self.min_rows:
                    group = self.by.names[code]
                    why = (
                        f"{num} of {sizes[code]} test rows of {group} are {label!r};"
                        f" {self.min_rows} are needed to judge how many of them are decided right."
                    )
                    remedy = self._more_rows(ODDS, group, num, f"rows that are {label!r}")
                    found.append(self._undecided(ODDS, why, remedy, group))
        return found

    def _more_rows(self, name: str, group: str, size: int, what: str) -> str:
        lower = f", or judge it by {size} (bias.min_rows: {size})" if size >= FEWEST else ""
        return (
            f"bring more {what} of {group} (a larger split.test helps), or merge it with another"
            f" group of {self.by.name}{lower}, or let a person decide"
            f" (gates.{name}.action: warn)"
        )

    def _nothing_to_compare(self) -> Check:
        sizes = self.by.sizes
        there = np.flatnonzero(sizes)
        if len(there) == 1:
            group = self.by.names[there[0]]
            why = f"All {sizes.sum()} test rows are {group} of {self.by.name}"
        else:
            why = (
                f"{len(self.judged)} of {len(there)} groups of {self.by.name} have"
                f" {self.min_rows} test rows"
            )
        return self._undecided(
            self.criterion,
            f"{why}: there is nothing to compare.",
            f"bring rows of other groups, or take {self.by.name} out of data.sensitive",
        )


def summary(rows: Scored, by: Groups, min_rows: int) -> dict[str, float | None]:
    """The gaps of a column as plain numbers, over the groups with enough rows; None: undefined.

    ``demographic_parity_difference`` and ``_ratio`` (largest less smallest, smallest over largest
    selection rate), ``equalized_odds_difference`` (the larger of the ranges of TPR and FPR), as
    in fairlearn; ``worst_group_rise`` of the mean loss; ``worst_group_<metric>``.
    """
    judging = Judging(rows, by, WORST, min_rows, 0)
    judged = judging.judged
    found: dict[str, float | None] = {}
    if rows.num_classes == 2:
        hits, totals = by.rates(rows.target, rows.decided)["selection_rate"]
        selected = hits[judged] / totals[judged]
        found["demographic_parity_difference"] = _range(selected)
        top = selected.max(initial=0)
        found["demographic_parity_ratio"] = float(selected.min() / top) if top else None
        ranges = [_range(h[t > 0] / t[t > 0]) for h, t in judging.families()]
        known = [value for value in ranges if value is not None]
        found["equalized_odds_difference"] = max(known, default=None)
    masks = [by.codes == code for code in judged]
    overall = float(rows.losses.mean())
    losses = [float(rows.losses[mask].mean()) for mask in masks]
    found["worst_group_rise"] = max(losses) / overall - 1 if masks and overall > 0 else None
    values = [rows.declared(np.flatnonzero(mask)) for mask in masks]
    known = [value for value in values if np.isfinite(value)]
    worst = min if metrics.of(rows.metric).better == "higher" else max
    found[f"worst_group_{rows.metric}"] = worst(known, default=None)
    return found


def _range(shares: NDArray[np.float64]) -> float | None:
    return float(shares.max() - shares.min()) if len(shares) > 1 else None
