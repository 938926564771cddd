import math

import pytest

from penstock.evidence import Check
from penstock.measure.judging import held, judged
from penstock.spec import Gate

REFUSE = Gate(limit=1, action="refuse")


def check(**fields):
    return Check(**({"name": "c", "stage": "s", "value": 2, "low": 0, "high": 3} | fields))


@pytest.mark.parametrize(
    ("better", "burden", "number"),
    [
        ("lower", "value", 2), ("lower", "prove", 3), ("lower", "disprove", 0),
        ("higher", "value", 2), ("higher", "prove", 0), ("higher", "disprove", 3),
    ],
)  # fmt: skip
def test_the_end_with_the_burden_is_held(better, burden, number):
    found = check(better=better, burden=burden)
    assert held(found) == number
    passes = number <= 1 if better == "lower" else number >= 1
    assert judged(found, REFUSE).outcome == ("pass" if passes else "refuse")


def test_on_the_limit_is_a_pass():
    assert judged(check(value=1), REFUSE).outcome == "pass"
    assert judged(check(value=1, better="higher"), REFUSE).outcome == "pass"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("better", ["lower", "higher"])
def test_no_number_never_passes(value, better):
    found = judged(check(value=value, better=better), REFUSE)
    assert found.outcome == "insufficient"
    assert found.blocks
    mild = judged(check(value=value, better=better), Gate(limit=1, action="warn"))
    assert (mild.outcome, mild.blocks) == ("insufficient", False)


def test_too_few_rows_never_pass_whatever_the_value():
    found = judged(check(value=0, enough=False), REFUSE)
    assert (found.outcome, found.limit) == ("insufficient", 1)


def test_a_missing_interval_fails_the_burden_of_proof():
    assert (
        judged(check(low=None, better="higher", burden="prove"), REFUSE).outcome == "insufficient"
    )


def test_a_check_that_no_gate_judges_is_refused_and_says_so():
    found = judged(check(name="new", value=0), None)
    assert found.outcome == "refuse"
    assert "gates.extra.new" in found.remedy
    assert found.blocks


@pytest.mark.parametrize("action", ["warn", "note"])
def test_a_mild_gate_tells_and_does_not_block(action):
    gate = Gate(limit=1, action=action)
    found = judged(check(), gate)
    assert found.outcome == action
    assert not found.blocks


@pytest.mark.parametrize("limit", [math.nan])
def test_a_limit_that_is_no_number_passes_nothing(limit):
    assert judged(check(), Gate(limit=limit)).outcome == "refuse"
    assert judged(check(better="higher"), Gate(limit=limit)).outcome == "refuse"
