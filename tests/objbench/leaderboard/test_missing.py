"""Missing, failed, diverged and stale cells are named, and one failure is read as one."""

from objbench.leaderboard.missing import gaps, gaps_sentence, gaps_table, stale_table
from objbench.leaderboard.terminal import terminal_summary
from objbench.results.study_results import join


def standing_of(study):
    return join(study.plan, study.records.values())


def test_a_complete_study_has_no_gaps(make_study):
    results = standing_of(make_study())
    assert gaps(results) == ()
    assert (gaps_table(results), stale_table(results), gaps_sentence(results)) == ("", "", "")


def test_a_diverged_run_explains_what_waits_for_it(make_study):
    study = make_study()
    study.change("taco.seed-2", status="diverged", reason="the loss is nan at step 17")
    for cell in study.plan.cells:
        if cell.kind != "pretrain" and (cell.objective, cell.seed) == ("taco", 2):
            del study.records[cell.id]
    found = gaps(standing_of(study))
    assert [(gap.what, gap.state, gap.cells) for gap in found] == [
        ("pretraining", "diverged", 1),
        ("glue", "missing", 12),
        ("convergence", "missing", 1),
    ]
    assert found[0].reason == "the loss is nan at step 17"
    assert {gap.reason for gap in found[1:]} == {"needs taco.seed-2, which diverged"}
    assert found[1].tasks == ("cola", "mrpc", "mnli")
    text = gaps_sentence(standing_of(study))
    assert text == "Incomplete: of 56 cells, 1 diverged and 13 missing."


def test_a_reason_cannot_break_the_table(make_study):
    study = make_study()
    study.change("mlm.seed-1", status="failed", reason="a | b\n<script>")
    rows = gaps_table(standing_of(study)).splitlines()
    assert len(rows) == 3
    assert r"a \| b &lt;script&gt;" in rows[2]


def test_a_record_with_another_key_is_stale_and_not_counted(make_study):
    study = make_study()
    study.change("mlm.seed-1", key="older")
    results = standing_of(study)
    assert [record.id for record in results.stale] == ["mlm.seed-1"]
    assert "mlm.seed-1" not in results.records
    assert "pretraining" in stale_table(results)
    assert "Not counted: 1 stale record." in gaps_sentence(results)


def test_the_terminal_shows_ranking_verdict_and_place(make_study, tmp_path):
    page = tmp_path / "leaderboard" / "README.md"
    text = terminal_summary(standing_of(make_study()), page)
    assert "52.00 (51.00 to 53.00)" in text
    assert "2 pretraining seeds carry no interval" in text
    assert text.endswith(f"Leaderboard: {page}\n")
    assert max(map(len, text.split("\n\n")[0].splitlines())) <= 120


def test_the_terminal_does_not_rank_what_is_incomplete(make_study):
    study = make_study()
    del study.records["glue.mnli.taco.seed-1.3of3.ft-0"]
    text = terminal_summary(standing_of(study))
    row = next(line for line in text.splitlines() if " taco " in line)
    assert row.split()[:3] == ["-", "taco", "-"]
