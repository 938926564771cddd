"""The report of a run: what a reader finds in it, and what a hostile value cannot do."""

import re
import struct
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import numpy as np
import pytest

from penstock.adapters import charts, drawing, report, report_markdown
from penstock.evidence import Check, Evidence, Exhibit, Figure, Gallery, Series, Table
from penstock.outcomes import Decision
from penstock.records import (
    Blob,
    Column,
    Estimate,
    Fitted,
    Layout,
    Record,
    Rows,
    Scorecard,
    Snapshot,
    Split,
)
from penstock.spec import Data, Gates, Pipeline

PAYLOAD = "<script>alert('x')</script>"
SVG = "{http://www.w3.org/2000/svg}"


def rows(n, letter="a"):
    sha256 = letter * 64
    return Rows(blob=Blob(key=f"{letter}/{sha256}", sha256=sha256, num_bytes=1), num_rows=n)


def adult_layout(target="income"):
    kinds = {
        "age": "numeric", "workclass": "category", "education": "category",
        "occupation": "category", "hours-per-week": "numeric", target: "category",
    }  # fmt: skip
    columns = [
        Column(name=n, modality=k, arrow_type="string", role="target" if n == target else "feature")
        for n, k in kinds.items()
    ]
    return Layout(columns=columns, target=target, task="classification", classes=["<=50K", ">50K"])


def smooth(start, end, speed, n=20):
    return list(end + (start - end) * np.exp(-speed * np.arange(n)))


def loss_curves():
    epochs = list(range(1, 21))
    train, valid = smooth(0.52, 0.262, 0.45), smooth(0.47, 0.275, 0.5)
    valid[12:] = [v + 0.0012 * n for n, v in enumerate(valid[12:])]
    return Figure(
        title="Loss by epoch", x="epoch", y="log-loss (nats)",
        series=[Series(name="train", x=epochs, y=train), Series(name="valid", x=epochs, y=valid)],
        marks=[(12, "kept: epoch 12")],
        note="The weights of the epoch with the smallest valid loss were kept.",
    )  # fmt: skip


def reliability():
    x = [0.03, 0.14, 0.25, 0.36, 0.45, 0.56, 0.65, 0.74, 0.86, 0.97]
    y = [0.02, 0.15, 0.24, 0.38, 0.43, 0.59, 0.63, 0.77, 0.85, 0.98]
    return Figure(
        title="Reliability", x="predicted probability", y="share that is positive",
        series=[
            Series(name="model", x=x, y=y, low=[v - 0.03 for v in y], high=[v + 0.03 for v in y],
                   style="points"),
            Series(name="perfectly calibrated", x=[0, 1], y=[0, 1], style="dashed"),
        ],
        note="Ten bins of equally many rows; bars are 95% intervals.",
    )  # fmt: skip


def roc():
    x = np.linspace(0, 1, 200)
    curves = {"model": 8.5, "boosting": 8.2, "linear": 6.5}
    return Figure(
        title="ROC curve", x="false positive rate", y="true positive rate",
        series=[
            *(Series(name=n, x=list(x), y=list(x ** (1 / p))) for n, p in curves.items()),
            Series(name="chance", x=[0, 1], y=[0, 1], style="dashed"),
        ],
        note="Area under the curve: 0.930.",
    )  # fmt: skip


def precision_recall():
    x = np.linspace(0, 1, 120)
    return Figure(
        title="Precision and recall", x="recall", y="precision",
        series=[
            Series(name="model", x=list(x), y=list(1 - 0.76 * x**4), style="step"),
            Series(name="share of positives", x=[0, 1], y=[0.24, 0.24], style="dashed"),
        ],
    )  # fmt: skip


def baseline_bars():
    return Figure(
        title="Against the baselines", x="ROC AUC", y="", horizontal=True,
        series=[
            Series(
                name="ROC AUC", style="bars",
                x=["penstock", "gradient boosting", "linear", "trivial"],
                y=[0.9298, 0.9272, 0.9051, 0.5],
                low=[0.9262, 0.9235, 0.9008, None], high=[0.9334, 0.9309, 0.9094, None],
            )
        ],
        note="Lines are 95% intervals.",
    )  # fmt: skip


