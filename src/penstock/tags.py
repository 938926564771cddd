"""What is written on a version in the registry, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

VERDICT = "penstock.verdict"
"""``passed``: without it a version is not served."""

MODEL, PROFILE, TEST = "penstock.model", "penstock.profile", "penstock.test"
"""Fingerprints of the model and of its profile; SHA-256 of the rows that it was tested on."""

FINGERPRINTS = "penstock.fingerprints"
"""Of the data, the spec, and each stage's record, as JSON: one line of MLflow's page."""

PRETRAINED = "penstock.pretrained"
"""Pretrained networks by the column that they read, as JSON: name, revision, licence."""

METRICS = "penstock.metrics"
"""What it scored on its own test rows, as JSON."""

CHECKS, SERVABLE = "penstock.checks", "penstock.servable"
DECISION, DECISION_BYTES = "penstock.decision", "penstock.decision.bytes"
"""SHA-256 and size of the decision record in the store."""

CHAMPION_SINCE, CHAMPION_BEFORE = "penstock.champion_since", "penstock.champion_before"
"""When it became champion, and which version was it before; ``none`` for the first one."""

RESTORED = "penstock.restored"
"""Put back by a person, and instead of which version: from then on a person has the word."""

REJECTED, ROLLED_BACK = "penstock.rejected", "penstock.rolled_back"
"""A person said no to this model: when. Only a person can bring it back."""


def metrics(tags: Mapping[str, str]) -> dict[str, float]:
    """What a version scored; empty when it does not say.

    Examples
    --------
    >>> metrics({"penstock.metrics": '{"roc_auc": 0.93}'})
    {'roc_auc': 0.93}
    """
    return {name: float(value) for name, value in _object(tags, METRICS).items()}


def fingerprints(tags: Mapping[str, str]) -> dict[str, str]:
    """Fingerprints that stand on a version, by what they are of; empty when none do."""
    return {name: str(value) for name, value in _object(tags, FINGERPRINTS).items()}


def _object(tags: Mapping[str, str], name: str) -> dict[str, Any]:
    found = json.loads(tags.get(name) or "{}")
    return found if isinstance(found, dict) else {}
