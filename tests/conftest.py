"""No test reaches the network or the user's home, and torch takes one core."""

import os
import tempfile

import pytest

# read when Prefect and Great Expectations are imported, so set before any test module is
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="penstock-tests-")
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["OMP_NUM_THREADS"] = "1"  # threads that wait for one another crawl on a busy machine
for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "PENSTOCK_HOME", "PENSTOCK_STORE"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    import torch

    torch.set_num_threads(1)
