"""A step without numbers has the FLOPs and the memory of the real one."""

from functools import partial

import pytest
import torch

from objbench.contract.batch import Batch, Rows
from objbench.contract.composition import configured
from objbench.contract.random_streams import Streams, numpy_generator
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.measuring import extended_counts as module
from objbench.engine.measuring.encoder_pass import encoder_pass
from objbench.engine.measuring.fake_step import FakeStep
from objbench.engine.measuring.objective_size import fake_step, made_up_vocabulary
from objbench.engine.measuring.step_cost import take_step
from objbench.engine.measuring.step_memory import step_memory
from objbench.engine.training.flops import count_training_flops, flop_counter
from objbench.engine.training.session import Session
from objbench.engine.training.step import TrainingStep
from objbench.engine.training.teachers import stand_ins
from objbench.plugins.loading import load_plugins
from objbench.study.settings import EncoderSection, TrainingSection

WORDS, LENGTH, ROWS = 60, 12, 40
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 16,
}
BERT = EncoderSection(model_type="bert", config=SMALL)
TRAINING = TrainingSection(batch=ROWS)
REGISTRY = load_plugins()
OURS = [
    *(n for n in REGISTRY.objectives if REGISTRY.origin(n).project == "objbench"),
    *(f"mlm+{n}" for n in REGISTRY.terms if REGISTRY.origin(n).project == "objbench"),
]


def counted(name, encoder, rows):
    """FLOPs of a real pass over real sequences."""
    kind, words = REGISTRY.objective(name), made_up_vocabulary(WORDS)
    config = configured(kind, {})
    network = build_encoder(encoder, words, LENGTH, seed=0)
    objective = build_objective(kind, config, encoder_spec_of(network, words), seed=0)
    teachers = stand_ins(kind.teachers(config), encoder, words, LENGTH, seed=0)
    step = TrainingStep(network, objective, teachers).train()
    ids = numpy_generator(0, "words").integers(5, WORDS, (rows, LENGTH))
    ids[:, 0] = words.cls
    ids = torch.from_numpy(ids)
    batch = Batch(ids, ids < 5, None, Rows.alone(rows))
    return count_training_flops(step, batch, Streams(0, 0, 0, rows=rows)).flops


def faked(name, encoder):
    kind = REGISTRY.objective(name)
    return fake_step(kind, configured(kind, {}), encoder, TRAINING, WORDS, LENGTH)


@pytest.mark.parametrize("name", OURS)
def test_every_objective_has_the_flops_of_its_real_step(name, monkeypatch):
    step = faked(name, BERT)
    assert not step.with_numbers
    assert step.flops(ROWS) == pytest.approx(counted(name, BERT, ROWS), rel=1e-12)
    # From four smaller batches, of 2, 4, 8 and 16 sequences.
    monkeypatch.setattr(module, "COUNTED_TOKENS", 16 * LENGTH)
    assert step.flops(ROWS) == pytest.approx(counted(name, BERT, ROWS), rel=1e-12)


def test_every_family_has_the_flops_of_its_real_step(families):
    for family, settings in families.FAMILIES.items():
        encoder = EncoderSection(model_type=family, config={**SMALL, **dict(settings.extra)})
        assert faked("mlm", encoder).flops(4) == counted("mlm", encoder, 4), family


def test_small_batches_that_do_not_grow_evenly_are_not_extended(monkeypatch):
    step = faked("mlm", BERT)
    plain = step.counted

    def capped(rows, **options):
        return plain(min(rows, 3), **options)

    monkeypatch.setattr(module, "COUNTED_TOKENS", 16 * LENGTH)
    monkeypatch.setattr(step, "counted", capped)
    assert step.flops(ROWS) == plain(3).flops


