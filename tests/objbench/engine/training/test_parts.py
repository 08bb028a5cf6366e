"""A batch has the same loss and gradient in any number of parts and on any number of processes.

For every registered objective and term. Two processes are two threads here, that exchange what real
ones would; ``test_two_real_processes`` and ``test_processes.py`` have real ones.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from functools import cache

import pytest
import torch

from objbench.blocks.heads import TokenPrediction
from objbench.contract.batch import Batch, Rows
from objbench.contract.composition import configured
from objbench.contract.random_streams import Streams
from objbench.contract.term import TermLoss
from objbench.engine.training.common_loss import common_loss
from objbench.engine.training.heldout_loss import heldout_batches, heldout_losses
from objbench.engine.training.parts import counts_itself, counts_of, deal
from objbench.engine.training.session import Session
from objbench.errors import DataError
from objbench.plugins.conformance import two_processes
from objbench.plugins.conformance.subject import Subject, relative_difference
from objbench.plugins.loading import load_plugins
from objbench_objectives.nsp import NextSentencePrediction

STEP = 3
SAME = 1e-6
IN_FLOAT32 = 1e-5
"""Of similarities over a temperature, which are computed in float32 whatever the model's dtype."""

REGISTRY = load_plugins()
NAMES = (
    *REGISTRY.objectives,
    *(f"mlm+{term}" for term in REGISTRY.terms),
    "rtd+tc",
    "hybrid+nsp+simcse",
)
"""Every objective, every term, and compositions with a generator, modes and an arrangement."""

OPTIONS = {"span": {"boundary": True}}
"""Options without which an objective lacks one of its terms."""

SPLITS = [(parts, processes) for parts in (1, 2, 4) for processes in (1, 2)]


def job_of(tiny, run, name, **options):
    """A job of ``name`` on words of which every fourth continues another, without dropout."""
    kind = REGISTRY.objective(name)
    pieces = tuple(f"##{t}" if i > 4 and i % 4 == 0 else t for i, t in enumerate(tiny.TOKENS))
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    job = tiny.tiny_job(run, initializer_range=0.2, **still, **options)
    return replace(
        job,
        objective=kind,
        config=configured(kind, OPTIONS),
        vocabulary=replace(tiny.VOCABULARY, tokens=pieces),
    )


class Together:
    """What two threads hand to each other, in turns."""

    def __init__(self):
        self.barrier = threading.Barrier(2, timeout=60)
        self.given = [None, None]

    def exchange(self, process, tensor):
        self.given[process] = tensor.detach()
        self.barrier.wait()
        found = list(self.given)
        self.barrier.wait()
        return found


class OneOfTwo(Session):
    """A session of one of two processes that are threads."""

    processes = 2
    process = 0

    def summed(self, *values):
        together = torch.stack([value.detach() for value in values])
        return tuple(sum(self.together.exchange(self.process, together)))

    def _gather(self, rows):
        return torch.cat(self.together.exchange(self.process, rows))


def copy_of(session, parts, process=None, together=None):
    """The same model, which computes its batch otherwise."""
    made = copy.copy(session)
    made.module = made.model = copy.deepcopy(session.module)
    made.weights = session.weights.clone()
    made._parts = parts
    if together is not None:
        made.__class__ = OneOfTwo
        made.process, made.together = process, together
    made._loader = made.loader()
    return made


