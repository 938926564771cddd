"""Great Expectations, the judge of a data contract, behind one door.

The only file that imports it. Its telemetry and progress bars are off and its context lives
in memory, so that nothing is sent, printed or left behind. Types are answered here from the
Arrow schema: in pandas a column of whole numbers with a gap is a column of floats.

table, expectations -> results
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.vocabulary import SEVERITIES

TYPES = {
    "expect_column_values_to_be_of_type",
    "expect_column_values_to_be_in_type_list",
    "expect_column_type_to_be",
}
"""Expectations that the Arrow schema answers."""
FAMILIES = {
    "int": "int64", "integer": "int64", "bigint": "int64", "smallint": "int64",
    "tinyint": "int64", "float": "double", "float64": "double", "float32": "double",
    "number": "double", "real": "double", "numeric": "double", "decimal": "double",
    "str": "string", "object": "string", "text": "string", "varchar": "string",
    "large_string": "string", "char": "string", "boolean": "bool", "bool_": "bool",
    "date": "timestamp", "datetime": "timestamp", "datetime64": "timestamp",
    "datetime64[ns]": "timestamp", "datetime64[us]": "timestamp", "time": "time64",
    "date32": "timestamp", "date32[day]": "timestamp", "date64": "timestamp",
    "bytes": "binary", "large_binary": "binary",
}  # fmt: skip
"""Other names of a type, in lower case: pandas', SQL's and Python's."""
LARGEST_SAFE = 2**53
"""Whole numbers beyond it do not survive in a float64."""