def education_bars():
    names = ["HS-grad", "Some-college", "Bachelors", "Masters", "Assoc-voc", "11th", "Assoc-acdm"]
    return Figure(
        title="Where it errs: log-loss by education", x="education", y="log-loss (nats)",
        series=[
            Series(name="valid", x=names, y=[0.24, 0.28, 0.39, 0.44, 0.29, 0.15, 0.3],
                   style="bars"),
            Series(name="test", x=names, y=[0.25, 0.27, 0.4, 0.45, 0.3, 0.14, 0.31],
                   style="bars"),
        ],
    )  # fmt: skip


def column_table():
    found = [
        {"column": "age", "kind": "numeric", "role": "feature", "nulls": 0.0, "distinct": 74,
         "example range": "17 to 90"},
        {"column": "workclass", "kind": "category", "role": "feature", "nulls": 0.0573,
         "distinct": 8, "example range": "Private, Self-emp-not-inc, Local-gov, State-gov, …"},
        {"column": "education", "kind": "category", "role": "feature", "nulls": 0.0,
         "distinct": 16, "example range": "HS-grad, Some-college, Bachelors, Masters, …"},
        {"column": "capital-gain", "kind": "numeric", "role": "feature", "nulls": 0.0,
         "distinct": 123, "example range": "0 to 99,999"},
        {"column": "native-country", "kind": "category", "role": "feature", "nulls": 0.0175,
         "distinct": 41, "example range": "United-States, Mexico, Philippines, Germany, …"},
        {"column": "income", "kind": "category", "role": "target", "nulls": None,
         "distinct": 2, "example range": "<=50K, >50K"},
    ]  # fmt: skip
    return Table.of("Columns", found, note="Kinds were inferred from 65,536 rows.")


def check(name, stage, value, outcome, **more):
    gate = getattr(Gates(), name)
    said = {"limit": gate.limit, "action": gate.action}
    return Check(name=name, stage=stage, value=value, outcome=outcome, **said, **more)


def adult_checks():
    prove = {"better": "higher", "burden": "prove"}
    return [
        check("num_rows", "ingest", 48842, "pass", better="higher", why="48,842 rows were read."),
        check("left_out_columns", "ingest", 1, "note", subject="fnlwgt",
              why="fnlwgt has a different value in nearly every row: it names rows.",
              remedy="if it is a measurement, say so: data.features.fnlwgt: numeric"),
        check("failed_expectations", "validate", 0, "pass", why="All 61 expectations hold."),
        check("quarantined_rows", "validate", 0.0011, "pass",
              why="52 of 48,842 rows broke a row-level expectation and were set aside."),
        check("duplicate_rows", "validate", 0.0011, "pass", why="52 rows equal an earlier one."),
        check("telltale_column", "split", 0, "pass",
              why="No column and no pair of columns gives the label away; the strongest is"
                  " relationship, with 0.71."),
        check("equal_rows", "split", 0.0004, "pass", why="6 test rows stand in train too."),
        check("generalisation_gap", "fit", 0.049, "pass", why="Valid loss 0.275, train 0.262."),
        check("beats_trivial", "evaluate", 0.4298, "pass", low=0.4262, high=0.4334, **prove,
              why="ROC AUC is 0.430 above a constant prediction."),
        check("beats_linear", "evaluate", 0.0247, "pass", low=0.0221, high=0.0273, **prove,
              why="ROC AUC is 0.025 above the linear model."),
        check("beats_boosting", "evaluate", 0.0026, "pass", low=0.0004, high=0.0049, **prove,
              why="ROC AUC is 0.003 above gradient boosting."),
        check("calibration", "evaluate", 0.031, "warn", low=0.024, high=0.038, burden="disprove",
              why="The expected calibration error is 0.038; a perfectly calibrated model shows"
                  " 0.007 on so many rows.",
              remedy="Add a temperature on validation rows, or read scores as ranks only."),
        check("compression", "evaluate", 0.504, "pass", low=0.493, high=0.515, **prove,
              why="Of 0.794 bits a label, 0.400 are saved."),
        check("weak_slice", "evaluate", None, "insufficient", enough=False,
              subject="native-country=Holand-Netherlands", why="1 row is too few to say."),
        check("servable", "register", 3e-8, "pass", why="The largest difference is 3e-08."),
    ]  # fmt: skip


