"""What the MLflow server wrote is read, and gone on with, on the files in the home."""

import pytest

from penstock.adapters.tracking.connection import Connection
from penstock.adapters.tracking.proxied import relative_path
from penstock.adapters.tracking.runs import Tracking

pytestmark = pytest.mark.filterwarnings("ignore:.*AnyType:UserWarning")


def test_an_experiment_of_the_server_goes_on_without_it(tmp_path):
    connection = Connection(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path)
    experiment = connection.client.create_experiment("churn", "mlflow-artifacts:/1")
    tracking = Tracking(connection)
    run = tracking.start("churn", {})
    assert connection.client.get_run(run).info.experiment_id == experiment
    tracking.log_files(run, {"notes.txt": "kept"})
    written = tmp_path / "artifacts" / "1" / run / "artifacts" / "notes.txt"
    assert written.read_text() == "kept"
    assert [file.path for file in connection.client.list_artifacts(run)] == ["notes.txt"]


@pytest.mark.parametrize("uri", ["mlflow-artifacts:/../../etc", "mlflow-artifacts:/1/%2e%2e/x"])
def test_an_address_does_not_leave_the_folder(uri):
    with pytest.raises(ValueError, match="points out"):
        relative_path(uri)
