"""What runs now, for a person and as JSON.

home -> parts, deployments, schedules; asked of the system and of the servers
"""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

from penstock import standing
from penstock.servers.parts import Place, passwords
from penstock.servers.supervisor import answers
from penstock.standing import House


def status(home: Path) -> dict[str, Any]:
    """What runs now: asked of the system and of the servers, not only read from the file."""
    house = standing.read(home)
    if house is None:
        return {"home": str(home), "up": False, "supervisor": "down", "parts": [], "pipelines": []}
    parts = [_looked_at(Place(home, house), part) for part in house.parts]
    return {
        "home": str(home),
        "project": house.project,
        "up": house.stands and all(part["state"] == "up" for part in parts),
        "supervisor": "up" if house.stands else "gone",
        "pid": house.supervisor.pid,
        "log": str(Place(home, house).log("supervisor")),
        "parts": parts,
        "pipelines": _deployments(house) if answers(Place(home, house).health("prefect")) else [],
    }


def table(found: dict[str, Any]) -> str:
    """The status for a person: a line a part, then a line a deployment."""
    if not found["parts"]:
        return f"Nothing runs for {found['home']}. To start: penstock up"
    lines = [f"home {found['home']}"]
    if found["supervisor"] != "up":
        lines.append("The supervisor is gone: nobody starts again what dies. To do: penstock up")
    for part in found["parts"]:
        where = part["address"] or "runs the flows"
        lines.append(f"{part['name']:<8} {part['state']:<10} process {part['pid']:<8} {where}")
        restarts = f", {part['restarts']} restarts, last {part['last_death']}"
        lines.append(f"{'':8} since {part['since']}{restarts if part['restarts'] else ''}")
        lines.append(f"{'':8} log {part['log']}")
    for deployment in found["pipelines"]:
        planned = [
            f"{one['cron']} {one['timezone']}{'' if one['active'] else ' (paused)'}"
            for one in deployment["schedules"]
        ]
        paused = "paused, " if deployment["paused"] else ""
        lines.append(f"{deployment['name']}: {paused}{'; '.join(planned) or 'no schedule'}")
    return "\n".join(lines)


def _looked_at(place: Place, part: standing.Part) -> dict[str, Any]:
    found = asdict(part)
    found["pid"] = found.pop("process")["pid"]
    if not part.process.alive:
        found["state"] = "restarting" if place.house.stands else "down"
    elif part.state == "up" and not answers(place.health(part.name)):
        found["state"] = "silent"
    return found


def _deployments(house: House) -> list[dict[str, Any]]:
    """Deployments and their schedules, by Prefect's own interface."""
    request = urllib.request.Request(  # noqa: S310  our own server
        f"{house.prefect_api_url}/deployments/filter",
        data=json.dumps({"deployments": {"tags": {"all_": ["penstock"]}}}).encode(),
        headers={"Content-Type": "application/json", **_authorization()},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            deployments = json.load(answer)
    except (OSError, ValueError):  # it answered a moment ago; the parts tell what is wrong
        return []
    return [
        {
            "name": _full_name(deployment),
            "paused": deployment["paused"],
            "schedules": [
                {
                    "cron": schedule["schedule"].get("cron", ""),
                    "timezone": schedule["schedule"].get("timezone") or "UTC",
                    "active": schedule["active"],
                }
                for schedule in deployment["schedules"]
            ],
        }
        for deployment in sorted(deployments, key=_full_name)
    ]


def _full_name(deployment: dict[str, Any]) -> str:
    """``flow/deployment``; the flow's name stands at the end of our entrypoints."""
    flow = re.split(r"[.:]", deployment["entrypoint"] or "")[-1]
    return f"{flow}/{deployment['name']}"


def _authorization() -> dict[str, str]:
    known = {**passwords(os.environ), **os.environ}
    said = known.get("PREFECT_API_AUTH_STRING", "")
    return {"Authorization": f"Basic {base64.b64encode(said.encode()).decode()}"} if said else {}
