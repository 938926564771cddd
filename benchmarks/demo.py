"""``make demo``: real census data, a refusal, and the model that earned its place after it.

Run: ``python -m benchmarks.demo``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from penstock import pipeline_file
from penstock.services import Services

DATA = Path(__file__).parents[1] / "data"
PLAIN, MITIGATED = DATA / "adult", DATA / "adult-mitigated"


def main() -> int:
    """Train three times; look up what the gates and the registry say of it."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    plain = train(PLAIN)
    tell("data/adult: nothing is done about bias", plain)
    mitigated = train(MITIGATED)
    tell("data/adult-mitigated: a threshold for each sex", mitigated)
    both = train(PLAIN, "bias.mitigation=thresholds")
    tell("data/adult with the same thresholds: race still fails", both)
    services = Services(pipeline_file.locate(MITIGATED))
    champion = services.registry.champion("adult-income")
    print(f"\nreports: {plain['report']}\n         {mitigated['report']}")
    print(f"MLflow:  mlflow ui --backend-store-uri {services.settings.tracking_uri}")
    expected = {
        "data/adult is refused by bias/demographic_parity[sex]": (
            plain["verdict"] == "refused" and "sex" in refusing(plain)
        ),
        "with thresholds for each sex, race is still refused": (
            both["verdict"] == "refused" and refusing(both) == {"race"}
        ),
        "data/adult-mitigated is adult-income@champion": (
            mitigated["verdict"] in ("registered", "kept_champion")
            and champion is not None
            and champion.number == mitigated["version"]
        ),
    }
    for claim, holds in expected.items():
        print(f"{'yes' if holds else 'NO '}  {claim}")
    return 0 if all(expected.values()) else 1


def train(pipeline: Path, *overrides: str) -> dict[str, Any]:
    """The answer of ``penstock train PIPELINE --json``."""
    command = [sys.executable, "-m", "penstock.cli", "train", str(pipeline), "--json"]
    command += [word for override in overrides for word in ("--set", override)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout.strip():
        raise SystemExit(done.returncode or 1)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def refusing(answer: dict[str, Any]) -> set[str]:
    """Columns whose selection rates keep the model out."""
    return {check["subject"].partition("[")[0] for check in parity(answer) if not passes(check)}


def parity(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks of equal selection rates."""
    return [check for check in answer["checks"] if check["name"] == "demographic_parity"]


def passes(check: dict[str, Any]) -> bool:
    """Whether a check lets the model pass."""
    return check["outcome"] in ("pass", "note")


def tell(title: str, answer: dict[str, Any]) -> None:
    """What became of a run, in a few lines."""
    metrics = answer["metrics"]
    seconds = sum(answer["seconds"].values())
    print(f"\n{title}\n  {answer['verdict']}: {answer['model']} {answer['version'] or ''}")
    print(f"  ROC AUC {metrics['roc_auc']:.4f}, accuracy {metrics['accuracy']:.4f},", end=" ")
    print(f"{seconds:.0f} s, of {len(answer['seconds'])} stages {len(answer['cached'])} reused")
    for check in parity(answer):
        value = "-" if check["value"] is None else f"{check['value']:.2f}"
        print(f"  {check['outcome']:12} {check['subject']}: ratio of selection rates {value}")


if __name__ == "__main__":
    raise SystemExit(main())
