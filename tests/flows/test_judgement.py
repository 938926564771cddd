"""Groups, mitigations and the chain from data to decision, through the real command line."""

import json

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]

UNFAIR = "data: {source: rows.csv, target: bought, sensitive: [club]}\n"


def unfair(shop_table):
    """Members of the gold club buy far more often."""
    rng = np.random.default_rng(5)
    table = shop_table(2400)
    gold = rng.random(len(table)) < 0.5
    table["club"] = np.where(gold, "gold", "none")
    table.loc[~gold & (rng.random(len(table)) < 0.6), "bought"] = "no"
    return table


def pipeline(project, table, name="club", more=""):
    folder = project.pipeline(name, table, more)
    path = project.folder / name / "pipeline.yaml"
    text = path.read_text().replace("data: {source: rows.csv, target: bought}\n", UNFAIR)
    path.write_text(text)
    return folder


def checks(answer, name):
    return {c["subject"]: c for c in answer.json["checks"] if c["name"] == name}


def test_a_gap_is_refused_by_name_and_thresholds_by_group_close_it(project, shop_table):
    folder = pipeline(project, unfair(shop_table))
    refused = project.penstock("train", folder, "--json")
    assert refused.status == 3, refused.err
    gap = checks(refused, "demographic_parity")["club"]
    assert gap["outcome"] == "refuse"
    assert gap["value"] < 0.8 and "gold" in gap["why"] and "thresholds" in gap["remedy"]
    assert gap["stage"] == "bias"

    looser = ("--set", "gates.demographic_parity.limit=0.01")
    judged = project.penstock("train", folder, "--json", *looser)
    assert judged.status == 0, judged.err
    done = set(judged.json["seconds"]) - set(judged.json["cached"])
    assert done == {"judge", "register"}

    mitigated = project.penstock("train", folder, "--json", "--set", "bias.mitigation=thresholds")
    assert mitigated.status == 0, mitigated.err
    assert {"ingest", "validate", "split", "objective", "fit"} <= set(mitigated.json["cached"])
    assert checks(mitigated, "demographic_parity")["club"]["value"] > 0.8
    assert checks(mitigated, "equalized_odds")["club"]["outcome"] in ("pass", "note")

    weighed = project.penstock("train", folder, "--json", "--set", "bias.mitigation=reweigh")
    assert weighed.json["cached"][:3] == ["ingest", "validate", "split"]
    assert checks(weighed, "demographic_parity")["club"]["value"] > gap["value"]


def test_choices_that_the_table_does_not_allow_are_named_together(project, shop_table):
    folder = project.pipeline("shop", shop_table())
    answer = project.penstock(
        "train", folder, "--set", "bias.mitigation=thresholds",
        "--set", "objective.loss=huber", "--set", "decision.threshold=cost",
    )  # fmt: skip
    assert answer.status == 2
    for said in ("data.sensitive", "huber", "decision.costs"):
        assert said in answer.err
    assert "Traceback" not in answer.err


def test_verify_holds_and_finds_what_was_tampered_with(project, shop_table):
    folder = project.pipeline("shop", shop_table())
    answer = project.penstock("train", folder, "--json")
    assert answer.status == 0, answer.err
    whole = project.penstock("verify", folder, "--json")
    assert whole.status == 0, whole.err

    store = project.home / "store"
    record = json.loads(whole.out.splitlines()[-1])
    assert record["version"] == "1"
    weights = [p for p in store.rglob("*.safetensors") if "scratch" not in str(p)]
    parquet = sorted(store.rglob("*.parquet"), key=lambda path: path.stat().st_size)[-1]
    decision = [
        path for path in store.rglob("*.json")
        if "scratch" not in str(path) and "decided_by" in path.read_text()
    ]  # fmt: skip
    assert len(weights) == len(decision) == 1
    for path in (weights[0], parquet, decision[0]):
        content = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        broken = project.penstock("verify", folder)
        assert broken.status == 1, path
        assert path.stem[:12] in broken.out + broken.err, broken.out + broken.err
        path.write_bytes(content)
    assert project.penstock("verify", folder).status == 0
