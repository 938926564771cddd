"""What must hold before anything starts: free ports, and no open door without a password.

House -> nothing, or every mistake with what to do about it
"""

from __future__ import annotations

import errno
import importlib.util
import os
import socket
from collections.abc import Iterator

from penstock.errors import BadInput, Mistake
from penstock.servers.parts import asks_for_password, is_loopback
from penstock.standing import House


def check(asked: House) -> None:
    """Ports are free, and nothing is open to others without a password.

    Raises
    ------
    BadInput
        With every mistake.
    """
    mistakes = [] if is_loopback(asked.host) else list(_missing_authentication(asked.host))
    if asked.prefect_port == asked.mlflow_port:
        remedy = "say another --mlflow-port"
        mistakes.append(
            Mistake(
                "each server has a port of its own", str(asked.mlflow_port), "--mlflow-port", remedy
            )
        )
    ports = {"--prefect-port": asked.prefect_port, "--mlflow-port": asked.mlflow_port}
    for option, port in ports.items():
        if why := _obstacle(asked.host, port):
            remedy = f"end what listens there (who: ss -ltnp 'sport = :{port}'), or say {option}"
            mistakes.append(Mistake("the port is free", why, f"port {port} ({option})", remedy))
    if mistakes:
        raise BadInput(mistakes)


def _missing_authentication(host: str) -> Iterator[Mistake]:
    rule = "what others can reach asks for a password"
    if ":" not in os.environ.get("PREFECT_SERVER_API_AUTH_STRING", ""):
        yield Mistake(
            rule, "PREFECT_SERVER_API_AUTH_STRING says none", f"--host {host}, Prefect",
            "export PREFECT_SERVER_API_AUTH_STRING=NAME:PASSWORD; clients elsewhere export the"
            " same as PREFECT_API_AUTH_STRING, the page asks for it",
        )  # fmt: skip
    if not asks_for_password():
        yield Mistake(
            rule, "MLFLOW_AUTH_ADMIN_PASSWORD says none", f"--host {host}, MLflow",
            "export MLFLOW_AUTH_ADMIN_USERNAME=NAME MLFLOW_AUTH_ADMIN_PASSWORD=PASSWORD (12"
            " characters at least); clients elsewhere export MLFLOW_TRACKING_USERNAME and"
            " MLFLOW_TRACKING_PASSWORD; more users: mlflow's basic-auth page /signup",
        )  # fmt: skip
    if importlib.util.find_spec("flask_wtf") is None:
        yield Mistake(
            "MLflow's basic-auth app needs Flask-WTF", "it is not installed",
            f"--host {host}, MLflow", "pip install 'penstock[auth]'",
        )  # fmt: skip


def _obstacle(host: str, port: int) -> str:
    """Why a server could not listen there; empty when it can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        return "another program listens there" if in_use else f"{host}: {error.strerror or error}"
    except OverflowError as error:
        return str(error)
    return ""
