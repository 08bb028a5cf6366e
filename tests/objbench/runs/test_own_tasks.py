"""A study with tasks of one's own: from the file to records with floors, and the page."""

import json

import pytest

from objbench.judge.floors import floor_scores
from objbench.leaderboard.data_frames import read_results
from objbench.results.run_folder import RunFolder

TASKS = """
[tasks.mood]
kind = "classification"
train = "mood.jsonl"
share = 0.25
text = "said"
label = "meant"
metric = "matthews_correlation"

[tasks.likeness]
kind = "pair"
train = "pairs.jsonl"
evaluation = "pairs-dev.jsonl"
text = ["one", "other"]
label = "grade"
metric = ["pearson", "spearmanr"]
"""
WORDS = ["so", "gimo", "is", "mebo", "dani", "ketu"]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")

    def put(name, rows):
        (folder / name).write_text("\n".join(json.dumps(row) for row in rows))

    def text(number):
        return f"{WORDS[number % 6]} {WORDS[number // 6 % 6]} {number}"

    put("mood.jsonl", [{"said": text(n), "meant": "<b>&" if n % 2 else "x"} for n in range(60)])
    for start, name in ((0, "pairs.jsonl"), (40, "pairs-dev.jsonl")):
        span = range(start, start + 30)
        put(name, [{"one": text(n), "other": text(n + 1), "grade": n % 5} for n in span])
    (folder / "tasks.toml").write_text(TASKS)
    return folder / "tasks.toml"


@pytest.fixture(scope="module")
def finished(make_study, run, tasks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "own"
    study = make_study(
        evaluation={"suites": ["tasks", "tasks_probe"], "points": 1, "heldout_batches": 1},
        options={
            "tasks": {"file": str(tasks), "epochs": 1},
            "tasks_probe": {"file": str(tasks)},
        },
    )
    return folder, run(study, folder), study


def test_every_task_has_its_scores_floors_and_examples(finished):
    folder, end, _ = finished
    assert end.exit_code == 0
    results = read_results(folder)
    plan = results.study.plan
    assert [suite.name for suite in plan.suites] == ["tasks", "tasks_probe"]
    for suite in plan.suites:
        assert suite.average_label == "mean of 2 tasks"
        assert "mood: matthews_correlation, 2 classes, 45 to train on, 15 scored" in suite.protocol
        found = floor_scores(results.study, suite, "mlm")
        assert set(found) == {"untrained", "majority", "bag-of-words"}
    scores = results.scores().to_frame()
    assert set(scores["column"]) == {"mood", "likeness"}
    assert scores["value"].notna().all()
    for record in RunFolder(folder).read_records():
        if record.kind in ("evaluation", "floor"):
            assert set(record.examples) == {record.task}


def test_claims_are_judged_by_them_too(finished):
    """With one seed nothing follows, as from any score."""
    verdicts = read_results(finished[0]).verdicts().to_frame()
    own = verdicts[verdicts["score"].isin(["tasks", "tasks_probe"])]
    assert set(own["score"]) == {"tasks", "tasks_probe"}
    assert set(own["verdict"]) == {"inconclusive"}


def test_the_page_has_them(finished, page_of):
    page = page_of(finished[0])
    assert "likeness" in page and "tasks_probe" in page
    assert "majority" in page


def test_only_the_cells_of_a_changed_file_run_again(finished, run, tasks):
    folder, _, study = finished
    before = {cell.id: cell.key for cell in RunFolder(folder).read_plan().cells}
    path = tasks.parent / "pairs-dev.jsonl"
    path.write_text(path.read_text().replace('"grade": 4', '"grade": 3'))
    assert run(study, folder).exit_code == 0
    after = {cell.id: cell.key for cell in RunFolder(folder).read_plan().cells}
    changed = {name for name, key in after.items() if before[name] != key}
    assert changed == {name for name in after if ".likeness." in name}
