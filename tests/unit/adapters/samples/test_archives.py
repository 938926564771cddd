"""Archives: nothing but the known bytes, and no member beyond its root."""

import functools
import hashlib
import http.server
import io
import os
import tarfile
import threading
import zipfile

import pytest

from penstock.adapters.samples.archives import MIRROR, Archive, fetch, members
from penstock.errors import BadInput

CONTENT = b"some bytes " * 1000


def archive(content=CONTENT, name="some.zip"):
    return Archive(name, f"https://nowhere.invalid/{name}", hashlib.sha256(content).hexdigest(), 9)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        self.server.asked.append(self.path)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder that a server of loopback shows, and what was asked of it."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv(MIRROR, f"http://127.0.0.1:{server.server_port}/")
        yield folder, server
        server.shutdown()


def test_a_mirror_gives_the_file_under_its_name(mirror, tmp_path):
    folder, server = mirror
    (folder / "some.zip").write_bytes(CONTENT)
    told = []
    path = fetch(archive(), tmp_path / "new", told.append)
    assert path.read_bytes() == CONTENT
    assert server.asked == ["/some.zip"]
    assert "127.0.0.1" in told[0]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_a_mirror_too(form, tmp_path, monkeypatch):
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / "some.zip").write_bytes(CONTENT)
    monkeypatch.setenv(MIRROR, form.format(tmp_path / "a folder"))
    assert fetch(archive(), tmp_path / "new", print).read_bytes() == CONTENT


def test_other_bytes_are_refused_with_both_checksums_and_nothing_stays(mirror, tmp_path):
    folder, _ = mirror
    (folder / "some.zip").write_bytes(b"<html>please log in</html>")
    with pytest.raises(BadInput) as caught:
        fetch(archive(), tmp_path / "new", print)
    assert archive().sha256 in caught.value.message
    assert hashlib.sha256(b"<html>please log in</html>").hexdigest() in caught.value.message
    assert "login page" in caught.value.message
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("place", ["absent", "closed", "folder"])
def test_who_is_offline_is_told_what_to_do(place, mirror, tmp_path, monkeypatch):
    if place == "closed":
        monkeypatch.setenv(MIRROR, "http://127.0.0.1:9")
    if place == "folder":
        monkeypatch.setenv(MIRROR, str(tmp_path / "nothing"))
    with pytest.raises(BadInput, match=MIRROR) as caught:
        fetch(archive(), tmp_path / "new", print)
    assert archive().url in caught.value.message
    assert "HTTPS_PROXY" in caught.value.message


def test_a_proxy_of_the_environment_is_asked(mirror, tmp_path, monkeypatch):
    _, server = mirror
    proxy = os.environ[MIRROR].rstrip("/")
    monkeypatch.setenv(MIRROR, "http://far.invalid")
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(BadInput):  # the server is no proxy, but it heard the question
        fetch(archive(), tmp_path / "new", print)
    assert server.asked[0].startswith("http://far.invalid/some.zip")


def tar(path, *files, mode="w:bz2"):
    with tarfile.open(path, mode) as out:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return path


def test_members_of_tar_and_zip_alike(tmp_path):
    files = [("a/b.txt", b"one"), ("a/c.txt", b"two")]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        out.mkdir("a")
        for name, content in files:
            out.writestr(name, content)
    assert list(members(tmp_path / "x.zip")) == files
    assert list(members(tar(tmp_path / "x.tar.bz2", *files))) == files
    assert list(members(tar(tmp_path / "x.tar.gz", *files, mode="w:gz"))) == files


NAMES = ["../up.txt", "/etc/up.txt", "a/../../up.txt", "a\\..\\up.txt", "C:/up.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_a_member_that_leaves_its_root_is_refused(name, tmp_path):
    with pytest.raises(BadInput, match="stays below its root"):
        list(members(tar(tmp_path / "x.tar.bz2", ("a/ok.txt", b""), (name, b"evil"))))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        info = zipfile.ZipInfo("a")
        info.filename = name
        out.writestr(info, b"evil")
    with pytest.raises(BadInput, match="stays below its root"):
        list(members(tmp_path / "x.zip"))


def test_links_are_passed_by(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as out:
        link = tarfile.TarInfo("a/passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    assert list(members(tmp_path / "x.tar")) == []
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        info = zipfile.ZipInfo("a/passwd")
        info.external_attr = 0o120777 << 16
        out.writestr(info, "/etc/passwd")
    assert list(members(tmp_path / "x.zip")) == []


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("zeros", bytes(65 << 20))
    assert (tmp_path / "x.zip").stat().st_size < 1 << 20
    with pytest.raises(BadInput, match="unpacks to at most"):
        list(members(tmp_path / "x.zip"))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_broken_archive_says_so(content, tmp_path):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(BadInput, match="read to its end"):
        list(members(tmp_path / "x.zip"))


def test_a_cut_archive_says_so(tmp_path):
    path = tar(tmp_path / "x.tar.bz2", ("a", os.urandom(9000)))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(BadInput, match="read to its end"):
        list(members(path))
