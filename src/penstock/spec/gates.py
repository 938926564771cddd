"""The limit of every check, and what happens beyond it."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic import Field, model_validator

from penstock.evidence import Action
from penstock.spec.part import Part


class Gate(Part):
    """The limit of one check, and what happens beyond it."""

    limit: float = Field(description="Largest or smallest value that passes, by the check.")
    action: Action = Field("refuse", description="What a failure does to the verdict.")


def _gate(action: Action, limit: float, description: str) -> Any:
    return Field(Gate(limit=limit, action=action), description=description)


_refuse, _warn, _note = (partial(_gate, action) for action in ("refuse", "warn", "note"))


class Gates(Part):
    """One gate a check. A default limit is a house choice unless its text names a source."""

    num_rows: Gate = _refuse(100, "Fewest rows worth training on.")
    unreadable_rows: Gate = _refuse(0.05, "Share of records that could not be read.")
    left_out_columns: Gate = _note(0, "Columns that no model should read.")
    alike_classes: Gate = _warn(0, "Classes that only capitals, spaces or a full stop tell apart.")
    failed_expectations: Gate = _refuse(0, "Failed expectations of severity error.")
    failed_warnings: Gate = _warn(0, "Failed expectations of severity warning.")
    quarantined_rows: Gate = _refuse(0.05, "Share of rows sent to quarantine.")
    duplicate_rows: Gate = _warn(0.1, "Share of rows equal to an earlier one.")
    conflicting_labels: Gate = _warn(0.05, "Share of rows equal to another but for the target.")
    telltale_column: Gate = _refuse(
        0, "Columns, or pairs, that carry the label as only a copy of it would."
    )
    telltale_words: Gate = _warn(
        0, "Columns of text in which single words tell the label without error."
    )
    equal_rows: Gate = _refuse(0.01, "Share of test rows that stand in train, above chance.")
    near_copies: Gate = _warn(
        0.01, "Share of test rows with a near copy of a text, image or sound in train."
    )
    group_overlap: Gate = _refuse(0, "Groups on both sides of the split.")
    time_overlap: Gate = _refuse(0, "Share of test rows not later than the last train row.")
    part_difference: Gate = _warn(
        0.6, "ROC AUC of a classifier that tells train rows from test rows."
    )
    generalisation_gap: Gate = _note(0.5, "Valid loss over train loss, minus 1.")
    unknown_licences: Gate = _warn(0, "Pretrained networks that state no licence.")
    beats_trivial: Gate = _refuse(0, "Gain over a constant prediction, shown.")
    beats_linear: Gate = _warn(0, "Gain over a linear model.")
    beats_boosting: Gate = _warn(-0.01, "Gain over gradient boosting.")
    beats_popularity: Gate = _refuse(0, "Gain over the most popular items, shown.")
    beats_item_knn: Gate = _warn(0, "Gain over item neighbours.")
    beats_matrix_factorisation: Gate = _warn(0, "Gain over matrix factorisation.")
    beats_ngram: Gate = _warn(0, "Gain over frequencies of tokens after others.")
    beats_zlib: Gate = _warn(0, "Gain over zlib that was given the training text.")
    beats_xz: Gate = _warn(0, "Gain over xz that was given the training text.")
    memorised: Gate = _refuse(
        0.05, "Share of training text that is known by heart, above that of other text."
    )
    repetition: Gate = _warn(0.1, "Repeated runs in what is written, above those in real text.")
    calibration: Gate = _warn(0.02, "Calibration error above a perfect model's.")
    compression: Gate = _refuse(0, "Share of the label's entropy that is saved, shown.")
    metric_floor: Gate = _refuse(-1e9, "Least declared metric, where more is better.")
    metric_ceiling: Gate = _refuse(1e30, "Largest declared metric, where less is better.")
    weak_slice: Gate = _note(0.2, "Largest rise of the loss in a slice, shown, as a share.")
    servable: Gate = _refuse(1e-6, "Difference of scores in a clean process.")
    loss_choice: Gate = _warn(
        0, "Gain of another loss over the chosen one in the declared metric, shown."
    )
    coverage: Gate = _warn(-0.02, "Coverage of prediction sets or intervals, less the promise.")
    stress_drop: Gate = _note(
        0.1, "Share of the gain over a constant that a mild shift of the input costs."
    )
    randomised_weights: Gate = _warn(
        0.5, "Rank correlation of attributions with those of a random network."
    )
    convergence_delta: Gate = _warn(
        0.05, "Share of a prediction that its attributions leave unexplained."
    )
    demographic_parity: Gate = _refuse(
        0.8, "Least ratio of selection rates (the four-fifths rule, EEOC 1978)."
    )
    equalized_odds: Gate = _refuse(0.1, "Largest difference of true or false positive rates.")
    worst_group: Gate = _refuse(
        0.5, "Largest rise of the loss in a group over that of all rows, as a share."
    )
    beats_champion: Gate = _note(
        0, "Gain over the champion that is needed to take its place, shown."
    )
    champion_group: Gate = _note(-0.02, "Least gain over the champion in each judged group.")
    extra: dict[str, Gate] = Field({}, description="Gates of checks that plug-ins add.")

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, value: Any) -> Any:
        """A gate of which only the limit or only the action is said keeps its other default."""
        if not isinstance(value, dict):
            return value
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        return {
            name: defaults[name].model_dump() | said
            if isinstance(said, dict) and isinstance(defaults.get(name), Gate)
            else said
            for name, said in value.items()
        }

    def of(self, check: str) -> Gate | None:
        """The gate of a check's name; None when nobody declared one."""
        if check in type(self).model_fields and check != "extra":
            gate: Gate = getattr(self, check)
            return gate
        return self.extra.get(check)
