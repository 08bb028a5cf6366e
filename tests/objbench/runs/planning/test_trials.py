"""Tuning over several seeds: every setting with each of them, and the mean chooses."""

import math
from types import MappingProxyType

import numpy as np
import pytest

from objbench.errors import ConfigError, UnknownNameError
from objbench.judge.spending import spent
from objbench.results.plan import tried_settings
from objbench.results.records import Plugin, Provenance, TrialEvaluationRecord, TrialRecord
from objbench.results.reference_lines import Lines, ReferenceLines
from objbench.results.run_folder import RunFolder, read_records
from objbench.results.step_cost import StepCost
from objbench.results.study_results import read_study_results
from objbench.results.training_points import CommonLoss, ExportedPoint, Meters
from objbench.runs.dry_run import dry_run
from objbench.runs.planning import evaluation_cells, pretraining_cells
from objbench.runs.planning.configured_plugins import configure_plugins
from objbench.runs.planning.trials import Tuner
from objbench.study.study import build_study

GRID = {"training.learning_rate": [1e-3, 2e-3]}
BASE = {"objectives": ["mlm", "taco"], "budget": "9-steps", "seeds": [0, 1]}
ANY = {
    "plugin": Plugin(name="any", project="any", version="1", source="a1"),
    "provenance": Provenance(
        command="",
        versions={},
        device="cpu",
        threads=1,
        processes=1,
        git_commit=None,
        started="",
        finished="",
    ),
}
LINES = ReferenceLines(
    lines={"masked": Lines(uniform=8.0, unigram=6.3, bag=5.3, bigram=4.5, neighbours=3.1)},
    train_tokens=10_000,
    heldout_tokens=1_000,
    key="a1",
    provenance=ANY["provenance"],
)
NOTHING = Meters(steps=9, tokens=9, flops=9.0, seconds=9.0)


def study(tuning, **changes):
    return build_study([BASE, changes, {"tuning": tuning}], "test")


@pytest.fixture
def trials(registry, tmp_path):
    """(study, names, best trials, folder) -> its tuner and the cells of the trials of ``names``."""

    def plan(own, names=None, best=MappingProxyType({}), folder=tmp_path):
        tuner = Tuner(own, own.tuning, configure_plugins(own, registry), RunFolder(folder))
        costs = dict.fromkeys(own.objectives, StepCost(tokens=1.0, flops=1.0))
        names = own.objectives if names is None else names
        data = {"key": "text"}
        return tuner, list(tuner.cells(names, best, data, costs, devices=1))

    return plan


def record_trial(run, cell, loss, name="mlm", common=None):
    """The trial's record; it has diverged where the loss is not finite."""
    heldout = {name: loss, "loss": loss} if math.isfinite(loss) else {}
    point = ExportedPoint(meters=NOTHING, share=1.0, encoder="e", heldout=heldout, common=common)
    RunFolder(run).write_record(
        TrialRecord(
            **ANY,
            id=cell.id,
            key=cell.key,
            status="ok" if math.isfinite(loss) else "diverged",
            objective=cell.objective,
            seed=cell.seed,
            config={},
            steps=cell.step,
            settings=cell.settings,
            points=[point] if math.isfinite(loss) else [],
        ),
    )


def common_loss(has_learnt):
    """Below the bigram line of ``LINES`` with a gain from order, or on the plateau above it."""
    loss, gain = (3.0, 2.0) if has_learnt else (5.2, 0.01)
    return CommonLoss(of="masked", loss=loss, order_gain=gain, error=0.01, tokens=100)


def choice(trials, run, tuning, losses, names=("mlm", "mlm"), learnt=None):
    """Which setting is chosen for mlm by the losses of (setting, seed), by its place.

    ``names`` are what the loss is called at each setting; ``learnt`` is of (setting, seed) too.
    """
    own = study({"grid": GRID, **tuning}, objectives=["mlm"])
    tuner, cells = trials(own, folder=run)
    for number, trial in enumerate(tried_settings(cells, "mlm")):
        for place, cell in enumerate(trial):
            common = None if learnt is None else common_loss(learnt[number][place])
            record_trial(run, cell, losses[number][place], names[number], common)
    rate = tuner.tuned(cells).overrides["mlm"]["training.learning_rate"]
    return own.tuning.trials("mlm").index({"training.learning_rate": rate})


