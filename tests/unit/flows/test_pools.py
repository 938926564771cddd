"""The work pool templates: only what Prefect's workers know, and every blank has a variable."""

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parents[3]
KINDS = ["process", "docker", "kubernetes"]


def own(kind):
    """Prefect's own template for this kind of worker."""
    path = files("prefect") / "server/api/collections_data/views/aggregate-worker-metadata.json"
    collections = json.loads(path.read_text(encoding="utf-8"))
    return next(
        workers[kind]["default_base_job_configuration"]
        for workers in collections.values()
        if kind in workers
    )


def template(kind):
    return json.loads((ROOT / "deploy" / f"{kind}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_worker_knows_every_setting(kind):
    assert set(template(kind)["job_configuration"]) <= set(own(kind)["job_configuration"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_blank_is_filled_by_a_variable_and_every_variable_fills_one(kind):
    found = template(kind)
    blanks = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(found["job_configuration"])))
    assert blanks == set(found["variables"]["properties"])


@pytest.mark.parametrize("kind", KINDS)
def test_variables_are_a_schema_that_their_defaults_obey(kind):
    variables = template(kind)["variables"]
    jsonschema.Draft202012Validator.check_schema(variables)
    for name, variable in variables["properties"].items():
        if "default" in variable:
            jsonschema.validate(variable["default"], variable)
        assert variable["title"], name
        assert variable["description"], name
    known = own(kind)["variables"]["properties"]
    ours = {"working_dir", "project_claim", "home_claim"}
    assert set(variables["properties"]) - ours <= set(known)
    assert "MLFLOW_TRACKING_URI" in variables["properties"]["env"]["default"]


def test_the_image_holds_what_the_templates_say():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    mounts = template("docker")["variables"]["properties"]["volumes"]["default"]
    for mount in mounts:
        assert mount.partition(":")[2] in dockerfile
    for source in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())
        allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8")
        assert all(f"!{name}\n" in allowed for name in source.split())
