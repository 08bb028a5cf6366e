"""A study from its settings to its leaderboard, and everything that can come in between."""

import json
import re
import shutil

import pytest
import torch
from filelock import FileLock
from transformers import AutoModel, AutoTokenizer

from objbench.blocks.heads import TokenPrediction
from objbench.contract.term import TermLoss
from objbench.errors import BudgetError, ConfigError, ObjbenchError, RecordError
from objbench.results.packed_values import unpacked
from objbench.results.run_folder import RunFolder, read_plan, read_records
from objbench.runs import study_rounds
from objbench.runs.dry_run import dry_run
from objbench.runs.prune import prune
from objbench_objectives.mlm import MaskedLanguageModeling


@pytest.fixture(scope="module")
def finished(make_study, run, tmp_path_factory):
    """(folder of a finished study, how its run ended)."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    return folder, run(make_study(), folder)


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished study, to be changed."""
    return shutil.copytree(finished[0], tmp_path / "copy")


def _times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("records/*/*.json")}


def test_every_cell_has_a_record_and_the_page_ranks_both(finished, page_of):
    folder, end = finished
    assert (end.exit_code, end.failures) == (0, ())
    cells = read_plan(folder).cells
    kinds = [cell.kind for cell in cells]
    assert [kinds.count(kind) for kind in ("pretrain", "evaluation", "curve")] == [2, 4, 2]
    assert {record.id for record in read_records(folder)} == {cell.id for cell in cells}
    assert all(record.status == "ok" for record in read_records(folder))
    assert "| taco" in page_of(folder)


def test_the_examples_of_the_last_encoders_are_stored_alike(finished):
    records = [r for r in read_records(finished[0]) if r.kind == "evaluation"]
    last = [r for r in records if r.share == 1]
    assert len(last) == 2
    assert all(not r.examples for r in records if r.share < 1)
    assert len({r.examples["polarity"].of for r in last}) == 1
    for record in last:
        stored, count = record.examples["polarity"], record.eval_examples["polarity"]
        right = unpacked(stored, count)["accuracy"]
        assert right.size == count
        assert right.mean() == pytest.approx(record.scores["polarity"]["accuracy"])


def test_the_candidate_spends_no_more_than_the_baseline(finished):
    by_name = {objective.name: objective for objective in read_plan(finished[0]).objectives}
    mlm, taco = by_name["mlm"], by_name["taco"]
    spent = mlm.steps * mlm.flops_per_step
    assert taco.steps * taco.flops_per_step <= spent < (taco.steps + 1) * taco.flops_per_step


def test_exported_encoders_are_ordinary_folders(finished):
    folders = sorted((finished[0] / "encoders").glob("mlm*/step-*"))
    assert len(folders) == 2
    encoder = AutoModel.from_pretrained(folders[-1])
    tokens = AutoTokenizer.from_pretrained(folders[-1])("anything at all", return_tensors="pt")
    assert torch.isfinite(encoder(**tokens).last_hidden_state).all()


def test_checkpoints_are_gone_once_their_cells_are_stored(finished):
    assert not list((finished[0] / "checkpoints").glob("*/*"))


def test_the_same_command_again_runs_nothing(copy, make_study, run):
    before = _times(copy)
    end = run(make_study(), copy)
    assert end.exit_code == 0
    assert _times(copy) == before


def test_a_changed_option_makes_only_its_own_cells_stale(copy, make_study, run, page_of):
    before = set(_times(copy))
    study = make_study(options={"taco": {"temperature": 0.5}})
    end = run(study, copy)
    new = {path.name.partition(".seed")[0] for path in set(_times(copy)) - before}
    assert end.exit_code == 0
    assert new == {"taco", "toy.polarity.taco", "convergence.taco"}
    assert "stale" in page_of(copy)


def test_a_deleted_record_is_made_again_alike(copy, make_study, run):
    lost = next((copy / "records" / "evaluation").glob("*.taco.*100pct*"))
    old = json.loads(lost.read_text())
    lost.unlink()
    assert run(make_study(), copy).exit_code == 0
    assert json.loads(lost.read_text())["scores"] == old["scores"]


