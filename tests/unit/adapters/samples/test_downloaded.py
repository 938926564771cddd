"""The downloaded samples, from small archives of the same layout in a mirror."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from penstock.adapters.samples import SAMPLES, write_sample
from penstock.adapters.samples.archives import MIRROR
from penstock.errors import BadInput
from penstock.services import Services


def tarred(files, mode):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as out:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, content in files.items():
            out.writestr(name, content)
    return buffer.getvalue()


def wav(seed):
    buffer = io.BytesIO()
    wave = np.random.default_rng(seed).normal(0, 0.1, 800)
    soundfile.write(buffer, wave, 8_000, format="WAV")
    return buffer.getvalue()


ROOT = "free-spoken-digit-dataset-1.0.9"
SPEECH = {f"{ROOT}/recordings/{d}_{who}_0.wav": wav(d) for d in range(10) for who in ("ann", "bob")}
SPEECH[f"{ROOT}/README.md"] = b"# FSDD"
SPEECH[f"{ROOT}/metadata.py"] = b"raise SystemExit"
SPEECH[f"{ROOT}/recordings/notes.txt"] = b"no recording"
RATINGS = b"""userId,movieId,rating,timestamp
1,1,4.0,964982703
1,7,0.5,964981247
2,9,5.0,1445714835
"""
MOVIES = """movieId,title,genres
1,Toy Story (1995),Adventure|Animation|Children
7,"American President, The (1995) ",(no genres listed)
9,Amélie (Fabuleux destin),Comedy
""".encode()
FILMS = {"ml-latest-small/ratings.csv": RATINGS, "ml-latest-small/movies.csv": MOVIES}
FILMS["ml-latest-small/README.txt"] = b"terms of use"
MAILS = [
    {"easy_ham/0001.aa": b"Subject: Re: list\n\nhello", "easy_ham/cmds": b"mv a b"},
    {"easy_ham_2/00001.bb": b"Subject: two\n\nhello"},
    {"hard_ham/00001.cc": b"Subject: news\nContent-Type: text/html\n\n<p>news</p>"},
    {"spam/00001.dd": b"Subject: =?iso-8859-1?Q?Gewinn_f=FCr_Sie?=\n\nbuy"},
    {"spam_2/00001.ee": b"Subject: three\n\nbuy\xe9"},
]


@pytest.fixture
def mirrored(tmp_path, monkeypatch):
    """Put archives into a mirror, and their checksums into the list of samples."""

    def put(name, *contents):
        folder = tmp_path / "mirror"
        folder.mkdir()
        known = []
        for archive, content in zip(SAMPLES[name].archives, contents, strict=True):
            (folder / archive.name).write_bytes(content)
            known.append(replace(archive, sha256=hashlib.sha256(content).hexdigest()))
        monkeypatch.setitem(SAMPLES, name, replace(SAMPLES[name], archives=tuple(known)))
        monkeypatch.setenv(MIRROR, str(folder))
        return tmp_path / "data" / name

    return put


def ready(folder):
    services = Services(folder / "pipeline.yaml")
    services.check_files()
    assert services.contract
    return services


def test_spoken_digits_are_files_whose_names_tell(mirrored):
    folder = write_sample("spoken-digits", mirrored("spoken-digits", tarred(SPEECH, "w:gz")))
    services = ready(folder)
    assert services.source.schema.names == ["digit", "speaker", "take", "path", "audio"]
    (batch,) = services.source.batches()
    assert batch.num_rows == 20
    assert set(batch["speaker"].to_pylist()) == {"ann", "bob"}
    assert batch["audio"][0].as_py() == wav(0)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README-of-the-makers.md", "card.md", "contract.yaml", "pipeline.yaml", "recordings",
    ]  # fmt: skip


def test_ratings_are_joined_with_their_films(mirrored):
    folder = write_sample("movielens", mirrored("movielens", zipped(FILMS)))
    rows = pq.read_table(folder / "ratings.parquet").to_pylist()
    assert [row["title"] for row in rows] == [
        "Toy Story", "American President, The", "Amélie (Fabuleux destin)",
    ]  # fmt: skip
    assert [row["year"] for row in rows] == [1995, 1995, None]
    assert [row["genres"] for row in rows] == ["Adventure|Animation|Children", None, "Comedy"]
    assert [row["rating"] for row in rows] == [4.0, 0.5, 5.0]
    assert rows[0]["rated_at"].isoformat() == "2000-07-30T18:45:03+00:00"
    assert (folder / "README.txt").read_bytes() == b"terms of use"
    assert ready(folder).spec.data.target == "rating"


def test_mails_are_read_into_subject_body_and_label(mirrored):
    folder = write_sample("spam", mirrored("spam", *(tarred(one, "w:bz2") for one in MAILS)))
    rows = pq.read_table(folder / "mails.parquet").to_pylist()
    assert [row["label"] for row in rows] == ["ham"] * 3 + ["spam"] * 2
    assert rows[2] == {
        "file": "hard_ham/00001.cc", "subject": "news", "body": "news", "label": "ham",
    }  # fmt: skip
    assert rows[3]["subject"] == "Gewinn für Sie"
    assert rows[4]["body"] == "buyé"
    ready(folder)


def test_a_download_is_announced_before_it_starts(mirrored, tmp_path):
    told = []
    write_sample("movielens", mirrored("movielens", zipped(FILMS)), told.append)
    assert told == [f"downloading {tmp_path / 'mirror' / 'ml-latest-small.zip'} (1.0 MB)"]


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("spoken-digits", [tarred({"x/readme": b""}, "w:gz")]),
        ("movielens", [zipped({"ml/ratings.csv": RATINGS})]),
        ("spam", [tarred({"x/cmds": b""}, "w:bz2")] * 5),
        ("movielens", [zipped({**FILMS, "../../evil.txt": b"evil"})]),
    ],
)
def test_an_archive_of_another_layout_leaves_nothing_behind(name, contents, mirrored, tmp_path):
    folder = mirrored(name, *contents)
    with pytest.raises(BadInput):
        write_sample(name, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["mirror"]


def test_the_known_checksum_holds_for_a_mirror_too(mirrored, tmp_path, monkeypatch):
    real = SAMPLES["movielens"]
    folder = mirrored("movielens", zipped(FILMS))
    monkeypatch.setitem(SAMPLES, "movielens", real)
    with pytest.raises(BadInput, match=real.archives[0].sha256):
        write_sample("movielens", folder)
    assert [path.name for path in tmp_path.iterdir()] == ["mirror"]
