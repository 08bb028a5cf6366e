"""The parts of a step: cut or whole, its gradients and its FLOPs are the same."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import nn

from objbench.contract.objective import Need, Term, TermLoss
from objbench.engine.measuring import step_breakdown as module
from objbench.engine.measuring.step_breakdown import measure_overhead, part_flops
from objbench.engine.measuring.step_memory import ELSEWHERE, LiveTensors, step_memory, uncompiled
from objbench.engine.measuring.step_parts import parted_gradients
from objbench.engine.training.session import Session
from objbench.results.step_breakdown import PARTS

WHOLE = "whole_step"


class FromGenerator(Term):
    """Reads what a network in the corruption has computed, and every layer of the encoder."""

    name = "from-generator"
    needs = frozenset({Need.HIDDEN_STATES})

    def forward(self, encoder_pass, streams):
        states = encoder_pass.need(Need.HIDDEN_STATES)
        guess = encoder_pass.batch.extras["guess"]
        # The last layer's state has two names, and the second one's is not read at all.
        differences = (states[0] - guess).square() + (states[-1] - guess).abs()
        total = differences.mean(-1).sum() + encoder_pass.last_hidden_state.square().mean()
        return TermLoss(total, torch.tensor(float(guess[..., 0].numel())))

    def extra_flops(self, batch, length):
        return 7.0 * batch * length


@pytest.fixture(scope="module")
def generating(tiny):
    class Generating(tiny.TinyBoth):
        """Corrupts with a small network that is trained through ``extras``."""

        name = "generating"

        def make_terms(self, encoder_spec):
            return [*super().make_terms(encoder_spec), FromGenerator()]

        def __init__(self, config, encoder_spec):
            super().__init__(config, encoder_spec)
            self.words = nn.Embedding(encoder_spec.vocabulary.size, 4)
            self.generator = nn.Linear(4, encoder_spec.width)

        def corrupt(self, batch, streams):
            corrupted = super().corrupt(batch, streams)
            extras = {"guess": self.generator(self.words(batch.input_ids)), "mask": batch.special}
            return dataclasses.replace(corrupted, extras=extras)

        def extra_flops(self, batch, length):
            return super().extra_flops(batch, length) + 11.0

    tiny.OBJECTIVES[Generating.name] = Generating
    yield Generating.name
    del tiny.OBJECTIVES[Generating.name]


@pytest.fixture(params=["tiny", "tiny-both", "generating"])
def objective(request, generating):
    return request.param


def gradients(session):
    return {name: parameter.grad for name, parameter in session.module.named_parameters()}


def unmeasured(part):
    return nullcontext()


@pytest.mark.parametrize("options", [{}, {"micro_batches": 2}, {"precision": "bf16"}])
def test_the_cut_step_has_the_gradients_of_the_whole(tiny, tmp_path, objective, options):
    sessions = [Session(tiny.tiny_job(tmp_path, objective, **options)) for _ in range(2)]
    sessions[0].gradients(3)
    parted_gradients(sessions[1], 3, unmeasured)
    whole, cut = (gradients(session) for session in sessions)
    assert whole.keys() == cut.keys()
    # A tied weight's two gradients are added in another order; in bf16 that shows.
    close = {"rtol": 2e-2, "atol": 1e-3} if options.get("precision") else {"rtol": 0, "atol": 1e-6}
    for name, gradient in whole.items():
        if gradient is None:
            assert cut[name] is None, name
        else:
            torch.testing.assert_close(
                cut[name], gradient, msg=lambda m, n=name: f"{n}: {m}", **close
            )


def test_a_cut_step_trains_as_a_whole_one(tiny, tmp_path, generating):
    jobs = [tiny.tiny_job(tmp_path, generating) for _ in range(2)]
    losses = []
    for job, cut in zip(jobs, (False, True), strict=True):
        session = Session(job)
        for step in range(5):
            if cut:
                parted_gradients(session, step, unmeasured)
            else:
                session.gradients(step)
            session.update.apply(1e-2)
        losses.append(session.gradients(5))
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-5)


def test_each_part_runs_inside_its_own_meter(tiny, tmp_path, generating):
    """Which weights get gradients in which part, and the order of the parts."""
    session = Session(tiny.tiny_job(tmp_path, generating))
    order, got = [], {}

    @contextmanager
    def noted(part):
        before = {name for name, gradient in gradients(session).items() if gradient is not None}
        order.append(part)
        yield
        after = {name for name, gradient in gradients(session).items() if gradient is not None}
        got.setdefault(part, set()).update(after - before)

    parted_gradients(session, 0, noted)
    forward = ["corruption", "encoder", "heads_and_loss"]
    assert order == [*forward, *reversed(forward)]
    assert got["corruption"] == {
        "objective.words.weight",
        "objective.generator.weight",
        "objective.generator.bias",
    }
    tied = "encoder.embeddings.word_embeddings.weight"
    heads = {name for name in got["heads_and_loss"] if name != tied}
    assert heads and all(name.startswith("objective._terms.") for name in heads)
    assert tied in got["heads_and_loss"]
    assert got["encoder"] and all(name.startswith("encoder.") for name in got["encoder"])


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_the_parts_flops_are_the_steps(tiny, tmp_path, objective, micro_batches):
    session = Session(tiny.tiny_job(tmp_path, objective, micro_batches=micro_batches))
    flops = part_flops(session)
    assert sum(flops.values()) == session.flops_per_step
    assert all(gradient is None for gradient in gradients(session).values())
    assert flops["optimizer"] == 0


def test_flops_fall_to_the_part_that_spends_them(tiny, tmp_path, generating):
    flops = {
        name: part_flops(Session(tiny.tiny_job(tmp_path, name)))
        for name in ("tiny", "tiny-both", generating)
    }
    rows, length, width = 8, tiny.LENGTH, 16
    # Forward, weights' and inputs' gradients of a product of (rows x length, 4) and (4, width).
    generator = 3 * 2 * rows * length * 4 * width
    head = 3 * 2 * rows * 3 * (width * width + width * tiny.VOCABULARY.size)
    assert flops[generating]["corruption"] == generator + 11
    assert flops["tiny"]["corruption"] == flops["tiny-both"]["corruption"] == 0
    assert flops["tiny"]["heads_and_loss"] == flops["tiny-both"]["heads_and_loss"] == head
    assert flops[generating]["heads_and_loss"] == head + 7 * rows * length
    assert len({each["encoder"] for each in flops.values()}) == 1


def test_every_part_is_measured_and_the_generator_left_alone(tiny, tmp_path, generating):
    names = ["tiny", generating]
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    found = measure_overhead([tiny.tiny_job(tmp_path, name, clip=0.5) for name in names])
    assert torch.equal(torch.rand(2), expected)
    assert [step.objective for step in found] == names
    for step in found:
        for part in (*PARTS, WHOLE):
            cost = step.part(part)
            assert 0 < cost.shortest <= cost.seconds <= cost.longest
        assert step.whole_step.flops == sum(step.part(part).flops for part in PARTS)
        assert sum(step.share(part) for part in PARTS) == pytest.approx(1)
        assert step.memory_kind == ELSEWHERE
    assert found[1].peak_memory > found[0].peak_memory
    assert not any(tmp_path.iterdir())


def test_objectives_take_turns_and_the_median_is_kept(tiny, tmp_path, monkeypatch):
    turns = []

    def made(session, number):
        turns.append((number, session.job.objective.name))
        # A slow round among the timed, and slow ones before them.
        seconds = 9.0 if number < module.WARM_UP_ROUNDS or number == 4 else 1.0 + number / 100
        return dict.fromkeys((*PARTS, WHOLE), seconds)

    monkeypatch.setattr(module, "_seconds_of_round", made)
    # Memory wants an optimizer that has stepped or has not: both will do.
    found = measure_overhead([tiny.tiny_job(tmp_path, name) for name in ("tiny", "tiny-both")])
    assert turns[:4] == [(0, "tiny"), (0, "tiny-both"), (1, "tiny"), (1, "tiny-both")]
    assert len(turns) == 2 * (module.WARM_UP_ROUNDS + module.TIMED_ROUNDS)
    # Rounds 2 to 8: 1.02, 1.03, 9, 1.05, 1.06, 1.07, 1.08.
    assert found[0].encoder.seconds == 1.06
    assert (found[0].encoder.shortest, found[0].encoder.longest) == (1.02, 9.0)


def test_sessions_are_let_go_when_a_job_fails(tiny, tmp_path, monkeypatch):
    closed = []
    plain = Session.close
    monkeypatch.setattr(Session, "close", lambda self: (closed.append(1), plain(self)))

    def broken(session, number):
        raise RuntimeError("planted fault")

    monkeypatch.setattr(module, "_seconds_of_round", broken)
    with pytest.raises(RuntimeError, match="planted fault"):
        measure_overhead([tiny.tiny_job(tmp_path, name) for name in ("tiny", "tiny-both")])
    assert len(closed) == 2


def test_live_tensors_by_hand():
    given = torch.zeros(1000)
    with LiveTensors() as live:
        first = given + 1  # 4,000 bytes
        second = first.view(10, 100).t()  # a view
        first.add_(1)  # in place
        assert (live.live, live.peak) == (4000, 4000)
        third = torch.cat([first, first])  # 8,000 more
        del third
        assert (live.live, live.peak) == (4000, 12000)
        del first
        assert live.live == 4000  # the view keeps it
        del second
        assert live.live == 0
        given.mul_(2)
    assert (live.live, live.peak) == (0, 12000)


def test_what_the_backward_pass_keeps_counts_as_alive():
    weight = torch.ones(100, requires_grad=True)
    with LiveTensors() as live:
        loss = weight.exp().sum()  # exp keeps its result, 400 bytes
        assert live.live == 404
        loss.backward()
        assert weight.grad is not None
        del loss
        assert live.live == 400  # the gradient


def test_memory_counts_weights_moments_and_the_peak_on_top(tiny, tmp_path):
    session = Session(tiny.tiny_job(tmp_path))
    weights = sum(4 * parameter.numel() for parameter in session.module.parameters())
    buffers = sum(b.numel() * b.element_size() for b in session.module.buffers())
    assert step_memory(session, lambda: None) == (weights + buffers, ELSEWHERE)
    session.gradients(0)
    session.update.apply(1e-3)
    stepped = len([p for p in session.module.parameters() if p in session.optimizer.state])
    held = 3 * weights + buffers + 4 * stepped  # two moments, and a count of steps each
    assert step_memory(session, lambda: None)[0] == held
    assert step_memory(session, lambda: torch.zeros(250))[0] == held + 1000


def test_a_compiled_encoder_is_watched_uncompiled_and_given_back(tiny, tmp_path):
    encoder = Session(tiny.tiny_job(tmp_path)).module.encoder
    encoder._compiled_call_impl = compiled = object()
    with pytest.raises(KeyError), uncompiled(encoder):
        assert encoder._compiled_call_impl is None
        raise KeyError
    assert encoder._compiled_call_impl is compiled
