"""The model card: what the model is for, how good it is, for whom, and what is wrong with it.

records of one run -> Markdown

Everything but the intended use and the data card, which a person wrote, is measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from penstock.adapters.markdown import escaped, pipes
from penstock.adapters.wording import number
from penstock.evidence import Check, Table
from penstock.records import Fitted, Objective, Policy, Profile, Record, Scorecard, Snapshot, Split
from penstock.spec import Pipeline

R = TypeVar("R", bound=Record)

SUMMARY_LENGTH = 5000
"""MLflow's column for descriptions."""
MAX_ROWS = 30
"""Most rows of a table of the card (house choice)."""
JUDGEMENT = {"bias": "Groups", "stress": "When the input changes", "explain": "What it rests on"}
"""Stages whose checks and first table stand in the card, and the heading."""


def model_card(
    pipeline: Pipeline,
    records: Mapping[str, Record],
    checks: Sequence[Check],
    data_card: str = "",
    run_id: str = "",
    commit: str = "",
) -> str:
    """Write the card.

    Parameters
    ----------
    pipeline : Pipeline
        The spec that ran.
    records : mapping of str to Record
        By stage, in the order of the story; any may be absent.
    checks : sequence of Check
        All of them, judged.
    data_card : str
        Markdown that a person wrote (``card.md``); its section *Intended use* comes first.
    run_id, commit : str
        Where it comes from.

    Returns
    -------
    str
        Markdown; every value from data is escaped.
    """
    intended, rest = _intended_use(data_card)
    nothing = "Not stated: write a section *Intended use* in the pipeline's card.md."
    sections: list[tuple[str, str]] = [
        ("Intended use", intended or nothing),
        ("Pretrained networks", _pretrained(records)),
        ("How good it is", _scores(records)),
        *((title, _judgement(stage, records, checks)) for stage, title in JUDGEMENT.items()),
        ("Known limits", _limits(checks)),
        ("How to use it", _usage(pipeline, records)),
        ("Data", _data(records)),
        ("Training", _training(records)),
        ("Provenance", _provenance(records, run_id, commit)),
        ("The data card", _demoted(rest)),
    ]
    head = [f"# Model card: {escaped(pipeline.registered_name)}", escaped(pipeline.description)]
    body = [f"## {title}\n\n{text}" for title, text in sections if text]
    return "\n\n".join([*filter(None, head), *body]) + "\n"


def shortened(card: str, length: int = SUMMARY_LENGTH) -> str:
    """As many whole sections of a card as fit, and where the others are.

    Examples
    --------
    >>> shortened("# A\\n\\n## B\\n\\nx\\n\\n## C\\n\\n" + "y" * 99, 80)
    '# A\\n\\n## B\\n\\nx\\n\\nThe whole card is model_card.md of the run.\\n'
    """
    if len(card) <= length:
        return card
    more = "\n\nThe whole card is model_card.md of the run.\n"
    sections = re.split(r"\n\n(?=## )", card)
    kept = sections[0][: length - len(more)]
    for section in sections[1:]:
        if len(kept) + len(section) + 2 + len(more) > length:
            break
        kept += f"\n\n{section}"
    return kept.rstrip() + more


def _intended_use(data_card: str) -> tuple[str, str]:
    """The section of that name, with what stands below its heading, and the rest without it."""
    inside = 0
    intended: list[str] = []
    rest: list[str] = []
    for section in re.split(r"(?m)^(?=#{1,6} )", data_card):
        level = len(section) - len(section.lstrip("#"))
        if level and level <= inside:
            inside = 0
        if re.match(r"#+ +intended use", section, re.IGNORECASE):
            inside, section = level, section.partition("\n")[2]
        (intended if inside else rest).append(section)
    return "".join(intended).strip(), "".join(rest).strip()


def _demoted(text: str) -> str:
    """Markdown whose headings stand below this card's."""
    return re.sub(r"(?m)^(#{1,4}) ", r"##\1 ", text)


def _scores(records: Mapping[str, Record]) -> str:
    scorecard = _last(records, Scorecard)
    if scorecard is None:
        return ""
    names = list(scorecard.baselines)
    rows = [
        [
            name,
            f"{number(estimate.value)} ({number(estimate.low)} to {number(estimate.high)})",
            *(number(scorecard.baselines[other].get(name)) for other in names),
        ]
        for name, estimate in scorecard.metrics.items()
    ]
    table = pipes(["metric", "model (95%)", *names], rows)
    return f"On {scorecard.predictions.num_rows:,} test rows that nothing was fitted on.\n\n{table}"


def _judgement(stage: str, records: Mapping[str, Record], checks: Sequence[Check]) -> str:
    """What a stage found: its checks, and its first table."""
    lines = [_line(check) for check in checks if check.stage == stage]
    tables = list(records[stage].evidence.tables.values()) if stage in records else []
    parts = ["\n".join(lines), *(_table(table) for table in tables[:1])]
    return "\n\n".join(part for part in parts if part)


def _line(check: Check) -> str:
    return f"- **{check.outcome}** {escaped(check.label)}: {escaped(check.why)}"


def _table(table: Table) -> str:
    rows = [[_cell(value) for value in row] for row in table.rows[:MAX_ROWS]]
    more = len(table.rows) - len(rows)
    note = escaped(table.note) + (f" {more} more rows stand in the report." if more > 0 else "")
    return f"{escaped(table.title)}:\n\n{pipes(table.columns, rows)}\n\n{note}".rstrip()


def _cell(value: Any) -> str:
    if isinstance(value, (bool, str)):
        return str(value)
    return "" if value is None else number(value)


