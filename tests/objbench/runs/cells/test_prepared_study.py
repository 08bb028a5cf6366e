"""A study is prepared once: its text is opened when it is needed, and only then."""

import pytest

from objbench.errors import UnknownNameError
from objbench.results.plan import PlannedCell
from objbench.results.run_folder import RunFolder
from objbench.runs.cells import prepared_study
from objbench.runs.cells.prepared_study import prepare


@pytest.fixture
def prepared(make_study, registry, cache, tmp_path):
    return prepare(make_study(), registry, RunFolder(tmp_path), cache=cache, device="cpu")


def test_the_text_is_opened_once_whatever_the_settings(prepared, make_study, monkeypatch):
    opened = []
    monkeypatch.setattr(prepared_study, "open_text", lambda *given: opened.append(given))
    again = prepare(
        prepared.study, prepared.registry, prepared.folder, cache=prepared.cache, device="cpu"
    )
    assert opened == []
    tuned = again.with_study(make_study(overrides={"taco": {"options.taco.temperature": 0.5}}))
    assert tuned.open_text() is again.open_text()
    assert len(opened) == 1
    assert tuned.plugins.objectives["taco"][1].temperature == 0.5
    assert again.plugins.objectives["taco"][1].temperature != 0.5


def test_names_that_do_not_fit_are_refused(prepared, make_study):
    with pytest.raises(UnknownNameError):
        prepared.with_study(make_study(objectives=["mlm", "nobody"]))


def test_a_job_has_the_settings_of_its_cell_and_folders_of_its_own(prepared, tmp_path):
    settings = {"training.learning_rate": 0.5}
    trial = PlannedCell(
        id="taco.trial-1",
        kind="trial",
        key="a" * 64,
        objective="taco",
        seed=7,
        step=6,
        settings=settings,
    )
    run = trial.model_copy(update={"id": "taco.seed-7", "kind": "pretrain", "settings": {}})
    one, two = map(prepared.pretrain_job, (trial, run))
    assert (one.training.learning_rate, two.training.learning_rate) == (0.5, 1e-3)
    assert (one.export_steps, two.export_steps) == ((6,), (3, 6))
    assert (one.heldout_part, two.heldout_part) == ("tuning", "reported")
    assert one.encoders == "encoders/taco.trial-1.aaaaaaaaaaaa"
    assert one.checkpoints == tmp_path / "checkpoints" / "taco.trial-1.aaaaaaaaaaaa"
    assert (one.key, one.seed, one.run) == (trial.key, 7, tmp_path)
