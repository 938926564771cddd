import hashlib
import subprocess
import sys

import pytest

from penstock import fingerprint


def test_hashes_are_sha256(tmp_path):
    content = bytes(range(256)) * 10_000  # longer than a chunk
    (tmp_path / "file").write_bytes(content)
    wanted = hashlib.sha256(content).hexdigest()
    assert fingerprint.of_bytes(content) == wanted
    assert fingerprint.of_file(tmp_path / "file") == wanted


def test_json_is_hashed_by_value_not_by_spelling():
    assert fingerprint.of_json({"a": [1, None], "ü": 1}) == fingerprint.of_json(
        {"ü": 1, "a": [1, None]}
    )
    assert fingerprint.of_json([1, 2]) != fingerprint.of_json([2, 1])
    assert fingerprint.of_json("1") != fingerprint.of_json(1)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose code can be edited: one imports two inside a function, three is apart."""
    files = {
        "__init__": "",
        "one": "def f():\n    from sandbox.two import g\n    return g()\n",
        "two": "import json\nfrom sandbox import four\ndef g():\n    return 1\n",
        "three": "x = 1\n",
        "four": "from sandbox import one\n",  # a circle
    }
    folder = tmp_path / "sandbox"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def version(*modules):
        for cached in (fingerprint._source, fingerprint._imports, fingerprint._is_module):
            cached.cache_clear()
        return fingerprint.code_version(*modules)

    yield folder, version
    version("penstock.errors")


def test_code_counts_with_all_that_it_imports_and_nothing_else(package):
    folder, version = package
    before, apart = version("sandbox.one"), version("sandbox.three")
    assert fingerprint.closure("sandbox.one") >= {"sandbox.one", "sandbox.two", "sandbox.four"}
    assert "sandbox.three" not in fingerprint.closure("sandbox.one")
    (folder / "three.py").write_text("x = 2\n")
    assert version("sandbox.one") == before
    assert version("sandbox.three") != apart
    (folder / "two.py").write_text("from sandbox import four\ndef g():\n    return 2\n")
    assert version("sandbox.one") != before


def test_a_stage_key_tells_stages_code_and_inputs_apart():
    key = fingerprint.stage_key("fit", "code", {"rows": "a"})
    assert key.startswith("fit-")
    assert key == fingerprint.stage_key("fit", "code", {"rows": "a"})
    others = [("fi", "code", {"rows": "a"}), ("fit", "c", {"rows": "a"}), ("fit", "code", {})]
    assert key not in {fingerprint.stage_key(*other) for other in others}


def test_a_module_that_is_not_there_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        fingerprint.code_version("penstock.nothing")


def test_what_code_depends_on_is_read_and_not_run():
    code = (
        "import sys; from penstock import fingerprint;"
        "found = fingerprint.closure('penstock.stages.fit', 'penstock.tasks.ranking');"
        "assert 'penstock.learning.loop' in found;"
        "print(sorted({'torch', 'sklearn', 'penstock.model'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
