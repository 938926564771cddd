"""The words of Great Expectations: names and arguments of its expectations, and plain English.

Known here without importing it, so that a contract is read, and a mistake in it found, at
once. A test holds the list against the installed version.
"""

from __future__ import annotations

from typing import Any

SEVERITIES = {"error": "error", "critical": "error", "warning": "warning", "info": "warning"}
"""Words for severity, ours and Great Expectations', and what they mean here."""
_ROWS = "row_condition condition_parser"
_MAP = f"mostly {_ROWS}"
_RANGE = "min_value max_value strict_min strict_max"
_WORDS = {
    "expect_column_distinct_values_to_be_in_set": f"column! value_set! {_ROWS}",
    "expect_column_distinct_values_to_contain_set": f"column! value_set! {_ROWS}",
    "expect_column_distinct_values_to_equal_set": f"column! value_set! {_ROWS}",
    "expect_column_kl_divergence_to_be_less_than": "column! partition_object threshold"
    f" internal_weight_holdout tail_weight_holdout bucketize_data min_value max_value {_ROWS}",
    "expect_column_max_to_be_between": f"column! {_RANGE} {_ROWS}",
    "expect_column_mean_to_be_between": f"column! {_RANGE} {_ROWS}",
    "expect_column_median_to_be_between": f"column! {_RANGE} {_ROWS}",
    "expect_column_min_to_be_between": f"column! {_RANGE} {_ROWS}",
    "expect_column_most_common_value_to_be_in_set": f"column! value_set! ties_okay {_ROWS}",
    "expect_column_pair_values_a_to_be_greater_than_b": "column_A! column_B! or_equal"
    f" ignore_row_if {_MAP}",
    "expect_column_pair_values_to_be_equal": f"column_A! column_B! ignore_row_if {_MAP}",
    "expect_column_pair_values_to_be_in_set": "column_A! column_B! value_pairs_set!"
    f" ignore_row_if {_MAP}",
    "expect_column_proportion_of_non_null_values_to_be_between": f"column! {_RANGE} {_ROWS}",
    "expect_column_proportion_of_unique_values_to_be_between": f"column! {_RANGE} {_ROWS}",
    "expect_column_quantile_values_to_be_between": "column! quantile_ranges!"
    f" allow_relative_error {_ROWS}",
    "expect_column_stdev_to_be_between": f"column! {_RANGE} {_ROWS}",
    "expect_column_sum_to_be_between": f"column! {_RANGE} {_ROWS}",
    "expect_column_to_exist": "column! column_index",
    "expect_column_type_to_be": "column! type_!",
    "expect_column_unique_value_count_to_be_between": f"column! {_RANGE} {_ROWS}",
    "expect_column_value_lengths_to_be_between": f"column! {_RANGE} {_MAP}",
    "expect_column_value_lengths_to_equal": f"column! value! {_MAP}",
    "expect_column_value_z_scores_to_be_less_than": f"column! threshold! double_sided! {_MAP}",
    "expect_column_values_to_be_between": f"column! {_RANGE} {_MAP}",
    "expect_column_values_to_be_dateutil_parseable": f"column! {_MAP}",
    "expect_column_values_to_be_decreasing": f"column! strictly {_MAP}",
    "expect_column_values_to_be_in_set": f"column! value_set! {_MAP}",
    "expect_column_values_to_be_in_type_list": f"column! type_list! {_MAP}",
    "expect_column_values_to_be_increasing": f"column! strictly {_MAP}",
    "expect_column_values_to_be_json_parseable": f"column! {_MAP}",
    "expect_column_values_to_be_null": f"column! {_MAP}",
    "expect_column_values_to_be_of_type": f"column! type_! {_MAP}",
    "expect_column_values_to_be_unique": f"column! {_MAP}",
    "expect_column_values_to_match_json_schema": f"column! json_schema! {_MAP}",
    "expect_column_values_to_match_like_pattern": f"column! like_pattern! escape {_MAP}",
    "expect_column_values_to_match_like_pattern_list": "column! like_pattern_list! match_on"
    f" escape {_MAP}",
    "expect_column_values_to_match_regex": f"column! regex! {_MAP}",
    "expect_column_values_to_match_regex_list": f"column! regex_list! match_on {_MAP}",
    "expect_column_values_to_match_strftime_format": f"column! strftime_format! {_MAP}",
    "expect_column_values_to_not_be_in_set": f"column! value_set! {_MAP}",
    "expect_column_values_to_not_be_null": f"column! {_MAP}",
    "expect_column_values_to_not_be_outliers": f"column! method multiplier {_MAP}",
    "expect_column_values_to_not_match_like_pattern": f"column! like_pattern! escape {_MAP}",
    "expect_column_values_to_not_match_like_pattern_list": "column! like_pattern_list! escape"
    f" {_MAP}",
    "expect_column_values_to_not_match_regex": f"column! regex! {_MAP}",
    "expect_column_values_to_not_match_regex_list": f"column! regex_list! {_MAP}",
    "expect_compound_columns_to_be_unique": f"column_list! ignore_row_if {_MAP}",
    "expect_multicolumn_sum_to_equal": f"column_list! sum_total! ignore_row_if {_MAP}",
    "expect_multicolumn_values_to_be_equal": f"column_list! ignore_row_if {_MAP}",
    "expect_select_column_values_to_be_unique_within_record": f"column_list! ignore_row_if {_MAP}",
    "expect_table_column_count_to_be_between": "min_value max_value",
    "expect_table_column_count_to_equal": "value!",
    "expect_table_columns_to_match_ordered_list": "column_list!",
    "expect_table_columns_to_match_set": "column_set! exact_match",
    "expect_table_row_count_to_be_between": f"{_RANGE} {_ROWS}",
    "expect_table_row_count_to_equal": f"value! {_ROWS}",
}

