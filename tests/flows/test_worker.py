"""The train flow through a Prefect worker, from a folder that holds another ``flows``."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.services, pytest.mark.xdist_group("flows")]

DEPLOY = """
import sys
from prefect.deployments import run_deployment
from prefect.flows import EntrypointType
from flows.train import train

pipeline, home = sys.argv[1:]
deployment = train.to_deployment(
    name="shop",
    work_pool_name="line",
    entrypoint_type=EntrypointType.MODULE_PATH,
    parameters={"pipeline": pipeline},
    job_variables={"env": {"PENSTOCK_HOME": home, "PYTHONSAFEPATH": "1"}},
)
deployment.apply()
print(run_deployment("train/shop", timeout=0).id)
"""


def test_a_worker_trains_where_another_flows_lies(project, shop_table, tmp_path):
    folder = project.pipeline("shop", shop_table())
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "flows").mkdir(parents=True)
    (elsewhere / "flows" / "__init__.py").write_text("raise ImportError('not these flows')\n")
    environment = project.environment | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PYTHONSAFEPATH": "1",
    }

    def run(*command):
        done = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    prefect = [sys.executable, "-m", "prefect"]
    (tmp_path / "prefect").mkdir()
    run(*prefect, "work-pool", "create", "line", "--type", "process")
    pipeline = str(project.folder / folder)
    flow_run = run(sys.executable, "-c", DEPLOY, pipeline, str(project.home)).split()[-1]
    run(*prefect, "worker", "start", "--pool", "line", "--type", "process", "--run-once")

    answer = project.penstock("train", folder, "--json")
    assert answer.json["verdict"] == "kept_champion", answer.err
    assert "fit" in answer.json["cached"]
    state = run(*prefect, "flow-run", "inspect", flow_run)
    assert "Registered" in state
