"""Pictures that were saved again stand on both sides of a split."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from penstock.adapters.store import LocalStore
from penstock.records import Column, Layout, Split
from penstock.tables.copies import near_copies

LAYOUT = Layout(
    target="label",
    task="classification",
    classes=["a", "b"],
    columns=[
        Column(name="label", modality="category", arrow_type="string", role="target"),
        Column(name="path", modality="metadata", arrow_type="string", role="metadata"),
        Column(name="image", modality="image", arrow_type="binary"),
    ],
)


def drawing(rng):
    picture = Image.new("L", (40, 40))
    pen = ImageDraw.Draw(picture)
    for _ in range(3):
        pen.ellipse([*rng.integers(0, 20, 2), *rng.integers(21, 40, 2)], int(rng.integers(60, 255)))
    return picture


def file(picture, kind="PNG", **more):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def checked(tmp_path, train, test):
    store = LocalStore(tmp_path)
    parts = [
        store.keep_table(
            pa.table(
                {
                    "label": ["a"] * len(files),
                    "path": [f"{name}{number}.png" for number in range(len(files))],
                    "image": pa.array(files, pa.binary()),
                }
            )
        )
        for name, files in (("train", train), ("valid", test), ("test", test))
    ]
    split = Split(train=parts[0], valid=parts[1], test=parts[2], layout=LAYOUT)
    (check,) = near_copies(split, 0, store)
    return check


def test_pictures_saved_again_brightened_or_enlarged_are_found(tmp_path):
    rng = np.random.default_rng(0)
    seen, other = [drawing(rng) for _ in range(120)], [drawing(rng) for _ in range(30)]
    honest = checked(tmp_path, [file(p) for p in seen], [file(p) for p in other])
    assert honest.value == 0
    again = [
        file(seen[5], "JPEG", quality=60),
        file(seen[6].point(lambda value: int(value * 0.8 + 20))),
        file(seen[7].resize((120, 120))),
    ]
    check = checked(tmp_path, [file(p) for p in seen], [*(file(p) for p in other), *again])
    assert check.value == 3 / 33
    assert check.low < check.value < check.high
    assert "test30.png and train5.png" in check.why
    assert "3 of 33 test rows have a near copy of their image" in check.why
