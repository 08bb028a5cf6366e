"""The sentence on top may be quoted without being wrong."""

from objbench.leaderboard.headline import headline

SCALE = "1.23M parameters and 2.46M tokens"
ELSEWHERE = "nothing here says what happens at another scale"


def unlike_mlm(study, objective, points):
    """Give an objective mlm's scores plus so many points, at every seed but for a small spread."""
    for cell_id, record in list(study.records.items()):
        if record.kind == "evaluation" and record.objective == objective:
            twin = study.records[cell_id.replace(objective, "mlm")].scores
            plus = (points + 0.01 * record.seed) / 100
            moved = {
                name: {metric: value + plus for metric, value in metrics.items()}
                for name, metrics in twin.items()
            }
            study.change(cell_id, scores=moved)


def test_few_seeds_conclude_nothing(make_study, report_of):
    assert headline(report_of(make_study())) == (
        f"taco against mlm at equal FLOPs, {SCALE}, 2 seeds: nothing may be concluded about which "
        "is better, because 2 seeds give no confidence interval (objbench asks for at least 3)."
    )


def test_better_and_worse_and_neither_are_named(make_study, report_of):
    names = ("mlm", "taco", "worse", "same")
    study = make_study(objectives=names, seeds=(1, 2, 3, 4))
    unlike_mlm(study, "taco", 3.0)
    unlike_mlm(study, "worse", -3.0)
    unlike_mlm(study, "same", -0.025)
    assert headline(report_of(study)) == (
        f"taco, worse and same against mlm at equal FLOPs, {SCALE}, 4 seeds: on the suite glue, taco is "
        "significantly better than mlm, worse is significantly worse than mlm, same is not "
        f"significantly different from mlm; {ELSEWHERE}."
    )


def test_many_are_counted(make_study, report_of):
    study = make_study(objectives=("mlm", *"abcde"), seeds=(1, 2, 3), points=1)
    assert headline(report_of(study)).startswith("5 objectives against mlm at equal FLOPs")


def test_one_objective_alone(make_study, report_of):
    study = make_study(objectives=("mlm",), seeds=(1, 2, 3))
    assert headline(report_of(study)) == f"mlm alone, {SCALE}, 3 seeds: nothing is compared."


def test_an_incomplete_side_concludes_nothing(make_study, report_of):
    study = make_study(seeds=(1, 2, 3))
    del study.records["glue.cola.taco.seed-2.3of3.ft-1"]
    assert headline(report_of(study)).endswith(
        ": nothing may be concluded, because no score of both sides is complete."
    )


def test_before_the_first_run_there_is_no_scale(make_study, report_of):
    study = make_study()
    study.records.clear()
    assert headline(report_of(study)).startswith("taco against mlm at equal FLOPs, 2 seeds: ")