def test_code_that_reads_numbers_is_counted_with_numbers():
    class Reads(REGISTRY.objective("mlm")):
        def corrupt(self, batch, streams):
            assert float(batch.input_ids.float().mean()) > 0
            return super().corrupt(batch, streams)

    step = fake_step(Reads, Reads.Config(), BERT, TRAINING, WORDS, LENGTH)
    assert step.with_numbers
    assert step.flops(300) == counted("mlm", BERT, 300)


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("objective", ["tiny", "tiny-both", "rtd"])
def test_memory_is_what_lives_in_a_real_step(tiny, tmp_path, objective, parts):
    job = tiny.tiny_job(tmp_path, objective, batch=32, micro_batches=parts)
    session = Session(job)
    step = partial(take_step, session, 1, None)
    take_step(session, 0, None)
    real, _ = step_memory(session, step)
    made = FakeStep(
        job.objective, job.config, job.encoder, job.training, job.vocabulary, job.length
    )
    assert made.peak(32, parts) == pytest.approx(real, rel=0.15)


def test_memory_of_many_sequences_is_a_straight_line(monkeypatch):
    step = faked("mlm", BERT)
    whole = step.peak(ROWS)
    monkeypatch.setattr(module, "COUNTED_TOKENS", 16 * LENGTH)
    assert step.peak(ROWS) == pytest.approx(whole, rel=0.01)
    assert step.peak(ROWS, 4) < step.peak(ROWS, 2) < whole


@pytest.mark.parametrize("recomputes", [False, True])
def test_memory_is_extended_from_where_it_grows_evenly(recomputes, monkeypatch):
    """In a short batch the gradient of many positions hides what is kept for each sequence."""
    wide = SMALL | {"max_position_embeddings": 20_000}
    step, rows = faked("mlm", EncoderSection(model_type="bert", config=wide)), 384
    few, many = (step.counted(size, recomputes=recomputes).peak for size in (8, 16))
    monkeypatch.setattr(module, "COUNTED_TOKENS", rows * LENGTH)
    whole = step.peak(rows, recomputes=recomputes)
    # The straight line through the shortest batches would be far too low.
    assert step.held + few + (many - few) / 8 * (rows - 8) < 0.8 * whole
    monkeypatch.setattr(module, "COUNTED_TOKENS", 16 * LENGTH)
    # What is largest in a step may still change as it grows, within what the plan allows for.
    assert step.peak(rows, recomputes=recomputes) == pytest.approx(whole, rel=0.15)


def test_a_gpu_keeps_no_probabilities_of_attention():
    kind, words = REGISTRY.objective("mlm"), made_up_vocabulary(WORDS)
    training = TrainingSection(batch=ROWS, precision="bf16")
    long = {"attention_probs_dropout_prob": 0.1, "max_position_embeddings": 256}
    encoder = EncoderSection(model_type="bert", config={**SMALL, **long})

    def peak(planned):
        made = FakeStep(kind, kind.Config(), encoder, training, words, 256, planned)
        return made.counted(8).peak

    assert peak("cuda") < 0.7 * peak("cpu")


def test_a_step_of_four_layers_launches_some_hundred_operators():
    # Counted by hand in a profile: about 40 a layer each way with their casts, and the head's.
    step = FakeStep(
        REGISTRY.objective("mlm"),
        REGISTRY.objective("mlm").Config(),
        BERT,
        TrainingSection(batch=ROWS, precision="bf16"),
        made_up_vocabulary(WORDS),
        LENGTH,
        "cuda",
    )
    assert 200 < step.counted(8).launches < 400


def test_an_encoder_alone_has_the_flops_of_its_real_pass():
    words = made_up_vocabulary(WORDS)
    found = encoder_pass(BERT, words, LENGTH, "fp32")
    network = build_encoder(BERT, words, LENGTH, seed=0)
    assert found.parameters == sum(p.numel() for p in network.parameters())
    for length in (5, 12):
        with flop_counter() as counter:
            states = network(input_ids=torch.zeros((1, length), dtype=torch.int64))
            read = counter.get_total_flops()
            states.last_hidden_state.sum().backward()
        assert found.flops(length, trained=False) == pytest.approx(read, rel=1e-12)
        assert found.flops(length, trained=True) == pytest.approx(
            counter.get_total_flops(), rel=1e-12
        )
