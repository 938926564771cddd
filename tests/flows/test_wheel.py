"""The wheel works without the repository, from a folder that holds another ``flows``."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(wheel)], check=True, timeout=120)
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
    assert any(name == "flows/train.py" for name in names)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)
    return site


def test_init_and_train_in_an_empty_folder(site, project, shop_table, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "flows").mkdir()
    (work / "flows" / "__init__.py").write_text("raise ImportError('not these flows')\n")
    shop_table().to_csv(work / "customers.csv", index=False)
    environment = project.environment | {"PYTHONPATH": str(site)}
    del environment["PENSTOCK_HOME"]

    def penstock(*arguments):
        return subprocess.run(
            [str(site / "bin" / "penstock"), *arguments],
            cwd=work, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    made = penstock("init", "shop", "--source", "customers.csv", "--target", "bought")
    assert made.returncode == 0, made.stderr
    assert {p.name for p in (work / "shop").iterdir()} == {
        "pipeline.yaml", "contract.yaml", "card.md",
    }  # fmt: skip
    trained = penstock("train", "shop", "--set", "model.epochs=2")
    assert trained.returncode == 0, trained.stderr
    assert "REGISTERED: shop version 1" in trained.stdout
    assert (work / ".penstock").is_dir()