class GreatExpectations:
    """Implements :class:`penstock.ports.Expectations`."""

    def run(self, table: pa.Table, suite: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Hold a table against expectations.

        Parameters
        ----------
        table : pa.Table
            Any number of rows.
        suite : list of dict
            ``type``, ``kwargs`` and ``meta``, as ``penstock.contract.read_contract`` gives.

        Returns
        -------
        list of dict
            See the port. An expectation that could not be computed has ``success`` False
            and says so in ``exception``: it fails closed.
        """
        results = [_blank(expectation) for expectation in suite]
        twins: dict[str, list[int]] = defaultdict(list)
        for i, expectation in enumerate(suite):
            if expectation["type"] in TYPES:
                results[i].update(_answer_type(table, expectation))
            else:  # Great Expectations drops one of two equal expectations
                asked = [expectation["type"], expectation["kwargs"]]
                twins[json.dumps(asked, sort_keys=True, default=str)].append(i)
        if twins:
            answers = _ask(table, suite, [same[0] for same in twins.values()])
            for same in twins.values():
                for i in same:
                    results[i].update(answers.get(same[0], {}))
        return results


def _blank(expectation: dict[str, Any]) -> dict[str, Any]:
    meta = expectation.get("meta") or {}
    return {
        "type": expectation["type"],
        "kwargs": expectation["kwargs"],
        "severity": SEVERITIES[meta.get("severity", "error")],
        "quarantine": bool(meta.get("quarantine", False)),
        "success": False,
        "observed": "",
        "failed_rows": None,
        "exception": "Great Expectations gave no result",
    }


def _ask(
    table: pa.Table, suite: list[dict[str, Any]], asked: list[int]
) -> dict[int, dict[str, Any]]:
    """Answers of Great Expectations by position in the suite."""
    answers: dict[int, dict[str, Any]] = {}
    with _quiet():
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig
        from great_expectations.expectations.expectation_configuration import (
            ExpectationConfiguration,
        )

        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(False)
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        gx_suite = gx.ExpectationSuite(name="contract")
        for i in asked:
            try:
                kwargs = _with_moments(suite[i]["kwargs"], table.schema)
                configuration = ExpectationConfiguration(
                    type=suite[i]["type"], kwargs=kwargs, meta={"position": i}
                )
                gx_suite.add_expectation(configuration.to_domain_obj())
            except Exception as error:  # noqa: BLE001 (whatever it is, the user reads it)
                answers[i] = {"success": False, "exception": _one_line(str(error))}
        if len(answers) < len(asked):
            source = context.data_sources.add_pandas("snapshot").add_dataframe_asset("rows")
            whole = source.add_batch_definition_whole_dataframe("whole")
            batch = whole.get_batch({"dataframe": _frame(table)})
            outcome = batch.validate(gx_suite, result_format={"result_format": "COMPLETE"})
            for result in outcome.results:
                answers[_position(result)] = _read(result)
    return answers


@contextmanager
def _quiet() -> Iterator[None]:
    """No telemetry, and none of Great Expectations' own warnings and log lines."""
    before = os.environ.get("GX_ANALYTICS_ENABLED")
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logger, silence = logging.getLogger("great_expectations"), logging.NullHandler()
    propagates = logger.propagate
    logger.addHandler(silence)
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.propagate = propagates
        logger.removeHandler(silence)
        if before is None:
            del os.environ["GX_ANALYTICS_ENABLED"]
        else:
            os.environ["GX_ANALYTICS_ENABLED"] = before


def _frame(table: pa.Table) -> Any:
    """The table as Great Expectations reads it fastest: float64, int64, datetime64[ns].

    Encoded images and sounds stand as present or missing only: nothing else about their
    bytes can be expected, and copies of them would cost memory.
    """
    import pandas as pd

    columns = [_column(table.column(i)) for i in range(table.num_columns)]
    frame = pa.Table.from_arrays(columns, names=table.column_names)
    pandas = frame.to_pandas(date_as_object=False)
    for name in frame.column_names:
        column = frame[name]
        if pa.types.is_int64(column.type) and column.null_count and _beyond_float(column):
            pandas[name] = column.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return pandas


def _column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _column(column.cast(kind.value_type))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pc.if_else(pc.is_valid(column), pa.scalar("present"), pa.scalar(None, pa.string()))
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return column.cast(pa.int64())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or kind == pa.uint64():
        return column.cast(pa.float64(), safe=False)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        zone = getattr(kind, "tz", None)
        try:
            return column.cast(pa.timestamp("ns", zone))
        except pa.ArrowInvalid:  # years that nanoseconds do not reach
            return column.cast(pa.timestamp("us", zone))
    return column


def _beyond_float(column: pa.ChunkedArray) -> bool:
    bounds = pc.min_max(column).as_py()
    return max(abs(value or 0) for value in bounds.values()) > LARGEST_SAFE


def _with_moments(kwargs: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Text bounds of a timestamp column as moments in the column's zone."""
    import pandas as pd

    position = schema.get_field_index(str(kwargs.get("column", "")))
    kind = schema.field(position).type if position >= 0 else pa.null()
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return kwargs
    zone = getattr(kind, "tz", None)

    def moment(value: Any) -> Any:
        if isinstance(value, list):
            return [moment(inner) for inner in value]
        if not isinstance(value, str):
            return value
        parsed = pd.Timestamp(value)
        if zone:
            return parsed.tz_localize(zone) if parsed.tzinfo is None else parsed.tz_convert(zone)
        return parsed.tz_convert("UTC").tz_localize(None) if parsed.tzinfo else parsed

    bounds = ("min_value", "max_value", "value_set")
    return {name: moment(value) if name in bounds else value for name, value in kwargs.items()}


def _position(result: Any) -> int:
    return int(result.expectation_config.meta["position"])


def _read(result: Any) -> dict[str, Any]:
    """One result of Great Expectations in the words of the port."""
    found = dict(result.result or {})
    exception = _exception(dict(result.exception_info or {}))
    rows = found.get("unexpected_index_list")
    if "unexpected_count" in found and rows is None:
        rows = []
    return {
        "success": bool(result.success) and not exception,
        "observed": "" if exception else _observed(found),
        "failed_rows": None if rows is None or exception else np.asarray(rows, dtype=np.int64),
        "exception": exception,
    }


def _exception(info: dict[str, Any]) -> str:
    """The message of the first exception; flat, or one a metric."""
    several = [info] if "raised_exception" in info else [v for v in info.values() if v]
    for one in several:
        if isinstance(one, dict) and one.get("raised_exception"):
            return _one_line(str(one.get("exception_message") or "it raised an exception"))
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _observed(found: dict[str, Any]) -> str:
    if "unexpected_count" in found:
        count, rows = found["unexpected_count"], found.get("element_count") or 0
        text = f"{count} of {rows} rows"
        values = found.get("partial_unexpected_list") or []
        examples = list(dict.fromkeys(_number(one) for one in values if one is not None))
        examples = [_short(one) for one in examples if one != "nan"][:3]
        return f"{text}, such as {', '.join(examples)}" if examples else text
    value = found.get("observed_value")
    if isinstance(value, dict) and "quantiles" in value:
        pairs = zip(value["quantiles"], value["values"], strict=True)
        return ", ".join(f"{level:.2g}: {_number(number)}" for level, number in pairs)
    if isinstance(value, (list, tuple, set)):
        return _short(", ".join(map(str, value)), 300)
    return _number(value)


def _number(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    return _short(str(value), 300)


def _short(text: str, width: int = 40) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _answer_type(table: pa.Table, expectation: dict[str, Any]) -> dict[str, Any]:
    """Hold a column's Arrow type against the types asked for.

    Another type of the same kind will do for the rows whose values it can hold without loss:
    a double column of whole numbers satisfies ``int64``.
    """
    kwargs = expectation["kwargs"]
    name = kwargs.get("column")
    if name not in table.column_names:
        return {"success": False, "exception": f"there is no column {name!r}"}
    column = table[name]
    asked = kwargs.get("type_list") or [kwargs.get("type_")]
    misfits = min((_misfits(column, str(one)) for one in asked), key=lambda rows: len(rows))
    known = len(column) - column.null_count
    share = 1 - len(misfits) / known if known else 1.0
    observed = str(column.type)
    if 0 < len(misfits) < known:
        observed += f", {len(misfits)} of {len(column)} rows do not fit"
    return {
        "success": share >= kwargs.get("mostly", 1.0),
        "observed": observed,
        "failed_rows": misfits,
        "exception": "",
    }


def _misfits(column: pa.ChunkedArray, asked: str) -> np.ndarray:
    """Positions of the values that the asked type cannot hold, ``int64[k]``."""
    found = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if str(found) == asked or pa.types.is_null(found):
        return np.zeros(0, np.int64)
    wanted, have = _family(asked), _family(str(found))
    everything = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    if wanted == have:
        return np.zeros(0, np.int64)
    if (wanted, have) == ("int64", "double"):
        values = column.cast(pa.float64(), safe=False).to_numpy()
        whole = np.isnan(values) | (np.isfinite(values) & (values == np.floor(values)))
        return np.flatnonzero(~whole)
    return np.zeros(0, np.int64) if (wanted, have) == ("double", "int64") else everything


def _family(name: str) -> str:
    """One name for all widths and units of a kind: int64, double, string, timestamp, ..."""
    name = name.lower().strip()
    if name.startswith(("uint", "int")) and name.lstrip("uint").isdigit():
        return "int64"
    if name.startswith(("timestamp", "datetime64")):
        return "timestamp"
    if name.startswith(("decimal", "halffloat")):
        return "double"
    return FAMILIES.get(name, name)
