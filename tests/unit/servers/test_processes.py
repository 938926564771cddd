import os
import signal
import subprocess
import sys
import time

import pytest

from penstock.servers import processes
from penstock.standing import Process

LEAVES_A_CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""
WAITS = "import time; print('ready', flush=True); time.sleep(60)"
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    begun = []

    def start(code, token, part="worker"):
        environment = os.environ | {processes.TOKEN: token, processes.PART: part}
        log = tmp_path / "logs" / f"{len(begun)}.log"
        begun.append(processes.start([sys.executable, "-c", code], environment, log, tmp_path))
        end = time.monotonic() + 20
        while "ready" not in log.read_text() and time.monotonic() < end:
            time.sleep(0.02)
        return begun[-1]

    yield start
    for popen in begun:
        processes.send_group(Process.of(popen.pid), signal.SIGKILL)
        popen.wait()


def test_end_finds_children_that_left_the_group(start):
    parent = start(LEAVES_A_CHILD, "one")
    found = processes.members("one")
    assert len(found) == 2
    assert processes.end("one") == 2
    assert not any(process.alive for process in found)
    assert parent.wait() == -signal.SIGTERM


def test_end_touches_neither_another_token_nor_another_part(start):
    mine = start(WAITS, "two", "worker")
    others = [start(WAITS, "two", "mlflow"), start(WAITS, "three", "worker")]
    assert processes.end("two", part="worker") == 1
    assert mine.wait() == -signal.SIGTERM
    assert all(Process.of(other.pid).alive for other in others)


def test_what_does_not_listen_is_killed(start):
    deaf = start(DEAF, "four")
    assert processes.end("four", patience=0.3) == 1
    assert deaf.wait() == -signal.SIGKILL


def test_a_known_leader_with_another_start_time_is_left_alone(start):
    stranger = start(WAITS, "five")
    processes.end("six", [Process(stranger.pid, "1")], patience=0)
    assert stranger.poll() is None


def test_a_log_is_bounded_and_its_writer_goes_on(tmp_path):
    log = tmp_path / "part.log"
    code = "import sys; [print(line.strip(), flush=True) for line in sys.stdin]"
    with log.open("ab") as stream:
        writer = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=stream, text=True
        )

    def say(text):
        writer.stdin.write(f"{text}\n")
        writer.stdin.flush()
        end = time.monotonic() + 20
        while text not in log.read_text() and time.monotonic() < end:
            time.sleep(0.02)

    say("a" * 150)
    assert not processes.rotate(log, most=200)
    say("b" * 150)
    assert processes.rotate(log, most=200)
    say("c" * 20)
    writer.stdin.close()
    writer.wait()
    assert log.read_text() == "c" * 20 + "\n"
    older = (tmp_path / "part.log.1").read_text()
    assert older.endswith("b" * 150 + "\n")
    assert len(older) == 200


def test_the_tail_of_a_log_is_its_last_lines(tmp_path):
    log = tmp_path / "part.log"
    assert processes.tail(log) == ""
    log.write_text("".join(f"{n}\n" for n in range(9000)))
    assert processes.tail(log, 2) == "8998\n8999"
