"""What later rows are compared with: the profile that travels in the model's package.

profile.json, sample.parquet -> :class:`Reference`
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from penstock.errors import BadInput, Mistake
from penstock.measure import sketches
from penstock.measure.drift.means import Means
from penstock.measure.drift.performance import Curve
from penstock.measure.predictions import Answers
from penstock.measure.sketches import Levels, Numbers
from penstock.records import Estimate, Grouping

FORMAT = 3
"""Version of the files: a reader refuses another one. 1 had no losses and no rows, the sample of
2 held raw values."""


@dataclass(frozen=True)
class Reference:
    """The world as it was when the model was made.

    Attributes
    ----------
    modalities : dict of str to str
        By column.
    columns : dict of str to dict of str to Numbers or Levels
        Sketches of the training rows, by column and view.
    scores : dict
        What was said of the test rows; see :func:`penstock.stages.profile.scores_of`.
    metric : str
        The declared one.
    metrics : dict of str to Estimate
        On the test rows.
    groups : dict of str to dict
        By sensitive column: how it makes groups, and rows and metric of each.
    num_rows : int
        Test rows.
    mean_loss : float
        Of the test rows.
    expected : Means or None
        Loss that each test row's scores led to expect; None for a regression.
    excess : Means
        Loss above that.
    curve : Curve or None
        How often what is stated comes true; None for a regression.
    rows : Answers or None
        What was said of the rows of the sample.
    target : int64[n] or float64[n] or None
        Their truth.
    sample : pa.Table or None
        Some test rows as they are compared: a struct of views for each column of the inputs.
    """

    modalities: dict[str, str]
    columns: dict[str, dict[str, Numbers | Levels]]
    scores: dict[str, Any]
    metric: str
    metrics: dict[str, Estimate]
    groups: dict[str, dict[str, Any]]
    num_rows: int
    mean_loss: float
    expected: Means | None
    excess: Means
    curve: Curve | None
    rows: Answers | None
    target: Any
    sample: pa.Table | None

    @property
    def declared(self) -> Estimate:
        """The declared metric on the test rows."""
        return self.metrics[self.metric]

    def grouping(self, column: str) -> Grouping:
        """How a sensitive column makes groups."""
        return Grouping.model_validate(self.groups[column]["grouping"])


def read(text: str, sample: pa.Table | None, where: str) -> Reference:
    """Read a profile.

    Raises
    ------
    BadInput
        When its format is another one.
    """
    value = json.loads(text)
    if value.get("format") != FORMAT:
        raise BadInput(
            Mistake(
                f"the profile in the model's package has format {FORMAT}",
                str(value.get("format")),
                where,
                "train the model again: penstock train PIPELINE --refresh",
            )
        )
    losses, rows, scores = value["losses"], value["rows"], value["scores"]
    return Reference(
        modalities={name: column["modality"] for name, column in value["columns"].items()},
        columns={
            name: {view: sketches.read(sketch) for view, sketch in column["views"].items()}
            for name, column in value["columns"].items()
        },
        scores=scores,
        metric=value["metric"],
        metrics={name: Estimate.model_validate(e) for name, e in value["metrics"].items()},
        groups=value["groups"],
        num_rows=value["num_rows"],
        mean_loss=losses["mean"],
        expected=Means.model_validate(losses["expected"]) if "expected" in losses else None,
        excess=Means.model_validate(losses["excess"]),
        curve=Curve.of(scores["calibration"]) if "calibration" in scores else None,
        rows=Answers(np.asarray(rows["scores"]), np.asarray(rows["decided"])) if rows else None,
        target=np.asarray(rows["target"]) if rows else None,
        sample=sample if rows else None,
    )
