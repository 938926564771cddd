"""What the pages tell a reader to write and to type is written and typed, in an empty folder.

A fenced block whose language is followed by a file's name is that file; a block of ``sh`` is typed.
"""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REPOSITORY = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 400

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]


@pytest.fixture
def reader(tmp_path):
    """Somebody with an empty folder and an environment where all but their own is installed."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    (site_,) = (home / "lib").glob("python*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (site_ / "ours.pth").write_text("".join(f"import site; site.addsitedir({o!r})\n" for o in ours))
    for name, module in (("pip", "pip"), ("penstock", "penstock.cli")):
        script = home / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{home}/bin/python" -m {module} "$@"\n')
        script.chmod(0o755)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT", "MLFLOW", "PENSTOCK", "PIP", "PYTHON"))
    } | {
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as: without isolation
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "BROWSER": "true",
    }

    def type_in(text):
        done = subprocess.run(
            ["bash", "-euc", text],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"

    return tmp_path, type_in


def follow(page, reader, section=""):
    folder, type_in = reader
    text = (REPOSITORY / page).read_text()
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks = BLOCK.findall(text)
    assert blocks
    for language, name, text in blocks:
        if name:
            (folder / name).write_text(text)
        elif language == "sh":
            type_in(text)


def test_adding_a_modality(reader):
    follow("docs/add-a-modality.md", reader)


def test_the_first_five_minutes(reader):
    folder, _ = reader
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, 900)
    people = pd.DataFrame({"age": age, "region": rng.choice(["north", "south"], 900)})
    people["sex"] = rng.choice(["f", "m"], 900)
    people["left"] = np.where((age - 45) / 15 + rng.normal(0, 0.5, 900) > 0.5, "yes", "no")
    people.to_csv(folder / "customers.csv", index=False)
    follow("README.md", reader, "Five minutes")
    reports = folder / ".penstock" / "reports" / "churn"
    assert "registered" in (reports / "latest.html").read_text()
