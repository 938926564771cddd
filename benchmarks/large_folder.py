"""Folders of photos through the whole pipe: memory of the largest process beside their bytes.

    python benchmarks/large_folder.py              250, 500 and 1,000 MB
    python benchmarks/large_folder.py 4000         so many MB

Each folder is ``penstock init`` and ``penstock train`` of two epochs. Memory is what a process
holds for itself (``RssAnon`` of Linux), looked at ten times a second; pages of files that are
mapped, which the system may drop at any time, do not count.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from whole_flow import Flow

WIDTH, HEIGHT = 1280, 960
CLASSES = ("plain", "rows", "columns")


def make(folder: Path, megabytes: int) -> tuple[int, int]:
    """Noisy photos in three classes; how many, and their bytes."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 25, (HEIGHT, WIDTH, 3)).astype(np.float32)
    count = num_bytes = 0
    while num_bytes < megabytes * 1_000_000:
        small = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        pixels = np.asarray(small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32)
        pixels = pixels + np.roll(noise, int(rng.integers(WIDTH)), axis=1)
        name = CLASSES[count % 3]
        if name == "rows":
            pixels[::8] = 255
        if name == "columns":
            pixels[:, ::8] = 255
        path = folder / name / f"{count}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=92)
        num_bytes += path.stat().st_size
        count += 1
    return count, num_bytes


class Watch:
    """The most memory that any process below this one has held for itself, in bytes."""

    def __enter__(self) -> Watch:
        self.most, self._ended = 0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *arguments: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            for process in _below(os.getpid()):
                self.most = max(self.most, _held(process))


def _below(process: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(number) for number in path.read_text().split()]
        except OSError:  # it ended meanwhile
            continue
        for child in children:
            found += [child, *_below(child)]
    return found


def _held(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:  # it ended meanwhile
        return 0
    known = [line.split() for line in lines if line.startswith("RssAnon")]
    return int(known[0][1]) * 1024 if known else 0


def main() -> None:
    """Train on each folder, and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("megabytes", type=int, nargs="*", default=[250, 500, 1_000])
    for megabytes in parser.parse_args().megabytes:
        with tempfile.TemporaryDirectory() as scratch:
            photos = Path(scratch, "photos")
            count, num_bytes = make(photos, megabytes)
            started = time.perf_counter()
            with Watch() as watch:
                pattern = f"{photos}/{{label}}/{{number}}.jpg"
                two = ("--set", "model.epochs=2", "--set", "model.members=1")
                flow = Flow.run(Path(scratch, "large"), pattern, "label", *two)
            seconds = time.perf_counter() - started
            held = watch.most / 1e6
            print(
                f"{count} photos of {num_bytes / 1e6:.0f} MB: {flow.answer['verdict']},"
                f" {seconds:.0f} s; the largest process held {held:.0f} MB,"
                f" {held * 1e6 / num_bytes:.2f} of them",
                flush=True,
            )


if __name__ == "__main__":
    main()
