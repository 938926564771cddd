"""The command line as a user meets it."""

import json
import subprocess
import sys

import pytest

from penstock import __version__, cli
from penstock.evidence import Check
from penstock.outcomes import Decision

HEAVY = ("torch", "pandas", "prefect", "mlflow", "pyarrow", "great_expectations", "sklearn",
         "numpy", "matplotlib", "scipy")  # fmt: skip


@pytest.fixture
def penstock(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_HOME", raising=False)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["penstock", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys, penstock.cli as cli\n"
        f"sys.argv = ['penstock', *{words}]\n"
        "try:\n    cli.main()\n"
        "except SystemExit as ended:\n    status = ended.code\n"
        f"loaded = [name for name in {HEAVY} if name in sys.modules]\n"
        "print(status, loaded, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == "0 []\n"
    assert ("train" if "--help" in words else __version__) in done.stdout


def test_help_names_every_command(penstock):
    status, out, err = penstock("--help")
    assert (status, err) == (0, "")
    for command in (
        "init", "train", "report", "verify", "sample", "schema", "doctor", "promote", "rollback",
        "retrain", "prune", "score", "monitor", "up", "down", "status",
    ):  # fmt: skip
        assert command in out


def test_verify_of_nothing_is_a_bad_call(penstock):
    status, out, err = penstock("verify", "nowhere")
    assert (status, out) == (2, "")
    assert "PIPELINE is a folder" in err


def test_schema_is_json_that_knows_the_fields(penstock):
    status, out, _ = penstock("schema")
    assert status == 0
    schema = json.loads(out)
    assert {"name", "data", "split", "gates"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trian", "x"], 'Did you mean "train"'),
        (["train"], "PIPELINE"),
        (["train", "x", "--sett", "a=1"], "--sett"),
        (["init", "x", "--source", "a.csv"], "--target"),
        (["train", "nowhere"], "penstock init"),
        (["report", "nowhere"], "penstock init"),
        (["doctor", "nowhere"], "penstock init"),
        (["sample", "adlut"], "did you mean adult?"),
        (["promote", "nowhere"], "penstock init"),
        (["rollback", "nowhere"], "penstock init"),
        (["retrain", "nowhere"], "penstock init"),
        (["prune", "nowhere"], "penstock init"),
        (["prune"], "prune takes PIPELINE or --all"),
        (["prune", "x", "--all"], "prune takes PIPELINE or --all"),
    ],
)
def test_a_bad_call_is_exit_status_2_and_one_message(words, says, penstock, tmp_path):
    status, out, err = penstock(*words)
    assert status == 2
    assert out == ""
    assert says in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def shop(tmp_path):
    """A pipeline that could run."""
    rows = "".join(f"{i % 50},{'yes' if i % 3 else 'no'}\n" for i in range(200))
    (tmp_path / "rows.csv").write_text("age,bought\n" + rows)
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(
        "name: shop\ndata: {source: ../../rows.csv, target: bought}\n"
    )
    return folder


def test_all_mistakes_in_set_are_told(penstock, shop):
    status, _, err = penstock("train", "shop", "--set", "split.seed", "--set", "model={a: [")
    assert status == 2
    assert "2 mistakes" in err
    assert "--set split.seed=1" in err
    status, _, err = penstock("train", "shop", "--set", "split.sead=1", "--set", "split.test=2")
    assert status == 2
    assert "2 mistakes" in err
    assert "did you mean seed?" in err
    assert not (shop.parents[1] / ".penstock").exists()


def test_report_prints_the_path_of_the_newest(penstock, shop):
    status, out, err = penstock("report", "shop")
    assert (status, out) == (2, "")
    assert "penstock train shop" in err
    newest = shop.parents[1] / ".penstock" / "reports" / "shop" / "latest.html"
    newest.parent.mkdir(parents=True)
    newest.write_text("<html></html>")
    assert penstock("report", "shop")[:2] == (0, f"{newest}\n")


