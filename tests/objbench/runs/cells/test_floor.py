"""Floor cells: the untrained encoder is that of step 0, and a study keeps scores and no encoder."""

from types import SimpleNamespace

import pytest
import torch
from transformers import AutoTokenizer

from objbench.engine.encoder.load import load_encoder
from objbench.engine.encoder.token_head import has_token_head, load_token_head
from objbench.engine.training.session import Session
from objbench.judge.floors import best_floor, floor_scores
from objbench.results.records import FloorRecord
from objbench.results.run_folder import RunFolder, read_plan, read_records
from objbench.results.study_results import read_study_results
from objbench.runs.cells.floor import FloorWork
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.cells.run_context import RunContext
from objbench.runs.planning.floor_cells import floor_cell, floors

RANGE = {"encoder.config.initializer_range": 0.1}


@pytest.fixture
def work_of(make_study, registry, cache, tmp_path):
    """(changes) -> (what does the floor cells of the study, its floor cells by id)."""

    def make(**changes):
        study = make_study(**changes)
        prepared = prepare(study, registry, RunFolder(tmp_path / "run"), cache=cache, device="cpu")
        data = {"key": "abc"}
        cells = [
            floor_cell(study, prepared.plugins, wanted, data, study.for_objective(wanted.objective))
            for wanted in floors(study, prepared.plugins)
        ]
        context = RunContext(prepared, SimpleNamespace(cells=cells), lambda *progress: None)
        return FloorWork(context, FloorRecord), {cell.id: cell for cell in cells}

    return make


@pytest.mark.parametrize("objective", ["mlm", "taco", "clm", "rtd"])
@pytest.mark.parametrize("own", [{}, RANGE], ids=["shared", "own range"])
def test_the_untrained_encoder_is_that_of_a_pretraining_at_step_0(objective, own, work_of):
    work, cells = work_of(
        objectives=["mlm", objective] if objective != "mlm" else ["mlm"],
        overrides={objective: own} if own else {},
        seeds=[3],
        evaluation={"suites": ["heldout"], "points": 2, "heldout_batches": 1},
        options={},
    )
    cell = cells[f"heldout.text.floor-untrained.{objective}.seed-3.ft-0"]
    read = {}
    folder = work.encoder(cell, read)
    session = Session(work.prepared.pretrain_job(cell))
    trained = session.module.encoder.state_dict()
    found = load_encoder(folder).state_dict()
    assert found.keys() == trained.keys()
    assert all(torch.equal(found[name], trained[name]) for name in trained)
    embeddings = found["embeddings.word_embeddings.weight"]
    assert float(embeddings.std()) == pytest.approx(0.1 if own else 0.02, rel=0.1)
    head = session.module.objective.token_head
    assert has_token_head(folder) == (head is not None)
    if head is not None:
        stored, reading = load_token_head(folder, work.prepared.text.vocabulary)
        assert reading == session.module.objective.token_reading
        for name, tensor in head.state_dict().items():
            assert torch.equal(stored.state_dict()[name], tensor)
    assert read.keys() == {"encoder"}


def test_equal_initial_weights_are_scored_once(work_of, monkeypatch):
    work, cells = work_of(
        objectives=["mlm", "taco", "clm"],
        seeds=[3],
        evaluation={"suites": ["heldout"], "points": 2, "heldout_batches": 1},
        options={"heldout": {"sequences": 4, "pseudo": 1}},
    )
    suite, scored = type(work.prepared.plugins.suites["heldout"]), []
    evaluate = suite.evaluate

    def counted(suite, encoder, *given):
        scored.append(encoder.parent.name.split(".")[3])
        return evaluate(suite, encoder, *given)

    monkeypatch.setattr(suite, "evaluate", counted)
    records = {}
    for cell in cells.values():
        records[cell.objective] = work.do(cell, "")
        work.prepared.folder.write_record(records[cell.objective])
    # A causal encoder has the same weights and is read in another way.
    assert scored == ["mlm", "clm"]
    mlm, taco, clm = (records[name] for name in ("mlm", "taco", "clm"))
    assert mlm.scores == taco.scores != clm.scores
    assert mlm.made_from == taco.made_from
    assert (taco.id, taco.objective) == (cells[taco.id].id, "taco")


def test_what_reads_no_token_head_gets_the_same_encoder_without_one(work_of):
    work, cells = work_of(seeds=[3])
    read = {}
    cell = cells["toy.polarity.floor-untrained.mlm.seed-3.ft-0"]
    folder = work.encoder(cell, read)
    trained = Session(work.prepared.pretrain_job(cell)).module.encoder.state_dict()
    found = load_encoder(folder).state_dict()
    assert all(torch.equal(found[name], trained[name]) for name in trained)
    assert not has_token_head(folder)


