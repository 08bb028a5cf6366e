"""How settings were chosen, and whether pairing paid, is said without anybody writing it by hand."""

from math import log

import pytest

from objbench.leaderboard.caveats import caveats
from objbench.leaderboard.choice_caveats import choice_sentences, pairing_sentences
from objbench.leaderboard.tables.tuning import tuning_sentence, tuning_table
from objbench.leaderboard.tuning import study_tuning
from objbench.results.reference_lines import Lines, ReferenceLines
from objbench.results.study_results import join
from objbench.results.training_points import CommonLoss

RATE = "training.learning_rate"


def results_of(study):
    return join(study.plan, study.records.values())


def tuned(study, grid, **chosen):
    """The study with a grid, and the objectives' chosen values of the setting of that grid."""
    plan = study.plan
    settings = {**plan.study, "tuning": {**plan.study["tuning"], "grid": grid}}
    objectives = tuple(
        item.model_copy(update={"overrides": {place: chosen[item.name] for place in grid}})
        for item in plan.objectives
    )
    study.plan = plan.model_copy(update={"study": settings, "objectives": objectives})
    return study


def test_one_tuning_seed_is_said(make_study):
    (said,) = choice_sentences(results_of(make_study(trials=2)))
    assert said.startswith("Settings were chosen on a single tuning seed")
    three = make_study(trials=2, tuning_seeds=(1000, 1001, 1002))
    assert list(choice_sentences(results_of(three))) == []
    assert list(choice_sentences(results_of(make_study()))) == []


@pytest.mark.parametrize(
    ("grid", "chosen", "said"),
    [
        ([0.1, 0.2, 0.4], {"mlm": 0.2, "taco": 0.2}, ""),
        ([0.1, 0.2, 0.4], {"mlm": 0.1, "taco": 0.2}, "learning_rate 0.1 (mlm)."),
        ([0.1, 0.4], {"mlm": 0.4, "taco": 0.4}, "learning_rate 0.4 (mlm and taco)."),
        # What has no order has no edge; neither has a single value, nor what a stranger made up.
        (["a", "b"], {"mlm": "a", "taco": "b"}, ""),
        ([0.1], {"mlm": 0.1, "taco": 0.1}, ""),
        ([True, False], {"mlm": True, "taco": True}, ""),
        ("0.1", {"mlm": "0.1", "taco": "0.1"}, ""),
        ([0.1, [2]], {"mlm": 0.1, "taco": [2]}, ""),
    ],
)
def test_a_setting_at_the_edge_of_its_grid_is_said(make_study, grid, chosen, said):
    study = tuned(make_study(trials=2, tuning_seeds=(1000, 1001)), {RATE: grid}, **chosen)
    found = " ".join(choice_sentences(results_of(study)))
    lead = "Chosen at the edge of what was tried, so better values may lie beyond: "
    assert found == (lead + said if said else "")


def with_learning(study, learnt):
    """The study with trials of which those named in ``learnt`` did and the others are stuck."""
    for cell in study.plan.cells:
        if cell.kind == "trial":
            (point,) = study.records[cell.id].points
            loss, gain = (3.0, 2.0) if cell.id in learnt else (5.2, 0.0)
            common = CommonLoss(of="masked", loss=loss, order_gain=gain, error=0.01, tokens=9)
            study.change(cell.id, points=[point.model_copy(update={"common": common})])
    uniform = log(study.plan.data["vocabulary"])
    lines = Lines(uniform=uniform, unigram=6.3, bag=5.3, bigram=4.5)
    return join(
        study.plan,
        study.records.values(),
        ReferenceLines(
            lines={"masked": lines.model_copy(update={"neighbours": 3.2}), "next": lines},
            train_tokens=9,
            heldout_tokens=9,
            key="a1",
            provenance=next(iter(study.records.values())).provenance,
        ),
    )


def test_an_objective_of_which_no_setting_learnt_on_all_tuning_seeds_is_named(make_study):
    study = make_study(trials=2, tuning_seeds=(1000, 1001))
    every = [cell.id for cell in study.plan.cells if cell.kind == "trial"]
    assert list(choice_sentences(with_learning(study, every))) == []
    # One of the two settings of each objective: that one was to be chosen, and nothing is said.
    one = [name for name in every if "trial-0" in name]
    assert list(choice_sentences(with_learning(study, one))) == []
    once = ["mlm.trial-0", "mlm.trial-1.seed-1001", *(n for n in every if n.startswith("taco"))]
    (said,) = choice_sentences(with_learning(study, once))
    assert said == (
        "No setting of mlm learnt on all of its tuning seeds; the best score chose, whether the "
        "trials learnt or not."
    )
    (said,) = choice_sentences(with_learning(study, []))
    assert said.startswith("No setting of mlm and taco learnt on all")


def test_the_table_of_trials_says_on_how_many_seeds_each_setting_learnt(make_study, rows):
    study = make_study(trials=2, tuning_seeds=(1000, 1001))
    tuning = study_tuning(with_learning(study, ["mlm.trial-0", "mlm.trial-0.seed-1001"]))
    assert [row["learnt"] for row in rows(tuning_table(tuning))] == ["2 of 2", *["0 of 2"] * 3]
    assert "was chosen only where none learnt on all" in tuning_sentence(tuning)
    unknown = study_tuning(results_of(make_study(trials=2, tuning_seeds=(1000, 1001))))
    assert all("learnt" not in row for row in rows(tuning_table(unknown)))
    assert "learnt" not in tuning_sentence(unknown)


def test_an_objectives_own_grid_counts(make_study):
    study = tuned(make_study(trials=2, tuning_seeds=(1, 2)), {RATE: [0.1, 0.2]}, mlm=0.1, taco=0.3)
    tuning = {**study.plan.study["tuning"], "objectives": {"taco": {RATE: [0.2, 0.3, 0.4]}}}
    study.plan = study.plan.model_copy(update={"study": {**study.plan.study, "tuning": tuning}})
    (said,) = choice_sentences(results_of(study))
    assert said.endswith(": learning_rate 0.1 (mlm).")


def test_whether_pairing_paid_is_said_from_five_seeds_on(make_study):
    # mlm gains 1 point a seed and taco 2: the gain varies as mlm does, 1 against sqrt(1 + 4).
    study = make_study(seeds=(1, 2, 3, 4, 5))
    (said,) = pairing_sentences(results_of(study))
    assert said == (
        "Correlation over seeds of the glue scores with those of mlm: taco +1.00, the gain varies "
        "0.45 times as much as without pairing."
    )
    assert said in caveats(results_of(study))
    assert list(pairing_sentences(results_of(make_study(seeds=(1, 2, 3, 4))))) == []


def test_scores_that_do_not_vary_have_no_correlation(make_study):
    study = make_study(seeds=(1, 2, 3, 4, 5))
    for cell_id, record in study.records.items():
        if record.kind == "evaluation" and record.objective == "mlm":
            study.change(
                cell_id, scores={c: dict.fromkeys(m, 0.5) for c, m in record.scores.items()}
            )
    assert list(pairing_sentences(results_of(study))) == []
