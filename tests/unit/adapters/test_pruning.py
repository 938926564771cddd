"""What nobody needs goes, what anybody cites stays; on a real store."""

import json
import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.adapters.alive import alive, oldest
from penstock.adapters.pruning import waste
from penstock.adapters.store import LocalStore
from penstock.errors import StoreError
from penstock.ports import Version
from penstock.records import Blob

HOUR = 3600


class Home:
    """A home with runs in it: each has a snapshot, weights, a decision record, a report."""

    def __init__(self, root: Path):
        self.root = root
        self.store = LocalStore(root / "store")

    def run(self, name: str, pipeline: str = "shop", verdict: str = "registered", version="1"):
        """Everything that a run leaves; returns its blobs by name."""
        rows = self.store.keep_table(pa.table({"x": [hash(name) % 1000, 2]}))
        weights = self.store.keep_bytes(name.encode(), ".safetensors")
        key = f"fit-{'0' * 60}{len(name):04d}"
        record = {
            "pipeline": pipeline, "model": pipeline, "version": version, "verdict": verdict,
            "decided_by": "gates", "run_id": f"run-{name}",
            "stages": {
                "ingest": {"key": "", "record": {"rows": rows.model_dump()}},
                "fit": {"key": key, "record": {"weights": weights.model_dump()}},
            },
            "files": {"weights": weights.sha256},
        }  # fmt: skip
        kept = self.store.keep_bytes(json.dumps(record).encode(), ".json")
        (self.root / "results").mkdir(exist_ok=True)
        (self.root / "results" / key).write_text("{}")
        reports = self.root / "reports" / pipeline
        reports.mkdir(parents=True, exist_ok=True)
        for report in (f"run-{name}", "latest"):
            (reports / f"{report}.html").write_text("<html>")
        return {"rows": rows.blob, "weights": weights, "record": kept}

    def version(self, record: Blob, number: str = "1", name: str = "shop") -> Version:
        tags = {"penstock.decision": record.sha256}
        return Version(name, number, tags)

    def age(self, seconds: float = HOUR) -> None:
        """Let time pass for everything that is there."""
        then = time.time() - seconds
        for path in self.root.rglob("*"):
            os.utime(path, (then, then))

    def left(self) -> set[str]:
        return {path.stem for path in (self.root / "store").rglob("*") if path.is_file()}


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def test_a_registered_version_keeps_all_it_cites_and_a_refused_run_nothing(home):
    good, bad = home.run("good"), home.run("refused", verdict="refused", version="")
    home.age()
    found = waste(home.root, home.store.root, [home.version(good["record"])])
    assert {thing.path.stem for thing in found.things if thing.kind == "store"} == {
        blob.sha256 for blob in bad.values()
    }
    assert found.by_kind()["reports"][0] == found.by_kind()["finished stages"][0] == 1
    assert found.num_kept == 3
    assert home.left() == {b.sha256 for b in [*good.values(), *bad.values()]}  # nothing yet
    found.free()
    assert home.left() == {blob.sha256 for blob in good.values()}
    assert (home.root / "reports" / "shop" / "latest.html").is_file()
    assert (home.root / "reports" / "shop" / "run-good.html").is_file()
    assert waste(home.root, home.store.root, [home.version(good["record"])]).things == []


def test_an_earlier_decision_about_a_registered_version_stays(home):
    first = home.run("waits", verdict="awaiting_approval")
    second = home.store.keep_bytes(
        home.store.path(first["record"]).read_bytes().replace(b"awaiting_approval", b"registered"),
        ".json",
    )
    home.age()
    found = waste(home.root, home.store.root, [home.version(second)])
    assert found.things == []


def test_another_model_of_the_same_home_keeps_its_own(home):
    shop = home.run("shop", version="")
    club = home.run("club", "club")
    home.age()
    versions = [home.version(club["record"], name="club")]
    waste(home.root, home.store.root, versions, pipeline="shop").free()
    assert home.left() == {blob.sha256 for blob in club.values()}
    assert not (home.root / "reports" / "shop" / "run-shop.html").exists()
    assert shop["weights"].sha256 not in home.left()


def test_one_pipeline_leaves_the_waste_of_the_others(home):
    home.run("shop", version="")
    club = home.run("club", "club", version="")
    home.age()
    waste(home.root, home.store.root, [], pipeline="shop").free()
    assert home.left() == {blob.sha256 for blob in club.values()}


def test_what_a_living_run_has_touched_stays(home):
    old, used = home.run("old", version=""), home.run("used", version="")
    home.age()
    with alive(home.root):
        (lock,) = (home.root / "running").iterdir()
        os.utime(lock, (time.time() - 600, time.time() - 600))
        for blob in used.values():
            home.store.touch(blob)
        found = waste(home.root, home.store.root, [])
        assert found.notes
        found.free()
    assert home.left() == {blob.sha256 for blob in used.values()}
    assert old["rows"].sha256 not in home.left()
    home.age()
    waste(home.root, home.store.root, []).free()
    assert home.left() == set()


def test_a_run_that_died_keeps_nothing_alive(home):
    (home.root / "running").mkdir()
    (home.root / "running" / "1-dead.lock").touch()
    assert oldest(home.root) is None
    assert list((home.root / "running").iterdir()) == []


def test_what_is_young_stays_when_asked(home):
    home.run("young", version="")
    home.age(HOUR)
    assert waste(home.root, home.store.root, [], older_than_days=1).things == []
    assert waste(home.root, home.store.root, [], older_than_days=0.01).things != []


def test_scratch_goes_when_all_of_it_is_old(home):
    folder = home.store.scratch("fit/abc")
    (folder / "last.safetensors").write_bytes(b"0" * 100)
    home.age()
    found = waste(home.root, home.store.root, [])
    assert [(t.kind, t.num_bytes) for t in found.things] == [("unfinished work", 100)]
    (folder / "new").touch()
    assert waste(home.root, home.store.root, [], older_than_days=0.02).things == []


def test_the_last_retraining_and_the_monitors_history_keep_what_they_name(home):
    runs = [home.run(name, version="") for name in ("first", "second", "watched")]
    (home.root / "retraining").mkdir()
    lines = [json.dumps({"rows": run["rows"].sha256}) for run in runs[:2]]
    (home.root / "retraining" / "shop.jsonl").write_text("\n".join(lines) + "\n")
    (home.root / "monitoring").mkdir()
    (home.root / "monitoring" / "shop.jsonl").write_text(f'{{"x": "{runs[2]["rows"].sha256}"}}\n')
    home.age()
    waste(home.root, home.store.root, []).free()
    assert home.left() == {runs[1]["rows"].sha256, runs[2]["rows"].sha256}


def test_nothing_goes_when_a_versions_decision_record_is_gone(home):
    run = home.run("good")
    version = home.version(run["record"])
    home.store.path(run["record"]).unlink()
    home.age()
    with pytest.raises(StoreError, match="shop version 1"):
        waste(home.root, home.store.root, [version])
    assert home.left()


def test_what_can_be_made_again_goes_unless_it_was_asked_for_lately(tmp_path):
    home = Home(tmp_path)
    for name in ("features-old", "features-new"):
        (home.store.cache(name) / "a.npy").write_bytes(b"x")
    home.age(2 * HOUR)
    home.store.cache("features-new")
    found = waste(tmp_path, tmp_path / "store", [], older_than_days=1 / 24)
    assert found.by_kind() == {"cache": (1, 1)}
    found.free()
    assert [path.name for path in (tmp_path / "store" / "cache").iterdir()] == ["features-new"]
