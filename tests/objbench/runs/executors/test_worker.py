"""A worker elsewhere needs no more than its settings: what an executor on a cluster would do."""

import pickle

from objbench.results.run_folder import RunFolder
from objbench.runs.cells.prepared_study import prepare
from objbench.runs.executors.worker import start_worker, worker_settings


class Elsewhere:
    """Runs each cell with settings that were sent as bytes, in the order of the plan."""

    threads = None
    jobs = 1
    is_here = True

    def __init__(self):
        self.seen = []

    def run(self, prepared, plan, finished, ended):
        sent = pickle.dumps(worker_settings(prepared, plan))
        by_id = {cell.id: cell for cell in plan.cells}
        for cell in plan.cells:
            if cell.id not in finished:
                runner = start_worker(pickle.loads(sent), lambda *event: self.seen.append(event))
                ended(runner(cell, [by_id[needed] for needed in cell.needs]))


def test_an_executor_that_only_sends_settings_runs_a_study(
    make_study, run, cache, registry, tmp_path, monkeypatch
):
    study = make_study(evaluation={"suites": ["toy"], "points": 1, "max_train_samples": 16})
    executor = Elsewhere()
    monkeypatch.setattr("objbench.runs.run_study.choose_executor", lambda *given: executor)
    assert run(study, tmp_path).complete
    folder = RunFolder(tmp_path)
    assert len(folder.finished_cells(folder.read_plan().cells)) == 7
    assert {event[0] for event in executor.seen} >= {"mlm.seed-0", "taco.seed-0"}
    prepared = prepare(study, registry, folder, cache=cache, device="cpu")
    settings = worker_settings(prepared, folder.read_plan())
    assert settings.plugins == ("mlm", "taco", "toy")
    # What is sent does not grow with the plan: of its cells there is none.
    assert settings.plan.cells == ()
    assert settings.plan.study == folder.read_plan().study
