"""After a death: what was running is entered anew, what was being cancelled is cancelled."""

from types import SimpleNamespace
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import StateType

from flows import recover
from penstock.adapters.tracking.connection import Connection

pytestmark = pytest.mark.filterwarnings("ignore:.*AnyType:UserWarning")


class Server:
    """Flow runs with their states, as Prefect's server keeps them."""

    def __init__(self, *states, run_count=1):
        self.history = {}
        self.known = []
        self.stage = SimpleNamespace(id=uuid4(), state_type=StateType.RUNNING)
        for state in states:
            run = SimpleNamespace(id=uuid4(), name="train shop", state_type=state)
            run.run_count = run_count
            self.known.append(run)
            self.history[run.id] = [state]

    def read_flow_runs(self, flow_run_filter, work_pool_filter=None):
        if flow_run_filter.id is not None:
            return [run for run in self.known if run.id in flow_run_filter.id.any_]
        wanted = flow_run_filter.state.type.any_
        return [run for run in self.known if run.state_type in wanted]

    def read_task_runs(self, flow_run_filter, task_run_filter):
        assert task_run_filter.state.type.any_ == [StateType.RUNNING]
        return [self.stage] if flow_run_filter.id.any_ == [self.known[0].id] else []

    def set_task_run_state(self, id, state, force):
        assert id == self.stage.id
        assert force
        self.stage.state_type = state.type

    def set_flow_run_state(self, id, state, force):
        assert force
        self.history[id].append(state.type)
        next(run for run in self.known if run.id == id).state_type = state.type

    @property
    def last(self):
        return [states[1:] for states in self.history.values()]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with an MLflow database, which takes seconds to make."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def tracking(home, monkeypatch):
    """MLflow on a file, and a way to begin a run for a flow run."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
    monkeypatch.setenv("PENSTOCK_HOME", str(home))
    client = Connection(f"sqlite:///{home / 'mlflow.db'}", home).client
    experiment = client.create_experiment(str(uuid4()))

    def begin(flow_run_id):
        run = client.create_run(experiment, tags={recover.FLOW_RUN: str(flow_run_id)})
        return lambda: client.get_run(run.info.run_id).info.status

    return begin


def test_runs_without_a_worker_are_entered_anew_and_their_mlflow_runs_end(tracking):
    server = Server(StateType.RUNNING, StateType.PENDING, StateType.COMPLETED)
    status, done = tracking(server.known[0].id), tracking(server.known[2].id)
    recover.restart(server)
    again = [StateType.CRASHED, StateType.SCHEDULED]
    assert server.last == [again, again, []]
    assert server.stage.state_type == StateType.CRASHED
    assert status() == "KILLED"
    assert done() == "KILLED"  # its flow run had ended without a word to MLflow


def test_every_mlflow_run_of_a_dead_run_ends(tracking):
    """Two attempts died while MLflow was out of reach."""
    server = Server(StateType.RUNNING)
    both = [tracking(server.known[0].id), tracking(server.known[0].id)]
    recover.restart(server)
    assert [status() for status in both] == ["KILLED", "KILLED"]


def test_a_run_that_was_being_cancelled_is_cancelled(tracking):
    server = Server(StateType.CANCELLING)
    recover.restart(server)
    assert server.last == [[StateType.CANCELLED]]


def test_a_run_that_is_cut_short_again_and_again_stays_crashed(tracking):
    server = Server(StateType.RUNNING, run_count=recover.MOST_ATTEMPTS)
    recover.restart(server)
    assert server.last == [[StateType.CRASHED]]


def test_a_run_of_an_unknown_server_is_left_alone(tracking):
    status = tracking(uuid4())
    recover.restart(Server())
    assert status() == "RUNNING"


def test_down_cancels_and_does_not_wait_for_ever(tracking, monkeypatch):
    monkeypatch.setattr(recover, "CANCEL_SECONDS", 0.0)
    server = Server(StateType.RUNNING)
    status = tracking(server.known[0].id)
    recover.cancel(server)
    assert server.last == [[StateType.CANCELLING, StateType.CANCELLED]]
    assert status() == "KILLED"
