from pathlib import Path

import pytest

from penstock import modalities, plugins, tasks


@pytest.mark.parametrize("package", [modalities, tasks])
def test_a_file_is_a_plug_in(package):
    folder = Path(package.__file__).parent
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert names <= set(plugins.modules(package.__name__))
    for name in names:
        assert package.load(name).__name__ == f"{package.__name__}.{name}"


def test_an_entry_point_of_another_package_is_one_too(tmp_path, monkeypatch):
    (tmp_path / "scent.py").write_text("NAME = 'scent'\n")
    info = tmp_path / "scent-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scent\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[penstock.modalities]\nscent = scent\nimage = scent\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.modules.cache_clear()
    try:
        assert modalities.load("scent").NAME == "scent"
        assert modalities.load("image").__name__ == "penstock.modalities.image"
        assert plugins.offered("penstock.modalities") == ["image", "scent"]
    finally:
        plugins.modules.cache_clear()


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError):
        tasks.load("nothing")
