"""The lines that a run writes while it lasts are its record's log and points, killed or not."""

import pytest

from objbench.engine.training.trainer import pretrain
from objbench.results.training_log import TrainingLog, read_training_log

TRUNK = {"schedule": "trunk", "cooldown": 1.0, "export_steps": (6, 20)}


class Stop(Exception):
    """Raised in place of a kill."""


@pytest.fixture
def train(tiny, silent, monkeypatch):
    """(folder, step to be killed at, options) -> the outcome, and the lines that are then there."""
    from objbench.engine.training.trainer import _Run

    plain = _Run._advance

    def do(folder, stop=None, **options):
        taken = iter(range(stop if stop is not None else 10**9))

        def advance(run):
            if next(taken, None) is None:
                raise Stop
            plain(run)

        monkeypatch.setattr(_Run, "_advance", advance)
        job = tiny.tiny_job(folder, "tiny-both", checkpoint_every=0, **options)
        log, outcome = TrainingLog(folder / "log.jsonl"), None
        try:
            outcome = pretrain(job, silent, log)
        except Stop:
            # The tail of what it did after its last checkpoint, and a line that was torn.
            (line,) = read_training_log(folder / "log.jsonl")[-1:]
            later = line.model_copy(update={"done": stop + 1})
            with (folder / "log.jsonl").open("a") as file:
                file.write(f'{later.model_dump_json()}\n{{"kind": "tra')
        log.close()
        return outcome, read_training_log(folder / "log.jsonl")

    return do


def timeless(lines):
    drop = {"time", "seconds", "tokens_per_second"}
    return [line.model_dump(exclude=drop) for line in lines]


def test_lines_are_the_points_of_the_record(train, tmp_path):
    outcome, lines = train(tmp_path, steps=22, export_steps=(11, 22))
    trained = [line for line in lines if line.kind == "training"]
    evaluated = [line for line in lines if line.kind == "evaluation"]
    assert [line.done for line in lines] == [5, 10, 11, 15, 20, 22, 22]
    assert {line.total for line in lines} == {22} and not any(line.branch for line in trained)
    for line, point in zip(trained, outcome.log, strict=True):
        meters = point.meters
        assert (line.step, line.tokens) == (meters.steps, meters.tokens)
        assert (line.flops, line.seconds) == (meters.flops, meters.seconds)
        assert (line.loss, line.terms) == (point.loss, point.terms)
        assert line.learning_rate == point.learning_rate
        assert line.gradient_norm > 0 and line.tokens_per_second > 0
    for line, point in zip(evaluated, outcome.points, strict=True):
        assert (line.share, line.heldout) == (point.share, point.heldout)
        assert line.common_loss == point.common.loss
        assert line.order_gain == point.common.order_gain
    # Throughput is of the steps since the line before.
    steps, seconds = 5, trained[1].seconds - trained[0].seconds
    assert trained[1].tokens_per_second == pytest.approx(steps * 8 * 12 / seconds, rel=1e-6)


@pytest.mark.parametrize("stop", [7, 10, 13])
def test_a_run_that_continues_repeats_and_misses_no_step(train, tmp_path, stop):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    _, whole = train(tmp_path / "whole")
    assert train(tmp_path / "cut", stop=stop)[0] is None
    _, again = train(tmp_path / "cut")
    assert timeless(again) == timeless(whole)


@pytest.mark.parametrize("stop", [5, 11])
def test_on_a_trunk_the_lines_of_branches_are_marked(train, tmp_path, stop):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    options = {**TRUNK, "log_every": 1}
    outcome, whole = train(tmp_path / "whole", **options)
    done = [line.done for line in whole]
    assert done == sorted(done) and {line.total for line in whole} == {23}
    kept = [line for line in whole if line.kind == "training" and not line.branch]
    assert [line.step for line in kept] == [point.meters.steps for point in outcome.log]
    assert [line.step for line in whole if line.kind == "evaluation"] == [6, 20]
    assert any(line.branch for line in whole if line.kind == "training")
    assert train(tmp_path / "cut", stop=stop, **options)[0] is None
    _, again = train(tmp_path / "cut", **options)
    assert timeless(again) == timeless(whole)


def test_a_run_that_diverges_ends_its_log_before_it(train, tmp_path, tiny, silent):
    job = tiny.tiny_job(tmp_path, "poisoned", poison_step=7, scale=float("nan"))
    log = TrainingLog(tmp_path / "log.jsonl")
    assert pretrain(job, silent, log).status == "diverged"
    assert [line.done for line in read_training_log(tmp_path / "log.jsonl")] == [5, 7]
