"""``schedule:`` of the spec, and overrides by section."""

import pytest

from penstock import pipeline_file
from penstock.errors import BadInput

LEAST = "name: churn\ndata: {source: rows.csv, target: y}\n"


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "pipeline.yaml"
        path.write_text(LEAST + text)
        return path

    return write


def test_nothing_starts_by_itself_unless_it_is_said(write):
    schedule = pipeline_file.read(write("")).schedule
    assert {schedule.train.cron, schedule.score.cron, schedule.monitor.cron} == {""}


def test_each_flow_has_a_cron_and_a_timezone(write):
    path = write(
        "schedule:\n  train: {cron: 0 3 * * MON, timezone: Europe/Rome}\n  score: '*/15 * * * *'\n"
    )
    schedule = pipeline_file.read(path).schedule
    assert (schedule.train.cron, schedule.train.timezone) == ("0 3 * * MON", "Europe/Rome")
    assert (schedule.score.cron, schedule.score.timezone) == ("*/15 * * * *", "UTC")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("61 * * * *", "minute"),
        ("0 3 * *", "five fields"),
        ("@daily", "five fields"),
        ("0 0 3 * * *", "five fields"),
        ("every day at noon please", "no cron schedule"),
        ("0 0 31 2 *", "day-of-month"),
    ],
)
def test_a_wrong_cron_is_a_mistake_with_its_line(write, text, said):
    path = write(f"schedule:\n  monitor:\n    cron: '{text}'\n")
    with pytest.raises(BadInput) as caught:
        pipeline_file.read(path)
    (found,) = caught.value.mistakes
    assert found.where == f"{path}:5"
    assert said in found.rule


@pytest.mark.parametrize("zone", ["Europe/Roma", "CEST", "", "../../etc/passwd", "europe/rome"])
def test_a_wrong_timezone_is_a_mistake_with_its_line(write, zone):
    path = write(f"schedule:\n  train: {{cron: 0 3 * * 1, timezone: '{zone}'}}\n")
    with pytest.raises(BadInput) as caught:
        pipeline_file.read(path)
    (found,) = caught.value.mistakes
    assert found.where == f"{path}:4"
    assert "IANA" in found.rule


def test_a_near_miss_is_guessed(write):
    with pytest.raises(BadInput, match=r"did you mean Europe/Rome\?"):
        pipeline_file.read(write("schedule:\n  train: {cron: 0 3 * * 1, timezone: Europe/Roma}\n"))


def test_overrides_by_section_keep_what_the_file_says_of_the_rest(write):
    path = write("split: {seed: 3, test: 0.3}\ngates: {num_rows: {limit: 50, action: warn}}\n")
    said = {"split": {"seed": 4}, "gates": {"num_rows": {"limit": 60}}, "data": {}}
    found = pipeline_file.read(path, said)
    assert (found.split.seed, found.split.test) == (4, 0.3)
    assert (found.gates.num_rows.limit, found.gates.num_rows.action) == (60, "warn")
    with pytest.raises(BadInput, match="did you mean seed"):
        pipeline_file.read(path, {"split": {"sead": 4}})


def test_a_section_that_is_no_section_is_a_mistake(write):
    with pytest.raises(BadInput, match="split"):
        pipeline_file.read(write(""), {"split": 3})
