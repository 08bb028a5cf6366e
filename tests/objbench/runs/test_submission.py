"""From a run folder to a verified study on a board, as a stranger and a receiver would go."""

import shutil
import sys
import textwrap
from dataclasses import replace

import pytest

from objbench.cli.main import main
from objbench.engine import ENGINE_VERSION
from objbench.errors import ConfigError
from objbench.plugins.loading import load_plugins
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import read_study_results
from objbench.results.submissions.marks import RERUNS, read_marks
from objbench.results.submissions.sealed_study import write_submission
from objbench.results.submissions.statement import statement_of
from objbench.runs.planning.drawn_cells import drawn_cells, with_needs
from objbench.runs.planning.replanned import replanned
from objbench.runs.submission import check_submission, make_submission, registry_of
from objbench.study.tuning import TuningSection

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

    def write(records=None, lines=study.lines, **plan):
        out = tmp_path / "forged"
        out.mkdir()
        changed = replace(
            study,
            plan=study.plan.model_copy(update=plan),
            records=study.records if records is None else records,
            lines=lines,
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


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (("evaluation", "suites"), ["glue", "convergence"], "its suites are not"),
        (("evaluation", "suites"), ["toy"], "its suites are not"),
        (("overrides", "taco"), {"training.learning_rate": 1e-4}, "the overrides of taco are not"),
    ],
)
@pytest.mark.parametrize("version", [ENGINE_VERSION, ENGINE_VERSION - 1])
def test_what_a_plan_says_twice_is_compared(study, place, value, fault, version):
    """Also where no key can be made again."""
    plan = study.plan.model_copy(
        update={"study": in_study(study.plan, place, value), "engine_version": version}
    )
    found = replanned(replace(study, plan=plan), registry_of(plan), {})
    assert [f"plan.json: {fault} those of its study"] == found.faults


def test_looks_of_a_plan_are_those_of_its_study_where_it_has_some(study):
    registry = registry_of(study.plan)
    for looks, of_study, faults in (
        ((3, 5), [3, 5], []),
        # The command that came last did not repeat them.
        ((3, 5), [], []),
        ((3, 6), [3, 5], ["plan.json: its looks are not those of its study"]),
        ((), [3, 5], ["plan.json: its looks are not those of its study"]),
    ):
        settings = {**study.plan.study, "looks": of_study}
        plan = study.plan.model_copy(update={"study": settings, "looks": looks})
        assert replanned(replace(study, plan=plan), registry, {}).faults == faults


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
    found = faults(forged(data={**study.plan.data, "key": "0" * 64}, lines=None))
    assert any("its key is not what the plan's settings give" in fault for fault in found)


def test_what_cannot_be_made_again_is_said(study):
    plan, registry = study.plan, registry_of(study.plan)
    other = plan.model_copy(update={"engine_version": 1})
    found = replanned(replace(study, plan=other), registry, {})
    assert (found.faults, found.cells) == ([], set())
    assert found.unchecked[0].startswith("no key: the study was run by engine version 1")
    # A suite of another source: the pretrainings' keys are made again nevertheless.
    records = {
        n: r.model_copy(update={"plugin": r.plugin.model_copy(update={"source": "0" * 64})})
        if r.plugin.name == "toy"
        else r
        for n, r in study.records.items()
    }
    found = replanned(replace(study, records=records), registry, {})
    assert found.faults == []
    assert found.cells == {cell.id for cell in plan.cells if cell.kind == "pretrain"}
    assert any("the keys of toy: its source is 000000000000" in why for why in found.unchecked)
    assert any("the keys of convergence" in why for why in found.unchecked)


def test_no_path_of_a_stranger_is_opened(study, tmp_path):
    elsewhere = tmp_path / "not-there"
    options = {**study.plan.study["options"]}
    options["toy"] = {**options["toy"], "protocol": str(elsewhere)}
    plan = study.plan.model_copy(update={"study": {**study.plan.study, "options": options}})
    found = replanned(replace(study, plan=plan), registry_of(plan), {})
    assert any("--set toy.protocol=DIR" in why for why in found.unchecked)