def _cut(record, other):
    record.write_text(record.read_text()[:100])


def _replace_by_another(record, other):
    shutil.copyfile(other, record)


def _change_a_digit(record, other):
    text = record.read_text()
    at = max(place for place, letter in enumerate(text) if letter in "0123456789")
    record.write_text(f"{text[:at]}{9 - int(text[at])}{text[at + 1 :]}")


@pytest.mark.parametrize("damage", [_cut, _replace_by_another, _change_a_digit])
@pytest.mark.parametrize("kind", ["pretrain", "evaluation", "curve", "floor"])
def test_a_damaged_record_is_named_before_anything_is_run_or_removed(
    kind, damage, copy, make_study, run, registry, page_of, monkeypatch
):
    monkeypatch.setattr("objbench.runs.run_study.make_text", None)
    record, other = sorted((copy / "records" / kind).glob("*.json"))[:2]
    damage(record, other)
    before = _times(copy)
    for refuse in (
        lambda: run(make_study(), copy),
        lambda: dry_run(make_study(), run=copy, registry=registry),
        lambda: prune(copy),
        lambda: page_of(copy),
    ):
        with pytest.raises(RecordError, match=f"{re.escape(record.name)}.*delete it") as caught:
            refuse()
        assert "\n" not in str(caught.value)
    assert _times(copy) == before


def test_complete_is_what_the_page_sees(copy, make_study, run, monkeypatch):
    carry_out = study_rounds.StudyRounds.carry_out

    def and_lose_a_record(*arguments):
        carry_out(*arguments)
        next((copy / "records" / "curve").iterdir()).unlink()

    monkeypatch.setattr(study_rounds.StudyRounds, "carry_out", and_lose_a_record)
    end = run(make_study(), copy)
    assert (end.complete, end.failures) == (False, ())


def test_an_encoder_that_is_gone_is_an_error_that_says_so(copy, make_study, run):
    shutil.rmtree(copy / "encoders")
    next((copy / "records" / "evaluation").glob("*.taco.*100pct*")).unlink()
    end = run(make_study(), copy)
    assert end.exit_code == 2
    assert "is gone; delete" in end.failures[0].text


def test_a_second_run_in_the_same_folder_is_refused(copy, make_study, run):
    with FileLock(copy / ".lock"), pytest.raises(ConfigError, match="another objbench is running"):
        run(make_study(), copy)