def adult_records():
    layout = adult_layout()
    curves = {"loss": loss_curves()}
    results = {"reliability": reliability(), "roc": roc(), "pr": precision_recall(),
               "baselines": baseline_bars(), "slices": education_bars()}  # fmt: skip
    parts = Table.of("Parts", [
        {"part": "train", "rows": 29305, "share": 0.6, ">50K": 0.2408},
        {"part": "valid", "rows": 3256, "share": 0.0667, ">50K": 0.2409},
        {"part": "test", "rows": 16281, "share": 0.3333, ">50K": 0.2362},
    ])  # fmt: skip
    return {
        "ingest": Snapshot(rows=rows(48842, "5"), layout=layout, source="adult.parquet",
            evidence=Evidence(tables={"columns": column_table()},
                notes=["fnlwgt was left out; see the check."])),
        "validate": Snapshot(rows=rows(48790, "b"), layout=layout, source="adult.parquet"),
        "split": Split(train=rows(29305), valid=rows(3256), test=rows(16281), layout=layout,
            evidence=Evidence(tables={"parts": parts})),
        "fit": Fitted(weights=rows(0).blob, state=rows(0).blob, layout=layout, loss="cross_entropy",
            metric="roc_auc", seconds=44, evidence=Evidence(figures=curves)),
        "evaluate": Scorecard(
            metrics={
                "roc_auc": Estimate(value=0.9298, low=0.9262, high=0.9334),
                "accuracy": Estimate(value=0.8751, low=0.8702, high=0.88),
                "log_loss": Estimate(value=0.2716, low=0.2641, high=0.2792),
                "average_precision": Estimate(value=0.8316, low=0.8229, high=0.8401),
            },
            baselines={
                "trivial": {"roc_auc": 0.5, "accuracy": 0.7638, "log_loss": 0.5466},
                "linear": {"roc_auc": 0.9051, "accuracy": 0.8524, "log_loss": 0.3188},
                "boosting": {"roc_auc": 0.9272, "accuracy": 0.871, "log_loss": 0.277},
            },
            predictions=rows(16281), evidence=Evidence(figures=results)),
    }  # fmt: skip


def adult_pipeline(name="adult-income"):
    return Pipeline(
        name=name,
        description="Does a person earn more than 50,000 dollars a year?",
        data=Data(source="adult.parquet", target="income"),
    )


def registered():
    return Decision(
        verdict="registered", model="adult-income", version="3", run_id="0f" * 16,
        fingerprints={"data": "5" * 64, "split": "a" * 64}, metrics={"roc_auc": 0.9298},
        checks=adult_checks(), cached=["ingest", "validate"],
        timings={"ingest": 0.4, "validate": 3.2, "split": 5.1, "fit": 44.0, "evaluate": 9.3,
                 "judge": 0.01, "register": 7.7},
    )  # fmt: skip


def refused():
    leak = check(
        "telltale_column", "split", 1, "refuse", subject="payout",
        why="payout alone tells default on 99.1% of the rows; all other columns together reach"
            " 81.4%. Only a copy of the label would.",
        remedy="Leave it out with data.features.payout: exclude, or show that it is known before"
               " the label is.",
    )  # fmt: skip
    worse = check(
        "beats_trivial", "evaluate", 0.012, "refuse", low=-0.004, high=0.028, better="higher",
        burden="prove", why="ROC AUC is 0.012 above a constant prediction, and may be 0.004 below.",
        remedy="Collect more rows, or better columns.",
    )  # fmt: skip
    checks = [c for c in adult_checks() if c.name not in ("telltale_column", "beats_trivial")]
    timings = {"ingest": 0.4, "split": 5.1, "evaluate": 7.0}
    return Decision(verdict="refused", model="loans", checks=[*checks, leak, worse],
                    timings=timings)  # fmt: skip


@pytest.fixture(scope="module")
def adult_page():
    links = {"MLflow run": "http://127.0.0.1:5000/#/runs/0f", "odd": "javascript:alert(1)"}
    return report.render(registered(), adult_records(), adult_pipeline(), links)


