"""Which floors a study asks for, and what their keys depend on."""

import pytest

from objbench.results.plan import PlannedCell
from objbench.runs.planning.configured_plugins import configure_plugins
from objbench.runs.planning.floor_cells import floor_cell, floors

WIDE = {"overrides": {"taco": {"encoder.config.initializer_range": 0.1}}}
DATA = {"key": "abc"}


@pytest.fixture
def cells_of(make_study, registry):
    """(changes, data) -> id -> the cell of every floor of the study."""

    def plan(changes, data=DATA) -> dict[str, PlannedCell]:
        study = make_study(**changes)
        plugins = configure_plugins(study, registry)
        cells = [
            floor_cell(study, plugins, wanted, data, study.for_objective(wanted.objective))
            for wanted in floors(study, plugins)
        ]
        found = {cell.id: cell for cell in cells}
        assert len(found) == len(cells)
        return found

    return plan


def test_one_of_each_task_and_the_untrained_encoder_of_every_seed(cells_of):
    cells = cells_of({"seeds": [3, 4], "options": {"toy": {"tasks": ["polarity", "similarity"]}}})
    assert list(cells) == [
        "toy.polarity.floor-majority.ft-0",
        "toy.similarity.floor-majority.ft-0",
        "toy.polarity.floor-bag-of-words.ft-0",
        "toy.similarity.floor-bag-of-words.ft-0",
        "toy.polarity.floor-untrained.mlm.seed-3.ft-0",
        "toy.similarity.floor-untrained.mlm.seed-3.ft-0",
        "toy.polarity.floor-untrained.mlm.seed-4.ft-0",
        "toy.similarity.floor-untrained.mlm.seed-4.ft-0",
    ]
    assert {(c.kind, c.share, c.step, c.needs) for c in cells.values()} == {("floor", 0.0, 0, ())}
    assert len({cell.key for cell in cells.values()}) == 8


def test_other_initial_weights_are_scored_too(cells_of):
    ids = cells_of(WIDE)
    assert [i.split("untrained.")[1] for i in ids if "untrained" in i] == [
        "mlm.seed-0.ft-0",
        "taco.seed-0.ft-0",
    ]
    # A setting of its own that is not of the encoder changes no weights.
    ids = cells_of({"overrides": {"taco": {"training.learning_rate": 0.01}}})
    assert [i for i in ids if "untrained" in i] == ["toy.polarity.floor-untrained.mlm.seed-0.ft-0"]


def test_every_objective_initialises_its_own_token_head(cells_of):
    ids = cells_of({"evaluation": {"suites": ["heldout", "representation"]}})
    assert list(ids) == [
        "heldout.text.floor-untrained.mlm.seed-0.ft-0",
        "heldout.text.floor-untrained.taco.seed-0.ft-0",
        "representation.text.floor-untrained.mlm.seed-0.ft-0",
    ]


def test_keys_of_what_needs_no_encoder_depend_on_no_seed_and_no_training(cells_of):
    before = cells_of({"seeds": [0]})
    for changes in (
        {"seeds": [7, 0]},
        {"budget": "8-steps"},
        {"training": {"batch": 8, "learning_rate": 1e-4, "log_every": 2}},
        {"options": {"toy": {"tasks": ["polarity"], "epochs": 1, "seeds": 3}}},
        WIDE,
    ):
        after = cells_of(changes)
        for cell, made in before.items():
            if "untrained" not in cell:
                assert after[cell].key == made.key, (cell, changes)


def test_the_untrained_encoder_depends_on_seed_and_encoder_and_on_no_training(cells_of):
    (of_zero,) = (c for i, c in cells_of({"seeds": [0]}).items() if "untrained" in i)
    assert cells_of({"seeds": [7, 0], "budget": "8-steps"})[of_zero.id].key == of_zero.key
    of_seven = cells_of({"seeds": [7]})["toy.polarity.floor-untrained.mlm.seed-7.ft-0"]
    assert of_seven.key != of_zero.key
    wide = cells_of(WIDE)["toy.polarity.floor-untrained.taco.seed-0.ft-0"]
    assert wide.key not in (of_zero.key, of_seven.key)


@pytest.mark.parametrize(
    "changes",
    [
        {"options": {"toy": {"tasks": ["polarity"], "epochs": 2}}},
        {
            "evaluation": {
                "suites": ["toy", "convergence"],
                "points": 2,
                "max_train_samples": 33,
                "heldout_batches": 1,
            }
        },
    ],
)
def test_every_floor_depends_on_the_protocol(changes, cells_of):
    before, after = cells_of({}), cells_of(changes)
    assert before.keys() == after.keys()
    assert all(before[cell].key != after[cell].key for cell in before)


def test_every_floor_depends_on_the_tokenizer(cells_of):
    before, after = cells_of({}), cells_of({}, {"key": "abd"})
    assert all(before[cell].key != after[cell].key for cell in before)


def test_options_of_an_objective_change_its_token_head_alone(cells_of):
    suites = {"evaluation": {"suites": ["heldout", "toy"], "max_train_samples": 32}}
    before = cells_of(suites)
    after = cells_of(suites | {"options": {"taco": {"temperature": 0.5}}})
    changed = {cell for cell in after if cell not in before or before[cell].key != after[cell].key}
    assert {c for c in changed if "heldout" in c} == {
        "heldout.text.floor-untrained.taco.seed-0.ft-0"
    }
