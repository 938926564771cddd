"""A pretrained network in a pipeline: what its change computes again, and that it scores."""

import json

import numpy as np
import pandas as pd
import pytest
import tiny_networks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]
BEFORE_FIT = ["ingest", "validate", "split", "objective"]


def said(shop):
    """What customers said, which tells what they did."""
    rng = np.random.default_rng(0)
    words = np.where(shop["bought"] == "yes", "good", "bad")
    rest = [" ".join(rng.choice(["film", "a", "the", "was"], 5)) for _ in words]
    return [f"{word} {more} {n}" for n, (word, more) in enumerate(zip(words, rest, strict=True))]


def test_a_changed_network_computes_fit_again_and_nothing_before(project, shop_table):
    shop = shop_table()
    name = project.pipeline("shop", shop.assign(said=said(shop)))
    folder = project.folder / name
    spec = (folder / "pipeline.yaml").read_text()
    spec = spec.replace("members: 2", "members: 2, encoders: {said: tiny}")
    (folder / "pipeline.yaml").write_text(spec)
    missing = project.penstock("train", name, "--json")
    assert missing.status == 2
    assert "model.encoders.said.pretrained" in missing.out + missing.err
    (folder / "tiny").mkdir()
    tiny_networks.save(folder / "tiny", "text", licence="mit")

    first = project.penstock("train", name, "--json")
    assert first.status == 0, first.err
    assert first.json["verdict"] == "registered"

    tiny_networks.save(folder / "tiny", "text", seed=1, licence="")
    second = project.penstock("train", name, "--json", HF_HUB_OFFLINE="1")
    assert second.json["cached"] == BEFORE_FIT

    verified = project.penstock("verify", name, "--json")
    assert verified.status == 0, verified.out
    assert verified.json["links"] > 40
    shop.assign(said=said(shop)).head(50).to_csv(project.folder / "new.csv", index=False)
    scored = project.penstock("score", name, "--input", "new.csv", "--output", "out.csv")
    assert scored.status == 0, scored.err
    assert len(pd.read_csv(project.folder / "out.csv")) == 50

    card = next((project.home / "artifacts").glob(f"*/{first.json['run_id']}/**/model_card.md"))
    assert "| said | tiny | none | mit |" in card.read_text()
    record = [json.loads(p.read_text()) for p in (project.home / "store").glob("??/*.json")]
    fits = [r["stages"]["fit"]["record"] for r in record if "decided_by" in r]
    assert {fit["backbones"]["said"]["licence"] for fit in fits} == {"mit", "unknown"}