def text_of(page):
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.S).split())


def test_the_verdict_and_the_key_numbers_come_first(adult_page):
    top = text_of(adult_page.partition('class="card contents"')[0])
    assert "✓ Registered" in top
    assert "adult-income v3 is the champion." in top
    assert "0.9298 95% interval 0.9262 to 0.9334" in top
    assert "48,790 rows · 6 columns, 5 of them features · target income" in top
    assert "SHA-256 555555555555 " in top
    assert "roc_auc 0.9298 0.9262 to 0.9334 0.5000 0.9051 0.9272" in top
    assert "average_precision 0.8316 0.8229 to 0.8401 – – –" in top


def test_every_stage_has_its_section_with_checks_figures_and_tables(adult_page):
    names = re.findall(r'<section class="card" id="([^"]+)"', adult_page)
    stages = ["ingest", "validate", "split", "fit", "evaluate", "judge", "register"]
    assert names == [f"stage-{stage}" for stage in stages] + ["spec"]
    assert adult_page.count('class="chart"') == 6
    fit = text_of(adult_page.partition('id="stage-fit"')[2].partition("</section>")[0])
    assert "44.0 s" in fit
    assert "cached" not in fit
    assert "cached" in text_of(
        adult_page.partition('id="stage-ingest"')[2].partition("</header>")[0]
    )


def test_an_outcome_is_a_word_and_a_sign(adult_page):
    calibration = adult_page.partition('id="warnings"')[2].partition("</div>")[0]
    assert "! warn" in text_of(calibration)
    assert "0.0310 0.0240 to 0.0380 ≤ 0.02 at the lower end" in text_of(adult_page)


def test_a_page_loads_nothing_and_runs_nothing(adult_page):
    assert "<script" not in adult_page
    assert not re.search(r"\s(src|srcset|on\w+)\s*=", adult_page)
    assert re.findall(r'href="([^#"][^"]*)"', adult_page) == [
        "data:,",
        "http://127.0.0.1:5000/#/runs/0f",
    ]
    assert "odd: javascript:alert(1)" in text_of(adult_page)
    assert not re.search(r"url\((?!#f)", adult_page)


def test_ids_are_unique_and_every_reference_resolves(adult_page):
    ids = re.findall(r'\bid="([^"]+)"', adult_page)
    assert len(ids) == len(set(ids))
    cited = re.findall(r'(?:href="#|url\(#)([\w-]+)', adult_page)
    assert cited
    assert set(cited) <= set(ids)


def test_a_typical_report_stays_below_one_megabyte(adult_page):
    assert len(adult_page.encode()) < 300_000


def test_a_refusal_names_its_gates_and_what_to_do():
    page = report.render(refused(), {}, adult_pipeline("loans"))
    top = text_of(page.partition('class="card contents"')[0])
    assert "✕ Refused" in top
    assert "loans was not registered. Stopped by: telltale column, beats trivial." in top
    assert "To do Leave it out with data.features.payout: exclude" in top
    assert "How good it is" not in top
    assert top.index("What to do next") < top.index("Also worth a look")


def test_a_check_that_could_not_be_measured_blocks_where_its_gate_refuses():
    blind = Check(name="compression", stage="evaluate", enough=False, outcome="insufficient",
                  why="7 rows are too few.", limit=0)  # fmt: skip
    mild = {"name": "beats_linear", "action": "warn", "why": "no baseline"}
    lame = blind.model_copy(update=mild)
    decision = Decision(verdict="refused", model="m", checks=[blind, lame])
    todo = report.render(decision, {}, adult_pipeline()).partition('id="todo"')[2]
    assert "7 rows are too few." in todo.partition("</ol>")[0]
    assert "no baseline" not in todo.partition("</ol>")[0]


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("kept_champion", "Champion kept m: the champion v2 stays in use."),
        ("awaiting_approval", "m v2 is the challenger and waits"),
    ],
)
def test_other_verdicts_are_said_in_words(verdict, words):
    page = report.render(Decision(verdict=verdict, model="m", version="2"), {}, adult_pipeline())
    assert words in text_of(page)


