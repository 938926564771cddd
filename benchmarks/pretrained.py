"""A second run with the vectors of a frozen network at hand, against the first one.

    python benchmarks/pretrained.py              texts, images and sounds
    python benchmarks/pretrained.py --only text

Each task is a folder of made-up rows and a network of random weights, of the size of a small
pretrained one (six blocks of width 384); so nothing here says how good pretrained networks are.
``penstock train`` runs once, then three times with another ``model.dropout``, which trains anew
on the same vectors. Printed are the seconds of the stage ``fit`` and of all stages that read the
column, and the ratio of a later run to the first: the median of three, with the least and the
most.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

NUM_ROWS = {"text": 3_000, "image": 2_000, "audio": 600}
SIZES: dict[str, Any] = {
    "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 6,
    "intermediate_size": 1536,
}  # fmt: skip
AGAIN = (0.1, 0.2, 0.4)
STAGES = ("fit", "decide", "evaluate", "stress", "explain")
WORDS = [f"w{n}" for n in range(2_000)]


def main() -> None:
    """Run each task and print its ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", choices=["", *NUM_ROWS])
    asked = parser.parse_args()
    for kind in NUM_ROWS:
        if asked.only in ("", kind):
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                {"text": write_texts, "image": write_images, "audio": write_sounds}[kind](folder)
                first, *later = [run(folder, dropout) for dropout in (0.3, *AGAIN)]
                tell(kind, first, later)


def pipeline(folder: Path, source: str, target: str, column: str) -> None:
    """Write pipeline.yaml for a folder of rows."""
    (folder / "pipeline.yaml").write_text(
        f"name: bench\ndata: {{source: '{source}', target: {target}}}\n"
        f"model: {{encoders: {{{column}: network}}}}\n"
    )


def write_texts(folder: Path) -> None:
    """Some forty words each; one of ten tells the class."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    rng = np.random.default_rng(0)
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    config = transformers.BertConfig(**SIZES, vocab_size=len(marks) + len(WORDS))
    transformers.BertModel(config).save_pretrained(folder / "network")
    vocabulary = {word: n for n, word in enumerate([*marks, *WORDS])}
    cut = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    cut.pre_tokenizer = pre_tokenizers.Whitespace()
    cut.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    cut.save(str(folder / "network" / "tokenizer.json"))
    lines = ["said,y"]
    for number in range(NUM_ROWS["text"]):
        words = rng.choice(WORDS[20:], rng.integers(20, 60))
        words[rng.integers(len(words))] = WORDS[rng.integers(10) + 10 * (number % 2)]
        lines.append(f"{' '.join(words)},{'ab'[number % 2]}")
    (folder / "rows.csv").write_text("\n".join(lines))
    pipeline(folder, "rows.csv", "y", "said")


def write_images(folder: Path) -> None:
    """Noise of 64 x 64, a little brighter in the class ``b``."""
    import transformers

    rng = np.random.default_rng(0)
    config = transformers.ViTConfig(**SIZES, image_size=96, patch_size=16)
    transformers.ViTModel(config).save_pretrained(folder / "network")
    settings = {"size": 96, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "network" / "preprocessor_config.json").write_text(json.dumps(settings))
    (folder / "images").mkdir()
    for number in range(NUM_ROWS["image"]):
        pixels = rng.integers(0, 200, (64, 64, 3)) + 20 * (number % 2)
        path = folder / "images" / f"{'ab'[number % 2]}_{number}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    pipeline(folder, "images/{y}_{n}.png", "y", "image")


def write_sounds(folder: Path) -> None:
    """A second of noise with a tone, higher in the class ``b``."""
    import transformers

    rng = np.random.default_rng(0)
    config = transformers.Wav2Vec2Config(**SIZES)
    transformers.Wav2Vec2Model(config).save_pretrained(folder / "network")
    settings = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 16_000}
    (folder / "network" / "preprocessor_config.json").write_text(json.dumps(settings))
    (folder / "sounds").mkdir()
    time = np.arange(16_000) / 16_000
    for number in range(NUM_ROWS["audio"]):
        wave = 0.05 * rng.normal(size=len(time)) + 0.1 * np.sin(
            2 * np.pi * (400 + 200 * (number % 2)) * time
        )
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, 16_000, format="WAV")
        path = folder / "sounds" / f"{'ab'[number % 2]}_{number}.wav"
        path.write_bytes(buffer.getvalue())
    pipeline(folder, "sounds/{y}_{n}.wav", "y", "audio")


def run(folder: Path, dropout: float) -> dict[str, Any]:
    """What ``train --json`` says."""
    train = [sys.executable, "-m", "penstock.cli", "train", str(folder), "--json"]
    said = subprocess.run(
        [*train, "--set", f"model.dropout={dropout}"], capture_output=True, text=True
    )
    if not said.stdout:
        sys.exit(said.stderr)
    answer: dict[str, Any] = json.loads(said.stdout)
    if "fit" in answer["cached"]:
        sys.exit("the stage fit was not run: nothing was measured")
    return answer


def tell(kind: str, first: dict[str, Any], later: list[dict[str, Any]]) -> None:
    """One line a quantity."""
    for name, stages in {"fit": ("fit",), "all five": STAGES}.items():
        before = sum(first["seconds"].get(stage, 0.0) for stage in stages)
        after = [sum(one["seconds"].get(stage, 0.0) for stage in stages) for one in later]
        ratios = sorted(seconds / before for seconds in after)
        print(
            f"{kind:6} {name:9} first {before:6.1f} s, later {statistics.median(after):5.1f} s:"
            f" ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
        )


if __name__ == "__main__":
    main()
