"""Write the files of a new pipeline: what was found in the data, for a person to complete.

Snapshot, spec.Data, contract -> pipeline.yaml, contract.yaml, card.md
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from penstock import contract as contracts
from penstock import pipeline_file, spec, tasks
from penstock.adapters import address
from penstock.errors import BadInput, Mistake
from penstock.records import NAMES

if TYPE_CHECKING:
    from penstock.evidence import Table
    from penstock.records import Layout, Snapshot

CONTRACT_NAME = "contract.yaml"
CARD_NAME = "card.md"


def write_project(
    folder: Path,
    snapshot: Snapshot,
    data: spec.Data,
    contract: list[dict[str, Any]],
    force: bool = False,
    *,
    base: Path | None = None,
) -> list[Path]:
    """Write ``pipeline.yaml``, ``contract.yaml`` and ``card.md``, all or none.

    Parameters
    ----------
    folder : Path
        Where they go; made when missing. Its name becomes the pipeline's.
    snapshot : Snapshot
        What ``ingest`` found in the data.
    data : spec.Data
        As the person said it; ``source`` is relative to ``base``.
    contract : list of dict
        Expectations in Great Expectations' form.
    force : bool
        Whether files that are there already may be replaced.
    base : Path, optional
        Where a relative source starts; default: the working directory.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    BadInput
        With every file in the way, unless ``force``.
    """
    folder = Path(os.path.normpath(Path.cwd() / folder))
    _require_free(folder, force)
    source = relative_source(data.source, base or Path.cwd(), folder)
    said = data.model_copy(update={"source": source})
    layout = snapshot.layout
    name = pipeline_name(folder)
    with unfinished(folder) as workplace:
        (workplace / pipeline_file.FILE_NAME).write_text(pipeline_text(name, said, layout), "utf-8")
        contracts.write_contract(workplace / CONTRACT_NAME, contract)
        (workplace / CARD_NAME).write_text(card_text(name, said, snapshot), "utf-8")
        pipeline_file.read(workplace / pipeline_file.FILE_NAME)  # what init writes, train must read
        return _move_in(workplace, folder)


def relative_source(source: str, base: Path, folder: Path) -> str:
    """The source as seen from the pipeline's folder; absolute where they share no folder.

    A URL stays as it is, but for the relative path of an SQLite file.

    Examples
    --------
    >>> relative_source("rows/*.csv", Path("/srv"), Path("/srv/data/churn"))
    '../../rows/*.csv'
    >>> relative_source("/mnt/{label}/{n}.png", Path("/srv"), Path("/srv/data/churn"))
    '/mnt/{label}/{n}.png'
    >>> relative_source("sqlite:///shop.db#orders", Path("/srv"), Path("/srv/data/churn"))
    'sqlite:///../../shop.db#orders'
    """
    scheme, sign, path = source.partition(":///")
    if sign and scheme.startswith("sqlite"):
        return f"{scheme}:///{relative_source(path, base, folder)}"
    if address.is_url(source) or source.startswith("${"):
        return source
    absolute = os.path.normpath(base.absolute() / source)
    shared = os.path.commonpath([absolute, str(folder.absolute())])
    return os.path.relpath(absolute, folder.absolute()) if shared != os.sep else absolute


def pipeline_name(folder: Path) -> str:
    """A name for a pipeline in this folder, of the signs that a name may have.

    Examples
    --------
    >>> pipeline_name(Path("/srv/Churn, weekly (2)"))
    'Churn-weekly-2'
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._")
    return name[:100] or "pipeline"


def pipeline_text(name: str, data: spec.Data, layout: Layout) -> str:
    """``pipeline.yaml``: what was said, and in comments what was found.

    Only what differs from a default stands in it.
    """
    lines = [
        "# What penstock reads, predicts and refuses. Every field: penstock schema",
        f"name: {_yaml(name)}",
        'description: ""',
        "",
        "data:",
        f"  source: {_yaml(data.source)}"
        + ("" if address.is_url(data.source) else "  # relative to this file's folder"),
        f"  target: {_yaml(data.target)}",
    ]
    found = f"{layout.task}, {len(layout.classes)} classes" if layout.classes else layout.task
    if data.task == "auto":
        lines.append(f"  # task: {layout.task}  # found: {found}")
    else:
        lines.append(f"  task: {data.task}")
    lines.append(f"  sensitive: {_yaml(data.sensitive)}  # columns whose groups are compared")
    for field in SAID:
        value = getattr(data, field)
        if value != spec.Data.model_fields[field].default:
            said = str(value) if isinstance(value, float) else _yaml(value)
            lines.append(f"  {field}: {said}")
    lines += _feature_lines(data, layout)
    splits = tasks.load(layout.task).SPLITS
    lines += [
        "",
        "split:",
        f"  strategy: auto  # {splits[0]}; or {', '.join(splits[1:])}: then name a column:",
        "",
        f"contract: {CONTRACT_NAME}",
        "",
        "# gates:  # the limit of each check, for example",
        "#   metric_floor: {limit: 0.8, action: refuse}",
        "",
    ]
    return "\n".join(lines)


