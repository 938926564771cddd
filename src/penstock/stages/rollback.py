"""Put the champion before this one back, and let no automation undo it.

A model that won every comparison on paper can still be wrong where it is used, and who sees
it first is a person. Then the way back must be one step, and the machine that made the model
must not hand it over again by itself.

Version -> Decision
"""

from __future__ import annotations

from datetime import UTC, datetime

from penstock import ledger, tags
from penstock.errors import BadInput, Mistake, RegistryUnreachable
from penstock.outcomes import Answer, Decision
from penstock.ports import Registry, Store, Version


def rollback(
    name: str,
    to: str,
    answer: Answer,
    registry: Registry,
    store: Store,
    flow_run_id: str = "",
) -> Decision:
    """Give the alias ``champion`` back to the version that had it before.

    The version that loses it is marked; a model with that mark is promoted by no training
    (:func:`penstock.challenge.barred`). And while the version that was put back is champion,
    every better challenger waits for a person's yes: somebody who saw what no gate saw has the
    word, until somebody promotes.

    Parameters
    ----------
    name : str
        Of the registered model.
    to : str
        Number of the version to put back; empty: the champion before this one.
    answer : Answer
        Who rolls back, and why.
    registry, store : Registry, Store
        The place of versions; where decision records are kept.
    flow_run_id : str
        In Prefect, for the decision record.

    Returns
    -------
    Decision
        ``rolled_back``: ``version`` is in use again, ``challenger`` lost the alias.

    Raises
    ------
    BadInput
        When there is no champion, nothing before it, or ``to`` was never approved.
    RegistryUnreachable
        When the registry gives no answer, or the champion changed meanwhile.
    """
    champion, before = _both(name, to, registry)
    record = ledger.read_record(
        champion.tags.get(tags.DECISION, ""), champion.tags.get(tags.DECISION_BYTES, ""), store
    )
    when = datetime.now(UTC).isoformat(timespec="seconds")
    why = (
        f"Rolled back by {answer.name}: {answer.reason} Version {before.number} is champion"
        f" again instead of {champion.number}."
    )
    decision = Decision(
        verdict="rolled_back",
        model=name,
        version=before.number,
        challenger=champion.number,
        champion=champion.number,
        run_id=record.run_id,
        flow_run_id=flow_run_id,
        checks=record.checks,
        why=why,
    )
    kept = ledger.redecided(record, decision, answer.name, flow_run_id).keep(store)
    marks = {
        tags.ROLLED_BACK: when,
        tags.DECISION: kept.sha256,
        tags.DECISION_BYTES: str(kept.num_bytes),
    }
    # the mark first: a crash in between leaves a champion that may be rolled back again, never a
    # model without its mark
    undone = {key: champion.tags.get(key, "") for key in marks}
    registry.tag(champion, marks)
    restored = {tags.RESTORED: f"{when}, instead of {champion.number}", tags.CHAMPION_SINCE: when}
    if not registry.promote(before, expected=champion, tags=restored | _pardoned):
        registry.tag(champion, undone)
        raise RegistryUnreachable(
            Mistake(
                "the champion stays the same while it is rolled back",
                f"it is no longer version {champion.number}",
                name,
                "look which version is champion now, and roll that one back if it is wrong",
            )
        )
    return decision.model_copy(update={"record": kept})


_pardoned = {tags.ROLLED_BACK: "", tags.REJECTED: ""}
"""What a person puts back is no longer barred."""


def _both(name: str, to: str, registry: Registry) -> tuple[Version, Version]:
    """The champion, and the version that takes its place."""
    champion = registry.champion(name)
    where = f"model {name}"
    if champion is None:
        raise BadInput(
            Mistake("a champion is rolled back", "no champion yet", where, "train first")
        )
    number = to or champion.tags.get(tags.CHAMPION_BEFORE, "none")
    if number == "none":
        raise BadInput(
            Mistake(
                "a rollback puts the champion before this one back",
                f"nothing was champion before version {champion.number}",
                where,
                "name a version: penstock rollback PIPELINE --to N",
            )
        )
    if number == champion.number:
        found = f"version {number} is the champion"
        raise BadInput(Mistake("a rollback leads to another version", found, where, "name another"))
    history = {version.number: version for version in registry.history(name)}
    before = history.get(number)
    if before is None:
        found = f"no version {number}; there are {', '.join(history)}"
        raise BadInput(Mistake("a rollback leads to a registered version", found, where))
    if not before.tags.get(tags.CHAMPION_SINCE):
        raise BadInput(
            Mistake(
                "a rollback leads to a version that was champion",
                f"version {number} never was",
                where,
                f"to promote it: penstock promote PIPELINE {number}",
            )
        )
    return champion, before
