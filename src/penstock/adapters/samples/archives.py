"""Archives that others publish: downloaded, held against a checksum, read member by member.

Nothing is unpacked under a name that an archive says: who reads a member decides where it goes.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from penstock.errors import BadInput, Mistake

MIRROR = "PENSTOCK_SAMPLES_URL"
"""A URL, or a folder, that holds the archives under their names; the checksums stay."""
TIMEOUT_SECONDS = 30
"""Of silence, before a download is given up (house choice)."""
MOST_MEMBER_BYTES = 1 << 26
MOST_BYTES = 1 << 30
"""Most bytes of a member and of all together: a bomb is no sample (house choice)."""
BROKEN = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, RuntimeError)
"""What reading a broken archive raises."""


@dataclass(frozen=True)
class Archive:
    """A file to download.

    Attributes
    ----------
    name : str
        Under which it is looked for in a mirror.
    url : str
        Where its makers publish it.
    sha256 : str
        Of its bytes; published by others than this project, see where it is used.
    num_bytes : int
        How many, for who waits; 0 where nobody publishes it.
    """

    name: str
    url: str
    sha256: str
    num_bytes: int = 0

    def __str__(self) -> str:
        """Where it is, and how large."""
        return f"{self.url} ({self.num_bytes / 1e6:.1f} MB)" if self.num_bytes else self.url


def fetch(archive: Archive, folder: Path, tell: Callable[[str], None]) -> Path:
    """Download an archive; proxies are those of the environment.

    Raises
    ------
    BadInput
        It cannot be reached, or its checksum is another one.
    """
    import pooch

    mirror = os.environ.get(MIRROR, "").strip().rstrip("/")
    url = f"{mirror}/{archive.name}" if mirror else archive.url
    pooch.get_logger().setLevel("ERROR")  # what is said is said here
    tell(f"downloading {replace(archive, url=url)}")
    try:
        path = pooch.retrieve(
            url,
            known_hash=f"sha256:{archive.sha256}",
            fname=archive.name,
            path=folder,
            downloader=_downloader(url),
        )
    except ValueError as error:
        found = re.findall(r"[0-9a-f]{64}", str(error))[-1:]
        raise BadInput(_other_bytes(archive, url, found)) from error
    except OSError as error:
        if getattr(error, "response", None) is not None:
            error.response.close()  # type: ignore[attr-defined]  # pooch leaves it open
        raise BadInput(_unreachable(archive, url, error)) from error
    return Path(path)


def _downloader(url: str) -> Callable[..., Any]:
    import pooch

    scheme = urlsplit(url).scheme
    if scheme in ("http", "https"):
        return pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS)
    return partial(_copy, Path(unquote(urlsplit(url).path) if scheme == "file" else url))


def _copy(source: Path, url: str, output: str | IO[bytes], pooch: Any) -> None:
    shutil.copyfile(source.expanduser(), str(output))


def _other_bytes(archive: Archive, url: str, found: list[str]) -> Mistake:
    return Mistake(
        f"{archive.name} has the SHA-256 that penstock knows, {archive.sha256}",
        f"SHA-256 {found[0]}" if found else "another one",
        url,
        "nothing was kept; try once more, since a download may be cut or replaced by a login"
        f" page; where it stays so, fetch {archive.url} elsewhere and set {MIRROR} to its folder",
    )


def _unreachable(archive: Archive, url: str, error: OSError) -> Mistake:
    return Mistake(
        "the archive of a sample can be read",
        " ".join(str(error).split())[:300] or type(error).__name__,
        url,
        f"without a network: fetch {archive.url} elsewhere and set {MIRROR} to the folder that"
        " holds it, or to a mirror's URL; behind a proxy: set HTTPS_PROXY;"
        " penstock sample adult and penstock sample digits need no network",
    )


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each regular file of a tar or zip archive, in its order.

    Raises
    ------
    BadInput
        A member whose name leaves the archive's root, or too many bytes; a broken archive.
    """
    opened = _zipped if zipfile.is_zipfile(path) else _tarred
    total = 0
    try:
        for name, num_bytes, read in opened(path):
            total += num_bytes
            if wrong := _unsafe(name, num_bytes, total):
                raise BadInput(Mistake(*wrong, f"{path.name}: {name}", "use another archive"))
            yield name, read()
    except BROKEN as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise BadInput(
            Mistake("an archive can be read to its end", said, path.name, "download it again")
        ) from error


def _unsafe(name: str, num_bytes: int, total: int) -> tuple[str, str] | None:
    """The rule that a member breaks, and how."""
    parts = PurePosixPath(name).parts
    leaves = name.startswith("/") or ".." in parts or "\\" in name or ":" in (parts or ("",))[0]
    if leaves or "\0" in name:
        return "a member of an archive stays below its root", repr(name)
    if num_bytes > MOST_MEMBER_BYTES or total > MOST_BYTES:
        return f"an archive unpacks to at most {MOST_BYTES >> 20} MiB", f"{total:,} bytes so far"
    return None


Members = Iterator[tuple[str, int, Callable[[], bytes]]]


def _tarred(path: Path) -> Members:
    """Regular files of a tar archive; links and devices are passed by."""
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            if member.isfile():
                file = archive.extractfile(member)
                yield member.name, member.size, file.read if file else bytes


def _zipped(path: Path) -> Members:
    """Files of a zip archive; links are passed by."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
            if not member.is_dir() and not is_link:
                yield member.filename, member.file_size, partial(archive.read, member)