@pytest.mark.parametrize(
    ("tuning", "told"),
    [
        (
            {"seed": 1000},
            "test: tuning.seed: unknown setting 'seed'; did you mean 'seeds'?"
            + " (known: budget, grid, objectives, score, seeds)",
        ),
        ({"seeds": [7, 1]}, "test: tuning seed 1 is one of the study's seeds: name another"),
        ({"seeds": [7, 7]}, "test: tuning.seeds = [7, 7]: 7 is listed twice"),
        (
            {"seeds": []},
            "test: tuning.seeds = []: Tuple should have at least 1 item after validation, not 0",
        ),
        ({"seeds": 7}, "test: tuning.seeds = 7: Input should be a list"),
    ],
)
def test_seeds_that_do_not_fit_are_refused_in_one_line(tuning, told):
    with pytest.raises(ConfigError) as caught:
        study(tuning)
    assert str(caught.value) == told


def test_keys_of_a_study_tuned_on_one_seed_stay_what_they_were(trials, monkeypatch):
    # As computed when groups of parameters got settings of their own.
    # Where these change, every folder's trials run again: raise ENGINE_VERSION, and say so.
    known = {
        "mlm.trial-0": "f7122ba1ad63e6926068da86da9768f03d18ef5a0910050c059ea4fe593f17ed",
        "taco.trial-0": "a5968a5a8df39ca64645c5a27bc82f16860aadc91428c22eea716b0f93b686e6",
        "mlm.trial-1": "27fedf6dfd81b1a42fca52b1aa443f64b3849c6eedcae8edc5e0c89e86319b2e",
        "taco.trial-1": "ee2dee6c4b9b963886378a3b6e5a27824ff411c737b05c5ad6810cc6ce580ca1",
    }
    for cells in (pretraining_cells, evaluation_cells):
        monkeypatch.setattr(cells, "ENGINE_VERSION", 1)
        monkeypatch.setattr(cells, "source_digest", lambda thing: "source")
    monkeypatch.setattr(pretraining_cells, "recorded_options", lambda config: {"rate": 0.15})
    _, cells = trials(study({"grid": GRID, "seeds": [1000]}))
    assert {cell.id: cell.key for cell in cells} == known
    assert list(known) == [cell.id for cell in cells]
    # Three seeds are the default, and the trials of the first count.
    for tuning, seeds in (({"seeds": [1000, 1001]}, 2), ({}, 3)):
        _, cells = trials(study({"grid": GRID, **tuning}))
        assert [cell.seed for cell in cells[::4]] == list(range(1000, 1000 + seeds))
        assert {cell.id: cell.key for cell in cells[:4]} == known
        assert not {cell.key for cell in cells[4:]} & set(known.values())


@pytest.mark.parametrize("seeds", [[5], [5, 9], [1000, 1001, 1002]])
def test_every_objective_gets_every_setting_with_every_seed(trials, seeds):
    grids = {"taco": {"options.taco.temperature": [0.1, 0.2]}}
    _, cells = trials(study({"grid": GRID, "objectives": grids, "seeds": seeds}))
    assert len({cell.id for cell in cells}) == len(cells) == 2 * 2 * len(seeds)
    for name, (place, values) in {
        "mlm": ("training.learning_rate", [1e-3, 2e-3]),
        "taco": ("options.taco.temperature", [0.1, 0.2]),
    }.items():
        own = [(cell.settings, cell.seed) for cell in cells if cell.objective == name]
        assert own == [({place: value}, seed) for seed in seeds for value in values]
        for value, trial in zip(values, tried_settings(cells, name), strict=True):
            assert [(cell.settings, cell.seed) for cell in trial] == [
                ({place: value}, seed) for seed in seeds
            ]
    assert {cell.step for cell in cells} == {9}


def test_the_mean_chooses_where_one_seed_misleads(trials, tmp_path):
    # The larger rate happened to leave the plateau early, once.
    losses = [[3.0, 3.1, 3.0], [2.5, 6.0, 6.0]]
    first = [row[:1] for row in losses]
    assert choice(trials, tmp_path / "one", {"seeds": [5]}, first) == 1
    assert choice(trials, tmp_path / "three", {"seeds": [5, 6, 7]}, losses) == 0


def test_a_setting_that_diverged_on_one_seed_is_not_chosen(trials, tmp_path):
    losses = [[9.0, 9.0], [1.0, math.inf]]
    assert choice(trials, tmp_path, {"seeds": [5, 6]}, losses) == 0


def test_of_settings_with_one_mean_the_first_is_chosen(trials, tmp_path):
    assert choice(trials, tmp_path, {"seeds": [5, 6]}, [[1.0, 3.0], [3.0, 1.0]]) == 0


