"""What each part of the house is: its command, its environment, how to tell that it answers.

House, home -> commands and environments
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.servers.processes import PART, TOKEN
from penstock.standing import House, reachable

NAMES = ("prefect", "mlflow", "worker")
POOL = "penstock"
MLFLOW_WORKERS = "2"
"""Processes of the MLflow server; its own default of 4 takes over 1 GiB (house choice)."""

PYTHON = [sys.executable, "-P", "-m"]
"""-P: a folder ``flows`` in the working directory is not ours."""

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "PYTHONSAFEPATH": "1",
    "PYTHONUNBUFFERED": "1",
}
"""No part calls home, asks at a terminal or keeps its log to itself."""

# Leases of concurrency slots in files: those in memory do not outlive a server that dies, and
# then neither the run that holds one nor the next one of its deployment can go on.
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
PREFECT_SERVER = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES}

# A server that died is back within seconds: a run waits for it rather than fail.
CLIENT = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "penstock",
    "PREFECT_CLIENT_MAX_RETRIES": "8",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_WORKER_QUERY_SECONDS": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "7",
    "PENSTOCK_MLFLOW_RETRIES": "7",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "OMP_WAIT_POLICY": "PASSIVE",
}

# Said by the house to its own parts; what the shell of `penstock up` says of them is not meant.
OURS = (
    "PREFECT_API_URL",
    "PREFECT_PROFILE",
    "PREFECT_SERVER_API_HOST",
    "PREFECT_SERVER_API_PORT",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
    "PENSTOCK_HOME",
)


@dataclass(frozen=True)
class Place:
    """A house and its home."""

    home: Path
    house: House

    def log(self, part: str) -> Path:
        """Where a part's log is."""
        return self.home / "logs" / f"{part}.log"

    def address(self, part: str) -> str:
        """Where a person opens the part; empty for the worker."""
        ports = {"prefect": self.house.prefect_port, "mlflow": self.house.mlflow_port}
        return f"http://{reachable(self.house.host)}:{ports[part]}" if part in ports else ""

    def health(self, part: str) -> str:
        """Address that answers with status 200 when the part does; empty for the worker."""
        paths = {"prefect": "/api/health", "mlflow": "/health"}
        return f"{self.address(part)}{paths[part]}" if part in paths else ""

    def command(self, part: str) -> list[str]:
        """The command line; no secret stands in it."""
        host = self.house.host
        if part == "prefect":
            port = str(self.house.prefect_port)
            return [*PYTHON, "prefect", "server", "start", "--host", host, "--port", port]
        if part == "worker":
            pool = ["--pool", POOL, "--type", "process", "--name", f"{POOL}-{socket.gethostname()}"]
            return [*PYTHON, "prefect", "worker", "start", *pool, "--install-policy", "never"]
        command = [*PYTHON, "mlflow", "server", "--host", host]
        command += ["--port", str(self.house.mlflow_port), "--workers", MLFLOW_WORKERS]
        command += ["--serve-artifacts"]
        if "MLFLOW_ARTIFACTS_DESTINATION" not in os.environ:
            command += ["--artifacts-destination", str(self.home / "artifacts")]
        return [*command, "--app-name", "basic-auth"] if asks_for_password() else command

    def environment(self, part: str) -> dict[str, str]:
        """The environment: that of the shell, then the house's own places and manners."""
        found = {name: text for name, text in os.environ.items() if name not in OURS}
        for name, text in {**QUIET, **(PREFECT_SERVER if part == "prefect" else {})}.items():
            found.setdefault(name, text)
        found |= {
            TOKEN: self.house.token,
            PART: part,
            "PENSTOCK_HOME": str(self.home),
            "PREFECT_HOME": str(self.home / "prefect"),
        }
        if part == "prefect":
            # both pages ask this address; without it they ask port 4200
            found.setdefault("PREFECT_UI_API_URL", f"{self._seen_from_outside()}/api")
        elif part == "mlflow":
            found |= self._mlflow(found)
        else:
            for name, text in {**CLIENT, **passwords(found)}.items():
                found.setdefault(name, text)
            found["PREFECT_API_URL"] = self.house.prefect_api_url
            found["MLFLOW_TRACKING_URI"] = self.house.tracking_uri
        return found

    def _mlflow(self, found: Mapping[str, str]) -> dict[str, str]:
        said = {
            # in the environment, not in the command line: an address may hold a password
            "MLFLOW_BACKEND_STORE_URI": found.get("MLFLOW_BACKEND_STORE_URI")
            or f"sqlite:///{self.home / 'mlflow.db'}",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            **_allowed(found, self.house.host),
        }
        if asks_for_password():
            said["MLFLOW_AUTH_CONFIG_PATH"] = found.get("MLFLOW_AUTH_CONFIG_PATH") or str(
                _auth_file(self.home)
            )
            said["MLFLOW_FLASK_SERVER_SECRET_KEY"] = found.get(
                "MLFLOW_FLASK_SERVER_SECRET_KEY"
            ) or secrets.token_hex(32)
            said["MLFLOW_AUTH_ADMIN_USERNAME"] = found.get("MLFLOW_AUTH_ADMIN_USERNAME", "admin")
        return said

    def _seen_from_outside(self) -> str:
        wild = self.house.host in ("0.0.0.0", "::")  # noqa: S104  compared, not bound
        host = socket.getfqdn() if wild else reachable(self.house.host)
        return f"http://{host}:{self.house.prefect_port}"


def is_loopback(host: str) -> bool:
    """Whether nobody outside this machine can reach it.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("db.lan")
    (True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def asks_for_password() -> bool:
    """Whether the MLflow server is to ask for one: where its first one is said."""
    return bool(os.environ.get("MLFLOW_AUTH_ADMIN_PASSWORD"))


def passwords(environment: Mapping[str, str]) -> dict[str, str]:
    """What clients on this machine need to enter, from what the servers were told."""
    found = {}
    if said := environment.get("PREFECT_SERVER_API_AUTH_STRING"):
        found["PREFECT_API_AUTH_STRING"] = said
    if said := environment.get("MLFLOW_AUTH_ADMIN_PASSWORD"):
        found["MLFLOW_TRACKING_USERNAME"] = environment.get("MLFLOW_AUTH_ADMIN_USERNAME", "admin")
        found["MLFLOW_TRACKING_PASSWORD"] = said
    return found


def _allowed(environment: Mapping[str, str], host: str) -> dict[str, str]:
    """Host headers that MLflow answers to; its own list, which stands unless one is said, holds
    loopback and private addresses, but neither this machine's name nor an address in public.
    """
    said = environment.get("MLFLOW_SERVER_ALLOWED_HOSTS", "")
    if not said and is_loopback(host):
        return {}
    names = ["localhost", "127.0.0.1", socket.gethostname(), socket.getfqdn(), host]
    ours = [entry for name in dict.fromkeys(names) for entry in (name, f"{name}:*")]
    private = ["10.*", "192.168.*", *(f"172.{n}.*" for n in range(16, 32))]
    listed = [said] if said else private
    return {"MLFLOW_SERVER_ALLOWED_HOSTS": ",".join([*listed, *ours, "[::1]", "[[]::1]:*"])}


def _auth_file(home: Path) -> Path:
    """MLflow's own settings put its users beside the working directory; ours are in home."""
    path = home / "mlflow-auth.ini"
    path.write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{home / 'mlflow-auth.db'}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    return path
