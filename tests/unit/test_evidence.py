import json
import math

import numpy as np
import pytest
from pydantic import ValidationError

from penstock.evidence import MAX_TABLE_ROWS, Check, Evidence, Figure, Series, Table


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_is_no_finite_number_is_null_on_the_wire(value):
    check = Check(name="c", stage="s", value=value)
    assert check.value is None
    assert json.loads(check.model_dump_json())["value"] is None
    assert Table.of("t", [{"a": value}]).rows == [[None]]
    assert Series(name="s", x=[1.0], y=[value]).y == [None]


def test_evidence_survives_json():
    evidence = Evidence(
        checks=[Check(name="c", stage="s", subject="a.b", value=1.5)],
        tables={"t": Table.of("t", [{"<b>": 1, "x": None}])},
        figures={
            "f": Figure(
                title="t", x="x", y="y", series=[Series(name="s", x=["1", 2.0], y=[None, 1])]
            )
        },
        notes=["ü"],
    )
    again = Evidence.model_validate_json(evidence.model_dump_json())
    assert again == evidence
    assert again.figures["f"].series[0].x == ["1", 2.0]


def test_a_table_says_how_many_rows_it_left_out():
    table = Table.of("t", [{"n": n} for n in range(MAX_TABLE_ROWS + 7)], note="All.")
    assert len(table.rows) == MAX_TABLE_ROWS
    assert table.note == f"All. The first {MAX_TABLE_ROWS} of {MAX_TABLE_ROWS + 7} rows."
    assert Table.of("t", []).columns == []


def test_values_never_change_and_unknown_fields_are_refused():
    check = Check(name="c", stage="s")
    with pytest.raises(ValidationError):
        check.value = 1.0
    with pytest.raises(ValidationError):
        Check(name="c", stage="s", limits=1)


def test_a_check_is_labelled_with_stage_name_and_subject():
    assert Check(name="c", stage="s").label == "s/c"
    assert Check(name="c", stage="s", subject="a").label == "s/c[a]"
