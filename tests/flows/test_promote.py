"""A person's word about a version: at a terminal, by flags, and in the decision record."""

import json
import os
import pty
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lifecycle")]

HUMAN = "registry: {approval: human}\n"
WHO = ("--name", "Ada", "--reason", "Read the report.")


def client(project):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{project.home / 'mlflow.db'}")


def aliases(project, model="shop"):
    return {k: str(v) for k, v in client(project).get_registered_model(model).aliases.items()}


def record(project, number, model="shop"):
    tags = client(project).get_model_version(model, str(number)).tags
    sha256 = tags["penstock.decision"]
    path = project.home / "store" / sha256[:2] / f"{sha256}.json"
    return json.loads(path.read_text())


def test_a_version_waits_until_a_person_approves_it_and_the_chain_holds(project, shop_table):
    folder = project.pipeline("shop", shop_table(), HUMAN)
    waits = project.penstock("train", folder, "--json")
    assert (waits.status, waits.json["verdict"]) == (6, "awaiting_approval"), waits.err
    assert aliases(project) == {"challenger": "1"}

    silent = project.penstock("promote", folder)
    assert silent.status == 2
    assert "--approve --name YOU --reason WHY" in silent.err
    nameless = project.penstock("promote", folder, "--approve")
    assert nameless.status == 2
    assert "no name" in nameless.err and "no reason" in nameless.err
    both = project.penstock("promote", folder, "--approve", "--reject", *WHO)
    assert both.status == 2
    assert aliases(project) == {"challenger": "1"}

    yes = project.penstock("promote", folder, "--approve", *WHO, "--json")
    assert yes.status == 0, yes.err
    assert (yes.json["verdict"], yes.json["version"]) == ("registered", "1")
    assert aliases(project) == {"champion": "1"}
    said = record(project, 1)
    assert (said["verdict"], said["decided_by"]) == ("registered", "Ada")
    assert "Approved by Ada: Read the report." in said["why"]
    assert said["flow_run_id"] == yes.json["flow_run_id"]
    whole = project.penstock("verify", folder)
    assert whole.status == 0, whole.out

    again = project.penstock("promote", folder, "1", "--approve", *WHO)
    assert again.status == 2
    assert "version 1 is the champion already" in again.err
    nobody = project.penstock("promote", folder, "--approve", *WHO)
    assert nobody.status == 2
    assert "none with the alias challenger" in nobody.err


def test_a_terminal_asks_and_a_no_bars_the_model(project, shop_table):
    folder = project.pipeline("shop", shop_table(), HUMAN)
    assert project.penstock("train", folder, "--json").status == 6

    ours, theirs = pty.openpty()
    os.write(ours, b"n\nGrace\nIt sees the town.\n")
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", "promote", folder, "--json"],
        cwd=project.folder, env=project.environment, stdin=theirs, capture_output=True, text=True,
        timeout=200,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert "May version 1 of shop become the champion?" in done.stderr
    assert json.loads(done.stdout)["verdict"] == "rejected"
    assert aliases(project) == {}
    said = record(project, 1)
    assert (said["verdict"], said["decided_by"]) == ("rejected", "Grace")
    assert "It sees the town" in said["why"]
    assert project.penstock("verify", folder, "--version", "1").status == 0

    trained = project.penstock("train", folder, "--json")  # the same model
    assert trained.json["verdict"] == "kept_champion"
    assert aliases(project) == {}

    asked = project.penstock("promote", folder, "1", "--approve", *WHO, "--json")
    assert asked.json["verdict"] == "registered", asked.err
    assert aliases(project) == {"champion": "1"}


def test_the_champion_of_the_moment_is_compared_after_the_answer(project, shop_table):
    folder = project.pipeline("shop", shop_table(), HUMAN)
    small = ("--set", "model.epochs=1")
    assert project.penstock("train", folder, *small, "--json").json["version"] == "1"
    better = project.penstock("train", folder, "--json")
    assert (better.json["verdict"], better.json["version"]) == ("awaiting_approval", "2")
    first = project.penstock("promote", folder, "2", "--approve", *WHO, "--json")
    assert first.json["verdict"] == "registered", first.err

    late = project.penstock("promote", folder, "1", "--approve", *WHO, "--json")
    assert (late.status, late.json["verdict"]) == (0, "kept_champion"), late.err
    assert aliases(project)["champion"] == "2"
    assert "beats_champion" in late.outcomes
    said = record(project, 1)
    assert (said["decided_by"], said["champion"]) == ("Ada", "2")
    assert "stays challenger" in said["why"]
    for number in ("1", "2"):
        assert project.penstock("verify", folder, "--version", number).status == 0
