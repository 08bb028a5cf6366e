"""A floor is an evaluation by its form and none by what it means: nothing of encoders reads it."""

from objbench.judge.paper_differences import paper_differences
from objbench.judge.papers.claims import shipped_claims
from objbench.leaderboard.caveats import caveats
from objbench.leaderboard.data_frames import Results
from objbench.results.study_results import join

FLOORS = {"majority": 30, "untrained": 10}


def test_what_limits_a_floor_limits_no_score(make_study):
    study = make_study(floors=FLOORS)
    for name in study.records:
        if ".floor-" in name:
            study.change(name, max_train_samples=8, train_examples=8)
    results = join(study.plan, study.records.values())
    assert not [text for text in caveats(results) if "examples" in text]
    file = next(file for file in shipped_claims() if file.objective == "taco")
    found = paper_differences(results, file, file.claims[0], "glue")
    assert not [text for text in found.others if "examples" in text]


def test_a_data_frame_of_scores_has_the_encoders_alone(make_study):
    with_floors, without = (
        Results(join(study.plan, study.records.values())).scores().rows
        for study in (make_study(floors=FLOORS), make_study())
    )
    assert list(with_floors) == list(without)
