"""Images through the whole pipe, against a support-vector machine on the same pixels and rows.

    python benchmarks/images.py pictures     a folder of grey images, one subfolder a class
    python benchmarks/images.py              scikit-learn's digits and the made-up sets

Each set is ``penstock init`` and ``penstock train`` with default settings, one seed; then the
registered package scores the test rows, and a support-vector machine with a radial kernel scores
them too. The latter reads every pixel (images larger than 28 pixels are reduced to that), learns
from train and valid rows together, and has its two constants chosen by cross-validation. Printed
are both accuracies, their difference with its 95% interval over resampled test rows, and the
seconds of the whole flow, of the processor too.

The made-up sets are 6,000 grey images of 28 x 28 pixels each, in ten classes, and differ in what
tells the class: ``glyphs`` (characters of many fonts, turned and sheared), ``strokes`` (one curve,
as a hand draws it), ``garments`` (filled outlines that overlap in shape, with patterns),
``textures`` (a pattern anywhere), ``templates`` (the same smooth picture under heavy noise, never
moved: what a kernel on pixels is best at), ``mirrored`` (arrows of which some classes are mirror
images of others).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.font_manager import findSystemFonts, get_font
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy.interpolate import make_interp_spline
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from whole_flow import Flow, compare

from penstock.modalities import image
from penstock.spec import ModelSpec

SIDE, LARGE = 28, 112
"""Of the images, and of what they are drawn on."""
NUM_ROWS, NUM_CLASSES = 6_000, 10


def main() -> None:
    """Run the sets and print some lines each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", nargs="?", help="a folder with one subfolder a class")
    parser.add_argument("--only", default="", help=f"the folder's name or {', '.join(MADE_UP)}")
    parser.add_argument("--keep", default="", help="a folder for the made-up sets")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        sources = {name: Path(asked.keep or place) / name for name in ("digits", *MADE_UP)}
        if asked.pictures:
            sources = {Path(asked.pictures).name: Path(asked.pictures).resolve(), **sources}
        if asked.only not in ("", *sources):
            parser.error(f"--only: no set {asked.only!r}; there are {list(sources)}")
        for name, source in sources.items():
            if asked.only in ("", name):
                if name == "digits":
                    write_digits(source)
                elif not source.exists():
                    write(MADE_UP[name], source, np.random.default_rng(len(name)))
                run(name, source, Path(place) / "project")


def write(draw: Any, folder: Path, rng: np.random.Generator) -> None:
    """As many PNG files of each class as of the others."""
    for number in range(NUM_ROWS):
        kind = number % NUM_CLASSES
        path = folder / f"kind{kind}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.clip(draw(kind, rng), 0, 1)
        Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path)


def write_digits(folder: Path) -> None:
    """1,797 digits of 8 x 8 pixels, written by hand (Alpaydin and Kaynak, 1998)."""
    found = load_digits()
    for number, (pixels, label) in enumerate(zip(found.images, found.target, strict=True)):
        path = folder / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(pixels * 255 / 16).astype(np.uint8)).save(path)


def run(name: str, source: Path, project: Path) -> None:
    """Train, score and compare."""
    flow = Flow.run(project / name, str(source), "label")
    flow.tell()
    if flow.registered:
        known, test, _ = flow.rows()
        truth = np.array(test["label"].to_pylist())
        said = flow.predicted(test.select(["image"]))["prediction"]
        mine = said.astype(str).to_numpy() == truth
        theirs = machine(known, test) == truth
        compare("vector machine", len(truth), lambda rows: (mine[rows].mean(), theirs[rows].mean()))


def machine(known: pa.Table, test: pa.Table) -> np.ndarray:
    """The rival's predictions of the test rows."""
    state = image.learn(known["image"], np.zeros(0), ModelSpec())
    state = state.model_copy(update={"side": min(SIDE, state.side)})
    left, right = (
        image.encode(table["image"], state)["pixels"].reshape(table.num_rows, -1).astype(float)
        for table in (known, test)
    )
    model = make_pipeline(StandardScaler(with_std=False), SVC())
    usual = 1 / (left.shape[1] * left.var())
    grid = {"svc__C": [1.0, 10.0, 100.0], "svc__gamma": [usual * times for times in (0.3, 1, 3)]}
    search = GridSearchCV(model, grid, cv=3, n_jobs=2)
    found: np.ndarray = search.fit(left, np.array(known["label"].to_pylist())).predict(right)
    return found


# ------------------------------------------------------------------------- what is drawn


