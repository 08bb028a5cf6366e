"""An objective with two kinds of batches: what is counted, timed and scored is an expectation."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
import torch

from objbench.contract.phases import InPhases
from objbench.contract.term import Need, TermLoss
from objbench.engine.measuring import step_cost as calibration
from objbench.engine.measuring.step_comparison import compare_steps
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.heldout_loss import heldout_losses, over_modes
from objbench.engine.training.session import Session
from objbench.engine.training.trainer import pretrain
from objbench.results.phase_costs import mean_flops


@pytest.fixture(scope="module")
def kinds(tiny):
    """Objectives of one kind of batches, of the other, and of both in turns."""

    class OfMode(tiny.Recover):
        """The loss of batches with a certain number of slots."""

        def __init__(self, encoder_spec, mode):
            super().__init__(encoder_spec)
            self.name, self.mode = mode, mode

        def forward(self, encoder_pass, streams):
            slots = encoder_pass.need(Need.LABELS).shape[1]
            if (slots == 1) == (self.mode == "few"):
                return super().forward(encoder_pass, streams)
            nothing = encoder_pass.last_hidden_state.new_zeros((), dtype=torch.float32)
            return TermLoss(nothing, nothing)

    class InTurns(tiny.TinyMlm):
        """Predicts one slot of a sequence or three."""

        name = "in-turns"
        modes = MappingProxyType({"few": 0.75, "many": 0.25})

        def make_terms(self, encoder_spec):
            return [OfMode(encoder_spec, mode) for mode in self.modes]

        def corrupt(self, batch, streams):
            made = super().corrupt(batch, streams)
            if self.mode_of(batch, streams) == "many":
                return made
            return replace(made, positions=made.positions[:, :1], targets=made.targets[:, :1])

    class InOrder(InPhases, InTurns):
        """Three slots in the first quarter of its steps, one after it."""

        name = "in-order"
        phases = ("many", "few")

    class Few(InTurns):
        name = "few"
        modes = MappingProxyType({"few": 1.0})

    class Many(InTurns):
        name = "many"
        modes = MappingProxyType({"many": 1.0})

    class Never(Few):
        """Few batches, and the loss of many: a term without items."""

        name = "never"

        def make_terms(self, encoder_spec):
            return [OfMode(encoder_spec, mode) for mode in ("few", "many")]

    found = {kind.name: kind for kind in (InTurns, InOrder, Few, Many, Never)}
    tiny.OBJECTIVES.update(found)
    yield found
    for name in found:
        del tiny.OBJECTIVES[name]


@pytest.fixture
def session_of(tiny, tmp_path, kinds):
    return lambda name, **options: Session(tiny.tiny_job(tmp_path, name, **options))


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_flops_are_the_mean_over_the_modes(session_of, micro_batches):
    sessions = [session_of(n, micro_batches=micro_batches) for n in ("few", "many", "in-turns")]
    few, many, both = (session.flops_per_step for session in sessions)
    assert few < many
    assert both == 0.75 * few + 0.25 * many
    assert all(p.grad is None for p in sessions[2].module.parameters())


@pytest.mark.parametrize("micro_batches", [1, 2])
@pytest.mark.parametrize("steps", [6, 20])
def test_what_was_spent_by_a_point_is_summed_over_its_steps(
    tiny, tmp_path, silent, kinds, session_of, steps, micro_batches
):
    few, many = (
        session_of(name, micro_batches=micro_batches).flops_per_step for name in ("few", "many")
    )
    job = tiny.tiny_job(
        tmp_path,
        "in-order",
        steps=steps,
        log_every=1,
        export_steps=(steps // 2, steps),
        micro_batches=micro_batches,
    )
    outcome = pretrain(job, silent)
    assert len(outcome.log) == steps
    spent = 0.0
    for step, point in enumerate(outcome.log):
        # What the step did, by the loss that it has.
        (mode,) = point.terms
        assert mode == ("many" if step + 0.5 < steps / 4 else "few")
        spent += {"few": few, "many": many}[mode]
        assert point.meters.flops == spent
        assert all(p.meters.flops == spent for p in outcome.points if p.meters.steps == step + 1)
    # Planned with the mean, which rounding the switch to a whole step misses by less than a step.
    cost = outcome.cost
    assert cost.flops_per_step == mean_flops(cost.phases) == 0.75 * few + 0.25 * many
    assert abs(spent - steps * cost.flops_per_step) < many - few
    assert [(phase.mode, phase.share) for phase in cost.phases] == [("many", 0.25), ("few", 0.75)]


def test_without_phases_a_step_costs_the_mean_anywhere(tiny, tmp_path, silent, kinds):
    outcome = pretrain(tiny.tiny_job(tmp_path, "in-turns", log_every=1), silent)
    assert outcome.cost.phases == ()
    for point in (*outcome.log, *outcome.points):
        assert point.meters.flops == point.meters.steps * outcome.cost.flops_per_step


def test_the_cost_that_a_budget_is_planned_with_has_the_phases(tiny, tmp_path, kinds, session_of):
    (cost,) = calibration.calibrate([tiny.tiny_job(tmp_path, "in-order")], timed=False)
    assert cost.phases == session_of("in-order").phases != ()


def test_what_some_mode_leaves_out_is_named(session_of):
    session = session_of("in-turns")
    batch, streams = session.begin(0)
    counted = count_training_flops(session.module, batch, streams)
    # Each term has a head of its own, used by its mode alone.
    assert len(counted.unused) == 4
    assert all(name.startswith("objective._terms.") for name in counted.unused)
    assert all(p.grad is None for p in session.module.parameters())


def test_every_mode_is_timed_and_weighted(session_of, monkeypatch):
    session, taken = session_of("in-turns"), []
    clock = iter([0.0, 1.0, 10.0, 15.0])
    monkeypatch.setattr("objbench.engine.training.stopwatch.time.perf_counter", lambda: next(clock))
    monkeypatch.setattr(session, "gradients", lambda step, mode: taken.append((step, mode)))
    assert calibration._seconds_of_step(session, 3) == 0.75 * 1 + 0.25 * 5
    assert taken == [(3, "few"), (3, "many")]


def test_the_compared_flops_are_a_mean_and_the_memory_the_most(tiny, tmp_path, kinds, monkeypatch):
    monkeypatch.setattr(calibration, "TIMED_STEPS", 1)
    names = ("few", "many", "in-turns")
    few, many, both = compare_steps([tiny.tiny_job(tmp_path, name) for name in names])
    assert both.flops == 0.75 * few.flops + 0.25 * many.flops
    assert few.peak_memory < many.peak_memory
    # A second head, its gradient and moments come on top.
    assert both.peak_memory >= many.peak_memory


def test_the_log_has_each_terms_own_mean(tiny, tmp_path, silent, kinds):
    job = tiny.tiny_job(tmp_path, "in-turns", log_every=1, steps=12, export_steps=(12,))
    log = pretrain(job, silent).log
    assert len(log) == 12
    assert {tuple(point.terms) for point in log} == {("few",), ("many",)}
    for point in log:
        assert point.loss == pytest.approx(sum(point.terms.values()))
        assert 3 < point.loss < 5, "near log(65), and never the 0 of the other mode"
    job = tiny.tiny_job(tmp_path / "2", "in-turns", log_every=12, steps=12, export_steps=(12,))
    (whole,) = pretrain(job, silent).log
    for name in ("few", "many"):
        own = [point.terms[name] for point in log if name in point.terms]
        assert whole.terms[name] == pytest.approx(sum(own) / len(own), rel=1e-5)
    assert whole.loss == pytest.approx(sum(point.loss for point in log) / 12, rel=1e-5)


def test_all_parts_of_a_batch_are_of_one_mode(session_of):
    drawn = []
    for parts in (1, 4):
        session = session_of("in-turns", micro_batches=parts, hidden_dropout_prob=0.0)
        drawn.append([session.gradients(step)[1].tolist() for step in range(6)])
    assert drawn[0] == drawn[1]
    assert {tuple(present) for present in drawn[0]} == {(1, 0), (0, 1)}


def test_a_mode_that_is_asked_for_is_the_steps(session_of):
    session = session_of("in-turns")
    for mode, expected in (("few", [1, 0]), ("many", [0, 1])):
        assert session.gradients(0, mode)[1].tolist() == expected


def test_held_out_text_is_scored_in_every_mode(session_of):
    sessions = {name: session_of(name) for name in ("few", "many", "in-turns")}
    both = sessions["in-turns"].module
    losses = {}
    for name in ("few", "many"):
        module = sessions[name].module
        module.encoder.load_state_dict(both.encoder.state_dict())
        (term,) = module.objective.terms
        (same,) = (t for t in both.objective.terms if t.name == name)
        term.load_state_dict(same.state_dict())
        losses[name] = heldout_losses(sessions[name])[name]
    found = heldout_losses(sessions["in-turns"])
    assert found["few"] == losses["few"] and found["many"] == losses["many"]
    assert found["loss"] == pytest.approx(0.75 * losses["few"] + 0.25 * losses["many"])


def test_a_term_without_items_has_no_held_out_loss(session_of):
    found = heldout_losses(session_of("never"))
    assert set(found) == {"few", "loss"} and found["few"] == found["loss"]


def test_a_term_of_several_modes_is_averaged_over_them():
    sums = torch.tensor([[4.0, 6.0, 0.0, 0.0], [9.0, 0.0, 5.0, 0.0]])
    counts = torch.tensor([[2.0, 2.0, 0.0, 0.0], [3.0, 0.0, 1.0, 0.0]])
    means, loss = over_modes(sums, counts, [0.75, 0.25], torch.tensor([1.0, 2.0, 1.0, 1.0]))
    assert means.tolist() == [0.75 * 2 + 0.25 * 3, 3.0, 5.0, 0.0]
    # 0.75 (2 + 2 * 3) + 0.25 (3 + 5)
    assert loss.item() == 8.0