def test_a_stage_nobody_has_heard_of_is_shown_all_the_same():
    drift = Record(
        evidence=Evidence(
            checks=[], notes=["A note."], figures={"roc": roc()},
            tables={"t": Table.of("Shifts", [{"shift": "noise", "drop": 0.01}])},
        ),
        seconds=61.2,
    )  # fmt: skip
    found = Check(name="flip_rate", stage="stress", value=0.2, limit=0.1, outcome="refuse")
    decision = Decision(verdict="refused", model="m", checks=[found])
    page = report.render(decision, {"stress": drift}, adult_pipeline())
    shown = text_of(page.partition('id="stage-stress"')[2].partition("</section>")[0])
    for words in ("Stress 1 min 1 s", "Flip rate", "A note.", "ROC curve", "noise 0.0100"):
        assert words in shown


def hostile():
    """The payload in every place that data can reach."""
    bad = Check(name=PAYLOAD, stage=PAYLOAD, subject=PAYLOAD, value=1, why=PAYLOAD,
                remedy=PAYLOAD, outcome="refuse")  # fmt: skip
    lines = Series(name=PAYLOAD, x=[1, 2], y=[1, 2])
    bars = Series(name=PAYLOAD + "2", x=[PAYLOAD, "]]>"], y=[1, 2], style="bars")
    figures = {
        PAYLOAD: Figure(title=PAYLOAD, x=PAYLOAD, y=PAYLOAD, series=[lines, lines], note=PAYLOAD,
                        marks=[(1, PAYLOAD)]),
        "bars": Figure(title=PAYLOAD, x=PAYLOAD, y=PAYLOAD, series=[bars], horizontal=True),
    }  # fmt: skip
    table = Table(title=PAYLOAD, columns=[PAYLOAD], rows=[[PAYLOAD], [{PAYLOAD: [PAYLOAD]}]],
                  note=PAYLOAD)  # fmt: skip
    exhibit = Exhibit(caption=PAYLOAD, text=[(PAYLOAD, 0.0), (PAYLOAD, 1.0)], picture="aGk=")
    shown = Gallery(title=PAYLOAD, note=PAYLOAD, exhibits=[exhibit])
    evidence = Evidence(
        notes=[PAYLOAD], figures=figures, tables={PAYLOAD: table}, galleries={PAYLOAD: shown}
    )
    layout = adult_layout(PAYLOAD).model_copy(update={"classes": [PAYLOAD, "b"]})
    record = Snapshot(rows=rows(3), layout=layout, source=PAYLOAD, evidence=evidence)
    decision = Decision(verdict="refused", model=PAYLOAD, version=PAYLOAD, why=PAYLOAD,
                        checks=[bad], metrics={PAYLOAD: 1.0}, timings={PAYLOAD: 1.0},
                        fingerprints={PAYLOAD: PAYLOAD}, run_id=PAYLOAD)  # fmt: skip
    pipeline = Pipeline(name="x", description=PAYLOAD, data=Data(source=PAYLOAD, target=PAYLOAD))
    return decision, {PAYLOAD: record}, pipeline, {PAYLOAD: f'javascript:"{PAYLOAD}'}


def test_no_value_from_data_becomes_markup():
    page = report.render(*hostile())
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 25


def test_exhibits_are_read_seen_and_heard_and_words_are_tinted():
    exhibits = [
        Exhibit(caption="told ham", text=[("free ", 0.5), ("lunch", -1.0), (" at 12", 0.0)]),
        Exhibit(caption="told 7", picture="UE5H", sound="V0FW"),
    ]
    gallery = Gallery(title="What moved it", exhibits=exhibits, note="Read so.")
    records = {"explain": Record(evidence=Evidence(galleries={"g": gallery}))}
    page = report.render(Decision(verdict="refused", model="m"), records, adult_pipeline())
    shown = page.partition('id="stage-explain"')[2].partition("</section>")[0]
    assert '<mark class="for" style="--tint: 50%">free </mark>' in shown
    assert '<mark class="against" style="--tint: 100%">lunch</mark> at 12</p>' in shown
    assert 'src="data:image/png;base64,UE5H"' in shown
    assert 'src="data:audio/wav;base64,V0FW"' in shown
    assert "What moved it Read so." in text_of(shown)


