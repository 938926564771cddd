"""What the pages tell a reader to write and to type is written and typed, in an empty folder.

A fenced block whose language is followed by a file's name is that file; a block of ``sh`` is typed.
"""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

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


def follow(page, reader):
    folder, type_in = reader
    blocks = BLOCK.findall((REPOSITORY / page).read_text())
    assert blocks
    for language, name, text in blocks:
        if name:
            (folder / name).write_text(text)
        elif language == "sh":
            type_in(text)


def test_adding_a_modality(reader):
    follow("docs/add-a-modality.md", reader)
