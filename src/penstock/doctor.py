"""Say what is here and what is missing, before a run finds out.

a pipeline, this machine -> findings; nothing is made, changed or sent
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from penstock import pipeline_file, settings
from penstock.adapters.store import SharedStore
from penstock.adapters.tracking.connection import Connection, without_secrets
from penstock.errors import PenstockError
from penstock.services import Services

GIB = 1 << 30
LEAST_MEMORY_GIB = 2.0
"""The libraries take half a GiB, a table of 100,000 rows and its model another (house choice)."""
LEAST_DISK_GIB = 1.0
"""A snapshot, its parts, checkpoints and a report (house choice)."""
PROBE_SECONDS = 3.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    ok : bool
        Whether a run can start with it.
    what, found : str
        What was looked at, and what is there.
    remedy : str
        What to do; empty when ok.
    """

    ok: bool
    what: str
    found: str
    remedy: str = ""


def findings(pipeline: str = "") -> list[Finding]:
    """Look at everything that a run of this pipeline needs.

    Parameters
    ----------
    pipeline : str
        As for ``penstock train``; empty: this machine and the working directory.

    Raises
    ------
    BadInput
        When there is no such pipeline.
    """
    found = [_python(), *_packages(), _cores(), _memory()]
    folder, device = Path.cwd() / "data" / "any", "auto"
    if pipeline:
        path = pipeline_file.locate(pipeline)
        folder = path.parent
        finding, device = _pipeline(path)
        found.append(finding)
    places = settings.read(folder)
    found += [_gpu(device), _writable("home", places.home)]
    if not places.store.is_relative_to(places.home):
        found.append(_writable("store", places.store))
    if places.store_url:
        found.append(_shared(places))
    found += [_disk(places.store), _mlflow(places), _prefect(places), _telemetry()]
    return found


def _python() -> Finding:
    asked = importlib.metadata.metadata("penstock")["Requires-Python"] or ""
    version = platform.python_version()
    ok = version in SpecifierSet(asked, prereleases=True)
    return Finding(ok, "Python", version, "" if ok else f"install Python {asked}")


def _packages() -> Iterator[Finding]:
    """Each package that penstock declares, against its range."""
    for line in importlib.metadata.requires("penstock") or []:
        asked = Requirement(line)
        if asked.marker and not asked.marker.evaluate({"extra": ""}):
            continue
        install = f"pip install '{asked.name}{asked.specifier}'"
        try:
            version = importlib.metadata.version(asked.name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(False, asked.name, "not installed", install)
            continue
        ok = asked.specifier.contains(version, prereleases=True)
        found = version if ok else f"{version}, asked for {asked.specifier}"
        yield Finding(ok, asked.name, found, "" if ok else install)


def _pipeline(path: Path) -> tuple[Finding, str]:
    """Spec, contract and the header of the source; and the device that the spec asks for."""
    device = "auto"
    try:
        services = Services(path)
        device = services.spec.compute.device
        services.check_files()
    except PenstockError as error:
        return Finding(False, "pipeline", error.message, f"mend it, then: {path}"), device
    return Finding(True, "pipeline", f"{services.spec.name}: {services.source.description}"), device


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding(True, "CPU cores", str(usable))


def _memory() -> Finding:
    """Memory that a program may still take: the system's, or less by a control group."""
    free, total = _system_memory()
    if free is None or total is None:
        return Finding(True, "memory", "this system does not say")
    ok = free >= LEAST_MEMORY_GIB
    remedy = "" if ok else f"free some: a run wants {LEAST_MEMORY_GIB:.0f} GiB"
    return Finding(ok, "memory", f"{free:.1f} GiB free of {total:.1f} GiB", remedy)


def _system_memory() -> tuple[float | None, float | None]:
    """GiB free and in all."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        sizes = {name: int(kib) for name, kib in re.findall(r"(\w+):\s+(\d+) kB", text)}
        free, total = sizes["MemAvailable"] * 1024, sizes["MemTotal"] * 1024
    except (OSError, KeyError):
        return None, None
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        return free / GIB, total / GIB
    return min(free, limit - used) / GIB, min(total, limit) / GIB


def _gpu(device: str) -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:  # a broken shared library is an OSError
        return Finding(False, "device", f"torch: {error}", "install torch again")
    if not torch.cuda.is_available():
        ok = device != "cuda"
        remedy = "" if ok else "say compute.device: auto, or install a torch for this GPU"
        return Finding(ok, "device", "CPU; torch sees no GPU", remedy)
    found = []
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        found.append(f"{about.name}, {about.total_memory / GIB:.0f} GiB")
    return Finding(True, "device", "; ".join(found))


def _writable(what: str, path: Path) -> Finding:
    if why := settings.obstacle(path):
        name = "PENSTOCK_STORE" if what == "store" else "PENSTOCK_HOME"
        return Finding(False, what, why, f"set {name} to a folder of yours")
    return Finding(True, what, f"{path}{'' if path.exists() else ' (made by the first run)'}")


def _shared(places: settings.Settings) -> Finding:
    """The store that machines share."""
    try:
        store = SharedStore(places.store, places.store_url)
        store.probe()
    except PenstockError as error:
        first = error.mistakes[0]
        return Finding(False, "shared store", f"{first.where}: {first.found}", first.remedy)
    return Finding(True, "shared store", store.address)


def _disk(path: Path) -> Finding:
    place = settings.existing(path)
    free = shutil.disk_usage(place).free / GIB
    ok = free >= LEAST_DISK_GIB
    remedy = "" if ok else "make room, or set PENSTOCK_HOME to a larger disk"
    return Finding(ok, "disk", f"{free:.1f} GiB free at {place}", remedy)


def _mlflow(places: settings.Settings) -> Finding:
    connection = Connection(places.tracking_uri, places.home)
    try:
        connection.probe()
    except PenstockError as error:
        first = error.mistakes[0]
        return Finding(False, "MLflow", f"{first.where}: {first.found}", first.remedy)
    where = connection.address
    made = where == f"sqlite:///{places.home / 'mlflow.db'}" and not places.home.exists()
    return Finding(True, "MLflow", f"{where}{' (made by the first run)' if made else ''}")


def _prefect(places: settings.Settings) -> Finding:
    """The server that ``PREFECT_API_URL`` names, or that of ``penstock up``."""
    address = places.prefect_api_url
    if not address:
        return Finding(True, "Prefect", f"started for each run, kept in {places.home / 'prefect'}")
    shown = without_secrets(address)
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=PROBE_SECONDS):  # noqa: S310
            return Finding(True, "Prefect", shown)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return Finding(True, "Prefect", f"{shown} (asks for a key)")
        found = f"HTTP status {error.code}"
    except (OSError, ValueError) as error:
        found = without_secrets(" ".join(str(error).split()))
    return Finding(
        False, "Prefect", f"{shown}: {found}", "start the server, or unset PREFECT_API_URL"
    )


def _telemetry() -> Finding:
    """What may call home: Great Expectations never, the others where the user has said so."""
    switches = {"MLFLOW_DISABLE_TELEMETRY": "false", "PREFECT_SERVER_ANALYTICS_ENABLED": "true"}
    on = [
        f"{name}={os.environ[name]}"
        for name, word in switches.items()
        if os.environ.get(name, "").lower() == word
    ]
    return Finding(True, "telemetry", f"on, by {' and '.join(on)}" if on else "off")