def test_a_floor_without_an_encoder_gets_the_tokenizer_of_the_encoders(work_of):
    work, cells = work_of(seeds=[3])
    untrained = work.encoder(cells["toy.polarity.floor-untrained.mlm.seed-3.ft-0"], {})
    read = {}
    alone = work.encoder(cells["toy.polarity.floor-bag-of-words.ft-0"], read)
    assert not list(alone.glob("*.safetensors")) and read == {}
    one, other = (AutoTokenizer.from_pretrained(folder) for folder in (untrained, alone))
    assert one.model_max_length == other.model_max_length == 32
    assert one("any words").input_ids == other("any words").input_ids
    assert one.backend_tokenizer.to_str() == other.backend_tokenizer.to_str()


# -- whole studies


@pytest.fixture(scope="module")
def finished(make_study, run, tmp_path_factory):
    """The folder of a study of two seeds whose floors are known."""
    folder = tmp_path_factory.mktemp("runs") / "floors"
    study = make_study(
        seeds=[0, 1],
        overrides={"taco": RANGE},
        evaluation={
            "suites": ["toy", "heldout"],
            "points": 1,
            "max_train_samples": 32,
            "heldout_batches": 1,
        },
        options={
            "toy": {"tasks": ["polarity", "similarity"], "epochs": 1},
            "heldout": {"sequences": 8, "pseudo": 2},
        },
    )
    assert run(study, folder).complete
    return folder, study


def test_a_study_has_the_scores_of_its_floors(finished):
    folder, _ = finished
    results = read_study_results(folder)
    toy, heldout = results.suites
    for objective in ("mlm", "taco"):
        found = floor_scores(results, toy, objective)
        assert list(found) == ["majority", "bag-of-words", "untrained"]
        assert [scores.columns.shape for scores in found.values()] == [(1, 2), (1, 2), (2, 2)]
        assert found["majority"].columns[0].tolist() == [pytest.approx(50, abs=4), 0.0]
        assert list(floor_scores(results, heldout, objective)) == ["untrained"]
        # An untrained head takes every word to be about as likely: ln V, in points of 0.01 nat.
        words = results.plan.data["vocabulary"]
        assert best_floor(results, heldout, objective).score / 100 == pytest.approx(
            torch.tensor(words).log().item(), rel=0.1
        )
    own = [floor_scores(results, toy, name)["untrained"].columns for name in ("mlm", "taco")]
    assert not (own[0] == own[1]).all()


def test_records_of_floors_have_spent_nothing_and_no_encoder_is_kept(finished):
    folder, _ = finished
    records = [record for record in read_records(folder) if isinstance(record, FloorRecord)]
    assert len(records) == 4 + 8 + 4
    for record in records:
        assert (record.status, record.share, record.upstream) == ("ok", 0.0, "")
        assert set(record.meters.model_dump().values()) == {0}
    assert not list((folder / "encoders").glob("*floor*"))


def test_the_untrained_scores_are_those_of_the_suites_own_evaluation(finished, work_of):
    folder, study = finished
    work, cells = work_of(**study.model_dump(mode="json"))
    cell = cells["toy.polarity.floor-untrained.taco.seed-1.ft-0"]
    (stored,) = (record for record in read_records(folder) if record.id == cell.id)
    suite = work.prepared.plugins.suites["toy"]
    record = work.do(cell, "")
    assert record.scores == stored.scores
    assert record.train_examples == 32
    assert suite.protocol == record.protocol


def test_floors_are_planned_last_and_run_again_with_no_seed_but_a_new_one(
    finished, make_study, run
):
    folder, study = finished
    plan = read_plan(folder)
    kinds = [cell.kind for cell in plan.cells]
    assert set(kinds[kinds.index("floor") :]) == {"floor"}
    before = {path.name for path in folder.glob("records/floor/*.json")}
    more = study.model_copy(update={"seeds": (2, 0, 1)})
    assert run(more, folder).complete
    after = {path.name for path in folder.glob("records/floor/*.json")}
    assert before < after
    assert all("untrained" in name and "seed-2" in name for name in after - before)
    # The first seed is another now: what needs no encoder is read as it was.
    results = read_study_results(folder)
    assert results.stale == ()
    assert floor_scores(results, results.suites[0], "mlm")["majority"].mean_score > 0


def test_a_failed_floor_is_named_and_fails_no_encoder(
    make_study, run, tmp_path, monkeypatch, page_of
):
    def fail(*given, **named):
        raise ValueError("no bag")

    monkeypatch.setattr("objbench_suites.task_floors.bag_of_words", fail)
    end = run(make_study(), tmp_path / "run")
    assert [failure.id for failure in end.failures] == ["toy.polarity.floor-bag-of-words.ft-0"]
    text = page_of(tmp_path / "run")
    assert "floors of toy" in text and "no bag" in text
    assert not list((tmp_path / "run" / "encoders").glob("*floor*"))
