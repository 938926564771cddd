"""A server dies between doing what it was asked and saying so; the client asks again.

A proxy before the house's MLflow loses the first answer to every request.
"""

import http.client
import http.server
import threading

import pytest

from penstock.adapters.tracking.connection import Connection
from penstock.adapters.tracking.registry import MlflowRegistry
from penstock.adapters.tracking.runs import Tracking
from penstock.errors import RegistryUnreachable

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.xdist_group("servers")]

CARD = """\
flavors: {python_function: {loader_module: nothing, python_version: '3.11'}}
mlflow_version: 3.17.2
utc_time_created: '2026-01-01 00:00:00'
"""


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Passes every request on; the first time that it comes, its answer is lost."""

    protocol_version = "HTTP/1.1"
    behind: int
    known: set
    lost: list

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=30)
        kept = {k: v for k, v in self.headers.items() if k.lower() in ("content-type", "accept")}
        server.request(self.command, self.path, body, kept)
        answer = server.getresponse()
        content = answer.read()
        server.close()
        request = (self.command, self.path, body)
        if request not in self.known:
            self.known.add(request)
            self.lost.append(request)
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, *arguments):
        """Nothing on the tests' terminal."""


@pytest.fixture
def forgetful(house, monkeypatch):
    """Its address, and the requests whose answer it lost."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    monkeypatch.setenv("PENSTOCK_MLFLOW_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    handler = type("Handler", (Forgetful,), {"behind": house.mlflow, "known": set(), "lost": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.lost
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_was_asked_twice_is_there_once(house, forgetful, tmp_path):
    address, lost = forgetful
    connection = Connection(address, tmp_path / "home")
    tracking, registry = Tracking(connection), MlflowRegistry(connection)
    run = tracking.start("forgotten", {"prefect.flow_run_id": "one"})
    tracking.log_metrics(run, "fit", {"loss": 1.0})
    package = tmp_path / "package"
    package.mkdir()
    (package / "MLmodel").write_text(CARD)
    version = registry.add(package, run, "forgotten", {"penstock.verdict": "registered"}, "A model")
    assert registry.promote(version, None)
    tracking.finish(run)

    asked = [(command, path.rsplit("/", 1)[-1]) for command, path, _ in lost]
    for made in ("create", "outputs", "logged-models"):
        assert ("POST", made) in asked
    (experiment,) = [e for e in house.registry.search_experiments() if e.name == "forgotten"]
    (tracked,) = house.registry.search_runs([experiment.experiment_id])
    assert (tracked.info.run_id, tracked.info.status) == (run, "FINISHED")
    points = house.registry.get_metric_history(run, "fit/loss")
    assert [point.value for point in points] == [1.0]
    (model,) = house.registry.search_logged_models([experiment.experiment_id])
    assert [output.model_id for output in tracked.outputs.model_outputs] == [model.model_id]
    (made,) = house.versions("forgotten")
    assert str(made.version) == version.number
    assert f"/{model.model_id}/" in made.source
    assert house.aliases("forgotten") == {"champion": version.number}


def test_a_person_hears_at_once_that_nobody_answers(forgetful, monkeypatch, tmp_path):
    """Only where patience was asked for is the first question asked again."""
    monkeypatch.delenv("PENSTOCK_MLFLOW_RETRIES")
    address, _ = forgetful
    with pytest.raises(RegistryUnreachable, match="give an answer"):
        Connection(address, tmp_path).probe()