def test_only_the_place_of_data_may_be_another(study):
    with pytest.raises(
        ConfigError, match="--set mlm: only a suite of the study takes options here"
    ):
        replanned(study, registry_of(study.plan), {"mlm": {"rate": 0.3}})


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
    assert rerun.lines.numbers == rerun.lines.equal == 12
    assert "Verified on a sample" in (there / "README.md").read_text()
    assert "sent by A. Reader, verified on a sample" in (board / "README.md").read_text()
    # What is published from the board keeps its marks.
    copy = board.parent / "copy"
    assert main(["leaderboard", str(there), "--out", str(copy), "--with-records"]) == 0
    assert read_marks(copy) == read_marks(there)
    assert "Verified on a sample" in (copy / "README.md").read_text()


def test_a_number_that_was_made_up_is_found_by_running_it_again(
    study, forged, again, tmp_path, capsys
):
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
    capsys.readouterr()
    assert again(board / "forged", "--cells", "2") == 1
    printed = capsys.readouterr().out
    assert "mlm.seed-0: differs; " in printed
    assert "  held-out loss at step 3 " in printed
    assert "(must be equal)" in printed
    assert "forged: sent, differs when run again" in printed
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


def test_a_line_that_was_made_up_is_found_by_measuring_it_again(
    study, forged, again, tmp_path, capsys
):
    masked = study.lines.lines["masked"]
    kinds = {**study.lines.lines, "masked": masked.model_copy(update={"bigram": 0.5})}
    folder = forged(lines=study.lines.model_copy(update={"lines": kinds}))
    board = tmp_path / "board"
    assert main(["accept", str(folder), "--board", str(board), "--name", "forged"]) == 0
    assert again(board / "forged", "--cells", "1") == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "the reference lines: differs; 11 of 12 numbers equal" in printed
    assert "bigram loss of masked tokens" in printed
    assert read_marks(board / "forged").standing == "differs"
    text = (board / "forged" / "README.md").read_text()
    assert "the reference lines: differs in bigram loss of masked tokens" in text


def test_a_study_is_not_run_again_with_another_text(board, cache, tmp_path, capsys):
    there = board / "mine"
    assert main(["rerun", str(there), "--out", str(tmp_path / "r"), "--cache", str(cache)]) == 2
    assert "name the same corpus here with --corpus" in capsys.readouterr().err
    other = ["--corpus", "toy", "--out", str(tmp_path / "r"), "--cache", str(cache)]
    assert main(["rerun", str(there), *other]) == 2
    assert "the text here is not the text of the study" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.fixture(scope="module")
def tuned(make_study, run, tmp_path_factory):
    """What is sent of a study that has chosen its learning rates."""
    folder = tmp_path_factory.mktemp("runs") / "tuned"
    grid = {"training.learning_rate": [1e-3, 3e-3]}
    tuning = {"grid": grid, "seeds": [7], "budget": "4-steps"}
    evaluation = {**make_study().evaluation.model_dump(), "suites": [], "points": 1}
    study = make_study(tuning=tuning, evaluation=evaluation, options={})
    assert run(study, folder).exit_code == 0
    out = folder.with_name("sent")
    found = make_submission(folder, out)
    assert (found.faults, found.unchecked) == ([], [])
    assert found.keys == len(found.results.plan.cells) == 6
    return read_study_results(out)


