"""The loss of every objective that predicts masked words: the formula in loops, in float64."""

import math
from dataclasses import replace

import pytest
import torch

from objbench.contract.batch import IGNORE_INDEX
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.span import SpanMasking
from objbench_objectives.wwm import WholeWordMasking


def gelu(x):
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def in_loops(made, states, words, head):
    """Sum and number of -log p(original) over the slots in use, number by number."""
    states, words = states.tolist(), words.tolist()
    weight, shift, bias = (t.tolist() for t in (head.dense.weight, head.dense.bias, head.bias))
    scale, offset = head.norm.weight.tolist(), head.norm.bias.tolist()
    total, count = 0.0, 0
    for row, (columns, targets) in enumerate(
        zip(made.positions.tolist(), made.targets.tolist(), strict=True)
    ):
        for column, target in zip(columns, targets, strict=True):
            if target == IGNORE_INDEX:
                continue
            h = states[row][column]
            x = [
                gelu(sum(w * v for w, v in zip(line, h, strict=True)) + b)
                for line, b in zip(weight, shift, strict=True)
            ]
            mean = sum(x) / len(x)
            spread = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + head.norm.eps)
            x = [(v - mean) / spread * s + o for v, s, o in zip(x, scale, offset, strict=True)]
            logits = [
                sum(a * b for a, b in zip(x, word, strict=True)) + c
                for word, c in zip(words, bias, strict=True)
            ]
            total += math.log(sum(map(math.exp, logits))) - logits[target]
            count += 1
    return total, count


@pytest.mark.parametrize("kind", [MaskedLanguageModeling, WholeWordMasking, SpanMasking])
def test_the_loss_is_the_mean_cross_entropy_of_the_words(kind, encoder_spec, make_batch):
    tokens = tuple(f"{'##' if number % 3 == 0 else ''}w{number}" for number in range(97))
    encoder_spec = replace(encoder_spec, vocabulary=replace(encoder_spec.vocabulary, tokens=tokens))
    torch.manual_seed(0)
    objective = kind(kind.Config(rate=0.3), encoder_spec).double()
    for parameter in objective.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    made = objective.corrupt(make_batch(4, 24, [24, 20, 9, 3]), Streams(1, 0, rows=4))
    states, words = torch.randn(4, 24, 16).double(), torch.randn(97, 16).double()
    loss = objective.terms[0](EncoderPass(made, states, word_embeddings=words), Streams(1, rows=4))
    total, count = in_loops(made, states, words, objective.token_head)
    assert count > 0 and loss.count.item() == count
    assert loss.total.item() == pytest.approx(total, rel=1e-5)
