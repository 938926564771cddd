from penstock import spec
from penstock.evidence import Check
from penstock.measure.judging import judged


def test_gates_of_plug_ins_are_found_by_name_and_others_are_not():
    gates = spec.Gates(extra={"mine": spec.Gate(limit=1, action="note")})
    assert gates.of("mine").action == "note"
    assert gates.of("num_rows").limit == 100
    assert gates.of("extra") is None
    assert gates.of("nobody") is None
    assert judged(Check(name="extra", stage="s", value=0), gates.of("extra")).outcome == "refuse"
