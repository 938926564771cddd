from penstock.measure.licences import pretrained_notes, unknown_licences
from penstock.records import Backbone
from penstock.spec import ModelSpec


def test_networks_without_a_licence_are_counted_and_named():
    known = Backbone(name="who/net", revision="abc", licence="mit", files={})
    silent = Backbone(name="folder", files={})
    assert unknown_licences({}) == []
    (check,) = unknown_licences({"a": known})
    assert (check.value, check.remedy) == (0, "")
    assert check.why == "Each pretrained network states its licence: who/net (mit)."
    (check,) = unknown_licences({"a": known, "b": silent, "c": silent})
    assert check.value == 1
    assert check.why == "folder: no licence is stated in README.md."
    spec = ModelSpec(encoders={"a": {"pretrained": "who/net", "tune": "lora"}})
    assert pretrained_notes({"a": known}, spec) == [
        "a is read by who/net (revision abc), with low-rank additions; its licence is mit."
    ]
