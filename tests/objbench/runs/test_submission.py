"""From a run folder to a verified study on a board, as a stranger and a receiver would go."""

import shutil
from dataclasses import replace

import pytest

from objbench.cli.main import main
from objbench.errors import ConfigError
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import read_study_results
from objbench.results.submissions.marks import RERUNS, read_marks
from objbench.results.submissions.sealed_study import write_submission
from objbench.results.submissions.statement import statement_of
from objbench.runs.planning.drawn_cells import drawn_cells, with_needs
from objbench.runs.planning.replanned import replanned
from objbench.runs.submission import check_submission, make_submission, registry_of

ON_THE_WAY = "toy.polarity.mlm.seed-0.50pct.ft-0"


@pytest.fixture(scope="module")
def finished(make_study, run, tmp_path_factory):
    """The folder of a finished study."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    assert run(make_study(), folder).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def sent(finished, tmp_path_factory):
    """What its owner sends."""
    out = tmp_path_factory.mktemp("sent") / "result"
    found = make_submission(finished, out, "A. Reader")
    assert (found.faults, found.unchecked) == ([], [])
    assert found.keys == len(found.results.plan.cells)
    return out


@pytest.fixture(scope="module")
def study(sent):
    return read_study_results(sent)


@pytest.fixture
def forged(study, tmp_path):
    """(records, plan fields) -> the folder of the study with these, all seals in order."""

    def write(records=None, **plan):
        out = tmp_path / "forged"
        out.mkdir()
        changed = replace(
            study,
            plan=study.plan.model_copy(update=plan),
            records=study.records if records is None else records,
        )
        write_submission(out, changed, statement_of(changed, {}), {})
        return out

    return write


def faults(folder):
    return check_submission(folder, {}).faults


def test_only_whole_studies_are_sent_and_no_folder_is_replaced(finished, sent, tmp_path):
    with pytest.raises(ConfigError, match="is there already"):
        make_submission(finished, sent)
    copy = shutil.copytree(finished, tmp_path / "copy")
    next(copy.glob("records/evaluation/*")).unlink()
    with pytest.raises(ConfigError, match=r"is not finished .*there is no record of it"):
        make_submission(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_records_that_are_left_out_are_named(finished, tmp_path):
    copy = shutil.copytree(finished, tmp_path / "copy")
    folder = RunFolder(copy)
    old = folder.read_records()[0].model_copy(update={"key": "0" * 64})
    folder.write_record(old)
    found = make_submission(copy, tmp_path / "out")
    (left_out,) = found.statement.left_out
    assert (left_out.kind, left_out.id, left_out.key) == (old.kind, old.id, old.key)


def test_a_cell_that_is_left_out_of_plan_and_records_is_missed(study, forged):
    cells = tuple(cell for cell in study.plan.cells if cell.id != ON_THE_WAY)
    cells = tuple(
        cell.model_copy(update={"needs": tuple(n for n in cell.needs if n != ON_THE_WAY)})
        for cell in cells
    )
    keys = {cell.id: cell.key for cell in cells}
    records = {n: r for n, r in study.records.items() if n != ON_THE_WAY}
    for cell in cells:
        if cell.kind == "curve":
            up = [keys[need] for need in cell.needs]
            records[cell.id] = records[cell.id].model_copy(update={"upstream": up})
    found = faults(forged(records, cells=cells))
    assert f"plan.json: the cell {ON_THE_WAY} of its study is left out" in found


def in_study(plan, place, value):
    """A plan's study with another value at ``place``."""
    section, name = place
    return {**plan.study, section: {**plan.study[section], name: value}}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("training", "learning_rate"), 2e-3),
        (("evaluation", "max_train_samples"), 31),
        (("data", "length"), 15),
        (("encoder", "model_type"), "modernbert"),
    ],
)
def test_settings_that_were_changed_give_other_keys(study, forged, place, value):
    assert faults(forged(study=in_study(study.plan, place, value)))


def test_steps_that_the_budget_does_not_give_are_found(study, forged):
    """The candidate's step is said to cost half, as if it had had twice the steps."""
    plan = study.plan
    objectives = tuple(
        o.model_copy(update={"flops_per_step": 0.5 * o.flops_per_step}) if o.name == "taco" else o
        for o in plan.objectives
    )
    assert any(
        "is not what" in fault or "budget" in fault
        for fault in faults(forged(objectives=objectives))
    )


def test_a_text_of_another_key_gives_other_keys(study, forged):
    found = faults(forged(data={**study.plan.data, "key": "0" * 64}))
    assert any("its key is not what the plan's settings give" in fault for fault in found)


def test_what_cannot_be_made_again_is_said(study):
    plan, registry = study.plan, registry_of(study.plan)
    other = plan.model_copy(update={"engine_version": 1})
    found = replanned(other, study.records, registry, {})
    assert (found.faults, found.cells) == ([], set())
    assert found.unchecked[0].startswith("no key: the study was run by engine version 1")
    # A suite of another source: the pretrainings' keys are made again nevertheless.
    records = {
        n: r.model_copy(update={"plugin": r.plugin.model_copy(update={"source": "0" * 64})})
        if r.plugin.name == "toy"
        else r
        for n, r in study.records.items()
    }
    found = replanned(plan, records, registry, {})
    assert found.faults == []
    assert found.cells == {cell.id for cell in plan.cells if cell.kind == "pretrain"}
    assert any("the keys of toy: its source is 000000000000" in why for why in found.unchecked)
    assert any("the keys of convergence" in why for why in found.unchecked)


