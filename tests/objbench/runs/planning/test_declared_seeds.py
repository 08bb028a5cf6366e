"""What a run folder remembers of its declaration: its seeds, and at which numbers it is judged."""

import pytest

from objbench.errors import ConfigError
from objbench.results.plan import Plan, PlannedObjective
from objbench.results.run_folder import RunFolder
from objbench.runs.planning.declared_seeds import declared_looks, declared_seeds

OBJECTIVE = PlannedObjective(
    name="mlm",
    summary="",
    reference="",
    steps=6,
    flops_per_step=1.0,
    tokens_per_step=1,
    seconds_per_step=None,
    options={},
)


@pytest.fixture
def begun(make_study, tmp_path):
    """A folder in which a study with these seeds and looks was begun."""

    def begin(declared, looks=()):
        study = make_study()
        run = RunFolder(tmp_path / "begun")
        run.make()
        run.write_plan(
            Plan(
                name="begun",
                command="",
                engine_version=1,
                study=study.model_dump(mode="json"),
                data={},
                baseline="mlm",
                budget=study.budget,
                equalize=study.equalize,
                objectives=(OBJECTIVE,),
                suites=(),
                declared=declared,
                looks=looks,
                cells=(),
            )
        )
        return run

    return begin


def test_seeds_are_added_in_rows_and_never_dropped(begun, make_study):
    run = begun([(1, 2), (3,)])
    assert declared_seeds(make_study(seeds=(1, 2, 3, 4)), run) == ((1, 2), (3,), (4,))
    with pytest.raises(ConfigError, match="dropping 2 now would be cherry-picking"):
        declared_seeds(make_study(seeds=(1, 3)), run)


def test_the_first_command_declares_the_looks(begun, make_study, tmp_path):
    new = RunFolder(tmp_path / "new")
    assert declared_looks(make_study(looks=(5, 10)), new) == (5, 10)
    assert declared_looks(make_study(), new) == ()
    # Nothing can have been read from two seeds.
    assert declared_looks(make_study(looks=(5, 10)), begun([(1,), (2,)])) == (5, 10)


def test_looks_stay_as_they_were_declared(begun, make_study):
    run = begun([(1, 2, 3)], looks=(3, 6))
    assert declared_looks(make_study(), run) == (3, 6)
    assert declared_looks(make_study(looks=(3, 6)), run) == (3, 6)
    with pytest.raises(ConfigError, match=r"declared looks at 3,6 seeds, .*: use --looks 3,6"):
        declared_looks(make_study(looks=(3, 4, 6)), run)


def test_looks_cannot_be_declared_after_a_look(begun, make_study):
    run = begun([(1, 2, 3)])
    assert declared_looks(make_study(), run) == ()
    with pytest.raises(ConfigError, match="has 3 seeds and was begun without looks"):
        declared_looks(make_study(looks=(3, 6)), run)
