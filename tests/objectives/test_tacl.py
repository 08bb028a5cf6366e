"""TaCL: the loss against plain loops, who gets a gradient, padding, the teacher, training."""

import math
from dataclasses import replace

import pytest
import torch
from transformers import BertConfig, BertModel

from objbench.contract.batch import IGNORE_INDEX
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.encoder.export import export_encoder
from objbench.engine.training.step import TrainingStep
from objbench.engine.training.teachers import frozen_teachers, stand_ins
from objbench.engine.training.trainer import pretrain
from objbench.errors import ConfigError
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.tacl import TAUGHT, TokenAwareContrast, TokenContrast, token_contrast

D = 16
"""Width of the tiny encoder."""


def random_states(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def taught(tiny):
    """(**options) -> the step of TaCL with a teacher of other weights, and that teacher."""

    def build(**options):
        section = tiny.encoder_section(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        encoder = build_encoder(section, tiny.VOCABULARY, tiny.LENGTH, seed=0)
        encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
        config = TokenAwareContrast.Config(**options)
        objective = build_objective(TokenAwareContrast, config, encoder_spec, seed=0)
        teachers = stand_ins(["mlm"], section, tiny.VOCABULARY, tiny.LENGTH, seed=0)
        return TrainingStep(encoder, objective, teachers).train(), teachers["mlm"]

    return build


# -- the loss


def test_the_loss_equals_the_formula_in_loops(batch_of, masks_of):
    batch, streams = batch_of(padded=True), Streams(0, 0, rows=6)
    masked = masks_of(batch, streams)
    student, teacher = random_states(6, 12, D), random_states(6, 12, D, seed=1)
    temperature, total, count = 0.05, 0.0, 0
    for row in range(6):
        for slot, target in enumerate(masked.targets[row].tolist()):
            if target == IGNORE_INDEX:
                continue
            i = int(masked.positions[row, slot])
            similarities = {}
            for j in range(12):
                if batch.real[row, j]:
                    ours, theirs = student[row, i].tolist(), teacher[row, j].tolist()
                    dot = sum(a * b for a, b in zip(ours, theirs, strict=True))
                    norms = math.hypot(*ours) * math.hypot(*theirs)
                    similarities[j] = math.exp(dot / norms / temperature)
            total -= math.log(similarities[i] / sum(similarities.values()))
            count += 1
    encoder_pass = EncoderPass(replace(masked, extras={TAUGHT: teacher}), student)
    loss = TokenContrast(temperature, 1.0)(encoder_pass, streams)
    assert loss.total.item() == pytest.approx(total, rel=1e-5)
    assert loss.count == count > 6


def test_a_student_that_says_what_the_teacher_says_loses_next_to_nothing():
    teacher = torch.eye(4, D).unsqueeze(0)
    columns, real = torch.tensor([[2, 0]]), torch.ones(1, 4, dtype=torch.bool)
    # Cosine 1 with its own token and 0 with the three others.
    expected = 2 * math.log(1 + 3 * math.exp(-2.0))
    same = token_contrast(7 * teacher[:, [2, 0]], teacher, columns, real, 0.5)
    assert same.item() == pytest.approx(expected, rel=1e-6)
    swapped = token_contrast(teacher[:, [0, 2]], teacher, columns, real, 0.5)
    assert swapped.item() == pytest.approx(expected + 2 * 2.0, rel=1e-6)


def test_unused_slots_and_rows_of_padding_give_a_finite_zero():
    student = random_states(2, 3, D).requires_grad_()
    teacher = random_states(2, 5, D, seed=1)
    real = torch.tensor([[True] * 5, [False] * 5])
    columns = torch.tensor([[4, IGNORE_INDEX, IGNORE_INDEX], [IGNORE_INDEX] * 3])
    total = token_contrast(student, teacher, columns, real, 0.01)
    alone = token_contrast(student[:1, :1], teacher[:1], columns[:1, :1], real[:1], 0.01)
    torch.testing.assert_close(total, alone)
    total.backward()
    assert torch.isfinite(student.grad).all()
    assert not student.grad[1].any()
    assert student.grad[0, 0].any()


def test_similarities_are_in_float32_under_autocast():
    student, teacher = random_states(2, 3, D), random_states(2, 5, D, seed=1)
    given = teacher, torch.tensor([[0, 1, 2], [4, 3, 2]]), torch.ones(2, 5, dtype=torch.bool), 0.01
    with torch.autocast("cpu", torch.bfloat16):
        half = token_contrast(student, *given)
    torch.testing.assert_close(half, token_contrast(student, *given), rtol=0, atol=0)


# -- teacher and student


def test_the_teacher_reads_the_original_text_and_the_student_the_masked_one(taught, batch_of):
    step, teacher = taught(rate=0.5)
    batch = batch_of(padded=True)
    corrupted = step.corrupt(batch, Streams(0, 0, rows=6)).corrupted
    expected = teacher(batch.input_ids, attention_mask=batch.attention.long()).last_hidden_state
    assert (corrupted.input_ids != batch.input_ids).any()
    assert torch.equal(corrupted.extras[TAUGHT][batch.real], expected[batch.real])
    assert not corrupted.extras[TAUGHT].requires_grad


def test_the_gradient_reaches_the_encoder_and_never_the_teacher(taught, batch_of):
    step, teacher = taught()
    before = {name: weight.clone() for name, weight in teacher.state_dict().items()}
    batch = batch_of()
    totals, _ = step(batch, Streams(0, 0, rows=6))
    totals[1].backward()  # the contrastive term alone
    assert all(p.grad is not None and p.grad.any() for p in step.encoder.encoder.parameters())
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert not teacher.training
    assert not {id(p) for p in teacher.parameters()} & {id(p) for p in step.parameters()}
    assert set(step.objective.state_dict()) == {f"_terms.0.{n}" for n in _head(step)}
    assert all(torch.equal(before[name], weight) for name, weight in teacher.state_dict().items())


def _head(step):
    return step.objective.terms[0].state_dict()


def test_the_masks_and_the_first_term_are_those_of_mlm(taught, batch_of, masks_of):
    step, _ = taught(rate=0.3)
    masked, theirs = (
        corrupt(batch_of(), Streams(0, 0, rows=6)) for corrupt in (step.objective.corrupt, masks_of)
    )
    assert torch.equal(masked.input_ids, theirs.input_ids)
    assert torch.equal(masked.targets, theirs.targets)
    assert [(t.name, t.weight) for t in step.objective.terms] == [("mlm", 1.0), ("tacl", 1.0)]
    assert step.objective.slots(12) == masked.targets.shape[1]


def test_padding_changes_nothing(taught, batch_of):
    step, _ = taught()
    whole = batch_of(padded=True)
    rows = torch.arange(6) % 6 == 2  # those of 10 tokens
    short = replace(
        whole,
        input_ids=whole.input_ids[rows, :10],
        special=whole.special[rows, :10],
        attention=None,
        rows=replace(whole.rows, total=1),
    )
    padded = replace(
        short,
        input_ids=whole.input_ids[rows],
        special=whole.special[rows],
        attention=whole.attention[rows],
    )
    columns = torch.tensor([[3, 7]])
    losses = []
    for batch in (short, padded):
        masked = step.objective.corrupt(batch, Streams(0, 0, rows=1))
        targets = batch.input_ids.gather(1, columns)
        chosen = replace(
            masked,
            input_ids=batch.input_ids.scatter(1, columns, 4),
            positions=columns,
            targets=targets,
        )
        term = step.objective.terms[1]
        encoder_pass = step.encode(
            replace(step.corrupt(batch, Streams(0, 0, rows=1)), corrupted=chosen)
        )
        losses.append(term(encoder_pass, None).total)
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=1e-5)


def test_a_student_may_start_from_its_teachers_weights(taught):
    fresh, teacher = taught()
    started, _ = taught(start="teacher")
    weights = dict(teacher.named_parameters())
    for name, weight in started.encoder.named_parameters():
        assert torch.equal(weight, weights[name])
        assert weight.requires_grad
        assert weight.data_ptr() != weights[name].data_ptr()
    assert any(not torch.equal(w, weights[n]) for n, w in fresh.encoder.named_parameters())


def test_a_teacher_that_does_not_fit_is_refused(encoder_spec):
    def teacher(width, layers):
        config = BertConfig(
            vocab_size=97,
            hidden_size=width,
            num_attention_heads=2,
            num_hidden_layers=layers,
            intermediate_size=32,
        )
        return BertModel(config, add_pooling_layer=False).eval()

    objective = TokenAwareContrast(TokenAwareContrast.Config(start="teacher"), encoder_spec)
    with pytest.raises(LookupError, match="no teacher"):
        objective.tie(teacher(16, 1))
    with pytest.raises(ConfigError, match="mlm's encoder is 32 wide and this one 16"):
        objective.learn_from({"mlm": teacher(32, 1)})
    objective.learn_from({"mlm": teacher(16, 2)})
    with pytest.raises(ConfigError, match="another shape; give both one encoder"):
        objective.tie(teacher(16, 1))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"teacher": ""}, "teacher must name"),
        ({"start": "cold"}, "start must be one of fresh, teacher"),
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"temperature": float("nan")}, "temperature must be positive"),
        ({"weight": -1.0}, "weight must not be negative"),
        ({"rate": 0.0}, "rate must be in"),
    ],
)
def test_options_out_of_range_are_refused(options, told):
    with pytest.raises(ConfigError, match=told):
        TokenAwareContrast.Config(**options)


