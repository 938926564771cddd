"""``make demo``: real census data becomes a model in the registry, or the gate that refused it.

Run: ``python -m benchmarks.demo``
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from penstock import spec
from penstock.services import Services

PIPELINE = Path(__file__).parents[1] / "data" / "adult"


def main() -> int:
    """Train ``data/adult`` and look the champion up in the registry."""
    command = [sys.executable, "-m", "penstock.cli", "train", str(PIPELINE), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout.strip():
        return done.returncode or 1
    answer = json.loads(done.stdout.splitlines()[-1])
    services = Services(spec.locate(PIPELINE))
    print(f"\nreport: {answer['report']}")
    print(f"MLflow: mlflow ui --backend-store-uri {services.settings.tracking_uri}")
    if answer["verdict"] == "refused":
        gates = [check for check in answer["checks"] if check["outcome"] == "refuse"]
        for check in gates:
            print(f"refused by {check['stage']}/{check['name']}: {check['why']}")
            print(f"  to do: {check['remedy']}")
        return 0 if gates else 1
    champion = services.registry.champion(answer["model"])
    if champion is None or champion.number != answer["version"]:
        print(f"FAILED: the registry has no champion of {answer['model']}", file=sys.stderr)
        return 1
    auc = answer["metrics"]["roc_auc"]
    print(f"{answer['model']} version {champion.number} is champion, ROC AUC {auc:.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