def test_where_every_setting_diverged_on_some_seed_there_is_nothing_to_choose(trials, tmp_path):
    with pytest.raises(ConfigError) as caught:
        choice(trials, tmp_path, {"seeds": [5, 6]}, [[math.inf, 1.0], [1.0, math.inf]])
    assert str(caught.value) == (
        "tuning: every setting of mlm failed or diverged on one of the tuning seeds; widen its "
        f"grid, or delete their records in {tmp_path / 'records' / 'trial'} to run them again"
    )


LEARNT = [True, True, True]


@pytest.mark.parametrize(
    ("losses", "learnt", "place"),
    [
        # The second has the better score or not, and only the first learnt on all seeds.
        ([[4.4, 4.4, 4.4], [2.0, 2.0, 5.0]], [LEARNT, [True, True, False]], 0),
        ([[2.0, 2.0, 5.0], [4.4, 4.4, 4.4]], [[True, True, False], LEARNT], 1),
        # Among those that learnt on all, the score chooses.
        ([[4.4, 4.4, 4.4], [2.0, 2.0, 5.0]], [LEARNT, LEARNT], 1),
        # None learnt on all: the score chooses as it would if nothing were known.
        ([[4.4, 4.4, 4.4], [2.0, 2.0, 5.0]], [[False] * 3, [True, True, False]], 1),
        ([[3.0, 3.0, 3.0], [4.0, 4.0, 4.0]], [[True, False, True], [False] * 3], 0),
        # One that diverged did not learn, so the other is chosen although it is stuck.
        ([[1.0, 1.0, math.inf], [5.0, 5.0, 5.0]], [LEARNT, [False] * 3], 1),
    ],
)
def test_a_setting_that_is_stuck_on_a_seed_is_not_chosen_where_another_learnt_on_all(
    trials, tmp_path, losses, learnt, place
):
    RunFolder(tmp_path).write_reference_lines(LINES)
    assert choice(trials, tmp_path, {}, losses, learnt=learnt) == place


def test_without_lines_nothing_is_known_of_learning_and_the_score_chooses(trials, tmp_path):
    losses = [[4.4, 4.4, 4.4], [2.0, 2.0, 5.0]]
    assert choice(trials, tmp_path, {}, losses, learnt=[LEARNT, [True, True, False]]) == 1


@pytest.mark.parametrize(
    ("learnt", "unreliable"),
    [
        ([LEARNT, [False] * 3], ()),
        ([[True, True, False], [False, True, True]], ("mlm",)),
        ([[False] * 3, [False] * 3], ("mlm",)),
        (None, ()),
    ],
)
def test_the_tuner_knows_where_no_setting_learnt_on_all_seeds(trials, tmp_path, learnt, unreliable):
    RunFolder(tmp_path).write_reference_lines(LINES)
    choice(trials, tmp_path, {}, [[3.0] * 3, [4.0] * 3], learnt=learnt)
    tuner, cells = trials(study({"grid": GRID}, objectives=["mlm"]))
    assert tuner.without_reliable_setting(cells) == unreliable


@pytest.mark.parametrize("draw", range(4))
def test_the_choice_is_the_smallest_mean_whatever_the_losses(trials, tmp_path, draw):
    losses = np.random.default_rng(draw).uniform(1.0, 9.0, (2, 3)).round(2)
    wanted = min(range(2), key=lambda number: sum(losses[number]))
    assert choice(trials, tmp_path, {"seeds": [5, 6, 7]}, losses.tolist()) == wanted


def test_a_suites_score_is_averaged_over_the_seeds_too(trials, tmp_path):
    own = study(
        {"grid": GRID, "seeds": [5, 6], "score": "toy"},
        objectives=["mlm"],
        evaluation={"suites": ["toy"]},
        options={"toy": {"tasks": ["polarity"]}},
    )
    tuner, cells = trials(own)
    accuracies = {(1e-3, 5): 0.7, (1e-3, 6): 0.7, (2e-3, 5): 0.9, (2e-3, 6): 0.4}
    by_id = {cell.id: cell for cell in cells}
    scoring = [cell for cell in cells if cell.kind == "trial_evaluation"]
    assert len(scoring) == len(accuracies)
    for cell in scoring:
        (trial,) = (by_id[needed] for needed in cell.needs)
        accuracy = accuracies[trial.settings["training.learning_rate"], trial.seed]
        RunFolder(tmp_path).write_record(
            TrialEvaluationRecord(
                **ANY,
                id=cell.id,
                key=cell.key,
                status="ok",
                objective="mlm",
                seed=cell.seed,
                suite="toy",
                suite_version=1,
                protocol="",
                task="polarity",
                finetune_seed=0,
                meters=NOTHING,
                share=1.0,
                upstream=trial.key,
                scores={"polarity": {"accuracy": accuracy}},
            ),
        )
    best = tuner.best(cells)
    assert {
        seed: cell.settings["training.learning_rate"] for seed, cell in best["mlm"].items()
    } == {
        5: 1e-3,
        6: 1e-3,
    }


