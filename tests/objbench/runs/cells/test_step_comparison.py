"""The steps of a study's objectives are compared once, and never in the way of the study."""

import pytest

from objbench.engine.measuring import step_comparison as engine
from objbench.errors import RecordError
from objbench.results.run_folder import RunFolder
from objbench.results.step_comparison import ComparedStep
from objbench.runs.cells import step_comparison
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.progress import Display


class Heard(Display):
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def keep(cache, registry, tmp_path):
    """(study) -> the lines shown while its steps are compared in ``tmp_path``."""

    def do(study, registry=registry):
        shown = Heard()
        folder = RunFolder(tmp_path)
        step_comparison.keep_step_comparison(
            prepare(study, registry, folder, cache=cache, device="cpu", display=shown)
        )
        return [line for line in shown.said if not line.startswith("corpus ")]

    return do


@pytest.fixture
def measured(monkeypatch):
    """The objectives measured, a tuple each time; the numbers are made up."""
    calls = []
    cost = dict.fromkeys(("seconds", "shortest", "longest", "flops", "peak_memory"), 1)

    def measure(jobs):
        names = [job.objective.name for job in jobs]
        calls.append(tuple(names))
        return [ComparedStep(objective=name, memory_kind="made", **cost) for name in names]

    monkeypatch.setattr(engine, "compare_steps", measure)
    return calls


def test_a_study_measures_its_step_before_its_cells(make_study, run, tmp_path, capsys):
    folder = tmp_path / "run"
    evaluation = {"suites": ["toy"], "points": 1, "max_train_samples": 16}
    assert run(make_study(objectives=["taco", "mlm"], evaluation=evaluation), folder).exit_code == 0
    found = RunFolder(folder).read_step_comparison()
    assert found.baseline == "taco"
    assert [step.objective for step in found.objectives] == ["taco", "mlm"]
    assert found.of("taco").flops > found.of("mlm").flops > 0
    assert found.provenance.command == "objbench run of a test"
    shown = capsys.readouterr().err
    line = "comparing the optimizer steps of taco, mlm"
    assert shown.index(line) < shown.index("cells to run")


def test_it_is_measured_once_and_again_for_other_settings(make_study, keep, measured, tmp_path):
    assert keep(make_study()) == ["comparing the optimizer steps of mlm, taco"]
    assert keep(make_study(seeds=[0, 1])) == []
    assert measured == [("mlm", "taco")]
    keep(make_study(options={"taco": {"temperature": 0.5}}))
    keep(make_study(objectives=["taco", "mlm"]))
    assert measured == [("mlm", "taco"), ("mlm", "taco"), ("taco", "mlm")]
    assert RunFolder(tmp_path).read_step_comparison().baseline == "taco"


def test_several_processes_measure_nothing_and_keep_nothing_stale(
    make_study, keep, measured, tmp_path, monkeypatch
):
    monkeypatch.setattr(step_comparison, "processes", lambda: 2)
    assert keep(make_study()) == []
    assert RunFolder(tmp_path).read_step_comparison() is None
    monkeypatch.setattr(step_comparison, "processes", lambda: 1)
    keep(make_study())
    monkeypatch.setattr(step_comparison, "processes", lambda: 2)
    keep(make_study())
    assert RunFolder(tmp_path).read_step_comparison() is not None
    keep(make_study(data={"length": 12}))
    assert RunFolder(tmp_path).read_step_comparison() is None
    assert len(measured) == 1


def test_what_cannot_be_measured_is_said_and_stops_nothing(make_study, keep, monkeypatch, tmp_path):
    def fail(jobs):
        raise RuntimeError("planted\nfault")

    monkeypatch.setattr(engine, "compare_steps", fail)
    assert keep(make_study())[-1] == ("the steps are not compared: RuntimeError: planted fault")
    assert RunFolder(tmp_path).read_step_comparison() is None


def test_a_damaged_file_is_named(make_study, keep, measured, tmp_path):
    keep(make_study())
    (tmp_path / "overhead.json").write_text("{")
    with pytest.raises(RecordError, match=r"overhead\.json.*delete it"):
        keep(make_study())
