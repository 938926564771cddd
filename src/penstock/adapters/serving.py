"""What MLflow runs when it serves a model: this file is copied into every package.

It takes raw columns as pandas holds them, makes Arrow columns of the kinds that the model
was trained on, and lets :class:`penstock.model.Model` do the rest.

The signature says *any* for every input, on purpose, and the kinds are enforced here:
MLflow 3.17 refuses an int64 column for a ``double``, a column of nulls for anything, and a
time zone; it turns the null of a boolean into ``False`` and fails on the null of a
``binary``. The price: a server takes JSON and Parquet, but no CSV.

DataFrame -> DataFrame
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

KINDS = {
    "double": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "datetime": pa.timestamp("us"),
    "binary": pa.binary(),
}


class PackagedModel(PythonModel):
    """A penstock model behind MLflow's interface."""

    def load_context(self, context: Any) -> None:
        """Load weights and state with the code that travels in the package."""
        folder = Path(context.artifacts["weights"]).parent
        check_code(folder.parent / "code")
        from penstock.model import Model

        self.model = Model.load(folder)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Predictions, one row for each input row, under the same index.

        Raises
        ------
        MlflowException
            With every column that is missing or holds what it cannot hold (HTTP 400).
        """
        try:
            table = as_table(model_input, self.model.inputs())
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        predictions: pd.DataFrame = self.model.predict(table).to_pandas()
        return predictions.set_axis(model_input.index, axis=0)


def as_table(frame: pd.DataFrame, inputs: list[tuple[str, str, bool]]) -> pa.Table:
    """The columns that the model reads, as Arrow; other columns are left out.

    Parameters
    ----------
    frame : DataFrame
        Raw columns. A missing column that may be null is all null.
    inputs : list of (name, kind, nullable)
        From :meth:`penstock.model.Model.inputs`.

    Raises
    ------
    ValueError
        With every mistake.
    """
    columns, mistakes = {}, []
    for name, kind, nullable in inputs:
        if name in frame.columns:
            try:
                columns[name] = as_kind(frame[name], kind)
            except (ValueError, TypeError, pa.ArrowException) as error:
                mistakes.append(f"column {name!r} holds what is no {kind}: {error}")
        elif nullable:
            columns[name] = pa.nulls(len(frame), KINDS[kind])
        else:
            mistakes.append(f"column {name!r} ({kind}) is missing")
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return pa.table(columns)


def as_kind(column: pd.Series, kind: str) -> pa.Array:
    """One column as one of the five kinds; nulls stay nulls.

    Files are bytes, base64, or paths; see :mod:`penstock.tables.named_files`. Text is trimmed and
    read as ``ingest`` reads it: what stands for no value is null. Numbers
    and times in text have to be plain (``1200.5``, ISO 8601).

    Examples
    --------
    >>> as_kind(pd.Series([1, None, " 2 ", "NA"], dtype=object), "double").to_pylist()
    [1.0, None, 2.0, None]
    >>> as_kind(pd.Series([1.0, None]), "string").to_pylist()
    ['1', None]
    """
    if column.isna().all():
        return pa.nulls(len(column), KINDS[kind])
    if kind == "binary":
        return _as_content(column)
    values = _arrow(column, kind)
    if kind == "datetime":
        return _as_datetime(values)
    if kind == "string" and pa.types.is_floating(values.type):
        whole = pc.all(pc.equal(values, pc.floor(values))).as_py()
        # integers that pandas made floats for a null's sake
        values = values.cast(pa.int64()) if whole else values
    if kind == "double" and pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    if kind == "boolean" and pa.types.is_string(values.type):
        lower = pc.utf8_lower(values)
        values = pc.replace_substring_regex(lower, r"\At\z", "true")
        values = pc.replace_substring_regex(values, r"\Af\z", "false")
    return values.cast(KINDS[kind], safe=kind != "double")


def _arrow(column: pd.Series, kind: str) -> pa.Array:
    """The column as pandas holds it; text trimmed, of several types made text."""
    from penstock.tables.arrow_types import MISSING, MISSING_NUMBER, trimmed

    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(None)
    try:
        values = pa.array(column, from_pandas=True)
    except pa.ArrowException:
        values = pa.array([None if pd.isna(v) else str(v) for v in column], pa.string())
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = trimmed(values, MISSING if kind == "string" else MISSING_NUMBER)
    return values


def _as_content(column: pd.Series) -> pa.Array:
    """Bytes; strings are base64, or paths below the root that the server's operator stated."""
    from penstock.tables.named_files import contents

    texts = [value if isinstance(value, str) else None for value in column]
    named = contents(pa.array(texts, pa.string()), str(column.name)).to_pylist()
    given = [value if isinstance(value, bytes | bytearray) else None for value in column]
    other = [
        value
        for value, missing in zip(column, column.isna(), strict=True)
        if not missing and not isinstance(value, str | bytes | bytearray)
    ]
    if other:
        raise ValueError(f"{type(other[0]).__name__}; send bytes, base64 or a path")
    kept = [bytes(g) if g is not None else n for g, n in zip(given, named, strict=True)]
    return pa.array(kept, pa.binary())


def _as_datetime(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        times = pd.to_datetime(values.to_pandas(), utc=True, format="ISO8601")
        values = pa.array(times.dt.tz_convert(None), from_pandas=True)
    if not (pa.types.is_timestamp(values.type) or pa.types.is_date(values.type)):
        raise ValueError(f"{values.type}; write times as ISO 8601 text")
    if pa.types.is_timestamp(values.type) and values.type.tz:
        values = values.cast(pa.timestamp("us", "UTC"), safe=False)
    return values.cast(KINDS["datetime"], safe=False)


def check_code(folder: Path) -> None:
    """Make sure that a model is scored with its own code.

    MLflow puts the package's code first on the path, but a process that has imported another
    penstock keeps it. Where the two do not differ there is no harm.

    Raises
    ------
    ImportError
        When this process runs other code than the package's.
    """
    import penstock

    running = Path(str(penstock.__file__)).resolve().parent
    packaged = (folder / "penstock").resolve()
    if running == packaged:
        return
    for source in packaged.rglob("*.py"):
        twin = running / source.relative_to(packaged)
        if not twin.is_file() or twin.read_bytes() != source.read_bytes():
            raise ImportError(
                f"this process has imported penstock from {running}, whose"
                f" {source.relative_to(packaged)} is not the model's own;"
                " load the model in a process of its own"
            )


set_model(PackagedModel())