def test_trials_are_made_again_and_choose_the_settings(tuned):
    registry = registry_of(tuned.plan)
    chosen = tuned.plan.study["overrides"]["taco"]["training.learning_rate"]
    assert chosen in (1e-3, 3e-3)
    # The records of the trials now say that the other rate was better.
    records = dict(tuned.records)
    for name in ("taco.trial-0", "taco.trial-1"):
        *before, last = records[name].points
        rate = records[name].settings["training.learning_rate"]
        worse = {n: loss + 5.0 * (rate == chosen) for n, loss in last.heldout.items()}
        points = [*before, last.model_copy(update={"heldout": worse})]
        records[name] = records[name].model_copy(update={"points": points})
    found = replanned(replace(tuned, records=records), registry, {})
    assert found.faults == ["plan.json: the settings of taco are not those that its trials choose"]
    # A trial that is left out, and one that is of no grid.
    for cells in (
        [cell for cell in tuned.plan.cells if cell.id != "mlm.trial-1"],
        [*tuned.plan.cells, tuned.plan.cells[0].model_copy(update={"id": "mlm.trial-9"})],
    ):
        plan = tuned.plan.model_copy(update={"cells": tuple(cells)})
        found = replanned(replace(tuned, plan=plan), registry, {})
        assert len(found.faults) == 1
        assert "mlm.trial-" in found.faults[0]


@pytest.mark.parametrize(
    ("grid", "fault"),
    [
        ({f"training.f{n}": list(range(50)) for n in range(12)}, "at most 200,000 are run"),
        (
            {"training.warmup": [n / 100_000 for n in range(20_000)]},
            "makes 40002 cells, and it has 6",
        ),
    ],
)
def test_trials_are_counted_before_they_are_made_again(tuned, monkeypatch, grid, fault):
    """A grid takes a line to write down, and its trials would take days to make."""
    monkeypatch.setattr(TuningSection, "trials", lambda *_: pytest.fail("they are made"))
    study = in_study(tuned.plan, ("tuning", "grid"), grid)
    plan = tuned.plan.model_copy(update={"study": study})
    found = replanned(replace(tuned, plan=plan), registry_of(plan), {})
    assert len(found.faults) == 1
    assert fault in found.faults[0]


FOREIGN = """
    from objbench_objectives.mlm import MaskedLanguageModeling
    from objbench import hookimpl

    class Theirs(MaskedLanguageModeling):
        name = "theirs"
        summary = "a stranger's masks"
        reference = "none"

    @hookimpl
    def register_objectives(register):
        register(Theirs)
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch, make_study, run):
    """A study of an objective that objbench lacks, sent and accepted; then it is uninstalled."""
    site = tmp_path / "site"
    info = site / "theirs-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[objbench]\ntheirs = their_module\n")
    (site / "their_module.py").write_text(textwrap.dedent(FOREIGN))
    with monkeypatch.context() as installed:
        installed.syspath_prepend(site)
        evaluation = {**make_study().evaluation.model_dump(), "suites": [], "points": 1}
        study = make_study(objectives=["mlm", "theirs"], evaluation=evaluation, options={})
        assert run(study, tmp_path / "run", registry=load_plugins()).exit_code == 0
        found = make_submission(tmp_path / "run", tmp_path / "sent")
        assert found.faults == []
    sys.modules.pop("their_module", None)
    board = tmp_path / "board"
    assert main(["accept", str(tmp_path / "sent"), "--board", str(board)]) == 0
    return board / "run"


def test_a_strangers_plugin_is_sent_as_text_and_run_only_where_that_is_asked_for(
    foreign, again, capsys
):
    received = read_marks(foreign).received
    assert received.keys == 1
    assert "the keys of theirs: it is not installed here" in received.unchecked
    assert "their_module" not in sys.modules
    (source,) = foreign.glob("plugins/*/their_module.py")
    assert source.read_text() == textwrap.dedent(FOREIGN)

    assert again(foreign, "--cells", "2") == 2
    error = capsys.readouterr().err
    assert "theirs (theirs 1.0) is not installed here" in error
    assert "--run-their-code" in error
    assert "their_module" not in sys.modules

    assert again(foreign, "--cells", "2", "--run-their-code") == 0
    marks = read_marks(foreign)
    assert {cell.id for cell in marks.reruns[0].cells} == {"mlm.seed-0", "theirs.seed-0"}
    assert marks.standing == "verified"
    assert "their_module" not in sys.modules

    # Other code under the same digest is not run.
    source.write_text(source.read_text() + "raise SystemExit('run')\n")
    assert again(foreign, "--cells", "2", "--run-their-code") == 2
    assert "is of other files than those beside it" in capsys.readouterr().err
