"""The leaderboard's folder: what it holds, byte for byte, and what it refuses.

Studies of one point have no pictures, which take longer than all the rest.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from objbench.errors import ConfigError, RecordError
from objbench.leaderboard.details import NOT_MEASURED
from objbench.leaderboard.page import MARK, write_leaderboard
from objbench.leaderboard.render_markdown import render_markdown
from objbench.leaderboard.sections import page_document
from objbench.results.run_folder import RunFolder
from objbench.results.step_comparison import ComparedStep, StepComparison
from objbench.results.step_cost import StepCost
from objbench.results.study_results import read_study_results

GOLDEN = Path(__file__).parents[2] / "data" / "leaderboard.md"


def test_the_page_is_the_golden_page(make_study, tmp_path, monkeypatch):
    # The judge's published rates are not this page's own.
    monkeypatch.setattr("objbench.leaderboard.analysis.read_rates", lambda: None)
    study = make_study()
    study.change("taco.seed-2", status="diverged", reason="loss is nan\nat step 17 | of 900")
    for cell in study.plan.cells:
        if (
            cell.kind != "pretrain"
            and cell.share == 1
            and (cell.objective, cell.seed) == ("taco", 2)
        ):
            del study.records[cell.id]
    study.records["older"] = study.records["mlm.seed-1"].model_copy(update={"key": "01de4"})
    page = write_leaderboard(study.write(tmp_path / "run"), tmp_path / "out")
    text = page.read_text()
    assert text == GOLDEN.read_text(), f"if the change is wanted, copy {page} to {GOLDEN}"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_same_records_same_bytes_in_any_order(make_study, tmp_path):
    # Four seeds, so that there are intervals and bootstrap draws.
    study = make_study(seeds=(1, 2, 3, 4), trials=2)
    folders = []
    for name, order in (("a", sorted), ("b", lambda ids: sorted(ids, reverse=True))):
        run = study.write(tmp_path / name, order)
        folders.append(write_leaderboard(run, run / "leaderboard").parent)
    first, second = folders
    before = contents(first)
    assert len(before) == 5
    assert before == contents(second)
    write_leaderboard(first.parent, first)
    assert contents(first) == before


def test_one_minute_first_then_details(make_study, tmp_path):
    study = make_study(seeds=(1, 2, 3, 4), trials=2, schedule="trunk", declared=((1, 2, 3), (4,)))
    text = write_leaderboard(study.write(tmp_path / "run"), tmp_path / "out").read_text()
    lines = text.splitlines()
    assert [line for line in lines if re.match("#{1,3} ", line)] == [
        "# Leaderboard: made-up",
        "## Verdicts on papers' claims",
        "## Curves: glue score",
        "## Ranking",
        "### glue: mean of three tasks, higher is better",
        "## Details",
    ]
    assert re.findall("<summary>(.*)</summary>", text) == [
        "What the numbers show, and what they do not",
        "glue: protocol and columns",
        "glue: the score of every seed",
        "glue: the gain on each column",
        "Curves: glue score",
        "Speedup to each glue score of mlm",
        "Curves: held-out mlm loss",
        "Speedup to each held-out mlm loss of mlm",
        "Cost of pretraining",
        "Cost of an optimizer step",
        "Loss on held-out text",
        "How to read this page",
        "Settings",
        "Tuning trials",
        "Every setting",
        "What was not run",
    ]
    assert lines[4] == (
        "**taco against mlm at equal FLOPs, preset tiny, corpus toy, 1.23M parameters and 2.46M "
        "tokens, 4 seeds: nothing may be concluded, because it is not known whether the runs learnt "
        "or what glue would give without pretraining.**"
    )
    assert "Seeds: 1, 2, 3 declared first; 4 added later." in text
    assert "Every point is a finished model: a branch of its own, cooled down over 10%" in text
    assert "unfinished" not in text
    assert "Every planned cell was run." in text
    # Alone the gain is significant at 5%, and not where a seed was added after a first look.
    assert "Seeds were added to the 3 declared: whatever is called different is so at a " in text
    # One row says rank, score, gain, how often it is better, rank interval and group.
    row = next(line for line in lines if line.startswith("| 1   | taco"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(" | ".join(cells)) <= 100
    assert cells == [
        "1",
        "taco",
        "54.00 [49.89, 58.11]",
        "+3.50 [+1.45, +5.55]",
        "4 of 4 [40%, 100%]",
        "1 to 2",
        "a",
    ]


def test_one_notation_for_numbers(make_study, tmp_path):
    for seeds in ((1, 2), (1, 2, 3, 4)):
        run = make_study(seeds=seeds, trials=2).write(tmp_path / f"run-{len(seeds)}")
        text = write_leaderboard(run, tmp_path / "out").read_text()
        assert "±" not in text
        assert "less than" not in text.replace("less than half", "")


def test_unfinished_points_are_said_in_words(make_study, tmp_path):
    text = write_leaderboard(make_study().write(tmp_path / "run"), tmp_path / "out").read_text()
    assert "unfinished models, whose learning rate has not yet decayed (linear schedule)" in text
    assert "Before the last point of a curve the learning rate has not yet decayed" in text


def test_the_comparison_of_steps_has_a_section_and_is_copied(make_study, tmp_path):
    run = make_study(points=1).write(tmp_path / "run")
    page = write_leaderboard(run, tmp_path / "out", with_records=True)
    assert NOT_MEASURED in page.read_text()
    cost = {"seconds": 0.25, "shortest": 0.2, "longest": 0.3, "flops": 3e9, "peak_memory": 2**20}
    steps = tuple(
        ComparedStep(objective=name, **cost, memory_kind="live tensors") for name in ("mlm", "taco")
    )
    made = make_study(points=1).records["mlm.seed-1"].provenance
    keys = {"mlm": "1" * 64, "taco": "2" * 64}
    comparison = StepComparison(
        baseline="mlm", objectives=steps, repetitions=7, cost_keys=keys, provenance=made
    )
    RunFolder(run).write_step_comparison(comparison)
    page = write_leaderboard(run, tmp_path / "out", with_records=True)
    text = page.read_text()
    assert NOT_MEASURED not in text
    assert "250 ms (1.00x)" in text
    assert write_leaderboard(page.parent, page.parent).read_text() == text
    RunFolder(run).write_step_comparison(None)
    write_leaderboard(run, tmp_path / "out", with_records=True)
    assert RunFolder(tmp_path / "out").read_step_comparison() is None


def test_the_reference_lines_are_copied_and_do_not_outlive_their_run(make_study, tmp_path):
    study = make_study(points=1)
    study.measure_learning()
    run = study.write(tmp_path / "run")
    write_leaderboard(run, tmp_path / "out", with_records=True)
    published = RunFolder(tmp_path / "out").read_reference_lines()
    assert published == study.lines
    assert read_study_results(tmp_path / "out").lines == published
    RunFolder(run).write_reference_lines(None)
    write_leaderboard(run, tmp_path / "out", with_records=True)
    assert RunFolder(tmp_path / "out").read_reference_lines() is None


def test_no_path_or_date_of_this_machine_in_the_files(make_study, tmp_path):
    page = write_leaderboard(make_study().write(tmp_path / "run"), tmp_path / "out")
    paths = sorted(page.parent.iterdir())
    assert [path.name for path in paths] == [
        "README.md",
        "convergence-glue.svg",
        "convergence-heldout-mlm.svg",
        "speedup-glue.svg",
        "speedup-heldout-mlm.svg",
    ]
    for path in paths:
        assert str(tmp_path) not in path.read_text()
        assert "2026-01-01T" not in path.read_text()
        assert "<dc:date>" not in path.read_text()


def test_a_copy_with_its_records_makes_the_same_page(make_study, tmp_path):
    study = make_study(points=1)
    run = study.write(tmp_path / "run")
    stale = study.records["mlm.seed-1"].model_copy(update={"key": "01de4"})
    study.records["older"] = stale
    study.write(run)
    page = write_leaderboard(run, tmp_path / "published", with_records=True)
    text = page.read_text()
    assert "01de4" not in (page.parent / "pretrain.jsonl").read_text()
    assert not (page.parent / "records").exists()
    again = write_leaderboard(page.parent, page.parent)
    assert again == page
    assert page.read_text() == text


def test_publishing_again_drops_copies_that_went_stale(make_study, tmp_path):
    study = make_study(points=1)
    page = write_leaderboard(study.write(tmp_path / "run"), tmp_path / "out", with_records=True)
    before = contents(page.parent)
    left = page.parent / "records" / "pretrain" / "mlm.seed-1.01de4.json"
    left.parent.mkdir(parents=True)
    left.write_text(json.dumps({}))
    (page.parent / "trial.jsonl").write_text("{}\n")
    write_leaderboard(tmp_path / "run", page.parent, with_records=True)
    assert contents(page.parent) == before


def test_records_are_not_copied_into_another_run(make_study, tmp_path):
    run = make_study(points=1).write(tmp_path / "run")
    other = make_study(seeds=(7,), points=1).write(tmp_path / "other")
    before = (other / "plan.json").read_bytes()
    with pytest.raises(ConfigError, match="another run"):
        write_leaderboard(run, other, with_records=True)
    assert (other / "plan.json").read_bytes() == before
    assert not (other / "README.md").exists()


def test_a_run_that_keeps_its_page_beside_its_records_is_not_overwritten(make_study, tmp_path):
    run = make_study(points=1).write(tmp_path / "run")
    other = make_study(seeds=(7,), points=1).write(tmp_path / "other")
    RunFolder(other).write_cost("mlm", "ab", StepCost(tokens=1.0, flops=1.0))
    write_leaderboard(other, other)
    before = sorted(other.rglob("*"))
    with pytest.raises(ConfigError, match="another run"):
        write_leaderboard(run, other, with_records=True)
    assert sorted(other.rglob("*")) == before


def test_one_point_draws_no_picture_and_removes_an_older_one(make_study, tmp_path):
    out = tmp_path / "out"
    write_leaderboard(make_study().write(tmp_path / "three"), out)
    assert len(list(out.glob("*.svg"))) == 4
    (out / "mine.svg").write_text("")
    page = write_leaderboard(make_study(points=1).write(tmp_path / "one"), out)
    assert "no curve to draw" in page.read_text()
    assert ".svg" not in page.read_text()
    assert [path.name for path in out.glob("*.svg")] == ["mine.svg"]


def test_a_study_that_has_not_begun_has_a_page(make_study, tmp_path):
    study = make_study()
    study.records.clear()
    text = write_leaderboard(study.write(tmp_path), tmp_path / "leaderboard").read_text()
    assert MARK in text
    assert "not run yet" in text
    assert not re.search(r"\bnan\b", text)


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b'{"kind": "pretrain"}', b"[]"])
def test_a_corrupted_record_is_one_line(make_study, tmp_path, content):
    run = make_study().write(tmp_path)
    path = next((run / "records" / "evaluation").glob("*.json"))
    path.write_bytes(content)
    with pytest.raises(RecordError) as caught:
        write_leaderboard(run, tmp_path / "out")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_plan_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"plan\.json"):
        write_leaderboard(tmp_path, tmp_path / "out")


def test_an_unwritable_folder_is_named(make_study, tmp_path):
    (tmp_path / "file").write_text("")
    run = make_study(points=1).write(tmp_path / "run")
    with pytest.raises(ConfigError, match="--out"):
        write_leaderboard(run, tmp_path / "file" / "out")


def test_the_leaderboard_loads_no_torch():
    code = (
        "import sys, objbench.leaderboard.page, objbench.leaderboard.terminal; "
        "print([m for m in ('torch', 'transformers', 'datasets', 'accelerate', 'objbench.plugins.registry')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pretraining_at_different_times_is_said(make_study, tmp_path):
    study = make_study(points=1)
    page = write_leaderboard(study.write(tmp_path / "together"), tmp_path / "one")
    assert "at the same time as" not in page.read_text()
    times = {"started": "2026-01-01T00:01:00+00:00", "finished": "2026-01-01T00:02:00+00:00"}
    later = study.records["taco.seed-1"].provenance.model_copy(update=times)
    study.change("taco.seed-1", provenance=later)
    page = write_leaderboard(study.write(tmp_path / "apart"), tmp_path / "two")
    assert "Not trained at the same time as mlm: taco." in page.read_text()


@pytest.mark.parametrize(
    ("engine", "warmup", "wanted"),
    [
        (4, 0.9, "left the trunk during the warm-up and cooled down from below the peak rate"),
        (4, 0.0, ""),
        (5, 0.9, "a point that would leave the trunk during these is a run of its own"),
    ],
)
def test_what_the_points_of_a_trunk_share_is_said(make_study, report_of, engine, warmup, wanted):
    study = make_study()
    training = {"schedule": "trunk", "cooldown": 0.1, "warmup": warmup}
    settings = {**study.plan.study, "training": {**study.plan.study["training"], **training}}
    study.plan = study.plan.model_copy(update={"study": settings, "engine_version": engine})
    text = render_markdown(page_document(report_of(study)))
    assert "Every point is a finished model" in text
    assert (wanted in text) if wanted else ("leave the trunk" not in text and "left" not in text)


def test_notes_by_hand_are_linked_under_the_headline(make_study, report_of):
    report = report_of(make_study())
    lines = render_markdown(page_document(report, notes="NOTES.md")).splitlines()
    assert "Notes: [NOTES.md](NOTES.md)." in lines[:12]
    assert "Notes: [" not in render_markdown(page_document(report))


def test_a_split_that_is_cut_is_said_to_be_not_the_official_one(make_study, report_of):
    study = make_study()
    for cell_id, record in list(study.records.items()):
        if record.kind == "evaluation" and record.task == "mrpc":
            sizes = {"train_examples": 1000, "eval_examples": {"mrpc": 300}}
            official = {"train": 3668, "mrpc": 408}
            study.change(cell_id, official_examples=official, **sizes)
    said = "Not on all official examples: glue mrpc (training) 1,000 of 3,668 and glue mrpc 300 of 408,"
    assert any(text.startswith(said) for text in report_of(study).caveats)
    assert not any("official" in text for text in report_of(make_study()).caveats)