def test_doctor_prints_one_line_a_finding_and_fails_with_one(penstock, tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    status, out, err = penstock("doctor")
    assert (status, err) == (0, "")
    assert "ok   Python: 3." in out
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    status, out, _ = penstock("doctor")
    assert status == 1
    assert "FAIL MLflow: http://127.0.0.1:9" in out
    assert list(tmp_path.iterdir()) == []


def test_init_makes_what_train_can_check(penstock, shop, tmp_path):
    status, out, _ = penstock("init", "new", "--source", "rows.csv", "--target", "bought")
    assert status == 0
    assert out.splitlines() == [
        "new/card.md", "new/contract.yaml", "new/pipeline.yaml",
        "Read them, then: penstock train new",
    ]  # fmt: skip
    status, out, err = penstock("init", "new", "--source", "rows.csv", "--target", "bought")
    assert (status, out) == (2, "")
    assert "--force" in err


def taken(tmp_path):
    """What users took, in any order; a rating says how well."""
    rows = "".join(
        f"u{user},item {user * step % 40},{step % 5},{1700000000 + step}\n"
        for user in range(40)
        for step in range(1, 13)
    )
    (tmp_path / "taken.csv").write_text("who,item,stars,timestamp\n" + rows)
    return "--source", "taken.csv", "--target", "item"


def test_init_of_a_ranking_finds_when_and_says_what_the_others_could_be(penstock, tmp_path):
    from penstock import pipeline_file

    call = ("init", "shelf", *taken(tmp_path), "--task", "ranking", "--user", "who")
    status, _, err = penstock(*call)
    assert status == 0, err
    said = pipeline_file.read(tmp_path / "shelf" / "pipeline.yaml")
    assert (said.data.task, said.data.user, said.data.time) == ("ranking", "who", "timestamp")
    assert said.split.column == "timestamp"
    text = (tmp_path / "shelf" / "pipeline.yaml").read_text()
    assert "stars: numeric (left out)" in text
    assert "say data.feedback if it is a rating" in text
    contract = (tmp_path / "shelf" / "contract.yaml").read_text()
    assert "value_set" not in contract  # new items and users are no breach
    assert "max_value: 17" not in contract  # nor is time that goes on
    rated = ("--feedback", "stars", "--feedback-from", "3", "--force")
    assert penstock(*call, *rated)[0] == 0
    said = pipeline_file.read(tmp_path / "shelf" / "pipeline.yaml")
    assert (said.data.feedback, said.data.feedback_from) == ("stars", 3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--user", "who"], "data.user is for a ranking"),
        (["--task", "ranking"], "one of: who, item, stars, timestamp"),
        (["--task", "ranking", "--user", "whom"], "did you mean who?"),
        (["--task", "ranking", "--user", "item"], "item is data.target too"),
        (["--task", "ranking", "--user", "who", "--context", "stars,staars"], "'staars'"),
        (["--task", "rankin"], 'Did you mean "ranking"'),
    ],
)
def test_init_refuses_what_makes_no_ranking(words, says, penstock, tmp_path):
    status, out, err = penstock("init", "shelf", *taken(tmp_path), *words)
    assert (status, out) == (2, "")
    assert says in err
    assert not (tmp_path / "shelf").exists()


def test_init_of_a_model_of_text(penstock, tmp_path):
    lines = "".join(f"the {n} of them said what {n * n} others say,{n % 3}\n" for n in range(120))
    (tmp_path / "notes.csv").write_text("note,kind\n" + lines)
    call = ("init", "notes", "--source", "notes.csv", "--target", "note", "--task", "next_token")
    status, _, err = penstock(*call)
    assert status == 0, err
    text = (tmp_path / "notes" / "pipeline.yaml").read_text()
    assert "  task: next_token" in text
    assert "only the target is read" in text


def decision(verdict, **said):
    return Decision(
        verdict=verdict, model="shop", why="Because.", metrics={"roc_auc": 0.9, "f1": None},
        timings={"ingest": 0.1, "fit": 31.04}, cached=["ingest"], run_id="abc",
        report="/tmp/report.html", **said,
    )  # fmt: skip


def lines(decision, address="sqlite:///x.db"):
    from penstock.adapters import terminal

    return [text for text, _ in terminal.summary(decision, address)]


def test_the_summary_says_what_was_decided_and_where_to_look():
    found = lines(decision("registered", version="3"))
    assert found[0] == "REGISTERED: shop version 3 as champion"
    assert "  roc_auc  0.9000" in found
    assert "  f1       not defined" in found
    assert "  seconds  ingest cached, fit 31.0" in found
    assert "  report   /tmp/report.html" in found
    assert found[-1].endswith("run abc; to look: mlflow ui --backend-store-uri sqlite:///x.db")
    served = lines(decision("kept_champion", version="2"), "http://localhost:5000")
    assert served[0] == "CHAMPION KEPT: shop version 2"
    assert served[-1] == "  MLflow   run abc at http://localhost:5000"


def test_the_summary_of_a_refusal_begins_with_what_refused():
    checks = [
        Check(name="num_rows", stage="ingest", outcome="pass", why="Enough."),
        Check(name="beats_linear", stage="evaluate", outcome="warn", why="No.", remedy="More."),
        Check(name="compression", stage="evaluate", outcome="refuse", why="[red]", remedy="Look."),
    ]
    found = lines(decision("refused", checks=checks))
    assert found[0] == "REFUSED: shop"
    assert found[2:7] == [
        "  refuse: evaluate/compression", "    [red]", "    to do: Look.",
        "  warn: evaluate/beats_linear", "    No.",
    ]  # fmt: skip
    assert "num_rows" not in "\n".join(found)


def test_a_file_gets_plain_lines_and_a_terminal_a_bar(monkeypatch):
    import io
    import logging

    from penstock.adapters import terminal

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    shown = {}
    for place in (io.StringIO(), Terminal()):
        handler = terminal.handler(place)
        log = logging.Logger("penstock")
        log.addHandler(handler)
        log.info("fit: 1 of 3, note", extra={"progress": ("fit", 1, 3, "[b]2 s left")})
        log.info("fit: 3 of 3", extra={"progress": ("fit", 3, 3, "")})
        log.info("fit: 4.0 s")
        handler.close()
        shown[type(place)] = place.getvalue()
    assert shown[io.StringIO] == "fit: 1 of 3, note\nfit: 3 of 3\nfit: 4.0 s\n"
    assert "3 of 3" in shown[Terminal]
    assert "━" in shown[Terminal]
    assert "fit: 4.0 s" in shown[Terminal]
