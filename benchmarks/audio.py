"""Sound through the whole pipe: spoken digits by random split and by speaker, and made-up chirps.

    python benchmarks/audio.py digits/recordings     files named {digit}_{speaker}_{take}.wav
    python benchmarks/audio.py                       the chirps alone

Each task is ``penstock init`` and ``penstock train`` with default settings, one seed. The chirps
rise, fall, or do both, somewhere in a noisy recording; rates, channels, formats, lengths and
loudness differ, so that nothing but the shape of the sound tells the class. Printed are accuracy
with its 95% interval over test rows, and the seconds. Where a speaker is unseen, the rows of one
or two speakers say little of the next: the interval does not hold that.

The Free Spoken Digit Dataset (3,000 recordings, six speakers; Jackson and others, CC BY-SA 4.0)
has the names that are asked for.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from whole_flow import Flow

CLASSES = ("fall", "peak", "rise")
FILES = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3"}
RATES = (8_000, 16_000, 22_050, 44_100)
NUM_CHIRPS = 1_200


def main() -> None:
    """Run the tasks and print one line each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recordings", nargs="?", help="a folder of {digit}_{speaker}_{take}.wav")
    parser.add_argument("--only", default="", help="random, speaker or chirps")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tasks: dict[str, tuple[str, str, list[str]]] = {}
        if asked.recordings:
            source = str(Path(asked.recordings).resolve() / "{digit}_{speaker}_{take}.wav")
            unseen = ["--set", "split.strategy=group", "--set", "split.column=speaker"]
            tasks["random"] = source, "digit", []
            tasks["speaker"] = source, "digit", unseen
        tasks["chirps"] = str(folder / "chirps/{kind}/{name}.*"), "kind", []
        if asked.only not in ("", *tasks):
            parser.error(f"--only: no task {asked.only!r}; there are {list(tasks)}")
        for name, (source, target, settings) in tasks.items():
            if asked.only in ("", name):
                if name == "chirps":
                    write_chirps(folder / "chirps", np.random.default_rng(0))
                tell(Flow.run(folder / "project" / name, source, target, *settings))


def write_chirps(folder: Path, rng: np.random.Generator) -> None:
    """As many files of each class; what is drawn for a file does not depend on its class."""
    endings = list(FILES)
    for number in range(NUM_CHIRPS):
        kind = CLASSES[number % len(CLASSES)]
        ending = endings[rng.integers(len(endings))]
        path = folder / kind / f"{number}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rate = int(RATES[rng.integers(len(RATES))])
        buffer = io.BytesIO()
        soundfile.write(buffer, chirp(kind, rate, rng), rate, format=FILES[ending])
        path.write_bytes(buffer.getvalue())


def chirp(kind: str, rate: int, rng: np.random.Generator) -> np.ndarray:
    """A tone that glides between two pitches, somewhere in noise: ``float64[n, 1 or 2]``."""
    low = rng.uniform(200, 800)
    high = low * rng.uniform(1.5, 3.0)
    seconds, before, after = rng.uniform(0.3, 0.8), rng.uniform(0, 0.5), rng.uniform(0, 0.5)
    share = np.linspace(0, 1, round(seconds * rate))
    way = {"rise": share, "fall": 1 - share, "peak": 1 - np.abs(2 * share - 1)}[kind]
    phase = 2 * np.pi * np.cumsum(low * (high / low) ** way) / rate
    tone = np.sin(phase) * np.hanning(len(phase))
    silence = [np.zeros(round(part * rate)) for part in (before, after)]
    wave = np.concatenate([silence[0], tone, silence[1]])[:, None]
    noise = rng.normal(size=(len(wave), int(rng.integers(1, 3)))) * rng.uniform(0.02, 0.3)
    loudness: np.ndarray = (wave + noise) * 10 ** rng.uniform(-2, -0.6)
    return loudness.clip(-1, 1)


def tell(flow: Flow) -> None:
    """The flow, and how often it was right."""
    flow.tell()
    accuracy = flow.answer["metrics"]["accuracy"]
    floor = next(check for check in flow.answer["checks"] if check["name"] == "metric_floor")
    said = f"{floor['low']:.4f} to {floor['high']:.4f}"
    print(f"  accuracy {accuracy:.4f}, 95% over test rows {said}")


if __name__ == "__main__":
    main()
