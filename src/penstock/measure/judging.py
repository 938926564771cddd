"""Hold one measured check against one gate: the only place where limits are applied."""

from __future__ import annotations

from penstock.evidence import Check
from penstock.spec import Gate


def judged(check: Check, gate: Gate | None) -> Check:
    """The check with its limit and outcome. Fails closed.

    Parameters
    ----------
    check : Check
        As measured.
    gate : Gate or None
        None when nobody declared a gate of this name: the check is refused, because a check
        that nothing judges must not pass by accident.

    Returns
    -------
    Check
        ``insufficient`` when there were too few rows or no number; ``pass`` when the value
        (or the end of the interval that carries the burden) is on the right side of the limit
        or on it; else the gate's action.

    Examples
    --------
    >>> gain = Check(name="beats_trivial", stage="evaluate", value=0.1, low=-0.1, high=0.3,
    ...              better="higher", burden="prove")
    >>> judged(gain, Gate(limit=0, action="refuse")).outcome
    'refuse'
    >>> judged(gain.model_copy(update={"burden": "disprove"}), Gate(limit=0)).outcome
    'pass'
    """
    if gate is None:
        why = f"{check.why} No gate of this name is declared.".strip()
        remedy = f"declare gates.extra.{check.name} with a limit"
        return check.model_copy(update={"outcome": "refuse", "why": why, "remedy": remedy})
    value = held(check)
    action = gate.action if check.gated else "note"
    if not check.enough or value is None:
        outcome = "insufficient"
    elif (value <= gate.limit) if check.better == "lower" else (value >= gate.limit):
        outcome = "pass"
    elif check.burden == "differ" and (told := differs(check)) is not True:
        outcome = "pass" if told is False else "insufficient"
    else:
        outcome = action
    return check.model_copy(update={"limit": gate.limit, "outcome": outcome, "action": action})


def differs(check: Check) -> bool | None:
    """Whether the interval excludes the neutral value; None where there is no interval.

    Examples
    --------
    >>> differs(Check(name="c", stage="s", value=0.7, low=0.6, high=0.9, neutral=1))
    True
    """
    if check.low is None or check.high is None or check.neutral is None:
        return None
    return not check.low <= check.neutral <= check.high


def held(check: Check) -> float | None:
    """The number that is held against the limit: the value, or the end with the burden.

    Examples
    --------
    >>> held(Check(name="c", stage="s", value=2, low=1, high=3, better="lower", burden="prove"))
    3.0
    """
    if check.burden in ("value", "differ"):
        return check.value
    unfavourable = check.high if check.better == "lower" else check.low
    favourable = check.low if check.better == "lower" else check.high
    return unfavourable if check.burden == "prove" else favourable