def _limits(checks: Sequence[Check]) -> str:
    """What failed, warned, or could not be judged."""
    found = [c for c in checks if c.outcome in ("refuse", "insufficient", "warn", "note")]
    if not found:
        return "Every check passed."
    lines = [_line(c) + (f" *To do:* {escaped(c.remedy)}" if c.remedy else "") for c in found]
    passed = sum(check.outcome == "pass" for check in checks)
    return "\n".join([*lines, "", f"{passed} of {len(checks)} checks passed."])


def _usage(pipeline: Pipeline, records: Mapping[str, Record]) -> str:
    fitted, policy = _last(records, Fitted), _last(records, Policy)
    if fitted is None:
        return ""
    layout = fitted.layout
    rows = [[column.name, column.modality, column.arrow_type] for column in layout.features]
    parts = [
        "Raw columns in, predictions out; every value may be missing.",
        pipes(["input", "kind", "type"], rows),
    ]
    grouping = policy.grouping if policy else None
    if policy and grouping:
        limits = ", ".join(f"{escaped(n)} {number(t)}" for n, t in policy.thresholds.items())
        parts.append(
            f"It also needs **{escaped(grouping.column)}**: the decision threshold depends on it"
            f" ({limits})."
        )
    if policy:
        parts.append(_decisions(policy, layout.classes))
    parts.append(_loading(pipeline.registered_name))
    return "\n\n".join(parts)


def line_card(pipeline: Pipeline) -> str:
    """What stands above the versions of a model: what it is for, and how it is loaded."""
    name = pipeline.registered_name
    return "\n\n".join(
        [
            *filter(None, [escaped(pipeline.description)]),
            f"Trained, judged and watched by penstock: pipeline `{pipeline.name}`. Each version"
            " carries its model card. The version in use:",
            _loading(name),
        ]
    )


def _loading(name: str) -> str:
    load = f'mlflow.pyfunc.load_model("models:/{name}@champion").predict(frame)'
    return f"```python\nimport mlflow\n\n{load}\n```"


def _decisions(policy: Policy, classes: list[str]) -> str:
    told = []
    if len(classes) == 2 and policy.threshold is not None:
        told.append(
            f"{escaped(classes[1])} is decided from a probability of {number(policy.threshold)} on"
        )
    elif policy.costs:
        told.append("the class of least expected cost is decided")
    elif classes and not policy.thresholds:
        told.append("the most probable class is decided")
    if classes:
        told.append(f"probabilities have temperature {number(policy.temperature)}")
    if policy.radius is not None:
        kind = "sets" if classes else "intervals"
        told.append(f"prediction {kind} are to hold the truth of {policy.coverage:.0%} of the rows")
    return f"Decisions: {'; '.join(told)}." if told else ""


def _data(records: Mapping[str, Record]) -> str:
    snapshot, split = records.get("ingest"), _last(records, Split)
    lines = []
    if isinstance(snapshot, Snapshot):
        target = escaped(snapshot.layout.target)
        lines.append(
            f"- {snapshot.rows.num_rows:,} rows of {escaped(snapshot.source)}; target {target}"
        )
        lines.append(f"- SHA-256 {snapshot.rows.blob.sha256}")
        if snapshot.layout.classes:
            lines.append(f"- classes: {escaped(', '.join(snapshot.layout.classes))}")
    if split:
        lines.append(
            f"- train {split.train.num_rows:,}, valid {split.valid.num_rows:,},"
            f" test {split.test.num_rows:,} rows"
        )
    return "\n".join(lines)


def _pretrained(records: Mapping[str, Record]) -> str:
    """Which ones it is built on, and under what licence they may be used."""
    fitted = _last(records, Fitted)
    if fitted is None or not fitted.backbones:
        return ""
    rows = [
        [column, one.name, one.revision or "none", one.licence, one.fingerprint]
        for column, one in fitted.backbones.items()
    ]
    table = pipes(["column", "network", "revision", "licence", "SHA-256 of its files"], rows)
    unknown = [one.name for one in fitted.backbones.values() if one.licence == "unknown"]
    if not unknown:
        return table
    names = escaped(", ".join(unknown))
    return f"{table}\n\n{names}: no licence is stated; ask before others use this model."


def _training(records: Mapping[str, Record]) -> str:
    objective, fitted = _last(records, Objective), _last(records, Fitted)
    lines = []
    if fitted:
        weighed = ", rows weighted" if objective and objective.weights else ""
        lines.append(f"- loss {fitted.loss}{weighed}; declared metric {fitted.metric}")
        cost = [f"{k.replace('_', ' ')} {number(v)}" for k, v in fitted.cost.items()]
        lines.append(f"- cost: {escaped(', '.join(cost))}")
    return "\n".join(lines)


def _provenance(records: Mapping[str, Record], run_id: str, commit: str) -> str:
    fitted, policy = _last(records, Fitted), _last(records, Policy)
    profile = _last(records, Profile)
    known = {
        "MLflow run": run_id,
        "git commit": commit,
        "weights": fitted.weights.sha256 if fitted else "",
        "policy": policy.fingerprint if policy else "",
        "profile": profile.sketch.sha256 if profile else "",
    }
    lines = [f"- {name}: {escaped(value)}" for name, value in known.items() if value]
    return "\n".join([*lines, "- `penstock verify` recomputes the chain from data to decision."])


def _last(records: Mapping[str, Record], kind: type[R]) -> R | None:
    """The last record of a kind: of several models, the one that was judged."""
    return next((r for r in reversed(list(records.values())) if isinstance(r, kind)), None)