def placed(canvas: Image.Image, rng: np.random.Generator, turn: float, move: float) -> np.ndarray:
    """A drawing turned (degrees), sheared, scaled and moved (of its side) at random, in grey."""
    angle = np.deg2rad(rng.uniform(-turn, turn))
    shear, (wide, high) = rng.uniform(-0.2, 0.2), rng.uniform(0.8, 1.2, 2)
    way = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    way = way @ np.array([[wide, shear], [0, high]])
    middle = np.full(2, LARGE / 2)
    start = middle - way @ (middle + rng.uniform(-move, move, 2) * LARGE)
    data = (way[0, 0], way[0, 1], start[0], way[1, 0], way[1, 1], start[1])
    bent = canvas.transform(canvas.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.asarray(bent.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255.0


def glyphs(kind: int, rng: np.random.Generator) -> np.ndarray:
    """One of ten characters, some alike, in any font."""
    sign = "aegkmnQO0D"[kind]
    canvas = Image.new("L", (LARGE, LARGE))
    font = ImageFont.truetype(FONTS[rng.integers(len(FONTS))], int(rng.integers(60, 85)))
    ImageDraw.Draw(canvas).text((LARGE / 2, LARGE / 2), sign, 255, font, anchor="mm")
    clean = placed(canvas, rng, 15, 0.08) * rng.uniform(0.6, 1)
    return clean + rng.normal(0, 0.08, clean.shape)


def strokes(kind: int, rng: np.random.Generator) -> np.ndarray:
    """A curve through a class's points, shaken, of any width."""
    points = np.random.default_rng(100 + kind).uniform(0.2, 0.8, (5, 2))
    points = points + rng.normal(0, 0.05, points.shape)
    way = make_interp_spline(np.linspace(0, 1, 5), points, k=3)(np.linspace(0, 1, 40)) * LARGE
    canvas = Image.new("L", (LARGE, LARGE))
    width = int(rng.integers(6, 14))
    ImageDraw.Draw(canvas).line([tuple(at) for at in way], 255, width, joint="curve")
    return placed(canvas, rng, 12, 0.03)


OUTLINES = {
    "shirt": "20,30 40,20 72,20 92,30 104,50 90,58 84,48 84,96 28,96 28,48 22,58 8,50",
    "pullover": "22,28 42,20 70,20 90,28 102,90 90,94 82,50 82,96 30,96 30,50 22,94 10,90",
    "coat": "22,26 42,16 70,16 90,26 102,88 90,92 84,50 86,104 26,104 28,50 22,92 10,88",
    "dress": "40,12 72,12 68,48 92,102 20,102 44,48",
    "trousers": "34,10 78,10 84,104 64,104 56,40 48,104 28,104",
    "skirt": "38,20 74,20 94,92 18,92",
    "bag": "16,46 34,46 38,24 74,24 78,46 96,46 100,96 12,96",
    "shoe": "8,64 40,60 60,40 76,48 104,70 104,86 8,86",
    "boot": "44,14 80,14 78,60 106,78 106,98 42,98",
    "sandal": "8,78 30,74 52,52 60,54 46,76 78,76 92,60 98,64 96,88 8,88",
}  # fmt: skip
"""Corners of ten things to wear, on a drawing of 112 x 112."""


def garments(kind: int, rng: np.random.Generator) -> np.ndarray:
    """A filled outline, shaken, plain or patterned; some kinds differ little."""
    corners = list(OUTLINES.values())[kind].split()
    points = np.array([corner.split(",") for corner in corners], dtype=float)
    points += rng.normal(0, 4, points.shape)
    canvas = Image.new("L", (LARGE, LARGE))
    ImageDraw.Draw(canvas).polygon([tuple(at) for at in points], 255)
    inside = placed(canvas, rng, 4, 0.03)
    pattern = np.full(inside.shape, rng.uniform(0.3, 1))
    if rng.random() < 0.4:
        pattern = pattern * (0.7 + 0.3 * waves(rng.uniform(0, np.pi), rng.uniform(2, 5), rng))
    folds = gaussian_filter(rng.normal(size=inside.shape), 2)
    return inside * (pattern + 0.6 * folds) + rng.normal(0, 0.02, inside.shape)


def waves(angle: float, length: float, rng: np.random.Generator) -> np.ndarray:
    """A grating of this direction and wavelength in pixels, anywhere, in [-1, 1]."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    along = rows * np.sin(angle) + columns * np.cos(angle)
    found: np.ndarray = np.sin(2 * np.pi * along / length + rng.uniform(0, 2 * np.pi))
    return found


def textures(kind: int, rng: np.random.Generator) -> np.ndarray:
    """Gratings of five directions, fine and coarse; nothing stands at a fixed place."""
    angle = np.deg2rad(36 * (kind % 5) + rng.normal(0, 6))
    length = (4 if kind < 5 else 7) * rng.uniform(0.85, 1.15)
    clean = 0.5 + 0.25 * waves(angle, length, rng) * rng.uniform(0.5, 1)
    return clean + rng.normal(0, 0.15, clean.shape)


def templates(kind: int, rng: np.random.Generator) -> np.ndarray:
    """A class's smooth picture under noise, never moved."""
    fixed = gaussian_filter(np.random.default_rng(200 + kind).normal(size=(SIDE, SIDE)), 3)
    return 0.5 + 0.07 * fixed / fixed.std() + rng.normal(0, 0.35, fixed.shape)


def mirrored(kind: int, rng: np.random.Generator) -> np.ndarray:
    """Five flags and their mirror images."""
    canvas = Image.new("L", (LARGE, LARGE))
    pen = ImageDraw.Draw(canvas)
    pen.line([(36, 12), (36, 100)], 255, int(rng.integers(6, 12)))
    width, height = int(rng.integers(30, 50)), int(rng.integers(22, 34))
    top = int(rng.integers(12, 24)) + (0, 0, 0, 30, 48)[kind % 5]
    box = (36, top, 36 + width, top + height)
    if kind % 5 == 1:
        pen.ellipse(box, 255)
    elif kind % 5 == 2:
        pen.polygon([(36, top), (36 + width, top + height / 2), (36, top + height)], 255)
    else:
        pen.rectangle(box, 255)
    if kind >= 5:
        canvas = canvas.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    clean = placed(canvas, rng, 10, 0.06)
    blur = Image.fromarray((clean * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.5))
    return np.asarray(blur) / 255 + rng.normal(0, 0.1, clean.shape)


def _latin_fonts() -> list[str]:
    found = []
    for path in sorted(findSystemFonts()):
        if Path(path).suffix.lower() in (".ttf", ".otf"):
            known = get_font(path).get_charmap()
            found += [path] if all(ord(sign) in known for sign in "aegkmnQO0D") else []
    return found


FONTS = _latin_fonts()
MADE_UP = {
    "glyphs": glyphs,
    "strokes": strokes,
    "garments": garments,
    "textures": textures,
    "templates": templates,
    "mirrored": mirrored,
}


if __name__ == "__main__":
    main()
