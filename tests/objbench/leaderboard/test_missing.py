"""Missing, failed, diverged and stale cells are named, and one failure is read as one."""

from objbench.leaderboard.missing import gaps_sentence
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.tables.settings import gaps_table, stale_table
from objbench.leaderboard.terminal import terminal_summary


def sentence(report):
    return gaps_sentence(len(report.plan.cells), report.gaps, report.stale)


def test_a_complete_study_has_no_gaps(make_study, report_of):
    report = report_of(make_study())
    assert report.gaps == ()
    assert (gaps_table(report.gaps), stale_table(report.stale), sentence(report)) == ([], [], "")


def test_a_diverged_run_explains_what_waits_for_it(make_study, report_of):
    study = make_study()
    study.change("taco.seed-2", status="diverged", reason="the loss is nan at step 17")
    for cell in study.plan.cells:
        if cell.kind != "pretrain" and (cell.objective, cell.seed) == ("taco", 2):
            del study.records[cell.id]
    report = report_of(study)
    found = report.gaps
    assert [(gap.what, gap.state, gap.cells) for gap in found] == [
        ("pretraining", "diverged", 1),
        ("glue", "missing", 12),
        ("convergence", "missing", 1),
    ]
    assert found[0].reason == "the loss is nan at step 17"
    assert {gap.reason for gap in found[1:]} == {"needs taco.seed-2, which diverged"}
    assert found[1].tasks == ("cola", "mrpc", "mnli")
    assert sentence(report) == "Incomplete: of 56 cells, 1 diverged and 13 missing."


def test_floors_that_have_not_run_are_named_as_that(make_study, report_of):
    study = make_study(floors={"majority": 30, "untrained": 10})
    study.change("glue.cola.floor-majority.ft-0", status="failed", reason="no such file")
    del study.records["glue.mrpc.floor-untrained.mlm.seed-2.ft-0"]
    stale = study.records["glue.mnli.floor-majority.ft-0"]
    study.records["older"] = stale.model_copy(update={"key": "01de4"})
    report = report_of(study)
    assert [(gap.what, gap.seed, gap.tasks, gap.reason) for gap in report.gaps] == [
        ("floors of glue", 1, ("cola",), "no such file"),
        ("floors of glue", 2, ("mrpc",), "not run yet"),
    ]
    assert [(item.what, item.records) for item in report.stale] == [("floors of glue", 1)]


def test_a_reason_cannot_break_the_table(make_study, report_of, rows):
    study = make_study()
    study.change("mlm.seed-1", status="failed", reason="a | b\n<script>")
    (table,) = gaps_table(report_of(study).gaps)
    assert r"| a \| b &lt;script&gt; |" in render_markdown([table])
    assert len(table.rows) == 1


def test_a_record_with_another_key_is_stale_and_not_counted(make_study, report_of, rows):
    study = make_study()
    study.change("mlm.seed-1", key="older")
    report = report_of(study)
    (table,) = stale_table(report.stale)
    assert rows(table) == [{"what": "pretraining", "objective": "mlm", "seed": "1", "records": "1"}]
    assert report.costs[0].seeds == 1
    assert "Not counted: 1 stale record." in sentence(report)


def test_the_terminal_shows_headline_ranking_and_verdicts(make_study, report_of):
    text = terminal_summary(report_of(make_study()))
    setting = "preset tiny, corpus toy, 1.23M parameters and 2.46M tokens"
    assert text.startswith(f"taco against mlm at equal FLOPs, {setting}, 2")
    assert "because 2 seeds give no confidence interval" in text
    row = next(line for line in text.splitlines() if line.startswith("1    taco"))
    assert row.split()[2:4] == ["52.00", "+2.50"]
    assert "* taco-2022 gain, by glue score: inconclusive at 1.23M parameters" in text
    tables = text.split("\n* ")[0]
    assert max(map(len, tables.splitlines()[1:])) <= 120


def test_the_terminal_does_not_rank_what_is_incomplete(make_study, report_of):
    study = make_study()
    del study.records["glue.mnli.taco.seed-1.3of3.ft-0"]
    text = terminal_summary(report_of(study))
    row = next(line for line in text.splitlines() if line.startswith("-    taco"))
    assert row.split()[2:] == ["-", "-", "-"]
    assert "* Not ranked on glue: taco (1 evaluation of 12 not there)." in text
