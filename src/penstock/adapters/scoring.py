"""Score rows with a packaged model in a process of its own, batch by batch.

A champion is scored with its own code, whatever code this process has imported; and a process
that holds one batch stays small at any number of rows.

package, typed batches -> predictions
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from penstock import tasks
from penstock.errors import Mistake, NotServable
from penstock.records import Column, Layout, Policy

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.model import Learnt

K = TypeVar("K")
WAITING = 2
"""Batches that are read ahead while the model works (house choice: one each way)."""
TAIL_CHARACTERS = 1500
KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "HOME", "TMPDIR")


class PackagedScorer:
    """Implements :class:`penstock.ports.Scorer`.

    Parameters
    ----------
    package : Path
        The folder with ``MLmodel``.
    threads : int
        CPU threads of the model; 0: all cores.
    """

    def __init__(self, package: Path, threads: int = 0):
        self.package = package
        self.threads = threads

    @cached_property
    def layout(self) -> Layout:
        """What the model was trained on."""
        text = (self.package / "artifacts" / "state.json").read_text(encoding="utf-8")
        return Layout.model_validate(json.loads(text)["layout"])

    @cached_property
    def learnt(self) -> Learnt:
        """What its state file and the arrays beside its weights hold."""
        from penstock.model import STATE, WEIGHTS, Learnt

        folder = self.package / "artifacts"
        return Learnt.read(folder / WEIGHTS, folder / STATE)

    @cached_property
    def reads(self) -> list[Column]:
        """The columns that a prediction needs, with their types."""
        text = (self.package / "artifacts" / "policy.json").read_text(encoding="utf-8")
        layout, grouping = self.layout, Policy.model_validate_json(text).grouping
        inputs = tasks.load(layout.task).inputs(layout)
        if grouping is None or grouping.column in {column.name for column in inputs}:
            return inputs
        return [*inputs, layout.column(grouping.column)]

    def predict(self, batches: Iterable[tuple[K, pa.Table]]) -> Iterator[tuple[K, pa.Table]]:
        """Predictions in the order of the rows, while the next rows are read.

        Parameters
        ----------
        batches : iterable of (kept, rows)
            ``rows`` are typed, alike in every batch, and given to the model; ``kept`` is
            handed back beside the predictions.

        Raises
        ------
        NotServable
            With the end of what the child wrote to standard error.
        """
        import pyarrow as pa

        with tempfile.TemporaryFile() as said:
            child = self._start(said)
            assert child.stdin and child.stdout
            feeding = _Feeding(batches, child.stdin)
            feeding.start()
            try:
                first = kept = feeding.passed.get()
                if kept is not None:
                    with pa.ipc.open_stream(child.stdout) as answers:
                        while kept is not None:
                            found = pa.Table.from_batches([answers.read_next_batch()])
                            yield kept[0], found
                            kept = feeding.passed.get()
                feeding.join()
                if feeding.failed:
                    raise feeding.failed
                if child.wait() and first is not None:
                    raise self._broken(said, child)
            except (pa.ArrowInvalid, StopIteration, EOFError, BrokenPipeError) as error:
                if error is feeding.failed:
                    raise
                child.wait(timeout=30)
                feeding.stop()
                feeding.join()
                raise feeding.failed or self._broken(said, child) from error
            finally:
                feeding.stop()
                child.stdout.close()
                if child.poll() is None:
                    child.kill()
                child.wait()

    def _start(self, said: IO[bytes]) -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("scoring_child.py")
        command = [sys.executable, "-I", str(program), str(self.package.resolve())]
        environment = {k: v for k, v in os.environ.items() if k in KEPT_VARIABLES}
        return subprocess.Popen(
            [*command, str(self.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment | {"OMP_WAIT_POLICY": "PASSIVE"},
        )

    def _broken(self, said: IO[bytes], child: subprocess.Popen[bytes]) -> NotServable:
        said.seek(0)
        text = said.read().decode("utf-8", "replace").strip()[-TAIL_CHARACTERS:]
        rule = "a packaged model scores rows in a process of its own"
        if child.returncode is not None and child.returncode < 0:
            text = f"{text}\nended by signal {-child.returncode}".strip()
        remedy = "read the lines above; without any, look whether the machine ran out of memory"
        found = text or "it ended without a word"
        return NotServable(Mistake(rule, found, self.package.name, remedy))


class _Feeding(threading.Thread):
    """Writes rows to the child while its answers are read, so that neither waits for the other."""

    def __init__(self, batches: Iterable[tuple[Any, pa.Table]], stream: IO[bytes]):
        super().__init__(daemon=True)
        self.batches, self.stream = batches, stream
        self.passed: queue.Queue[tuple[Any] | None] = queue.Queue(WAITING)
        self.failed: BaseException | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        """Feed until the rows end, somebody stops it, or something fails."""
        try:
            self._feed()
        except BaseException as error:  # noqa: BLE001 - the reading thread raises it
            self.failed = error
        self._pass(None)

    def stop(self) -> None:
        """Nobody reads the answers any more."""
        self.ended.set()

    def _feed(self) -> None:
        import pyarrow as pa

        writer = None
        try:
            for kept, rows in self.batches:
                batch = _one_batch(rows)
                if not self._pass((kept,)):
                    return
                try:
                    writer = writer or pa.ipc.new_stream(self.stream, batch.schema)
                    writer.write_batch(batch)
                    self.stream.flush()
                except OSError:
                    return  # the child has died: who waits for its answer will say so
            if writer is not None:
                writer.close()
        finally:
            with contextlib.suppress(OSError):  # what could not be flushed to a dead child
                self.stream.close()

    def _pass(self, kept: tuple[Any] | None) -> bool:
        while not self.ended.is_set():
            try:
                self.passed.put(kept, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    """The rows as one batch, be it without any."""
    import pyarrow as pa

    whole = rows.combine_chunks()
    arrays = [
        column.chunk(0) if column.num_chunks else pa.array([], column.type)
        for column in whole.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=whole.schema)
