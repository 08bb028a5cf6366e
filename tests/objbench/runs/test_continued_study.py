"""A study in which every objective continues from one checkpoint: what it starts from, keys, floors."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM

from objbench.contract.suite import CHECKPOINT, UNTRAINED
from objbench.engine.encoder.checkpoint_source import read_checkpoint_source
from objbench.engine.encoder.load import load_encoder
from objbench.engine.encoder.token_head import load_token_head
from objbench.engine.training.initial import export_untrained, initial_models
from objbench.errors import CheckpointError, ConfigError
from objbench.judge.floors import floor_scores
from objbench.leaderboard.caveats import caveats
from objbench.results.run_folder import RunFolder, read_plan, read_records
from objbench.results.study_results import read_study_results
from objbench.runs.cells.initial_weights import say_initial_weights
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.planning.cell_count import require_countable
from objbench.runs.progress import Display
from objbench.study.study import build_study

EVALUATION = {
    "suites": ["toy", "heldout"],
    "points": 1,
    "max_train_samples": 16,
    "heldout_batches": 1,
}


@pytest.fixture(scope="module")
def checkpoint(make_checkpoint):
    return make_checkpoint("bert")


@pytest.fixture(scope="module")
def study_from(make_study):
    """(checkpoint, **changes) -> a study that continues from it."""

    def make(folder, **changes):
        layer = make_study().model_dump(mode="json", exclude={"encoder"})
        source = read_checkpoint_source(str(folder))
        encoder = {
            "model_type": source.model_type,
            "init": str(folder),
            "init_digest": source.digest,
        }
        layer |= {"encoder": encoder, "data": {**layer["data"], "tokenizer": str(folder)}}
        options = {
            "toy": {"tasks": ["polarity"], "epochs": 1, "seeds": 2},
            "heldout": {"sequences": 8, "pseudo": 2},
        }
        own = {"budget": "3-steps", "evaluation": EVALUATION, "options": options}
        return build_study([layer, {**own, **changes}], "the test")

    return make


@pytest.fixture(scope="module")
def finished(checkpoint, study_from, run, tmp_path_factory):
    """The folder of a finished study of two seeds."""
    folder = tmp_path_factory.mktemp("runs") / "continued"
    study = study_from(checkpoint, objectives=["mlm", "tacl"], seeds=[0, 1])
    assert run(study, folder).complete
    return folder


class Said(Display):
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


@pytest.fixture
def prepared_from(study_from, registry, cache, tmp_path):
    def make(folder, **changes):
        study = study_from(folder, **changes)
        run = RunFolder(tmp_path / "run")
        return prepare(study, registry, run, cache=cache, device="cpu", display=Said())

    return make


def cell_of(name, seed=0):
    from objbench.results.plan import PlannedCell

    return PlannedCell(
        id=f"{name}.seed-{seed}", kind="pretrain", key="0" * 64, objective=name, seed=seed, step=3
    )


def test_every_objective_and_seed_starts_from_the_checkpoint(checkpoint, prepared_from):
    prepared = prepared_from(checkpoint, objectives=["mlm", "clm", "rtd"])
    stored = load_file(checkpoint / "model.safetensors")
    for name in ("mlm", "clm", "rtd"):
        for seed in (0, 5):
            encoder, objective = initial_models(prepared.pretrain_job(cell_of(name, seed)))
            for key, tensor in encoder.state_dict().items():
                assert torch.equal(tensor, stored[f"bert.{key}"]), key
            if name != "rtd":
                head = objective.token_head.state_dict()
                assert torch.equal(head["bias"], stored["cls.predictions.bias"])
                dense = stored["cls.predictions.transform.dense.weight"]
                assert torch.equal(head["dense.weight"], dense)


def test_what_is_new_is_drawn_by_the_seed(checkpoint, prepared_from):
    prepared = prepared_from(checkpoint, objectives=["mlm", "rtd"])
    generators = [
        initial_models(prepared.pretrain_job(cell_of("rtd", seed)))[1].state_dict()
        for seed in (0, 0, 1)
    ]
    assert all(torch.equal(generators[0][k], generators[1][k]) for k in generators[0])
    assert any(not torch.equal(generators[0][k], generators[2][k]) for k in generators[0])


def test_one_line_says_what_is_loaded_and_what_is_new(checkpoint, prepared_from):
    prepared = prepared_from(checkpoint, objectives=["mlm", "clm", "rtd"])
    say_initial_weights(prepared)
    (line,) = (text for text in prepared.display.lines if text.startswith("checkpoint"))
    digest = prepared.study.encoder.init_digest
    assert line.startswith(f"checkpoint {checkpoint} (bert, SHA-256 {digest[:12]}...): encoder of ")
    assert "for all objectives, its token head for mlm and clm; new weights: rtd: " in line
    assert "generator" in line and "mlm:" not in line


def test_the_exported_start_is_the_checkpoint_and_gives_its_logits(
    checkpoint, prepared_from, tmp_path
):
    job = prepared_from(checkpoint).pretrain_job(cell_of("mlm"))
    export_untrained(job, tmp_path / "step-0", with_head=True)
    ids = torch.tensor([[2, 9, 4, 33, 3]])
    with torch.no_grad():
        ours, theirs = (
            AutoModelForMaskedLM.from_pretrained(folder, use_safetensors=True).eval()(ids).logits
            for folder in (tmp_path / "step-0", checkpoint)
        )
    torch.testing.assert_close(ours, theirs)
    head, _ = load_token_head(tmp_path / "step-0", job.vocabulary)
    assert torch.equal(
        head.bias, load_file(checkpoint / "model.safetensors")["cls.predictions.bias"]
    )


def test_the_floor_is_the_checkpoint_scored_once_with_every_fine_tuning_seed(finished):
    results = read_study_results(finished)
    cells = [cell for cell in results.plan.cells if cell.kind == "floor"]
    assert UNTRAINED not in {cell.floor for cell in cells}
    own = sorted(cell.id for cell in cells if cell.floor == CHECKPOINT)
    assert own == [
        "heldout.text.floor-checkpoint.ft-0",
        "toy.polarity.floor-checkpoint.ft-0",
        "toy.polarity.floor-checkpoint.ft-1",
    ]
    suite = next(suite for suite in results.plan.suites if suite.name == "toy")
    for objective in ("mlm", "tacl"):
        found = floor_scores(results, suite, objective)[CHECKPOINT]
        values = [
            results.records[f"toy.polarity.floor-checkpoint.ft-{seed}"].scores["polarity"][
                "accuracy"
            ]
            for seed in (0, 1)
        ]
        assert found.columns.shape == (1, 1)
        assert found.columns[0, 0] == pytest.approx(100 * sum(values) / 2)


def test_meters_begin_at_zero_and_records_name_the_checkpoint(finished, checkpoint):
    digest = read_checkpoint_source(str(checkpoint)).digest
    assert read_plan(finished).asked.encoder.init_digest == digest
    records = [record for record in read_records(finished) if record.kind == "pretrain"]
    assert len(records) == 4
    for record in records:
        assert record.made_from["checkpoint"] == digest
        assert record.points[-1].meters.steps == record.steps
        assert record.points[-1].meters.flops == pytest.approx(
            record.steps * record.cost.flops_per_step
        )


def test_the_page_says_what_the_runs_continue_from(finished, checkpoint, page_of):
    page = page_of(finished)
    where = f"{checkpoint.parent.name}/bert (SHA-256 "
    assert f"continuing from {where}" in page
    assert f"Every run continues from the checkpoint {where}" in page
    assert "checkpoint: what every run continues from, as it was" in page
    assert "first plateau" not in page
    assert caveats(read_study_results(finished))[0].startswith("Every run continues from")


def test_it_goes_on_where_it_was_and_not_from_another_checkpoint(
    finished, checkpoint, study_from, run, tmp_path
):
    study = study_from(checkpoint, objectives=["mlm", "tacl"], seeds=[0, 1])
    before = {record.id: record.key for record in read_records(finished)}
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in checkpoint.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    again = study_from(moved, objectives=["mlm", "tacl"], seeds=[0, 1])
    assert run(again, finished).complete
    assert {record.id: record.key for record in read_records(finished)} == before
    weights = load_file(moved / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, moved / "model.safetensors")
    with pytest.raises(CheckpointError, match="is not the one that the study began with"):
        run(again, finished)
    with pytest.raises(ConfigError, match=r"continues from checkpoint .*, here checkpoint"):
        run(study_from(moved, objectives=["mlm", "tacl"], seeds=[0, 1]), finished)
    scratch = study.model_copy(
        update={"encoder": study.encoder.model_copy(update={"init": None, "init_digest": None})}
    )
    with pytest.raises(ConfigError, match=r"continues from checkpoint .*, here no checkpoint"):
        run(scratch, finished)


@pytest.mark.slow
def test_several_cells_at_a_time_give_the_same(finished, checkpoint, study_from, run, tmp_path):
    study = study_from(checkpoint, evaluation={**EVALUATION, "suites": []}, seeds=[0])
    assert run(study, tmp_path / "two", jobs=2).complete
    assert run(study, tmp_path / "one", jobs=1).complete
    two, one = (
        {r.id: (r.key, r.points[-1].heldout, r.points[-1].digest) for r in read_records(folder)}
        for folder in (tmp_path / "two", tmp_path / "one")
    )
    assert two == one and len(one) == 2
    # What is evaluated is no part of a pretraining's key.
    keys = {record.id: record.key for record in read_records(finished)}
    assert one["mlm.seed-0"][0] == keys["mlm.seed-0"]


def test_trials_continue_from_it_too(checkpoint, study_from, run, tmp_path):
    tuning = {"grid": {"training.learning_rate": [1e-3, 1e-2]}, "seeds": [7], "budget": "2-steps"}
    study = study_from(
        checkpoint, objectives=["mlm"], evaluation={**EVALUATION, "suites": []}, tuning=tuning
    )
    assert run(study, tmp_path / "tuned").complete
    records = read_records(tmp_path / "tuned")
    assert sorted(record.kind for record in records) == ["pretrain", "trial", "trial"]
    digest = study.encoder.init_digest
    assert {record.made_from["checkpoint"] for record in records} == {digest}


def test_an_export_of_a_study_is_continued(finished, study_from, run, tmp_path):
    (folder,) = (finished / "encoders").glob("mlm.seed-0.*/step-3")
    study = study_from(folder, objectives=["mlm"], evaluation={**EVALUATION, "suites": []})
    assert run(study, tmp_path / "second").complete
    (record,) = read_records(tmp_path / "second")
    assert record.made_from["checkpoint"] == read_checkpoint_source(str(folder)).digest
    (last,) = (tmp_path / "second" / "encoders").glob("*/step-3")
    first, then = load_encoder(folder).state_dict(), load_encoder(last).state_dict()
    assert first.keys() == then.keys()
    moved = max(float((then[name] - first[name]).abs().max()) for name in first)
    # Three small steps away from where the first study ended, not from random weights.
    assert 0 < moved < 0.02
    sizes = [json.loads((one / "config.json").read_text()) for one in (folder, last)]
    assert sizes[0]["vocab_size"] == sizes[1]["vocab_size"]


def test_cells_are_counted_as_they_are_planned(checkpoint, prepared_from, finished, monkeypatch):
    prepared = prepared_from(checkpoint, objectives=["mlm", "tacl"], seeds=[0, 1])
    number = len(read_plan(finished).cells) + 4
    monkeypatch.setattr("objbench.runs.planning.cell_count.MOST_CELLS", number)
    require_countable(prepared.study, prepared.plugins)
    monkeypatch.setattr("objbench.runs.planning.cell_count.MOST_CELLS", number - 1)
    with pytest.raises(ConfigError):
        require_countable(prepared.study, prepared.plugins)
