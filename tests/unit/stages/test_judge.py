import pytest

from penstock.evidence import Check
from penstock.spec import Gate, Gates
from penstock.stages.judge import BEFORE_TRAINING, REQUIRED, judge


def check(name, **fields):
    return Check(**({"name": name, "stage": "s", "value": 0} | fields))


def good():
    more = {"value": 0.5, "low": 0.4, "high": 0.6, "better": "higher", "burden": "prove"}
    return [
        check("num_rows", value=1000, better="higher"), check("failed_expectations"),
        check("telltale_column"), check("beats_trivial", **more), check("compression", **more),
    ]  # fmt: skip


def outcomes(verdict):
    return {found.name: found.outcome for found in verdict.checks}


def test_what_keeps_every_gate_passes_in_the_order_of_the_story():
    verdict = judge(good(), Gates())
    assert verdict.passed
    assert [found.name for found in verdict.checks] == list(REQUIRED)
    assert set(outcomes(verdict).values()) == {"pass"}
    assert verdict.evidence.tables["outcomes"].rows[0] == ["pass", 5]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_check_that_nobody_measured_is_refused_by_name(name):
    verdict = judge([found for found in good() if found.name != name], Gates())
    assert not verdict.passed
    assert outcomes(verdict)[name] == "insufficient"
    assert f"{name} was not measured" in verdict.checks[-1].why


def test_nothing_measured_does_not_pass():
    assert not judge([], Gates()).passed
    assert {found.name for found in judge([], Gates(), BEFORE_TRAINING).checks} == set(
        BEFORE_TRAINING
    )


def test_one_refusal_among_many_passes_refuses_and_keeps_the_rest_judged():
    verdict = judge(
        [*good(), check("metric_ceiling", value=1e31), check("duplicate_rows")], Gates()
    )
    assert not verdict.passed
    assert outcomes(verdict)["metric_ceiling"] == "refuse"
    assert outcomes(verdict)["duplicate_rows"] == "pass"


def test_warnings_and_notes_do_not_refuse():
    verdict = judge(
        [*good(), check("duplicate_rows", value=1), check("weak_slice", value=9)], Gates()
    )
    assert verdict.passed
    assert outcomes(verdict)["duplicate_rows"] == "warn"
    assert outcomes(verdict)["weak_slice"] == "note"


def test_an_undeclared_check_refuses_until_its_gate_is_declared():
    checks = [*good(), check("scent", value=3)]
    assert not judge(checks, Gates()).passed
    assert judge(checks, Gates(extra={"scent": Gate(limit=3)})).passed


def test_the_same_checks_and_gates_have_the_same_fingerprint():
    assert judge(good(), Gates()).fingerprint == judge(good(), Gates()).fingerprint
