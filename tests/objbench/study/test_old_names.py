"""Settings under their old names mean what they meant, wherever a setting can be named."""

import json
from pathlib import Path

import pytest

from objbench.errors import ConfigError
from objbench.study.files import preset_layer
from objbench.study.study import Study, build_study

LEAST = {"objectives": ["mlm", "taco"], "budget": "10-steps"}
PUBLISHED = Path(__file__).parents[3] / "leaderboard"


def study(*layers):
    return build_study([LEAST, *layers], "the test")


def test_options_of_the_optimizer_may_be_given_as_settings_of_the_training():
    old = study({"training": {"beta2": 0.9, "weight_decay": 0.2, "batch": 8}})
    assert old == study(
        {"training": {"batch": 8, "optimizer": {"beta2": 0.9, "weight_decay": 0.2}}}
    )
    assert (old.training.optimizer.beta2, old.training.optimizer.name) == (0.9, "adamw")


@pytest.mark.parametrize(
    "above", [{"training": {"beta2": 0.5}}, {"training": {"optimizer": {"beta2": 0.5}}}]
)
def test_a_later_layer_wins_under_either_name(above):
    for below in ({"training": {"beta2": 0.9}}, preset_layer("demo")):
        assert study(below, above).training.optimizer.beta2 == 0.5


def test_grids_and_overrides_may_use_the_old_names():
    found = study(
        {
            "tuning": {
                "grid": {"training.beta2": [0.9, 0.95], "training.learning_rate": [1]},
                "objectives": {"taco": {"training.epsilon": [1e-6, 1e-7]}},
            },
            "overrides": {"mlm": {"training.beta1": 0.8}},
        }
    )
    assert list(found.tuning.grid) == ["training.optimizer.beta2", "training.learning_rate"]
    assert list(found.tuning.objectives["taco"]) == ["training.optimizer.epsilon"]
    assert found.overrides == {"mlm": {"training.optimizer.beta1": 0.8}}
    assert found.for_objective("mlm", {"training.beta2": 0.7}).training.optimizer.beta2 == 0.7
    assert found.for_objective("mlm").training.optimizer.beta1 == 0.8


@pytest.mark.parametrize(
    "layer",
    [
        {"training": {"beta2": 0.9, "optimizer": {"beta2": 0.9}}},
        {"tuning": {"grid": {"training.beta2": [1], "training.optimizer.beta2": [1]}}},
        {"overrides": {"mlm": {"training.beta2": 1, "training.optimizer.beta2": 1}}},
    ],
)
def test_both_names_at_once_are_refused(layer):
    with pytest.raises(ConfigError, match=r"beta2 is the old name of training\.optimizer"):
        study(layer)


@pytest.mark.parametrize(
    "layer", [{"training": 1}, {"tuning": {"grid": 1}}, {"overrides": {"mlm": 1}}, {"overrides": 1}]
)
def test_what_is_no_table_is_left_to_the_check_of_the_study(layer):
    with pytest.raises(ConfigError, match="the test: "):
        study(layer)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PUBLISHED.glob("*/plan.json")))
def test_the_study_of_a_published_plan_can_still_be_read(name):
    stored = json.loads((PUBLISHED / name / "plan.json").read_text())["study"]
    if "seed" in (stored.get("tuning") or {}):
        # Tuning on several seeds came later; only pages read this.
        stored["tuning"]["seeds"] = [stored["tuning"].pop("seed")]
    found = Study.model_validate(stored)
    optimizer = stored["training"].get("optimizer", stored["training"])
    assert found.training.optimizer.beta2 == optimizer["beta2"]
