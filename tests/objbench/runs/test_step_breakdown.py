"""The overhead of a study's objectives is measured once, and never in the way of the study."""

import pytest

from objbench.engine.measuring import step_breakdown as engine
from objbench.errors import RecordError
from objbench.results.run_folder import overhead_path, read_overhead
from objbench.results.step_breakdown import PartCost, StepOverhead
from objbench.runs.cells import step_breakdown as step_overhead
from objbench.runs.cells.prepared_study import open_text
from objbench.runs.planning.configured_plugins import configure_plugins
from objbench.runs.progress import Silent


class Heard(Silent):
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def keep(cache, registry, tmp_path):
    """(study) -> the lines shown while its overhead is kept in ``tmp_path``."""

    def do(study, registry=registry):
        shown = Heard()
        step_overhead.keep_overhead(
            study,
            configure_plugins(study, registry),
            open_text(study, cache),
            tmp_path,
            "cpu",
            "objbench run of a test",
            shown,
        )
        return shown.said

    return do


@pytest.fixture
def measured(monkeypatch):
    """The objectives measured, a tuple each time; the numbers are made up."""
    calls = []
    cost = PartCost(seconds=1, shortest=1, longest=1, flops=1)
    parts = dict.fromkeys(
        ("corruption", "encoder", "heads_and_loss", "optimizer", "whole_step"), cost
    )

    def measure(jobs):
        names = [job.objective.name for job in jobs]
        calls.append(tuple(names))
        return [
            StepOverhead(objective=name, peak_memory=1, memory_kind="made", **parts)
            for name in names
        ]

    monkeypatch.setattr(engine, "measure_overhead", measure)
    return calls


def test_a_study_measures_its_step_before_its_cells(make_study, run, tmp_path, capsys):
    folder = tmp_path / "run"
    evaluation = {"suites": ["toy"], "points": 1, "max_train_samples": 16}
    assert run(make_study(objectives=["taco", "mlm"], evaluation=evaluation), folder).exit_code == 0
    found = read_overhead(folder)
    assert found.baseline == "taco"
    assert [step.objective for step in found.objectives] == ["taco", "mlm"]
    assert found.of("taco").heads_and_loss.flops > found.of("mlm").heads_and_loss.flops > 0
    assert found.of("taco").encoder.flops == found.of("mlm").encoder.flops
    assert found.provenance.command == "objbench run of a test"
    shown = capsys.readouterr().err
    line = "measuring the parts of a step of taco, mlm"
    assert shown.index(line) < shown.index("cells to run")


def test_it_is_measured_once_and_anew_for_other_settings(make_study, keep, measured, tmp_path):
    assert keep(make_study()) == ["measuring the parts of a step of mlm, taco"]
    assert keep(make_study(seeds=[0, 1])) == []
    assert measured == [("mlm", "taco")]
    keep(make_study(options={"taco": {"temperature": 0.5}}))
    keep(make_study(objectives=["taco", "mlm"]))
    assert measured == [("mlm", "taco"), ("mlm", "taco"), ("taco", "mlm")]
    assert read_overhead(tmp_path).baseline == "taco"


def test_several_processes_measure_nothing_and_keep_nothing_stale(
    make_study, keep, measured, tmp_path, monkeypatch
):
    monkeypatch.setattr(step_overhead, "processes", lambda: 2)
    assert keep(make_study()) == []
    assert read_overhead(tmp_path) is None
    monkeypatch.setattr(step_overhead, "processes", lambda: 1)
    keep(make_study())
    monkeypatch.setattr(step_overhead, "processes", lambda: 2)
    keep(make_study())
    assert read_overhead(tmp_path) is not None
    keep(make_study(data={"length": 12}))
    assert read_overhead(tmp_path) is None
    assert len(measured) == 1


def test_what_cannot_be_measured_is_said_and_stops_nothing(make_study, keep, monkeypatch, tmp_path):
    def fail(jobs):
        raise RuntimeError("planted\nfault")

    monkeypatch.setattr(engine, "measure_overhead", fail)
    assert keep(make_study())[-1] == (
        "the parts of a step are not measured: RuntimeError: planted fault"
    )
    assert not overhead_path(tmp_path).exists()


def test_a_damaged_file_is_named(make_study, keep, measured, tmp_path):
    keep(make_study())
    overhead_path(tmp_path).write_text("{")
    with pytest.raises(RecordError, match=r"overhead\.json.*delete it"):
        keep(make_study())