def test_a_learner_is_tried_with_the_teacher_of_the_same_tuning_seed(trials, tmp_path):
    own = study({"grid": GRID, "seeds": [5, 6]}, objectives=["mlm", "tacl"])
    tuner, teachers = trials(own, names=("mlm",))
    assert tuner.rounds() == (("mlm",), ("tacl",))
    for trial, row in zip(tried_settings(teachers, "mlm"), ([1.0, 9.0], [4.0, 4.0]), strict=True):
        for cell, loss in zip(trial, row, strict=True):
            record_trial(tmp_path, cell, loss)
    best = tuner.best(teachers)
    assert {seed: cell.id for seed, cell in best["mlm"].items()} == {
        5: "mlm.trial-1",
        6: "mlm.trial-1.seed-6",
    }
    _, learners = trials(own, names=("tacl",), best=best)
    assert {cell.id: cell.needs for cell in learners} == {
        "tacl.trial-0": ("mlm.trial-1",),
        "tacl.trial-1": ("mlm.trial-1",),
        "tacl.trial-0.seed-6": ("mlm.trial-1.seed-6",),
        "tacl.trial-1.seed-6": ("mlm.trial-1.seed-6",),
    }


def test_seeds_are_added_to_a_finished_study_and_what_was_tried_counts(
    make_study, run, registry, tmp_path
):
    small = {
        "objectives": ["mlm"],
        "evaluation": {"suites": [], "points": 1, "heldout_batches": 1},
    }
    # A rate of 5 is far too large on any seed.
    tuning = {"grid": {"training.learning_rate": [5.0, 1e-3]}, "score": "mlm"}
    assert run(make_study(**small, tuning={**tuning, "seeds": [1000]}), tmp_path).complete
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "records").rglob("*.json")}
    more = make_study(**small, tuning={**tuning, "seeds": [1000, 1001]})
    assert run(more, tmp_path).complete
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "records").rglob("*.json")}
    assert before.items() < after.items()
    records = {record.id: record for record in read_records(tmp_path)}
    assert set(records) == {
        *(f"mlm.trial-{number}{which}" for number in (0, 1) for which in ("", ".seed-1001")),
        "mlm.seed-0",
    }
    assert records["mlm.trial-1.seed-1001"].seed == 1001
    assert records["mlm.trial-1.seed-1001"].points != records["mlm.trial-1"].points
    results = read_study_results(tmp_path)
    assert spent(results, "mlm").trials == 4
    assert results.plan.objectives[0].overrides == {"training.learning_rate": 1e-3}
    assert not results.stale
    listed = dry_run(more, run=tmp_path, registry=registry).splitlines()[:-1]
    assert sorted(line.split() for line in listed) == sorted(["done", name] for name in records)


def test_a_term_is_found_also_where_another_has_arranged_its_text(trials, tmp_path):
    names = ["mlm after sop"] * 2
    assert choice(trials, tmp_path, {"score": "mlm", "seeds": [5]}, [[2.0], [1.0]], names) == 1


def test_the_common_loss_chooses_where_no_term_is_in_all_objectives(trials, tmp_path):
    tuning, learnt = {"score": "common", "seeds": [5]}, [[False], [True]]
    assert choice(trials, tmp_path, tuning, [[1.0], [2.0]], ["tc", "tc"], learnt) == 1


def test_the_common_loss_is_a_score_only_where_it_was_measured(trials, tmp_path):
    with pytest.raises(
        UnknownNameError, match=r"tuning\.score 'common' for mlm \(known: loss, mlm\)"
    ):
        choice(trials, tmp_path, {"score": "common", "seeds": [5]}, [[1.0], [2.0]])


def test_a_setting_without_the_term_is_not_the_best(trials, tmp_path):
    assert (
        choice(trials, tmp_path, {"score": "mlm", "seeds": [5]}, [[0.0], [3.0]], ["tc", "mlm"]) == 1
    )


def test_a_term_that_no_setting_has_is_refused(trials, tmp_path):
    told = r"tuning\.score 'mlm' for mlm \(known: loss, tc\)"
    with pytest.raises(UnknownNameError, match=told):
        choice(trials, tmp_path, {"score": "mlm", "seeds": [5]}, [[0.0], [3.0]], ["tc", "tc"])
