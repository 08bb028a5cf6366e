"""COCO-LM: three losses against the formulas in loops, the generator's shape, crops, training."""

import math

import pytest
import torch

from objbench.contract.batch import IGNORE_INDEX
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncodedView, EncoderPass
from objbench.errors import ConfigError
from objbench_objectives.coco_lm import CorrectingAndContrasting, shallower
from objbench_objectives.correction import PlainWordHead
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.sampled_tokens import REPLACED

D = 16


@pytest.fixture(scope="session")
def made(build):
    """(options) -> the step of coco_lm."""
    return lambda section=None, **options: build(CorrectingAndContrasting, section, **options)


def encoded(step, batch, dtype=torch.float64):
    """A pass with made-up states, logits and a crop's states, in ``dtype``."""
    readings = step.corrupt(batch, Streams(0, rows=6))
    generator = torch.Generator().manual_seed(1)
    corrupted, view = readings.corrupted, readings.views["scl"]
    states, others = (
        torch.randn(*b.input_ids.shape, D, generator=generator, dtype=dtype)
        for b in (corrupted, view)
    )
    return EncoderPass(
        corrupted,
        states,
        word_logits=torch.randn(*corrupted.targets.shape, 65, generator=generator, dtype=dtype),
        views={"scl": EncodedView(view, others)},
    )


def logistic(x):
    return 1 / (1 + math.exp(-x))


def copy_logit(copying, state):
    weights, bias = copying.logit.weight[0].tolist(), copying.logit.bias.item()
    return sum(w * x for w, x in zip(weights, state.tolist(), strict=True)) + bias


@pytest.mark.parametrize("formula", ["paper", "reference"])
@pytest.mark.parametrize("padded", [False, True])
def test_the_token_losses_equal_the_formulas_in_loops(made, batch_of, formula, padded):
    step = made(rate=0.4, correction=formula)
    _, copying, correction, _ = step.objective.terms
    copying.double()
    torch.nn.init.normal_(copying.logit.weight)
    batch = batch_of(padded=padded)
    encoder_pass = encoded(step, batch)
    corrupted = encoder_pass.batch
    # Some samples happen to be the original, as they do of a trained generator.
    lucky = corrupted.positions[:, :1]
    ids = corrupted.input_ids.scatter(1, lucky, batch.input_ids.gather(1, lucky))
    corrupted.extras[REPLACED][:] = ids != batch.input_ids
    states = encoder_pass.last_hidden_state

    copied = 0.0
    for row, column in batch.real.nonzero().tolist():
        chance = logistic(copy_logit(copying, states[row, column]))
        right = ids[row, column] == batch.input_ids[row, column]
        copied -= math.log(chance if right else 1 - chance)
    corrected, count, kinds = 0.0, 0, set()
    for row, targets in enumerate(corrupted.targets.tolist()):
        for slot, target in enumerate(targets):
            if target == IGNORE_INDEX:
                continue
            column = int(corrupted.positions[row, slot])
            chance = logistic(copy_logit(copying, states[row, column]))
            scores = encoder_pass.word_logits[row, slot].tolist()
            word = math.exp(scores[target]) / sum(math.exp(score) for score in scores)
            right = bool(ids[row, column] == batch.input_ids[row, column])
            kinds.add(right)
            if formula == "paper":
                corrected -= math.log(right * chance + (1 - chance) * word)
            else:
                corrected -= (1 - chance) * math.log(word)
            count += 1
    assert kinds == {True, False}
    losses = [term(encoder_pass, None) for term in (copying, correction)]
    assert losses[0].count == batch.real.sum()
    assert losses[0].total.item() == pytest.approx(copied, rel=1e-5)
    assert losses[1].count == count
    assert losses[1].total.item() == pytest.approx(corrected, rel=1e-5)


def test_the_corrective_loss_does_not_teach_copying(made, batch_of):
    step = made(rate=0.4)
    step.encoder.eval()
    _, copying, correction, _ = step.objective.terms
    encoder_pass = step.with_logits(step.encode(step.corrupt(batch_of(), Streams(0, rows=6))))
    correction(encoder_pass, None).total.backward()
    assert all(p.grad is None for p in copying.parameters())
    assert step.objective.terms[2].token_head.bias.grad.any()
    assert any(p.grad is not None and p.grad.any() for p in step.encoder.encoder.parameters())


@pytest.mark.parametrize("padded", [False, True])
def test_sequences_are_contrasted_as_the_formula_in_loops_says(made, batch_of, padded):
    step = made(temperature=0.5)
    encoder_pass = encoded(step, batch_of(padded=padded))
    both = [
        *encoder_pass.last_hidden_state[:, 0].tolist(),
        *encoder_pass.views["scl"].last_hidden_state[:, 0].tolist(),
    ]

    def score(one, other):
        dot = sum(a * b for a, b in zip(one, other, strict=True))
        size = math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))
        return math.exp(dot / size / 0.5)

    expected = 0.0
    for own in range(12):
        scores = {other: score(both[own], both[other]) for other in range(12) if other != own}
        expected -= math.log(scores[(own + 6) % 12] / sum(scores.values()))
    loss = step.objective.terms[3](encoder_pass, None)
    assert loss.count == 12
    assert loss.total.item() == pytest.approx(expected, rel=1e-5)