def test_the_defaults_are_the_papers_and_its_teacher_is_an_option():
    config = TokenAwareContrast.Config()
    assert (config.temperature, config.weight, config.start) == (0.01, 1.0, "fresh")
    assert TokenAwareContrast.teachers(config) == ("mlm",)
    assert TokenAwareContrast.teachers(TokenAwareContrast.Config(teacher="rtd")) == ("rtd",)
    assert MaskedLanguageModeling.teachers(MaskedLanguageModeling.Config()) == ()


# -- in the engine


@pytest.fixture
def job(tiny, tmp_path):
    """(**options) -> a job of TaCL whose teacher lies in a folder."""
    tiny.OBJECTIVES["tacl"] = TokenAwareContrast
    section = tiny.encoder_section()
    teacher = build_encoder(section, tiny.VOCABULARY, tiny.LENGTH, seed=9)
    export_encoder(teacher, tiny.tokenizer(tmp_path), tmp_path / "teacher")

    def make(run="run", **options):
        (tmp_path / run).mkdir(exist_ok=True)
        known = {"teachers": {"mlm": tmp_path / "teacher"}}
        return tiny.tiny_job(tmp_path / run, "tacl", **{**known, **options})

    yield make
    del tiny.OBJECTIVES["tacl"]


def test_the_teacher_is_read_from_its_folder(job, tmp_path):
    (teacher,) = frozen_teachers(job(), torch.device("cpu")).values()
    stored = BertModel.from_pretrained(tmp_path / "teacher", add_pooling_layer=False)
    ids = torch.arange(5, 17).unsqueeze(0)
    with torch.no_grad():
        assert torch.equal(teacher(ids)[0], stored.eval()(ids)[0])


