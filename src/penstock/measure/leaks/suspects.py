"""The rows and the columns as the search for leaks needs them: bins, folds, scores, skills."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from penstock.measure import boosting
from penstock.measure.leaks import alone as one
from penstock.measure.leaks.independence import residual

MAX_CLASSES = 3
"""Classes that are looked at, each against the rest: those nearest to half of the rows."""
NUM_FOLDS = 3
NUM_STRATA = 20
"""Strata of a numeric label."""


@dataclass
class Suspect:
    """A column or pair with its out-of-fold score ``float64[n]`` of one target."""

    columns: tuple[int, ...]
    which: int
    score: np.ndarray
    bins: np.ndarray
    rows: np.ndarray
    skill: float
    least_skill: float


class View:
    """The rows as every question needs them."""

    def __init__(
        self,
        features: np.ndarray,
        categorical: list[bool],
        label: np.ndarray,
        is_classification: bool,
        seed: int,
    ):
        self.features, self.categorical = features, np.asarray(categorical, bool)
        self.is_classification, self.seed = is_classification, seed
        self.folds = one.fold_of(label, NUM_FOLDS, seed)
        self.targets = _targets(label, is_classification)
        if is_classification:
            self.strata = np.unique(label, return_inverse=True)[1]
        else:
            self.strata = one.binned(self.targets[0], False, NUM_STRATA)
        self.bins = [
            one.binned(column, is_codes)
            for column, is_codes in zip(features.T, categorical, strict=True)
        ]
        self.coarse = [
            one.binned(column, is_codes, 16)
            for column, is_codes in zip(features.T, categorical, strict=True)
        ]

    def suspect(self, columns: tuple[int, ...]) -> Suspect:
        """Score a column for the target that it tells best."""
        (column,) = columns
        scores = [one.out_of_fold_mean(self.bins[column], t, self.folds) for t in self.targets]
        if not self.is_classification and not self.categorical[column]:
            # bins would round away what a close copy leaves of itself
            values = self.features[:, column]
            straight = along(values, self.targets[0])
            if self.skill(straight, self.targets[0]) > self.skill(scores[0], self.targets[0]):
                scores = [straight]
        return self.suspect_of(columns, scores, self.bins[column])

    def suspect_of(
        self, columns: tuple[int, ...], scores: list[np.ndarray], bins: np.ndarray
    ) -> Suspect:
        """Choose target and rows (all, or those without nulls) where the score is best."""
        everywhere = np.ones(len(bins), bool)
        known = ~np.isnan(self.features[:, list(columns)]).any(1)
        views = [everywhere]
        if 200 <= known.sum() < len(known):
            views.append(known)
        skills = [
            [self.skill(s[v], t[v]) for s, t in zip(scores, self.targets, strict=True)]
            for v in views
        ]
        best_view = int(np.argmax([max(row) for row in skills]))
        row = skills[best_view]
        which = int(np.argmax(row))
        return Suspect(columns, which, scores[which], bins, views[best_view], row[which], min(row))

    def skill(self, score: np.ndarray, target: np.ndarray) -> float:
        """ROC AUC, or share of variance."""
        if self.is_classification:
            return one.area(score, target)
        return max(one.correlation(score, target), 0.0) ** 2

    def error(self, skill: float, target: np.ndarray) -> float:
        """Standard error of a skill."""
        if self.is_classification:
            return one.area_error(skill, target)
        r = math.sqrt(skill)
        return 2 * r * (1 - skill) / math.sqrt(max(len(target) - 3, 1)) + 1 / len(target)

    def boosted(
        self, columns: list[int], target: np.ndarray, extra: np.ndarray | None = None
    ) -> np.ndarray:
        """Out-of-fold prediction of a number by histogram gradient boosting."""
        table, codes = self.features[:, columns], self.categorical[columns]
        if extra is not None:
            table, codes = np.column_stack([table, extra]), np.append(codes, False)
        return boosting.out_of_fold(table, codes, target, self.folds, self.seed)

    def given_label(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What is left of values once the label is known, on these rows."""
        slope = None if self.is_classification else self.targets[0][rows]
        return residual(values[rows], self.strata[rows], slope)

    def given_column(self, values: np.ndarray, suspect: Suspect) -> np.ndarray:
        """What is left of values once the column is known."""
        rows = suspect.rows
        slope = None
        if len(suspect.columns) == 1 and not self.categorical[suspect.columns[0]]:
            column = self.features[rows, suspect.columns[0]]
            slope = smooth(column)
        return residual(values[rows], suspect.bins[rows], slope)


def along(column: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Normal scores of a number, turned so that they rise with the target."""
    scores = smooth(column)
    return np.asarray(scores * np.sign(one.correlation(scores, target)))


def smooth(column: np.ndarray) -> np.ndarray:
    """Normal scores of a number; missing is the median."""
    known = ~np.isnan(column)
    return one.normal_scores(
        np.where(known, column, np.median(column[known]) if known.any() else 0)
    )


def _targets(label: np.ndarray, is_classification: bool) -> list[np.ndarray]:
    if not is_classification:
        return [one.normal_scores(label)]
    classes, counts = np.unique(label, return_counts=True)
    order = np.argsort(np.abs(counts / len(label) - 0.5), kind="stable")
    chosen = order[: 1 if len(classes) == 2 else MAX_CLASSES]
    if len(classes) == 2:
        chosen = np.array([1])
    return [(label == classes[index]).astype(float) for index in chosen]
