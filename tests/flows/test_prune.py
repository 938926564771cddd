"""Pruning after real runs: what a registered version rests on stays, the rest goes."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lifecycle")]

REFUSED = ("--set", "model.seed=8", "--set", "gates.metric_floor.limit=0.9999")


def files(project, ending):
    store = project.home / "store"
    return {p for p in store.glob(f"[0-9a-f][0-9a-f]/*{ending}") if p.is_file()}


def test_prune_frees_a_refused_run_and_the_chain_of_the_champion_holds(project, shop_table):
    folder = project.pipeline("shop", shop_table())
    first = project.penstock("train", folder, "--json")
    assert first.status == 0, first.err
    mine = files(project, ".safetensors")
    assert project.penstock("train", folder, *REFUSED, "--json").status == 3
    (theirs,) = files(project, ".safetensors") - mine

    looked = project.penstock("prune", folder, "--dry-run")
    assert looked.status == 0, looked.err
    assert "would be freed" in looked.out
    assert theirs.is_file()
    young = project.penstock("prune", "--all", "--older-than", "1", "--json")
    assert (young.status, young.json["bytes"]) == (0, 0)

    freed = project.penstock("prune", folder, "--json")
    assert freed.status == 0, freed.err
    assert freed.json["bytes"] > 0
    assert freed.json["kinds"]["reports"]["count"] == 1
    assert files(project, ".safetensors") == mine
    assert project.penstock("prune", "--all").status == 0
    assert project.penstock("prune", "--all", "--json").json["bytes"] == 0

    whole = project.penstock("verify", folder)
    assert whole.status == 0, whole.out
    again = project.penstock("train", folder, "--json")
    assert again.json["verdict"] == "kept_champion", again.err
    assert "fit" in again.json["cached"] and "stress" in again.json["cached"]
    assert again.json["metrics"] == first.json["metrics"]