def test_what_is_cropped_is_the_original(made, batch_of):
    step, batch = made(rate=0.5), batch_of()
    readings = step.corrupt(batch, Streams(3, rows=6))
    view = readings.views["scl"]
    assert not torch.equal(readings.corrupted.input_ids, batch.input_ids)
    assert view.input_ids.shape == (6, 10) and view.attention is None
    for cropped, ids in zip(view.input_ids.tolist(), batch.input_ids.tolist(), strict=True):
        assert cropped[0] == ids[0]
        assert cropped[1:] in [ids[start : start + 9] for start in (1, 2, 3)]


def test_terms_and_weights_are_the_papers(made):
    objective = made().objective
    assert [(term.name, term.weight) for term in objective.terms] == [
        ("generator", 1.0),
        ("copy", 50.0),
        ("corrective", 1.0),
        ("scl", 1.0),
    ]
    config = objective.config
    assert (config.rate, config.mask_share, config.random_share) == (0.15, 1.0, 0.0)
    assert (config.keep, config.temperature) == (0.9, 1.0)
    # The term that reads the copy head does not own it.
    names = [name for name, _ in objective.named_parameters() if "logit" in name]
    assert names == ["_terms.1.logit.weight", "_terms.1.logit.bias"]


def test_the_predicted_positions_are_those_of_mlm(made, build, batch_of):
    batch = batch_of()
    ours = made().objective.corrupt(batch, Streams(7, 2, rows=6))
    mlm = build(MaskedLanguageModeling).objective.corrupt(batch, Streams(7, 2, rows=6))
    assert torch.equal(ours.positions, mlm.positions)
    assert torch.equal(ours.targets, mlm.targets)
    assert made().objective.slots(12) == ours.positions.shape[1]


def test_the_generator_is_as_wide_shallower_and_drops_nothing(made, tiny):
    section = tiny.encoder_section(num_hidden_layers=6)
    config = made(section).objective.generator.encoder.config
    assert (config.hidden_size, config.num_attention_heads, config.intermediate_size) == (16, 2, 32)
    assert config.num_hidden_layers == 2
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.0
    assert made(section, generator_depth=1.0).objective.generator.encoder.config == (
        type(config)(**{**config.to_dict(), "num_hidden_layers": 6})
    )
    assert made().objective.generator.encoder.config.num_hidden_layers == 1


def test_what_is_listed_by_layer_is_cut_too(made, tiny):
    section = type(tiny.encoder_section())(
        model_type="modernbert",
        config={
            "hidden_size": 16,
            "num_hidden_layers": 6,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 16,
        },
    )
    step = made(section)
    assert len(step.objective.generator.encoder.layers) == 2
    assert len(shallower(step.objective.encoder_spec, 0.5).encoder_config["layer_types"]) == 3


def test_the_word_head_is_the_words_dot_the_state(encoder_spec):
    head = PlainWordHead(encoder_spec)
    torch.nn.init.normal_(head.bias)
    states, words = torch.randn(2, 3, 16), torch.randn(97, 16)
    expected = [
        [[float(state @ word + bias) for word, bias in zip(words, head.bias.tolist(), strict=True)]
         for state in row]
        for row in states
    ]  # fmt: skip
    assert torch.allclose(head(states, words), torch.tensor(expected), atol=1e-5)


def test_one_sequence_is_refused(made, batch_of):
    with pytest.raises(ConfigError, match="at least 2"):
        made()(batch_of(rows=1), Streams(0, rows=1))


def test_bfloat16_gives_finite_float32_losses(made, batch_of):
    step, batch = made(), batch_of(padded=True)
    with torch.autocast("cpu", torch.bfloat16):
        totals, counts = step(batch, Streams(0, rows=6))
    totals.sum().backward()
    assert totals.dtype == counts.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in step.parameters())


@pytest.mark.parametrize(
    "options",
    [
        {"generator_depth": 0.0},
        {"generator_depth": 1.5},
        {"generator_depth": float("nan")},
        {"copy_weight": -1.0},
        {"scl_weight": float("nan")},
        {"keep": 0.0},
        {"temperature": 0.0},
        {"correction": "code"},
        {"rate": 0.0},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        CorrectingAndContrasting.Config(**options)


def test_every_loss_falls_on_a_fixed_batch(made, batch_of):
    step, batch = made(rate=0.3), batch_of()
    optimizer = torch.optim.AdamW(step.parameters(), lr=1e-2)
    torch.manual_seed(0)
    losses = []
    for _ in range(40):
        totals, counts = step(batch, Streams(0, rows=6))
        means = totals / counts
        losses.append(means.detach())
        means.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    first, last = torch.stack(losses[:3]).mean(0), torch.stack(losses[-5:]).mean(0)
    assert (last < 0.9 * first).all()