def test_a_published_study_is_not_run_again_in_its_folder(make_study, run, tmp_path):
    (tmp_path / "sources.json").write_text("{}")
    with pytest.raises(ConfigError, match="a published study"):
        run(make_study(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sources.json"]


def test_a_folder_that_cannot_be_made_is_refused(make_study, run, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        run(make_study(), blocked / "run")


def test_a_budget_below_the_points_is_refused(make_study, run, tmp_path):
    with pytest.raises(BudgetError, match="too few for 2 evaluation points"):
        run(make_study(budget="2-steps"), tmp_path / "run")


def test_dry_run_lists_the_planned_cells_without_computing(
    finished, make_study, registry, tmp_path
):
    ids = {cell.id for cell in read_plan(finished[0]).cells}
    fresh = dry_run(make_study(), run=tmp_path / "new", registry=registry)
    assert {line.split()[-1] for line in fresh.splitlines()[:-1]} == ids
    assert not (tmp_path / "new").exists()
    done = dry_run(make_study(), run=finished[0], registry=registry).splitlines()[:-1]
    assert all(line.startswith("done") for line in done)


def test_what_sees_one_part_of_a_batch_at_a_time_is_announced(make_study, registry, tmp_path):
    study = make_study(objectives=["mlm", "taco"], training={"micro_batches": 2})
    sentence = dry_run(study, run=tmp_path / "new", registry=registry).splitlines()[-2]
    assert sentence.endswith("taco (its negatives are tokens of other sequences).")
    whole = make_study(objectives=["mlm", "taco"])
    assert "parts" not in dry_run(whole, run=tmp_path / "new", registry=registry)


def test_dry_run_distinguishes_what_is_done_from_what_is_to_do(copy, make_study, registry):
    lost, failed = [r for r in read_records(copy) if r.kind == "evaluation" and ".taco." in r.id]
    to_do = {record.id for record in (lost, failed)}
    for one in (lost, failed):
        next(copy.glob(f"records/evaluation/{one.id}.*")).unlink()
    RunFolder(copy).write_record(failed.model_copy(update={"status": "failed"}))
    before = _times(copy)
    *cells, last = dry_run(make_study(), run=copy, registry=registry).splitlines()
    states = {cell: state for state, cell in (line.rsplit(maxsplit=1) for line in cells)}
    assert {cell for cell, state in states.items() if state == "to do"} == to_do
    assert set(states.values()) == {"done", "to do"}
    rule = "budget 6-steps, equal flops, baseline mlm"
    assert last == f"11 cells in {copy}; {rule}"
    assert _times(copy) == before


def _states(study, folder, registry):
    *cells, _ = dry_run(study, run=folder, registry=registry).splitlines()
    return {cell: state for state, cell in (line.rsplit(maxsplit=1) for line in cells)}


def test_dry_run_calls_done_only_what_the_run_would_not_do_again(
    copy, make_study, run, registry, tmp_path
):
    changed = make_study(options={"taco": {"temperature": 0.5}})
    states = _states(changed, copy, registry)
    # The curve of mlm against itself needs nothing of taco's, and floors need nothing at all.
    others = {cell for cell in states if "mlm" in cell or "floor" in cell}
    assert {cell for cell, state in states.items() if state == "done"} == others
    before = _times(copy)
    assert run(changed, copy).complete
    again = {json.loads(path.read_text())["id"] for path in _times(copy).keys() - before.keys()}
    assert again == states.keys() - others
    assert set(_states(changed, copy, registry).values()) == {"done"}
    with pytest.raises(ConfigError, match=r"another study \(data.length 16, here 8\)"):
        _states(make_study(data={"length": 8}), copy, registry)


REFUSED = [
    ({"encoder": {"config": {"hidden_sise": 8}}}, "hidden_sise is not a setting of 'bert'; did"),
    ({"encoder": {"config": {"hidden_size": 15}}}, "does not fit 'bert'.*hidden size"),
    ({"encoder": {"model_type": "brt"}}, "model_type = 'brt' is not a text encoder"),
    (
        {
            "encoder": {"model_type": "albert"},
            "training": {"activation_checkpointing": True},
        },
        "cannot recompute the layers of 'albert'; leave it out",
    ),
    (
        {"objectives": ["mlm", "clm"], "encoder": {"model_type": "fnet"}},
        "'fnet' does not respect the causal mask that the objective needs",
    ),
    (
        {"objectives": ["mlm", "mae+tc"], "options": {"tc": {"anchors": "masked"}}},
        r"mae\+tc cannot .* all that its term 'tc' compares is hidden .* by 'mae': leave the term",
    ),
    ({"data": {"corpus": "nowhere.txt"}}, "corpus nowhere.txt: no such file or folder"),
    ({"data": {"tokenizer": "./nowhere"}}, "tokenizer ./nowhere: no such folder"),
    ({"data": {"tokenizer": "train:many"}}, "'train:many' is malformed"),
    ({"budget": "1-steps"}, "too few for 2 evaluation points"),
    ({"budget": "100-tokens"}, "too few for 2 evaluation points"),
    ({"tuning": {"score": "tc"}}, r"tuning\.score 'tc' for mlm \(known: common, loss, mlm\)"),
    (
        {"tuning": {"grid": {"training.learning_rate": [1e-3, -1.0]}}},
        "settings of mlm: training.learning_rate = -1.0",
    ),
    (
        {"tuning": {"grid": {"encoder.config.hidden_size": [16, 15]}}},
        "does not fit 'bert'.*hidden size",
    ),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_run_and_dry_run_refuse_alike_before_the_text_is_read(
    changes, message, make_study, run, registry, tmp_path, monkeypatch
):
    def read(*_, **__):
        raise AssertionError("the text was opened")

    monkeypatch.setattr("objbench.runs.cells.prepared_study.open_text", read)
    study = make_study(**changes)
    for refuse in (
        lambda: dry_run(study, run=tmp_path / "run", registry=registry),
        lambda: run(study, tmp_path / "run"),
    ):
        with pytest.raises(ObjbenchError, match=message):
            refuse()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("cuda:9", "fp32", "device 'cuda:9': torch sees"),
        ("cpu", "fp16", "'fp16' needs a GPU"),
    ],
)
def test_a_device_is_refused_before_the_text_is_read(
    device, precision, message, make_study, run, tmp_path, monkeypatch
):
    monkeypatch.setattr("objbench.runs.cells.prepared_study.open_text", None)
    with pytest.raises(ConfigError, match=message):
        run(make_study(training={"precision": precision}), tmp_path / "run", device=device)
    assert not (tmp_path / "run").exists()


def test_dry_run_refuses_a_folder_that_is_none(make_study, registry, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(ConfigError, match="is a file, not a folder; name another"):
            dry_run(make_study(), run=out, registry=registry)


def test_a_failing_cell_does_not_stop_the_others(
    make_study, run, with_objective, page_of, tmp_path, capsys, monkeypatch
):
    class Faulty(MaskedLanguageModeling):
        """MLM whose corruption is at fault in a cell, and not while a step is measured."""

        name = "faulty"
        is_trained = False

        def corrupt(self, batch, streams):
            if Faulty.is_trained:
                raise RuntimeError("planted fault")
            return super().corrupt(batch, streams)

    carry_out = study_rounds.StudyRounds.carry_out

    def after_measuring(*arguments):
        Faulty.is_trained = True
        carry_out(*arguments)

    monkeypatch.setattr(study_rounds.StudyRounds, "carry_out", after_measuring)
    study = make_study(objectives=["faulty", "mlm"])
    end = run(study, tmp_path / "run", registry=with_objective(Faulty))
    assert end.exit_code == 1
    assert [failure.id for failure in end.failures] == ["faulty.seed-0"]
    assert "planted fault" in capsys.readouterr().err  # a bug keeps its traceback
    status = {record.id: record.status for record in read_records(tmp_path / "run")}
    assert (status["faulty.seed-0"], status["mlm.seed-0"]) == ("failed", "ok")
    assert "planted fault" in page_of(tmp_path / "run")


def test_a_divergence_is_recorded_and_not_run_again(make_study, run, with_objective, tmp_path):
    class Exploding(TokenPrediction):
        calls = 0

        def forward(self, encoder_pass, streams):
            Exploding.calls += 1
            loss = super().forward(encoder_pass, streams)
            worse = float("nan") if Exploding.calls >= 5 else 1.0
            return TermLoss(loss.total * worse, loss.count)

    class Divergent(MaskedLanguageModeling):
        name = "divergent"

        def __init__(self, config, encoder_spec):
            super().__init__(config, encoder_spec)
            self.set_terms(Exploding(encoder_spec))

    registry = with_objective(Divergent)
    study = make_study(objectives=["mlm", "divergent"])
    end = run(study, tmp_path / "run", registry=registry)
    assert (end.exit_code, [failure.status for failure in end.failures]) == (1, ["diverged"])
    record = next(r for r in read_records(tmp_path / "run") if r.id == "divergent.seed-0")
    assert record.status == "diverged"
    assert f"at step {record.reached.steps + 1} of 6" in record.reason
    again = run(study, tmp_path / "run", registry=registry)
    assert (again.exit_code, again.failures) == (1, ())


def test_steps_are_measured_with_the_threads_of_a_cell(make_study, run, copy, monkeypatch):
    seen = []
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(6))
    monkeypatch.setattr(
        "objbench.runs.study_rounds.keep_step_comparison",
        lambda *given: seen.append(torch.get_num_threads()),
    )
    torch.set_num_threads(5)
    try:
        # Finished, so that nothing is computed with more threads than there are cores.
        run(make_study(), copy, jobs=2)
        assert (seen, torch.get_num_threads()) == ([3], 5)
    finally:
        torch.set_num_threads(1)
