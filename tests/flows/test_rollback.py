"""The champion before this one comes back in one step, and no training undoes it."""

import json

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lifecycle")]

WHO = ("--name", "Ada", "--reason", "Complaints from Oslo.")
WEAK = ("--set", "model.epochs=1", "--set", "model.width=4", "--set", "model.seed=3")


def client(project):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{project.home / 'mlflow.db'}")


def aliases(project):
    return {k: str(v) for k, v in client(project).get_registered_model("shop").aliases.items()}


def test_a_rollback_is_one_step_and_no_automation_undoes_it(project, shop_table):
    folder = project.pipeline("shop", shop_table(1500))
    assert project.penstock("train", folder, *WEAK, "--json").json["version"] == "1"
    alone = project.penstock("rollback", folder, *WHO)
    assert alone.status == 2
    assert "nothing was champion before version 1" in alone.err
    second = project.penstock("train", folder, "--json")
    assert (second.json["verdict"], second.json["version"]) == ("registered", "2"), second.err

    assert project.penstock("rollback", folder).status == 2  # nobody says who
    assert aliases(project) == {"champion": "2"}
    back = project.penstock("rollback", folder, *WHO, "--json")
    assert back.status == 0, back.err
    assert (back.json["verdict"], back.json["version"]) == ("rolled_back", "1")
    assert aliases(project) == {"champion": "1"}
    tags = client(project).get_model_version("shop", "2").tags
    assert tags["penstock.rolled_back"].startswith("20")
    sha256 = tags["penstock.decision"]
    said = json.loads((project.home / "store" / sha256[:2] / f"{sha256}.json").read_text())
    assert (said["verdict"], said["decided_by"]) == ("rolled_back", "Ada")
    assert "Complaints from Oslo." in said["why"]
    for number in ("1", "2"):
        assert project.penstock("verify", folder, "--version", number).status == 0

    same = project.penstock("retrain", folder, "--json")
    assert (same.status, same.json["verdict"]) == (0, "kept_champion"), same.err
    assert "only a person brings it back" in same.err + json.dumps(same.json)
    other = project.penstock("train", folder, "--set", "model.seed=9", "--json")
    assert other.json["verdict"] in ("awaiting_approval", "kept_champion"), other.err
    assert aliases(project)["champion"] == "1"

    again = project.penstock("promote", folder, "2", "--approve", *WHO, "--json")
    assert again.json["verdict"] == "registered", again.err
    assert aliases(project)["champion"] == "2"
    assert "penstock.rolled_back" not in client(project).get_model_version("shop", "2").tags
    never = project.penstock("rollback", folder, "--to", "9", *WHO)
    assert never.status == 2
    assert "no version 9" in never.err
