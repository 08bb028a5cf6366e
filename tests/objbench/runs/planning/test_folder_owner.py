"""A folder belongs to a study: what may change in it, and what is another study."""

import pytest

from objbench.errors import ConfigError
from objbench.results.plan import Plan, PlannedObjective
from objbench.results.run_folder import RunFolder
from objbench.runs.planning.folder_owner import require_same_study, require_same_text


def planned(name):
    return PlannedObjective(
        name=name,
        summary="",
        reference="",
        steps=6,
        flops_per_step=1.0,
        tokens_per_step=1,
        seconds_per_step=None,
        options={},
    )


@pytest.fixture
def folder(make_study, tmp_path):
    """A folder in which the study of mlm and taco was begun."""
    study = make_study()
    run = RunFolder(tmp_path / "begun")
    run.make()
    run.write_plan(
        Plan(
            name="begun",
            command="",
            engine_version=1,
            study=study.model_dump(mode="json"),
            data={"key": "of the text"},
            baseline="mlm",
            budget=study.budget,
            equalize=study.equalize,
            objectives=tuple(map(planned, study.objectives)),
            suites=(),
            cells=(),
        )
    )
    return run


SAME = [
    {},
    {"objectives": ["mlm", "wwm", "taco"]},
    {"seeds": [0, 1]},
    {"options": {"taco": {"temperature": 0.5}}},
    {"overrides": {"taco": {"training.learning_rate": 1e-4}}},
    {"evaluation": {"suites": ["heldout"]}},
    {"training": {"log_every": 7}},
    {"training": {"activation_checkpointing": True}},
    {"preset": "demo"},
]
OTHER = [
    ({"objectives": ["mlm", "wwm"]}, "objectives mlm, taco, here without taco"),
    ({"objectives": ["taco", "mlm"]}, "baseline mlm, here taco"),
    ({"budget": "7-steps"}, "budget 6-steps, here 7-steps"),
    ({"equalize": "steps"}, "equalize flops, here steps"),
    ({"training": {"learning_rate": 0.01}}, "training.learning_rate 0.001, here 0.01"),
    ({"encoder": {"config": {"hidden_size": 32}}}, "encoder.config"),
    ({"data": {"length": 8}}, "data.length 16, here 8"),
    ({"evaluation": {"points": 1}}, "evaluation.points 2, here 1"),
]


@pytest.mark.parametrize("changes", SAME, ids=str)
def test_a_study_may_grow_and_change_its_options(folder, make_study, changes):
    require_same_study(make_study(**changes), folder)


@pytest.mark.parametrize(("changes", "difference"), OTHER, ids=str)
def test_another_study_is_refused_with_the_difference_and_the_way_out(
    folder, make_study, changes, difference
):
    with pytest.raises(ConfigError) as caught:
        require_same_study(make_study(**changes), folder)
    text = str(caught.value)
    assert text.startswith(f"{folder} holds another study (")
    assert difference in text
    assert text.endswith("give this one a folder of its own with --name NAME or --out DIR")


def test_many_differences_are_counted(folder, make_study):
    study = make_study(
        budget="9-steps",
        equalize="steps",
        training={"batch": 8, "warmup": 0.5},
        evaluation={"points": 1},
    )
    with pytest.raises(ConfigError, match=r"; 2 more\)"):
        require_same_study(study, folder)


def test_an_empty_folder_belongs_to_nobody(make_study, tmp_path):
    require_same_study(make_study(), RunFolder(tmp_path))
    require_same_text(make_study(), {"key": "any"}, RunFolder(tmp_path))


def test_other_text_from_another_place_is_another_study(folder, make_study, corpus):
    moved = make_study(data={"corpus": str(corpus.parent / "elsewhere.txt")})
    require_same_text(moved, {"key": "of the text"}, folder)
    around = make_study(data={"corpus": f"{corpus.parent}/../{corpus.parent.name}/{corpus.name}"})
    require_same_text(around, {"key": "of the text as it has grown"}, folder)
    with pytest.raises(ConfigError, match=r"a study of other text \(corpus .*toy.txt, here toy\)"):
        require_same_text(make_study(data={"corpus": "toy"}), {"key": "another"}, folder)