@pytest.mark.parametrize("field", ["picture", "sound"])
def test_an_exhibit_holds_nothing_but_base64(field):
    with pytest.raises(ValueError, match="pattern"):
        Exhibit(caption="", **{field: '" onload="x'})


def test_a_page_with_odd_characters_is_still_utf8():
    decision = Decision(verdict="refused", model="a\x00b\ud800", why="日本 🎉")
    odd = Figure(title="日本\x1b", x="", y="", series=[Series(name="\x00", x=["🎉\ud800"], y=[1])])
    records = {"a": Record(evidence=Evidence(figures={"f": odd}))}
    page = report.render(decision, records, adult_pipeline())
    assert "a�b�" in page.encode().decode()
    assert "日本 🎉" in page


def test_markdown_tells_the_same_and_escapes_it():
    text = report_markdown.markdown(registered(), adult_records())
    assert text.startswith("# ✓ Registered\n\nadult-income v3 is the champion.\n")
    assert "| roc\\_auc | 0.9298 \\[0.9262 to 0.9334\\] | 0.5000 | 0.9051 | 0.9272 |" in text
    nasty = Check(name="equal_rows", stage="split", value=1, outcome="refuse",
                  why="a|b <img src=x> `c`\nd", remedy="[go](http://x)")  # fmt: skip
    text = report_markdown.markdown(Decision(verdict="refused", model="m", checks=[nasty]), {})
    assert "Stopped by: equal rows." in text
    assert (
        "| ✕ refuse | split/equal\\_rows | 1 | no limit | a\\|b &lt;img src=x&gt; \\`c\\` d |"
        in text
    )
    assert "*To do:* \\[go\\](http://x)" in text


def test_markdown_shows_the_tables_that_tell_most_and_leads_to_other_pages():
    groups = Table.of("Groups of sex", [{"sex": f"<{n}>", "rows": n} for n in range(25)])
    contest = Table.of("Challenger and champion", [{"metric": "roc_auc", "gain": 0.0123}])
    records = {
        "bias": Record(evidence=Evidence(tables={"groups: sex": groups, "other": contest})),
        "register": Record(evidence=Evidence(tables={"contest": contest})),
    }
    links = {"MLflow run": "http://h/#/runs/1?a=b", "bad": "javascript:alert(1)"}
    text = report_markdown.markdown(registered(), records, links)
    assert "[MLflow run](<http://h/#/runs/1?a=b>)" in text
    assert "javascript" not in text
    assert text.index("## Register") < text.index("## Bias") < text.index("## Checks")
    assert "| roc\\_auc | 0.0123 |" in text
    assert "| &lt;19&gt; | 19 |" in text
    assert "| &lt;20&gt; |" not in text
    assert "5 more rows stand in the HTML report." in text
    assert text.count("Challenger and champion") == 1


def test_tables_of_the_run_page():
    worst, *_, last = report_markdown.checks_table(adult_checks())
    assert worst["outcome"].split()[1] != "pass"
    assert (last["outcome"], last["remedy"]) == ("✓ pass", "")
    first = report_markdown.metrics_table(registered(), adult_records())[0]
    assert first["metric"] == "roc_auc"
    assert first["model"] == "0.9298 [0.9262 to 0.9334]"
    assert report_markdown.metrics_table(Decision(verdict="refused", model="m"), {}) == []


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.9298, 0.5, None], ["0.9298", "0.5000", "–"]),
        ([29305, 3256], ["29,305", "3,256"]),
        ([1234.5, 0.25], ["1234.5", "0.2"]),
        ([0.0, 0.00004], ["0.000000", "0.000040"]),
        ([-0.00001, 1.0], ["−0.00001", "1.00000"]),
        ([True, 2], ["yes", "2"]),
        ([10**400], ["1" + "0" * 298 + "…"]),
        ([float("inf"), 1.5], ["–", "1.5000"]),
    ],
)
def test_numbers_of_a_column_line_up(values, shown):
    table = Table(title="t", columns=["v"], rows=[[value] for value in values])
    page = report.render(
        Decision(verdict="refused", model="m"),
        {"s": Record(evidence=Evidence(tables={"t": table}))},
        adult_pipeline(),
    )
    assert re.findall(r"<td[^>]*>([^<]*)</td>", page) == shown