SAID = (
    "user", "time", "feedback", "feedback_from", "context", "query", "format", "encoding",
    "delimiter",
)  # fmt: skip
"""What else of ``data`` a person may have said, in the order that it is written in."""


def _feature_lines(data: spec.Data, layout: Layout) -> list[str]:
    """What was said about features; what was found of the others, in comments."""
    said = [f"    {_yaml(name)}: {feature.modality}" for name, feature in data.features.items()]
    lines = ["  features:", *said] if said else []
    shown = [c for c in layout.columns if c.role in ("feature", "item", "left_out", "metadata")]
    shown = [c for c in shown if not c.name.endswith(NAMES)]  # those are none of the data's own
    own = layout.target in [column.name for column in tasks.load(layout.task).inputs(layout)]
    lines.append(
        "  # found; only the target is read, the others make groups and slices"
        if own
        else "  # found; say features: {column: modality} to correct one, exclude to drop it"
    )
    for column in shown:
        if column.name not in data.features:
            plain = own or column.role in ("feature", "item")
            role = "" if plain else f" ({column.role.replace('_', ' ')})"
            why = f": {_one_line(column.why)}" if column.why else ""
            lines.append(f"  #   {_yaml(column.name)}: {column.modality}{role}{why}")
    return lines


def card_text(name: str, data: spec.Data, snapshot: Snapshot) -> str:
    """``card.md``: what was found, and headings for what only a person knows."""
    layout = snapshot.layout
    classes = f" ({len(layout.classes)} classes)" if layout.classes else ""
    facts = [
        ("source", data.source),
        ("rows", f"{snapshot.rows.num_rows:,}"),
        ("columns", str(len(layout.columns))),
        ("target", f"{layout.target}, {layout.task}{classes}"),
        ("sensitive", ", ".join(data.sensitive) or "none named"),
        ("SHA-256 of the rows", snapshot.rows.blob.sha256),
    ]
    parts = [
        f"# Data card: {_cell(name)}",
        "Written by `penstock init`. What stands under *found* was measured; the rest is for a"
        " person who knows the data.",
        "## Found",
        "\n".join(["| | |", "|---|---|", *(f"| {key} | {_cell(value)} |" for key, value in facts)]),
    ]
    for table in snapshot.evidence.tables.values():
        parts += [f"### {_cell(table.title)}", _markdown(table)]
    parts += [f"- {_cell(note)}" for note in snapshot.evidence.notes]
    for heading, question in QUESTIONS:
        parts += [f"## {heading}", f"*{question}*"]
    return "\n\n".join(parts) + "\n"


QUESTIONS = (
    ("Origin", "Who collected these rows, when, where, and how?"),
    ("Licence and consent", "What may be done with them, and did the people in them agree?"),
    ("What a row is", "One person, visit, order? Can one stand in several rows?"),
    ("The target", "Who decided its values, when are they known, and how often are they wrong?"),
    ("Who is missing", "Which groups, times or places are not in the data, or rarely?"),
    ("Intended use", "Which decisions may lean on a model of this data, and which must not?"),
)


def _markdown(table: Table) -> str:
    lines = ["| " + " | ".join(map(_cell, table.columns)) + " |", "|---" * len(table.columns) + "|"]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in table.rows]
    return "\n".join(lines) + (f"\n\n{_cell(table.note)}" if table.note else "")


def _cell(value: Any) -> str:
    """One value for Markdown: signs of markup and HTML escaped, one line."""
    text = "" if value is None else _one_line(str(value))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]|])", r"\\\1", text)


def _one_line(text: str) -> str:
    """Without line breaks and signs that no file of text should hold."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _yaml(value: str | list[str]) -> str:
    """Text, or a list of texts, as YAML on one line; quoted where it must be."""
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    text = yaml.safe_dump(
        [value],
        default_flow_style=True,
        default_style=None if value.isprintable() else '"',
        allow_unicode=True,
        width=10**9,
    )
    return text.strip()[1:-1]


def _require_free(folder: Path, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise BadInput(Mistake("DIR is a folder", "a file", str(folder), "name another folder"))
    names = (pipeline_file.FILE_NAME, CONTRACT_NAME, CARD_NAME)
    taken = [name for name in names if (folder / name).exists()]
    if taken and not force:
        raise BadInput(
            Mistake(
                "init replaces no file",
                f"already there: {', '.join(taken)}",
                str(folder),
                "name another folder, or say --force to replace them",
            )
        )


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A folder beside the final one, gone afterwards, as are parents made for nothing."""
    made = [parent for parent in folder.parents if not parent.exists()]
    workplace = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:12]}"
    workplace.mkdir(parents=True)
    try:
        yield workplace
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
        for parent in made:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _move_in(workplace: Path, folder: Path) -> list[Path]:
    """Give the finished files their place: the whole folder at once where it is new."""
    names = sorted(path.name for path in workplace.iterdir())
    if not folder.exists():
        workplace.rename(folder)
    else:
        for name in names:
            (workplace / name).replace(folder / name)
    return [folder / name for name in names]