VOCABULARY: dict[str, dict[str, bool]] = {
    kind: {word.rstrip("!"): word.endswith("!") for word in words.split()}
    for kind, words in _WORDS.items()
}
"""Arguments of each expectation, and whether one is required. Expectations that need an SQL
engine or a second table are not among them: a snapshot is one table in memory."""


def in_words(expectation: dict[str, Any]) -> str:
    """What is expected of what, in a few words.

    Examples
    --------
    >>> in_words({"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}})
    'id: to be unique'
    """
    kwargs = expectation["kwargs"]
    named = [str(kwargs[key]) for key in ("column_A", "column_B", "column_list") if key in kwargs]
    subject = kwargs.get("column") or " and ".join(named)
    words = expectation["type"].removeprefix("expect_").replace("_", " ")
    for start in ("column values ", "column value ", "column "):
        words = words.removeprefix(start)
    return f"{subject}: {words}" if subject else words


def limits(expectation: dict[str, Any], share: bool = True) -> str:
    """Its arguments, without the column; ``share`` adds in how many rows it has to hold.

    Examples
    --------
    >>> kwargs = {"column": "age", "min_value": 0, "max_value": 120, "mostly": 0.99}
    >>> limits({"type": "expect_column_values_to_be_between", "kwargs": kwargs})
    '0 to 120, in at least 99% of rows'
    """
    kwargs = expectation["kwargs"]
    parts = []
    if "quantile_ranges" in kwargs:
        ranges = kwargs["quantile_ranges"]
        pairs = zip(ranges["quantiles"], ranges["value_ranges"], strict=True)
        parts = [f"{level:.4g}: {_bound(low)} to {_bound(high)}" for level, (low, high) in pairs]
    elif "min_value" in kwargs or "max_value" in kwargs:
        parts = [f"{_bound(kwargs.get('min_value'))} to {_bound(kwargs.get('max_value'))}"]
    else:
        hidden = {"column", "column_A", "column_B", "column_list", "mostly", "exact_match"}
        parts = [_short(value) for key, value in kwargs.items() if key not in hidden]
    if share and "mostly" in kwargs:
        parts.append(f"in at least {100 * kwargs['mostly']:.4g}% of rows")
    return ", ".join(part for part in parts if part)


def _bound(value: Any) -> str:
    return "any" if value is None else str(value)


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 200 else text[:199] + "…"