def on_processes(session, parts, processes, compute):
    """The sessions of so many processes, and what ``compute`` gives for each."""
    together = Together() if processes > 1 else None
    sessions = [copy_of(session, parts, process, together) for process in range(processes)]
    found, failed = [None] * processes, []

    def run(process):
        try:
            found[process] = compute(sessions[process])
        except BaseException as error:
            failed.append(error)
            together.barrier.abort()
            raise

    if processes == 1:
        run(0)
    else:
        threads = [threading.Thread(target=run, args=(process,)) for process in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed, failed
    return sessions, found


def step_of(session, parts, processes, muted=()):
    """(means, gradients) of one step; the terms ``muted`` have weight 0."""

    def step(one):
        for index in muted:
            one.weights[index] = 0.0
        return one.gradients(STEP)[0]

    sessions, found = on_processes(session, parts, processes, step)
    assert all(torch.equal(found[0], other) for other in found)
    gradients = {}
    for one in sessions:
        for name, parameter in one.module.named_parameters():
            if parameter.grad is not None:
                gradients[name] = gradients.get(name, 0) + parameter.grad / processes
    return found[0], gradients


@pytest.fixture
def session_of(tiny, tmp_path):
    """A session in float64, so that what is left is no rounding."""

    @cache
    def make(name, **options):
        session = Session(job_of(tiny, tmp_path, name, **options))
        session.module.double()
        return session

    return make


@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_parts_and_processes_is_the_whole_batch(session_of, name):
    session = session_of(name)
    terms = session.module.objective.terms
    across = [index for index, term in enumerate(terms) if term.across_sequences]
    own = [index for index in range(len(terms)) if index not in across]
    whole = step_of(session, 1, 1, across)
    assert whole[1], "no gradient"
    for parts, processes in SPLITS[1:]:
        means, gradients = step_of(session, parts, processes, across)
        torch.testing.assert_close(means[own], whole[0][own], rtol=SAME, atol=SAME)
        assert relative_difference(whole[1], gradients) < SAME, (parts, processes)
        if across and processes == 2:
            # What the terms compare depends on the parts alone.
            alone, shared = (step_of(session, parts, count) for count in (1, 2))
            torch.testing.assert_close(shared[0], alone[0], rtol=IN_FLOAT32, atol=0)
            assert relative_difference(alone[1], shared[1]) < IN_FLOAT32, parts
            if parts > 1:
                assert not torch.allclose(alone[0][across], whole[0][across], rtol=1e-3)


def test_the_parts_of_the_test_have_different_counts(session_of):
    # Or else a mean of means would pass.
    session = session_of("mlm")
    batch, streams = session.begin(STEP)
    counts = {counts_of(session.module, p).item() for p in deal(session.module, batch, streams, 4)}
    assert len(counts) > 1


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_before_the_pass_is_what_the_pass_counts(session_of, name):
    session = session_of(name)
    assert all(counts_itself(term) for term in session.module.objective.terms), "costs a pass"
    batch, streams = session.begin(STEP)
    for part in deal(session.module, batch, streams, 2):
        _, counts = session.module(part.batch, part.streams())
        assert torch.equal(counts_of(session.module, part), counts)


@pytest.mark.parametrize("name", ["mlm", "rtd+nsp", "hybrid"])
def test_held_out_text_is_scored_the_same_in_parts(session_of, name):
    session = session_of(name)
    whole = heldout_losses(session)
    for parts in (2, 4):
        assert heldout_losses(copy_of(session, parts)) == pytest.approx(whole, rel=SAME)


@pytest.mark.parametrize("name", ["mlm", "clm", "hybrid", "rtd+nsp"])
def test_the_common_loss_is_the_same_in_parts_and_on_processes(tiny, tmp_path, name):
    heldout = tiny.sequences(2, 60, "heldout")
    session = Session(job_of(tiny, tmp_path, name, heldout=heldout, heldout_batches=3))
    session.module.double()
    whole = common_loss(session)
    assert abs(whole.order_gain) > 1e-3 and whole.error > 1e-3
    for parts, processes in SPLITS:
        _, found = on_processes(session, parts, processes, common_loss)
        assert all(other == found[0] for other in found)
        for field in ("loss", "order_gain", "error"):
            value = getattr(whole, field)
            assert getattr(found[0], field) == pytest.approx(value, rel=1e-4, abs=1e-5), field
        assert (found[0].of, found[0].tokens) == (whole.of, whole.tokens)


def test_a_short_held_out_batch_is_scored_the_same_in_unequal_parts(tiny, tmp_path):
    # Five reported sequences: less than a batch, in parts of two and three.
    values = [
        heldout_losses(Session(job_of(tiny, tmp_path, "mlm", micro_batches=parts, heldout=text)))
        for text in [tiny.sequences(2, 10, "heldout")]
        for parts in (1, 4)
    ]
    assert values[1] == pytest.approx(values[0], rel=SAME)


@pytest.mark.parametrize("reported", [2, 3, 4, 5, 7, 8, 11])
@pytest.mark.parametrize("processes", [1, 2])
def test_no_part_of_a_short_held_out_batch_is_smaller_than_in_training(
    tiny, tmp_path, reported, processes
):
    """Of training's 16 sequences in 4 parts; a smaller part leaves a contrast fewer negatives."""
    text = tiny.sequences(2, 2 * reported, "heldout")
    job = job_of(tiny, tmp_path, "mlm+tc", batch=16, micro_batches=4, heldout=text)
    session = Session(job)

    def sizes_and_losses(one):
        sizes = [
            part.batch.rows.total
            for batch, streams in heldout_batches(one)
            for part in one.parts(batch, streams())
        ]
        return sizes, heldout_losses(one)

    _, found = on_processes(session, 4, processes, sizes_and_losses)
    (sizes, losses), usable = found[0], reported - reported % processes
    assert all(other == found[0] for other in found)
    assert sum(sizes) == usable
    assert min(sizes) >= min(4, usable) and max(sizes) < 8
    if sizes == [reported]:
        assert losses["tc"] == pytest.approx(heldout_losses(copy_of(session, 1))["tc"], rel=1e-5)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_unequal_parts_are_the_rows_of_the_whole_batch_in_order(session_of, processes, parts):
    ids = torch.arange(10 * 12).reshape(10, 12) % 60 + 5
    special = ids % 7 == 0

    def gather(tensor):
        return ids if tensor.dtype == torch.int64 else special

    dealt, own = [], 10 // processes
    for process in range(processes):
        here = slice(process * own, (process + 1) * own)
        batch = Batch(ids[here], special[here], None, Rows(process * own, 10, gather))
        streams = Streams(0, 0, rows=10, first=process * own, count=own)
        dealt.append(deal(session_of("mlm").module, batch, streams, parts))
    lots = Streams(0, 0, rows=10).uniform("lot", 3)
    start = 0
    for number in range(parts):
        pieces = [of_process[number] for of_process in dealt]
        total = sum(len(piece.batch.input_ids) for piece in pieces)
        for piece in pieces:
            first, count = piece.batch.rows.first, len(piece.batch.input_ids)
            rows = slice(start + first, start + first + count)
            assert piece.batch.rows.total == total
            assert torch.equal(piece.batch.input_ids, ids[rows])
            assert torch.equal(piece.batch.special, special[rows])
            assert torch.equal(piece.streams().uniform("lot", 3), lots[rows])
        start += total
        assert total >= 10 // parts - (processes - 1)
    assert start == 10


def test_held_out_text_of_one_sequence_is_refused_where_sequences_are_compared(tiny, tmp_path):
    text = tiny.sequences(2, 2, "heldout")
    assert heldout_losses(Session(job_of(tiny, tmp_path, "mlm", heldout=text)))
    with pytest.raises(DataError, match="a single sequence to score, and the term 'tc' compares"):
        Session(job_of(tiny, tmp_path, "mlm+tc", heldout=text))
    with pytest.raises(DataError, match="one batch needs 1"):
        Session(job_of(tiny, tmp_path, "mlm", heldout=tiny.sequences(2, 0, "heldout")))


def test_text_comes_from_the_whole_batch_and_rows_keep_their_numbers(session_of):
    session = session_of("mlm+nsp")
    batch, streams = session.begin(STEP)
    readings = session.module.corrupt(*session.begin(STEP))
    parts = deal(session.module, batch, streams, 4)
    cut = [session.module.corrupt(part.batch, part.streams()) for part in parts]
    for field in ("input_ids", "targets", "positions"):
        joined = torch.cat([getattr(part.corrupted, field) for part in cut])
        assert torch.equal(joined, getattr(readings.corrupted, field))
    changed = torch.cat([part.corrupted.extras["nsp.changed"] for part in cut])
    assert torch.equal(changed, readings.corrupted.extras["nsp.changed"])
    assert [(p.batch.rows.first, p.batch.rows.total) for p in parts] == [(0, 2)] * 4


def test_extras_of_an_arrangement_have_a_row_for_each_sequence(session_of, monkeypatch):
    session = session_of("mlm+nsp")
    plain = NextSentencePrediction.arrange

    def summed(term, batch, streams):
        made = plain(term, batch, streams)
        return replace(made, extras={**made.extras, "nsp.sum": made.extras["nsp.changed"].sum()})

    monkeypatch.setattr(NextSentencePrediction, "arrange", summed)
    with pytest.raises(ValueError, match=r"'nsp\.sum' of an arrangement"):
        deal(session.module, *session.begin(STEP), 2)


def test_an_inherited_count_of_another_loss_is_not_believed(session_of):
    class Halved(TokenPrediction):
        def forward(self, encoder_pass, streams):
            loss = super().forward(encoder_pass, streams)
            return TermLoss(loss.total, loss.count * 0.5)

    spec = session_of("mlm").module.objective.encoder_spec
    assert counts_itself(TokenPrediction(spec))
    assert not counts_itself(Halved(spec))
    patched = TokenPrediction(spec)
    patched.forward = patched.forward
    assert not counts_itself(patched)


def test_a_network_that_changes_no_count_is_not_run_to_count(session_of):
    for name in ("rtd", "coco_lm", "tacl"):
        session = session_of(name)
        network = getattr(session.module.objective, "generator", None)
        network = network or session.module.objective._teacher[0]
        calls = []
        handle = network.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        for part in deal(session.module, *session.begin(STEP), 2):
            counts_of(session.module, part)
        assert not calls, name
        session.module(*session.begin(STEP))
        assert calls, name
        handle.remove()


def test_two_real_processes(tiny, tmp_path):
    # Arranged text is exchanged, negatives are gathered, and a generator is trained. What tc says
    # of a part is not what it says of a whole, so that it has no weight.
    job = job_of(tiny, tmp_path, "rtd+nsp+tc")
    job = replace(job, config=configured(job.objective, {"tc": {"weight": 0.0}}))
    training = job.training.model_copy(update={"micro_batches": 2})
    cut = Subject(job=replace(job, training=training), start_method="fork")
    one, two = two_processes._step_of(job, None), two_processes._step_of_two(cut)
    means = [found.pop(two_processes._MEANS)[0][:3] for found in (one, two)]
    torch.testing.assert_close(*means, rtol=1e-5, atol=0)
    assert relative_difference(one, two) < 1e-5
