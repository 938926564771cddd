"""What is written on a version in the registry, by name."""

VERDICT = "penstock.verdict"
"""``passed``: without it a version is not served."""

MODEL, PROFILE, TEST = "penstock.model", "penstock.profile", "penstock.test"
"""Fingerprints of the model and of its profile; SHA-256 of the rows that it was tested on."""

FINGERPRINT = "penstock.fingerprint."
"""Prefix: of the data, the spec, and each stage's record."""

METRIC = "penstock.metric."
"""Prefix: what it scored on its own test rows."""

CHECKS, SERVABLE = "penstock.checks", "penstock.servable"
DECISION, DECISION_BYTES = "penstock.decision", "penstock.decision.bytes"
"""SHA-256 and size of the decision record in the store."""

CHAMPION_SINCE, CHAMPION_BEFORE = "penstock.champion_since", "penstock.champion_before"
"""When it became champion, and which version was it before; ``none`` for the first one."""

RESTORED = "penstock.restored"
"""Put back by a person, and instead of which version: from then on a person has the word."""

REJECTED, ROLLED_BACK = "penstock.rejected", "penstock.rolled_back"
"""A person said no to this model: when. Only a person can bring it back."""