# charts


def figure(*series, **more):
    return Figure(**({"title": "T", "x": "x axis", "y": "y axis", "series": list(series)} | more))


def texts(drawing):
    return [e.text for e in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


def strokes(drawing, colour):
    found = [e.get("style", "") for e in ElementTree.fromstring(drawing).iter()]
    return sum(f"stroke: var(--{colour}," in style for style in found)


@pytest.mark.parametrize(
    "drawn",
    [
        figure(),
        figure(Series(name="empty", x=[], y=[])),
        figure(Series(name="gaps", x=[1, 2], y=[None, None])),
        figure(Series(name="bars", x=[], y=[], style="bars"), horizontal=True),
    ],
)
def test_a_figure_without_a_number_says_so(drawn):
    assert "no data" in texts(charts.svg(drawn))


@pytest.mark.parametrize("style", ["line", "dashed", "points", "bars", "step"])
@pytest.mark.parametrize("x", [[1.5], [1, 2, 3], ["a", "b", "c"]])
@pytest.mark.parametrize("sideways", [False, True])
def test_every_style_draws_every_kind_of_x(style, x, sideways):
    y = [0.5, None, 0.7][: len(x)]
    series = Series(name="s", x=x, y=y, low=[0.4, None, 0.6][: len(x)],
                    high=[0.6, None, 0.9][: len(x)],
                    style=style)  # fmt: skip
    drawing = charts.svg(figure(series, horizontal=sideways))
    assert "var(--c1," in drawing
    assert {"x axis", "y axis"} <= set(texts(drawing))


def test_equal_figures_give_equal_bytes_and_names_keep_ids_apart():
    assert charts.svg(reliability(), "a") == charts.svg(reliability(), "a")
    assert charts.png(reliability()) == charts.png(reliability())
    ids = [set(re.findall(r' id="([^"]+)"', charts.svg(reliability(), name))) for name in "ab"]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_charts_are_drawn_at_the_same_time():
    with ThreadPoolExecutor(4) as pool:
        drawn = set(pool.map(charts.svg, [reliability()] * 8))
    assert len(drawn) == 1


def test_a_place_that_is_not_finite_is_left_out():
    x = [float("nan"), 1.0, float("inf"), 2.0, 3.0]
    for style in ("line", "points", "bars"):
        odd = Series(name="s", x=x, y=[1, 2, 3, 4, 5], low=[0] * 5, high=[9] * 5, style=style)
        even = Series(
            name="s", x=x[1::2] + x[4:], y=[2, 4, 5], low=[0] * 3, high=[9] * 3, style=style
        )
        left = charts.svg(figure(odd, marks=[(float("inf"), "never")]))
        assert texts(left) == texts(charts.svg(figure(even)))


def test_a_chart_has_no_size_no_ground_and_no_fixed_ink():
    drawing = charts.svg(roc())
    root = ElementTree.fromstring(drawing)
    assert root.get("viewBox") == "0 0 360 240"
    assert root.get("width") is None
    assert root.find(f"{SVG}title").text == "ROC curve"
    assert root.get("aria-label") == "ROC curve. Area under the curve: 0.930"
    painted = re.findall(r"(?:fill|stroke): (#\w+)", drawing)
    assert painted == []


def test_a_dollar_is_a_dollar():
    names = ["$x_1$", "\\$5", "under_score^2"]
    shown = texts(charts.svg(figure(Series(name="s", x=names, y=[1, 2, 3], style="bars"))))
    assert [text for text in shown if text in names] == names


def test_long_names_turn_bars_on_their_side_and_break_before_they_are_cut():
    names = [f"a category with a very long name, number {n}" for n in range(5)]
    drawing = charts.svg(figure(Series(name="s", x=names, y=[1] * 5, style="bars")))
    assert texts(drawing).count("a category with a very") == 5
    assert [f"long name, number {n}" in texts(drawing) for n in range(5)] == [True] * 5
    longer = charts.svg(
        figure(Series(name="s", x=["start" + "x" * 300 + "end"], y=[1], style="bars"))
    )
    lines = [text for text in texts(longer) if "x" in text and "axis" not in text]
    assert lines[0].startswith("startx")
    assert lines[1].endswith("xend")
    assert "…" in "".join(lines)


def places(drawing):
    found = ElementTree.fromstring(drawing).iter(f"{SVG}text")
    return {e.text: (float(e.get("x")), float(e.get("y"))) for e in found}


def test_axis_labels_stand_by_their_axes_also_where_bars_were_turned():
    short = Series(name="s", x=["a", "b"], y=[1, 2], style="bars")
    at = places(charts.svg(figure(short, horizontal=True)))
    assert at["x axis"][1] > at["b"][1] > at["a"][1] > at["y axis"][1]
    long = Series(name="s", x=[letter * 20 for letter in "abcd"], y=[1] * 4, style="bars")
    at = places(charts.svg(figure(long)))
    assert at["y axis"][1] > at["d" * 20][1] > at["a" * 20][1] > at["x axis"][1]


def test_categories_beyond_the_page_are_left_out():
    names = [f"c{n}" for n in range(drawing.MAX_CATEGORIES + 20)]
    page = charts.svg(figure(Series(name="s", x=names, y=[1.0] * len(names), style="bars")))
    shown = texts(page)
    assert "c39" in shown
    assert "c40" not in shown
    assert "The first 40 of 60" in page


def test_a_range_of_many_powers_becomes_logarithmic():
    rows_seen = [100, 300, 1000, 3000, 10_000, 30_000]
    drawing = charts.svg(figure(Series(name="s", x=rows_seen, y=[0.6, 0.7, 0.8, 0.85, 0.88, 0.9])))
    assert {"100", "1000", "10k"} <= set(texts(drawing))
    steps = charts.svg(figure(Series(name="s", x=list(range(1, 500)), y=[0.5] * 499)))
    assert "10" not in texts(steps)


def test_a_gap_breaks_the_line_and_a_lone_point_is_seen():
    whole = charts.svg(figure(Series(name="s", x=[1, 2, 3, 4], y=[1, 2, 3, 4])))
    broken = charts.svg(figure(Series(name="s", x=[1, 2, 3, 4], y=[1, None, 3, 4])))
    assert "<use" not in whole
    assert "<use" in broken


def test_five_hundred_points_stay_small():
    values = list(np.sin(np.arange(500) / 20))
    for style in ("line", "points"):
        drawing = charts.svg(figure(Series(name="s", x=list(range(500)), y=values, style=style)))
        assert len(drawing) < 90_000


def test_a_png_is_twice_as_wide_as_the_chart_and_carries_its_title():
    picture = charts.png(roc())
    assert struct.unpack(">II", picture[16:24]) == (720, 480)
    assert picture != charts.png(roc().model_copy(update={"title": "another"}))


def gauge(**more):
    return charts.interval(Check(name="c", stage="s", **more))


def at(drawing, kind, attribute):
    return float(re.search(rf'class="{kind}"[^>]* {attribute}="([\d.]+)"', drawing)[1])


def test_a_gauge_stands_value_interval_and_limit_in_order():
    drawn = gauge(value=0.3, low=0.2, high=0.4, limit=0.1, better="higher", burden="prove")
    span = at(drawn, "span", "x1"), at(drawn, "value", "cx"), at(drawn, "span", "x2")
    assert at(drawn, "limit", "x1") < span[0] < span[1] < span[2]
    assert at(drawn, "cap", "x1") == span[0]
    assert at(drawn, "side", "x") == at(drawn, "limit", "x1")
    lower = gauge(value=0.3, low=0.2, high=0.4, limit=0.1, better="lower", burden="prove")
    assert at(lower, "cap", "x1") == at(lower, "span", "x2")
    assert at(lower, "side", "x") == 0


def test_a_gauge_is_empty_where_there_is_nothing_to_compare():
    assert gauge(limit=1) == ""
    assert gauge(value=1) == ""
    assert gauge(value=1, limit=-1e9) == ""
    assert gauge(value=0, limit=0) != ""
