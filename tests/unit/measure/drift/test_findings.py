"""The sentence about a window names what its alarm rests on, and nothing else."""

import pytest

from penstock.measure.drift import alarm, findings
from penstock.measure.drift.alarm import Loss
from penstock.measure.drift.performance import Measured
from penstock.outcomes import Drift
from penstock.records import Estimate
from penstock.spec import MonitorSpec

SHARP = 0.001
NOTHING = Measured(float("nan"), float("nan"))


def window(loss, drifted):
    """A window with labels for all rows, decided as the stage does."""
    known = [(loss, 1.0)]
    made = alarm.decide(known, bool(drifted), 0.0, 0.01, 0.05)
    return known, Drift(
        model="toy", version="1", window="May", num_rows=500, num_labelled=500,
        outcome="alarm" if made.harm != "none" else "drift", harm=made.harm,
        harm_p_value=made.p_value, drift_p_value=0.001, budget=0.01, drifted=drifted,
        metric="roc_auc", reference=Estimate(value=0.8),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fall", "excess", "drifted", "said", "unsaid"),
    [
        (0.08, -0.142, ["age"], "(roc_auc worse by 10.0% of it than on the test rows)", "promise"),
        (0.0, 0.139, ["age"], "(loss +13.9% above what the scores promise, p = 0.002)", "worse by"),
        (0.08, 0.139, ["age"], "test rows; loss +13.9% above what the scores promise", "nothing"),
        (0.08, 0.03, [], "(loss +3.0% above what the scores promise, p = 0.002)", "worse by"),
    ],
)
def test_the_sentence_and_the_table_name_what_the_alarm_rests_on(
    fall, excess, drifted, said, unsaid
):
    loss = Loss("realised", 0.002, Measured(fall, SHARP), 0.8, Measured(excess, SHARP))
    known, drift = window(loss, drifted)
    assert drift.harm == "realised"
    text = findings.sentence(drift, known, 0.05)
    assert said in text and unsaid not in text
    if drifted:
        answers = findings._decision(drift, known, MonitorSpec()).rows
        asked = {row[0]: row[-1] for row in answers}
        assert asked["How much worse is roc_auc (realised) than the reference's?"] == (
            "yes" if fall > 0.05 else "not shown"
        )
        assert asked["How far is the loss above what the scores promise?"] == (
            "yes" if excess > 0.05 else "not shown"
        )


def test_an_estimate_has_no_loss_but_the_promised_one():
    known, drift = window(Loss("estimated", 0.002, Measured(0.0, SHARP), 0.8, NOTHING), [])
    text = findings.sentence(drift, known, 0.05)
    assert text.startswith("The inputs are as before, but by its own scores")
    assert "(p = 0.002)" in text and "nan" not in text
