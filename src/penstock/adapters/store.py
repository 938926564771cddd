"""The store: content-addressed files, written to a temporary name, flushed, renamed.

A file's key is made from the SHA-256 of its content, so a key never changes its meaning and
two equal files are one. Parquet is written with fixed settings: equal tables, equal bytes.

A store that machines share is a local one with a place behind a URL: what is kept goes there
too, and what is not here yet is fetched from there and held against its hash.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from penstock import fingerprint
from penstock.adapters import address, mapped, remote
from penstock.adapters.row_groups import GROUP_ROWS, RowGroups
from penstock.errors import Mistake, StoreError
from penstock.records import Blob, Rows

if TYPE_CHECKING:
    import pyarrow as pa


class LocalStore:
    """A store in a local folder.

    Parameters
    ----------
    root : Path
        Made when the first file is kept, not before.
    """

    def __init__(self, root: Path):
        self.root = root

    def keep_bytes(self, content: bytes, ending: str) -> Blob:
        """Keep bytes; see :class:`penstock.ports.Store`."""
        with self._unfinished(ending) as path:
            path.write_bytes(content)
            return self._adopt(path, ending)

    def keep_file(self, path: Path) -> Blob:
        """Copy a local file in and remove the original."""
        with self._unfinished(path.suffix) as unfinished:
            shutil.move(path, unfinished)
            return self._adopt(unfinished, path.suffix)

    def keep_table(self, table: pa.Table) -> Rows:
        """Keep a table as Parquet."""
        with self.writer(table.schema) as writer:
            writer.write(table)
        return writer.rows

    @contextmanager
    def writer(self, schema: pa.Schema) -> Iterator[RowGroups]:
        """Keep a table batch by batch; an exception inside leaves nothing behind."""
        import pyarrow.parquet as pq

        with self._unfinished(".parquet") as path:
            with pq.ParquetWriter(path, schema, compression="zstd") as parquet:
                writer = RowGroups(parquet, schema)
                yield writer
                writer.flush()
            writer.rows = Rows(blob=self._adopt(path, ".parquet"), num_rows=writer.num_rows)

    def has(self, blob: Blob) -> bool:
        """Whether the file is there with its full length."""
        path = self._locate(blob)
        return path.is_file() and path.stat().st_size == blob.num_bytes

    def path(self, blob: Blob) -> Path:
        """Local path of the file.

        Raises
        ------
        StoreError
            When it is not there.
        """
        if not LocalStore.has(self, blob):
            raise StoreError(_missing("it is missing or cut short", str(self._locate(blob))))
        return self._locate(blob)

    def touch(self, blob: Blob) -> None:
        """Say that a run needs the file now, so that nothing prunes it while the run lasts."""
        path = self._locate(blob)
        if path.is_file():
            os.utime(path)

    def table(self, rows: Rows, columns: list[str] | None = None) -> pa.Table:
        """The whole table: in memory, or mapped from disk where it holds many files."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path(rows.blob)) as file:
            if not mapped.is_large(file, columns):
                return file.read(columns=columns)
            whole = mapped.table(file, self.cache(f"mapped-{rows.blob.sha256}"))
        return whole if columns is None else whole.select(columns)

    def batches(
        self, rows: Rows, columns: list[str] | None = None, batch_size: int = GROUP_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """The table in constant memory."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path(rows.blob)) as file:
            for group in range(file.num_row_groups):  # a batch of several would hold their files
                yield from file.iter_batches(batch_size, row_groups=[group], columns=columns)

    def scratch(self, name: str) -> Path:
        """A folder for unfinished work beside the store's files."""
        return self._folder("scratch", name)

    def cache(self, name: str) -> Path:
        """A folder for what can be computed again; its time says when it was last asked for."""
        folder = self._folder("cache", name)
        os.utime(folder)
        return folder

    def _folder(self, kind: str, name: str) -> Path:
        folder = self._inside(self.root / kind / name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _locate(self, blob: Blob) -> Path:
        return self._inside(self.root / blob.key)

    def _inside(self, path: Path) -> Path:
        """Refuse a key that leaves the root, wherever the record came from."""
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise StoreError(Mistake("a key stays inside the store", str(path), str(self.root)))
        return path

    @contextmanager
    def _unfinished(self, ending: str) -> Iterator[Path]:
        folder = self.root / "unfinished"
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=ending, dir=folder)
        os.close(handle)
        path = Path(name)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _adopt(self, path: Path, ending: str) -> Blob:
        """Flush a finished file to disk and give it its name."""
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sha256 = fingerprint.of_file(path)
        blob = Blob(
            key=f"{sha256[:2]}/{sha256}{ending}", sha256=sha256, num_bytes=path.stat().st_size
        )
        target = self._locate(blob)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        return blob


class SharedStore(LocalStore):
    """A store behind a URL, with a local cache of its files.

    Two machines that keep the same content write the same bytes under the same key, so it does
    not matter who comes last.

    Parameters
    ----------
    cache : Path
        Local folder; it may be emptied at any time between runs.
    url : str
        Any that fsspec can write, such as ``s3://bucket/penstock``; ``${NAME}`` stands for an
        environment variable.

    Raises
    ------
    BadInput
        An unknown protocol, or one whose package is not installed.
    """

    def __init__(self, cache: Path, url: str):
        super().__init__(cache)
        self.address = address.without_secrets(url)
        self._files, self._place = remote.filesystem(
            address.filled(url, "PENSTOCK_STORE"), "PENSTOCK_STORE"
        )

    def has(self, blob: Blob) -> bool:
        """Whether the file is there, for every machine, with its full length."""
        with remote.reaching(self.address, StoreError):
            return remote.size(self._files, self._key(blob)) == blob.num_bytes

    def path(self, blob: Blob) -> Path:
        """Local path of the file, fetched when it is not here yet.

        Raises
        ------
        StoreError
            When it is not there, not what its key says, or nobody answers.
        """
        if not super().has(blob):
            self._fetch(blob)
        return super().path(blob)

    def probe(self) -> None:
        """Ask whether it is there, and change nothing; StoreError when it is not."""
        with remote.reaching(self.address, StoreError, writing=True):
            remote.probe(self._files, self._place)

    def _fetch(self, blob: Blob) -> None:
        key = self._key(blob)
        with self._unfinished(Path(blob.key).suffix) as path:
            try:
                with remote.reaching(self.address, StoreError):
                    self._files.get_file(key, str(path))
            except FileNotFoundError as error:
                where = f"{self.address}/{blob.key}"
                raise StoreError(_missing("it is missing", where)) from error
            if fingerprint.of_file(path) != blob.sha256:
                where = f"{self.address}/{blob.key}"
                raise StoreError(_missing("its content is not what its name says", where))
            super()._adopt(path, Path(blob.key).suffix)

    def _adopt(self, path: Path, ending: str) -> Blob:
        """Keep a finished file here, and there unless somebody was first."""
        blob = super()._adopt(path, ending)
        if not self.has(blob):
            with remote.reaching(self.address, StoreError, writing=True):
                remote.put(self._files, self._locate(blob), self._key(blob))
        return blob

    def _key(self, blob: Blob) -> str:
        self._locate(blob)  # refuses a key that leaves the store
        return f"{self._place}/{blob.key}"


def _missing(found: str, where: str) -> Mistake:
    rule = "a file that a record cites is in the store"
    return Mistake(rule, found, where, "run again with --refresh")