def test_no_path_of_a_stranger_is_opened(study, tmp_path):
    elsewhere = tmp_path / "not-there"
    options = {**study.plan.study["options"]}
    options["toy"] = {**options["toy"], "protocol": str(elsewhere)}
    plan = study.plan.model_copy(update={"study": {**study.plan.study, "options": options}})
    found = replanned(plan, study.records, registry_of(plan), {})
    assert any("--set toy.protocol=DIR" in why for why in found.unchecked)


def test_cells_are_drawn_by_what_the_sender_cannot_choose(study):
    drawn = drawn_cells(study, "d", "n", 2)
    assert drawn == drawn_cells(study, "d", "n", 2)
    # Both pretrainings before a second evaluation of one of them.
    assert {cell.needs[0] for cell in drawn} == {"mlm.seed-0", "taco.seed-0"}
    assert len(drawn_cells(study, "d", "n", 99)) == 4
    orders = {tuple(c.id for c in drawn_cells(study, "d", str(n), 2)) for n in range(40)}
    assert len(orders) == 8
    assert {tuple(c.id for c in drawn_cells(study, str(n), "n", 2)) for n in range(40)} == orders
    assert [c.id for c in with_needs(study, drawn[:1])] == [drawn[0].needs[0], drawn[0].id]


@pytest.fixture(scope="module")
def board(sent, tmp_path_factory):
    """A board on which what was sent has been accepted."""
    folder = tmp_path_factory.mktemp("board") / "leaderboard"
    assert main(["accept", str(sent), "--board", str(folder)]) == 0
    return folder


@pytest.fixture
def again(corpus, cache, tmp_path):
    """(study on a board, *flags) -> exit code of its rerun."""

    def rerun(study, *flags):
        where = ["--corpus", str(corpus), "--cache", str(cache), "--out", str(tmp_path / "again")]
        return main(["rerun", str(study), *where, "--device", "cpu", *flags])

    return rerun


def test_an_accepted_study_is_unverified_until_its_cells_agree(board, again, sent, capsys):
    there = board / "mine"
    page = (there / "README.md").read_text()
    assert page.index("Not verified: nobody but its sender") < page.index("taco against mlm")
    assert "Sent in by A. Reader; received 20" in page
    assert "Not verified: nobody but its sender" in (there / "index.html").read_text()
    assert "sent by A. Reader, unverified" in (board / "README.md").read_text()
    assert main(["accept", str(sent), "--board", str(board)]) == 2
    assert "was accepted before" in capsys.readouterr().err

    assert again(there, "--cells", "1", "--seed", "first") == 0
    (rerun,) = read_marks(there).reruns
    assert rerun.like_there
    assert rerun.agrees
    assert [cell.drawn for cell in rerun.cells] == [False, True]
    assert all(cell.numbers == cell.equal > 3 for cell in rerun.cells)
    assert "Verified on a sample" in (there / "README.md").read_text()
    assert "sent by A. Reader, verified on a sample" in (board / "README.md").read_text()
    # What is published from the board keeps its marks.
    copy = board.parent / "copy"
    assert main(["leaderboard", str(there), "--out", str(copy), "--with-records"]) == 0
    assert read_marks(copy) == read_marks(there)
    assert "Verified on a sample" in (copy / "README.md").read_text()


def test_a_number_that_was_made_up_is_found_by_running_it_again(study, forged, again, tmp_path):
    record = study.records["mlm.seed-0"]
    better = [
        point.model_copy(
            update={"heldout": {name: loss - 1e-6 for name, loss in point.heldout.items()}}
        )
        for point in record.points
    ]
    folder = forged(study.records | {"mlm.seed-0": record.model_copy(update={"points": better})})
    board = tmp_path / "board"
    assert main(["accept", str(folder), "--board", str(board), "--name", "forged"]) == 0
    assert again(board / "forged", "--cells", "2") == 1
    marks = read_marks(board / "forged")
    assert marks.standing == "differs"
    text = (board / "forged" / "README.md").read_text()
    assert "Not reproduced: of the cells that were run again, some differ." in text
    assert "mlm.seed-0 (needed): differs in held-out loss at step 3" in text
    assert "differs when run again" in (board / "README.md").read_text()
    # The mark is of these records alone.
    reruns = board / "forged" / RERUNS
    reruns.write_text(reruns.read_text().replace('"differences"', '"differencez"', 1))
    assert main(["leaderboard", str(board / "forged"), "--out", str(tmp_path / "page")]) == 2


def test_a_study_is_not_run_again_with_another_text(board, cache, tmp_path, capsys):
    there = board / "mine"
    assert main(["rerun", str(there), "--out", str(tmp_path / "r"), "--cache", str(cache)]) == 2
    assert "name the same corpus here with --corpus" in capsys.readouterr().err
    other = ["--corpus", "toy", "--out", str(tmp_path / "r"), "--cache", str(cache)]
    assert main(["rerun", str(there), *other]) == 2
    assert "the text here is not the text of the study" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
