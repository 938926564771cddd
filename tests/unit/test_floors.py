"""The floors of the house hold, and what docstrings show is true."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import penstock

ROOT = Path(__file__).parents[2]
MODULES = [module.name for module in pkgutil.walk_packages(penstock.__path__, "penstock.")]


def test_imports_go_down_only():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    if "contracts" not in contracts:
        pytest.skip("no contract is written yet")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(
        [*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.filterwarnings("ignore:.*AnyType:UserWarning")  # MLflow's own, when imported
@pytest.mark.parametrize("name", MODULES)
def test_what_docstrings_show_is_true(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_help_and_words_import_nothing_heavy():
    heavy = (
        "{'pandas','torch','sklearn','scipy','mlflow','great_expectations','matplotlib','prefect'}"
    )
    code = (
        "import sys, penstock.cli, penstock.spec, penstock.records, penstock.ports;"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
