"""Files behind a URL, by fsspec: found, read, and written whole or not at all.

Credentials come from the environment, by the variables that each protocol's package reads
(for S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL).
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.adapters.address import without_secrets
from penstock.errors import BadInput, Mistake, PenstockError

EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Protocols whose package an extra of penstock installs."""

WHOLE_PUT = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"}
"""Object stores: a file appears when its last byte has arrived, and not before."""


def filesystem(url: str, where: str) -> tuple[Any, str]:
    """The file system behind a URL, and the path in it.

    Parameters
    ----------
    url : str
        With its references filled in.
    where : str
        Field, option or variable, for messages.

    Raises
    ------
    BadInput
        No such protocol, or its package is not installed.
    """
    import fsspec

    protocol = url.partition("://")[0]
    try:
        found, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        remedy = f"pip install 'penstock[{extra}]'" if extra else "install that package"
        raise BadInput(
            Mistake(f"the package for {protocol}:// is installed", str(error), where, remedy)
        ) from error
    except ValueError as error:
        raise BadInput(
            Mistake(
                "the address is a URL", without_secrets(str(error)), where, "check its spelling"
            )
        ) from error
    found.invalidate_cache()  # other machines write there too
    return found, path.rstrip("/")


@contextmanager
def reaching(
    address: str, raised: type[PenstockError] = BadInput, *, writing: bool = False
) -> Iterator[None]:
    """Turn what a file system raises into our words.

    Parameters
    ----------
    address : str
        For messages, without secrets.
    raised : type
        ``BadInput`` for what the user named, ``StoreError`` for the store.
    writing : bool
        Else a file that is absent is still a ``FileNotFoundError``.
    """
    try:
        yield
    except PenstockError:
        raise
    except Exception as error:
        if isinstance(error, FileNotFoundError) and not writing:
            if not (cause := _other_cause(error)):
                raise
            error = cause
        said = without_secrets(" ".join(str(error).split()))[:300]
        raise raised(
            Mistake(
                "the address can be reached, read and written as asked",
                f"{type(error).__name__}: {said}" if said else type(error).__name__,
                address,
                "check the address, the network, and the credentials in the environment",
            )
        ) from None  # a web address may be repeated there, signature and all


def _other_cause(error: FileNotFoundError) -> Exception | None:
    """What a web server said, or kept silent of, that is not *there is no such file*."""
    cause = error.__cause__
    if isinstance(cause, FileNotFoundError) or not isinstance(cause, Exception):
        return None
    silent = isinstance(cause, OSError)
    return cause if silent or getattr(cause, "status", 404) not in (404, 410) else None


def size(files: Any, path: str) -> int | None:
    """Bytes of a file; 0 when a web server does not say; None when there is no such file."""
    try:
        found = files.info(path)
    except FileNotFoundError as error:
        if _other_cause(error):
            raise
        return None
    return found["size"] or 0 if found["type"] == "file" else None


def probe(files: Any, path: str) -> None:
    """Raise what the file system raises when nobody answers or there is no such bucket."""
    if _whole_put(files):
        files.ls(path.partition("/")[0], refresh=True)
    else:
        size(files, path)


def _whole_put(files: Any) -> bool:
    protocols = {files.protocol} if isinstance(files.protocol, str) else set(files.protocol)
    return bool(protocols & WHOLE_PUT)


def put(files: Any, local: Path, path: str) -> None:
    """Copy a local file to a path: whole, or not at all."""
    if _whole_put(files):
        files.put_file(str(local), path)
        return
    unfinished = f"{path}.{uuid.uuid4().hex}.unfinished"
    files.makedirs(path.rpartition("/")[0], exist_ok=True)
    try:
        files.put_file(str(local), unfinished)
        files.mv(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            files.rm(unfinished)
        raise
