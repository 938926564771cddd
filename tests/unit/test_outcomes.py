import json
import math

from penstock.evidence import Check
from penstock.outcomes import Decision


def test_the_answer_of_train_is_json_with_the_promised_keys():
    decision = Decision(
        verdict="refused",
        model="churn",
        checks=[Check(name="c", stage="s", value=math.nan, outcome="refuse")],
        metrics={"roc_auc": math.nan},
        timings={"fit": 1.5},
    )
    answer = json.loads(json.dumps(decision.answer(), allow_nan=False))
    assert list(answer) == [
        "verdict", "model", "version", "run_id", "flow_run_id", "fingerprint", "metrics",
        "checks", "seconds", "cached", "report",
    ]  # fmt: skip
    assert answer["version"] is None
    assert answer["metrics"] == {"roc_auc": None}
    assert set(answer["checks"][0]) == {
        "name", "stage", "subject", "value", "low", "high", "limit", "outcome", "why", "remedy",
    }  # fmt: skip
