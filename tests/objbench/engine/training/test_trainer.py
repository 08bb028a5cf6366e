"""A whole pretraining on the CPU: meters, log, exports, divergence, resuming."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from objbench.engine.training.checkpoint_files import read_checkpoint
from objbench.engine.training.heldout_loss import heldout_losses
from objbench.engine.training.session import Session
from objbench.engine.training.trainer import pretrain
from objbench.errors import CheckpointError, ConfigError


def losses(outcome) -> list[tuple]:
    return [(p.meters.steps, p.loss, p.terms, p.learning_rate) for p in outcome.log]


def same(left, right) -> bool:
    return set(left) == set(right) and all(torch.equal(left[k], right[k]) for k in left)


def test_outcome(tiny, tmp_path):
    reports = []
    job = tiny.tiny_job(tmp_path, "tiny-both", steps=22, export_steps=(11, 22))
    outcome = pretrain(job, lambda *args: reports.append(args))
    assert (outcome.status, outcome.reason) == ("ok", "")
    assert [p.meters.steps for p in outcome.log] == [5, 10, 15, 20, 22]
    for point in outcome.log:
        assert point.meters.tokens == point.meters.steps * 8 * 12
        assert point.meters.flops == point.meters.steps * outcome.cost.flops_per_step
        assert point.loss == pytest.approx(point.terms["recover"] + 0.5 * point.terms["move"])
    seconds = [p.meters.seconds for p in outcome.log]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert [(p.share, p.encoder) for p in outcome.points] == [
        (0.5, "encoders/tiny-both/step-11"),
        (1.0, "encoders/tiny-both/step-22"),
    ]
    for point in outcome.points:
        assert set(point.heldout) == {"recover", "move", "loss"}
        assert point.common.of == "own"
        assert point.common.loss == pytest.approx(point.heldout["loss"], rel=1e-6)
        assert (tmp_path / point.encoder / "model.safetensors").is_file()
        assert (tmp_path / point.encoder / "tokenizer.json").is_file()
    cost = outcome.cost
    assert cost.head_parameters == 16 * 16 + 16 and cost.encoder_parameters == 5808
    assert cost.tokens_per_second > 0
    assert cost.peak_memory > 50e6 and cost.memory_kind.startswith("process resident")
    assert [args[:2] for args in reports] == [(n, 22) for n in (5, 10, 15, 20, 22)]
    assert "loss" in reports[0][2] and "tokens/s" in reports[0][2] and "left" in reports[0][2]


def test_it_learns(tiny, tmp_path, silent):
    outcome = pretrain(tiny.tiny_job(tmp_path, steps=150, export_steps=(1, 150)), silent)
    assert outcome.points[1].heldout["loss"] < outcome.points[0].heldout["loss"] - 0.3


def test_the_learning_rate_is_a_function_of_the_share(tiny, tmp_path, silent):
    job = tiny.tiny_job(tmp_path, log_every=1, warmup=0.25, export_steps=())
    rates = [point.learning_rate for point in pretrain(job, silent).log]
    assert rates[:5] == pytest.approx([1e-2 * (n + 0.5) / 5 for n in range(5)])
    assert rates[5:] == pytest.approx([1e-2 * (19.5 - n) / 15 for n in range(5, 20)])


def test_the_same_job_gives_the_same_numbers_whatever_ran_before(tiny, tmp_path, silent, weights):
    one = pretrain(tiny.tiny_job(tmp_path / "one"), silent)
    torch.rand(100)
    two = pretrain(tiny.tiny_job(tmp_path / "two"), silent)
    assert losses(one) == losses(two)
    for left, right in zip(one.points, two.points, strict=True):
        assert left.heldout == right.heldout
        assert same(
            weights(tmp_path / "one", left.encoder), weights(tmp_path / "two", left.encoder)
        )
    other = pretrain(tiny.tiny_job(tmp_path / "three", seed=1), silent)
    assert losses(one) != losses(other)


def test_the_callers_generator_is_left_alone(tiny, tmp_path, silent):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    pretrain(tiny.tiny_job(tmp_path, steps=2, export_steps=(2,)), silent)
    assert torch.equal(torch.rand(2), expected)


def test_logging_and_exports_change_no_number(tiny, tmp_path, silent, weights):
    one = pretrain(tiny.tiny_job(tmp_path / "1", log_every=1, export_steps=(3, 7, 20)), silent)
    two = pretrain(tiny.tiny_job(tmp_path / "2", log_every=20, export_steps=(20,)), silent)
    mean = sum(point.loss for point in one.log) / 20
    assert two.log[0].loss == pytest.approx(mean, rel=1e-6)
    final = "encoders/tiny/step-20"
    assert same(weights(tmp_path / "1", final), weights(tmp_path / "2", final))
    assert one.points[-1].heldout == two.points[-1].heldout


def test_heldout_masks_do_not_depend_on_seed_or_objective(tiny, tmp_path):
    sessions = [
        Session(tiny.tiny_job(tmp_path, kind, seed=seed))
        for kind, seed in (("tiny", 0), ("tiny", 1), ("tiny-both", 0))
    ]
    state = sessions[0].module.encoder.state_dict()
    head = sessions[0].module.objective.terms[0].state_dict()
    for session in sessions:
        session.module.encoder.load_state_dict(state)
        session.module.objective.terms[0].load_state_dict(head)
    values = [heldout_losses(session)["recover"] for session in sessions]
    assert values[0] == values[1] == values[2]
    assert sessions[0].module.training


def test_every_step_has_masks_and_dropout_of_its_own_and_has_them_again(tiny, tmp_path):
    session = Session(tiny.tiny_job(tmp_path))
    # The same text every time, so that nothing else differs.
    batch, _ = session.begin(0)
    drawn = {}
    for step in (0, 1, 2, 1):
        session._seed_dropout(step, 0)
        corrupted = session.module.objective.corrupt(batch, session.streams(step, batch))
        found = corrupted.input_ids, torch.rand(8)
        before = drawn.setdefault(step, found)
        assert all(torch.equal(one, other) for one, other in zip(before, found, strict=True))
    for index in (0, 1):
        assert len({tuple(found[index].flatten().tolist()) for found in drawn.values()}) == 3


@pytest.mark.parametrize("scale", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("looks_are_free", [True, False])
def test_a_loss_that_is_not_finite_stops_before_the_update(
    tiny, tmp_path, monkeypatch, scale, looks_are_free
):
    from objbench.engine.training import trainer

    kept = []

    class Watched(trainer._Run):
        def __init__(self, *args):
            super().__init__(*args)
            # As on a GPU, where the host looks at log points only.
            self._looks_are_free = looks_are_free

        def _cost(self):
            kept.append({k: v.clone() for k, v in self.session.module.state_dict().items()})
            return super()._cost()

    monkeypatch.setattr(trainer, "_Run", Watched)
    silent = lambda *args: None
    job = tiny.tiny_job(tmp_path, "poisoned", poison_step=7, scale=scale, export_steps=(20,))
    outcome = pretrain(job, silent)
    assert outcome.status == "diverged"
    assert "step 8 of 20" in outcome.reason
    assert ("'recover'" if scale != 1e30 else "gradient norm") in outcome.reason
    assert outcome.points == []
    assert [p.meters.steps for p in outcome.log] == [5, 7]
    assert all(math.isfinite(p.loss) for p in outcome.log)
    # The weights are those of a run that was never poisoned, seven steps in.
    stopped = dataclasses.replace(job, config=tiny.Poisoned.Config())
    monkeypatch.setattr(Watched, "_advance", _until(7, Watched._advance))
    with pytest.raises(StopIteration):
        pretrain(stopped, silent)
    assert same(kept[0], _until.weights)


def _until(steps, advance):
    def wrapped(run):
        if run.step == steps:
            _until.weights = {k: v.clone() for k, v in run.session.module.state_dict().items()}
            raise StopIteration
        advance(run)

    return wrapped


class Stop(Exception):
    """Raised in place of a kill."""


def interrupted(monkeypatch, at_step):
    from objbench.engine.training import trainer

    advance = trainer._Run._advance

    def wrapped(run):
        if run.step == at_step:
            raise Stop
        advance(run)

    monkeypatch.setattr(trainer._Run, "_advance", wrapped)


@pytest.mark.parametrize("at_step", [10, 13])
def test_a_resumed_run_is_the_same_run(tiny, tmp_path, monkeypatch, silent, weights, at_step):
    whole = pretrain(tiny.tiny_job(tmp_path / "whole"), silent)
    job = tiny.tiny_job(tmp_path / "cut", checkpoint_every=0)
    with monkeypatch.context() as patch:
        interrupted(patch, at_step)
        with pytest.raises(Stop):
            pretrain(job, silent)
    stored = read_checkpoint(job.checkpoints, job.key)
    assert stored.step == at_step
    outcome = pretrain(job, silent)
    assert losses(outcome) == losses(whole)
    assert [p.heldout for p in outcome.points] == [p.heldout for p in whole.points]
    assert [p.common for p in outcome.points] == [p.common for p in whole.points]
    for point in whole.points:
        left = weights(tmp_path / "whole", point.encoder)
        assert same(left, weights(tmp_path / "cut", point.encoder))
    seconds = [p.meters.seconds for p in outcome.log]
    assert seconds == sorted(seconds)
    assert seconds[-1] > stored.state["seconds"]


def test_a_long_log_is_thinned_and_a_checkpoint_with_all_points_is_continued_so(
    tiny, tmp_path, monkeypatch, silent
):
    from objbench.engine.training import trainer

    options = {"log_every": 1, "steps": 16, "export_steps": (5, 16)}
    whole = pretrain(tiny.tiny_job(tmp_path / "whole", **options), silent)
    assert len(whole.log) == 16
    job = tiny.tiny_job(tmp_path / "cut", checkpoint_every=0, **options)
    with monkeypatch.context() as patch:
        interrupted(patch, 12)
        with pytest.raises(Stop):
            pretrain(job, silent)
    thinned = trainer.kept_steps
    monkeypatch.setattr(trainer, "kept_steps", lambda *args: thinned(*args, most=5))
    outcome = pretrain(job, silent)
    # 16^(k/4) for k = 0 to 4, and the export.
    kept = [1, 2, 4, 5, 8, 16]
    assert losses(outcome) == [point for point in losses(whole) if point[0] in kept]


def test_a_checkpoint_of_another_model_or_cell_is_refused(tiny, tmp_path, silent):
    job = tiny.tiny_job(tmp_path, checkpoint_every=0, steps=3, export_steps=())
    pretrain(job, silent)
    with pytest.raises(CheckpointError, match="another cell"):
        pretrain(dataclasses.replace(job, key="other"), silent)
    wider = dataclasses.replace(job, encoder=tiny.encoder_section(intermediate_size=48))
    with pytest.raises(CheckpointError, match="does not fit the model"):
        pretrain(wider, silent)


def test_bf16_trains(tiny, tmp_path, silent):
    outcome = pretrain(tiny.tiny_job(tmp_path, "tiny-both", precision="bf16"), silent)
    plain = pretrain(tiny.tiny_job(tmp_path / "p", "tiny-both"), silent)
    assert outcome.status == "ok"
    assert outcome.log[-1].loss == pytest.approx(plain.log[-1].loss, rel=0.05)
    assert outcome.log[-1].loss != plain.log[-1].loss


def test_compilation_that_fails_is_a_warning(tiny, tmp_path, silent, monkeypatch, caplog):
    def broken(self, *args, **options):
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(torch.nn.Module, "compile", broken)
    job = tiny.tiny_job(tmp_path, compile=True, steps=3, export_steps=())
    assert pretrain(job, silent).status == "ok"
    assert "torch.compile is not used: no compiler here" in caplog.text


@pytest.mark.parametrize(("asked", "works"), [(False, True), (True, False), (True, True)])
def test_the_cost_says_whether_the_encoder_was_compiled(
    tiny, tmp_path, silent, monkeypatch, asked, works
):
    place = "objbench.engine.training.session.compile_encoder"
    monkeypatch.setattr(place, lambda encoder, batch, log: works)
    job = tiny.tiny_job(tmp_path, compile=asked, steps=2, export_steps=(2,))
    cost = pretrain(job, silent).cost
    assert cost.compiled == (asked and works)
    # Records from before there was the field, and of eager runs, are the same text.
    assert ("compiled" in cost.model_dump(mode="json")) == (asked and works)


def test_a_batch_that_does_not_split_is_refused(tiny, tmp_path, silent, monkeypatch):
    from accelerate import Accelerator

    monkeypatch.setattr(Accelerator, "num_processes", property(lambda self: 3))
    with pytest.raises(ConfigError, match="cannot be split evenly"):
        pretrain(tiny.tiny_job(tmp_path), silent)


def test_a_point_is_a_run_of_its_length_with_warm_up_and_a_mask_rate_schedule(
    tiny, tmp_path, silent, weights
):
    masks = {"rate": 0.5, "final_rate": 0.1, "schedule": "trunk", "cooldown": 0.5, "log_every": 4}

    def trained(name, steps, exports, warmup):
        job = tiny.tiny_job(
            tmp_path / name, "rtd", steps=steps, export_steps=exports, warmup=warmup, **masks
        )
        return pretrain(job, silent)

    # 8 steps of warm-up of 32: the first point forks within it, the second after it.
    whole = trained("whole", 32, (6, 16, 32), 0.25)
    assert [point.meters.steps for point in whole.points] == [6, 16, 32]
    # A run of its own, with the same share; one of 16 steps with the same 8 steps; the last.
    alone = [
        trained("first", 6, (6,), 0.25),
        trained("second", 16, (16,), 0.5),
        trained("last", 32, (32,), 0.25),
    ]
    for point, other, name in zip(whole.points, alone, ("first", "second", "last"), strict=True):
        assert point.heldout == other.points[0].heldout
        encoder = f"encoders/rtd/step-{point.meters.steps}"
        one, two = weights(tmp_path / "whole", encoder), weights(tmp_path / name, encoder)
        assert all(torch.equal(one[key], two[key]) for key in one)
    assert losses(whole) == losses(alone[2])
    # 6 steps of the run of its own and 5 of the cooldown of the second point.
    assert whole.cost.branch_steps == 6 + 5


def test_a_point_of_a_trunk_is_what_a_run_of_its_length_gives(tiny, tmp_path, silent, weights):
    trunk = {"schedule": "trunk", "warmup": 0.0, "cooldown": 0.5, "log_every": 4}
    whole = pretrain(
        tiny.tiny_job(tmp_path / "1", "tiny-both", steps=30, export_steps=(9, 30), **trunk), silent
    )
    short = pretrain(
        tiny.tiny_job(tmp_path / "2", "tiny-both", steps=9, export_steps=(9,), **trunk), silent
    )
    alone = pretrain(
        tiny.tiny_job(tmp_path / "3", "tiny-both", steps=30, export_steps=(30,), **trunk), silent
    )
    for point, other in ((whole.points[0], short), (whole.points[1], alone)):
        assert point.heldout == other.points[0].heldout
        assert point.meters.steps == other.points[0].meters.steps
        assert point.meters.flops == other.points[0].meters.flops
    for run, step in (("2", 9), ("3", 30)):
        one, two = (weights(tmp_path / r, f"encoders/tiny-both/step-{step}") for r in ("1", run))
        assert all(torch.equal(one[name], two[name]) for name in one)
    # The log is of the last model, and the branch that was taken back is accounted apart.
    assert losses(whole) == losses(alone)
    assert (whole.cost.branch_steps, alone.cost.branch_steps) == (3, 0)
    assert whole.cost.branch_seconds > 0 == alone.cost.branch_seconds


TRUNK = {"schedule": "trunk", "cooldown": 0.5, "export_steps": (9, 20)}


def test_a_branch_that_diverges_ends_the_run(tiny, tmp_path, silent):
    outcome = pretrain(tiny.tiny_job(tmp_path, "poisoned", poison_step=8, **TRUNK), silent)
    assert outcome.status == "diverged"
    assert "at step 9 of 20" in outcome.reason


@pytest.mark.parametrize(
    ("poisoned", "steps", "options"),
    [
        (0, 0, {}),
        (7, 7, {}),
        # Looked at after every step, so the refused one is alone and nothing is logged with it.
        (7, 7, {"log_every": 1}),
        # On the branch of the first point, whose log is not kept; then on the trunk after it, from
        # step 6 on again; and on the last branch.
        (8, 8, TRUNK),
        (10, 7, TRUNK),
        (20, 17, TRUNK),
    ],
)
def test_a_run_that_diverged_says_what_it_spent_to_its_last_good_step(
    tiny, tmp_path, silent, monkeypatch, poisoned, steps, options
):
    # As of a run so long that points are left out.
    monkeypatch.setattr("objbench.engine.training.trainer.kept_steps", lambda *given: {1, 4})
    outcome = pretrain(tiny.tiny_job(tmp_path, "poisoned", poison_step=poisoned, **options), silent)
    assert outcome.status == "diverged"
    reached = outcome.reached
    assert (reached.steps, reached.tokens) == (steps, steps * 8 * 12)
    assert reached.flops == steps * outcome.cost.flops_per_step
    assert reached.seconds + outcome.cost.branch_seconds > 0
    assert all(point.meters.seconds <= reached.seconds for point in outcome.log)


def test_so_does_one_that_was_interrupted_before(tiny, tmp_path, silent, monkeypatch):
    job = tiny.tiny_job(tmp_path, "poisoned", poison_step=3, checkpoint_every=0)
    with monkeypatch.context() as patch:
        interrupted(patch, 3)
        with pytest.raises(Stop):
            pretrain(job, silent)
    before = read_checkpoint(job.checkpoints, job.key).state["seconds"]
    reached = pretrain(job, silent).reached
    # The poison counts the steps of its own process.
    assert (reached.steps, reached.tokens) == (6, 6 * 8 * 12)
    assert reached.seconds > before > 0


def test_so_does_one_whose_encoder_cannot_be_scored(tiny, tmp_path, silent, monkeypatch):
    def not_finite(*given):
        raise FloatingPointError("a held-out loss is not finite")

    monkeypatch.setattr("objbench.engine.training.trainer.export_point", not_finite)
    outcome = pretrain(tiny.tiny_job(tmp_path, export_steps=(3, 20)), silent)
    assert (outcome.status, outcome.log, outcome.reached.steps) == ("diverged", [], 3)


def test_a_run_that_is_ok_says_it_by_its_last_point(tiny, tmp_path, silent):
    assert pretrain(tiny.tiny_job(tmp_path), silent).reached is None
