"""Make the files of a pipeline: ``init``, ``sample``, ``schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from penstock.cli.app import OK, app, short, tell
from penstock.spec import Task


@app.command
def init(
    folder: Path,
    /,
    *,
    source: str,
    target: str,
    query: str = "",
    sensitive: str = "",
    task: Task = "auto",
    user: str = "",
    time: str = "",
    feedback: str = "",
    feedback_from: float = 0.0,
    context: str = "",
    force: bool = False,
) -> int:
    """Look at the data and write pipeline.yaml, contract.yaml and card.md.

    A recommender is --target ITEM --task ranking --user USER; a model of text is --target TEXT
    --task next_token.

    Parameters
    ----------
    folder
        Where the three files go.
    source
        A file, a glob, a folder of files, or a name pattern such as 'images/{label}_{n}.png';
        a URL of files such as s3://bucket/rows.parquet; or a database's URL with #table, such
        as sqlite:///shop.db#orders. '${NAME}' stands for an environment variable: no password
        belongs here.
    target
        The column to predict.
    query
        For a database: SQL that selects the rows, or a table's name instead of #table.
    sensitive
        Columns whose groups are compared, with commas between them.
    task
        Kind of prediction; auto: told from the target. Only a person can say ordinal, count,
        ranking (the target is an item that users took) and next_token (the target is a text).
    user
        For a ranking: the column that says who took the item.
    time
        The column that says when a row is from; for a ranking found where there is only one.
    feedback
        For a ranking: a column of ratings; without it each row counts as taken.
    feedback_from
        For a ranking: the rating from which on an item is relevant.
    context
        For a ranking: columns that are known when a list is asked for, with commas between them.
    force
        Replace files that are there already.
    """
    import tempfile

    from penstock import spec
    from penstock.adapters.project import write_project
    from penstock.adapters.sources import open_source
    from penstock.adapters.store import LocalStore
    from penstock.stages.ingest import check_columns, ingest
    from penstock.tables.proposal import propose, settled

    data = spec.Data(
        source=source, query=query, target=target, sensitive=listed(sensitive), task=task,
        user=user, time=time, feedback=feedback, feedback_from=feedback_from,
        context=listed(context),
    )  # fmt: skip
    opened = open_source(data, Path.cwd())
    parts = spec.division_of(data)
    check_columns(opened.schema.names, data, parts)
    with tempfile.TemporaryDirectory() as scratch:
        store = LocalStore(Path(scratch))
        snapshot = ingest(opened, data, parts, store)
        rows = store.table(snapshot.rows)
        data, layout = settled(rows, snapshot.layout, data)
        contract = propose(rows, layout, data.sensitive)
        snapshot = snapshot.model_copy(update={"layout": layout})
        written = write_project(folder, snapshot, data, contract, force)
    checks = snapshot.evidence.checks
    lost = [c.why for c in checks if c.name in ("unreadable_rows", "left_out_columns") and c.value]
    for note in [*snapshot.evidence.notes, *lost]:
        tell(f"note: {note}")
    for path in written:
        print(short(path))
    print(f"Read them, then: penstock train {short(folder)}")
    return OK


def listed(names: str) -> list[str]:
    """Names with commas between them.

    Examples
    --------
    >>> listed("sex, region,")
    ['sex', 'region']
    """
    return [name.strip() for name in names.split(",") if name.strip()]


@app.command
def sample(
    name: str = "",
    folder: Path | None = None,
    /,
    *,
    list_: Annotated[bool, Parameter(name="--list", negative="")] = False,
) -> int:
    """Write a sample pipeline with its data to a folder.

    Parameters
    ----------
    name
        adult (census income), digits (images), spoken-digits (sound), spam (text), movielens
        (ratings). The first two travel with penstock, the others are downloaded and held against
        a checksum; PENSTOCK_SAMPLES_URL names a mirror, or a folder that holds the archives.
    folder
        Where it goes; default: data/NAME.
    list_
        Print licence, source and checksums of all samples, and write nothing.
    """
    from penstock.adapters.samples import SAMPLES, described, write_sample
    from penstock.errors import BadInput, Mistake

    if list_:
        print("\n\n".join("\n".join(described(one)) for one in SAMPLES))
        return OK
    if not name:
        remedy = f"penstock sample {next(iter(SAMPLES))}; samples: {', '.join(SAMPLES)}"
        raise BadInput(Mistake("sample takes NAME or --list", "neither", "penstock sample", remedy))
    if name in SAMPLES:
        tell("\n".join(described(name)))
    written = write_sample(name, folder or Path("data") / name, tell)
    print(short(written))
    print(f"Next: penstock train {short(written)}")
    return OK


@app.command
def schema() -> int:
    """Print the JSON schema of pipeline.yaml, for editors."""
    from penstock import pipeline_file

    print(json.dumps(pipeline_file.schema(), indent=2))
    return OK