def test_it_trains_and_another_teacher_is_another_run(job):
    one, other = (pretrain(job(name, teachers=t), lambda *_: None) for name, t in _two(job))
    assert (one.status, other.status) == ("ok", "ok")
    assert set(one.points[-1].heldout) == {"mlm", "tacl", "loss"}
    assert one.log[-1].terms["tacl"] < one.log[0].terms["tacl"]
    assert one.log[-1].terms["tacl"] != other.log[-1].terms["tacl"]
    assert one.cost.flops_per_step == other.cost.flops_per_step


def _two(job):
    return [("read", job().teachers), ("made-up", {})]


def test_the_teachers_forward_pass_is_counted(job, tiny, tmp_path):
    from objbench.engine.training.session import Session

    ours, theirs = Session(job()), Session(tiny.tiny_job(tmp_path, "tiny"))
    with torch.random.fork_rng():
        forward = _forward_flops(tiny, theirs)
    # One more forward pass of the encoder, two heads that differ, and B x M x T similarities.
    assert ours.flops_per_step > theirs.flops_per_step + 0.9 * forward


def _forward_flops(tiny, session):
    from objbench.engine.training.flops import flop_counter

    batch, _ = session.begin(0)
    with flop_counter() as counter, torch.no_grad():
        session.module.encoder(batch.input_ids)
    return counter.get_total_flops()
