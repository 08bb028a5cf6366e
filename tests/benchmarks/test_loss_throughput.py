"""How fast the loss of every registered objective is.

``pytest --benchmark-only`` runs these alone and ends with their table (``conftest.py``). Each row
is the corruption and the loss terms, forward and backward, of 32 x 128 tokens at width 256 in
float32, without the encoder, whose output is replaced by random numbers (with the second network or
the teachers of an objective that has them). Every registered objective has a row, those of other
projects too. The medians (ms), throughput (tokens/s) and peak allocation (MiB) are in the extra
information of the JSON.
"""

from dataclasses import dataclass
from statistics import median
from time import perf_counter
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel

from objbench.contract.batch import Batch, Rows
from objbench.contract.encoder_spec import EncoderSpec, Vocabulary
from objbench.contract.random_streams import Streams
from objbench.engine.training.step import TrainingStep, mean_loss
from objbench.plugins.loading import load_plugins

ROWS, LENGTH, WIDTH, WORDS = 32, 128, 256, 8192
OBJECTIVES = dict(load_plugins().objectives)

pytestmark = pytest.mark.benchmark(group="loss", min_rounds=5, warmup=True, warmup_iterations=1)


@dataclass
class Leaves:
    """What the encoder would have returned."""

    states: list[Tensor]
    words: Tensor

    def clear(self):
        for leaf in (*self.states, self.words):
            leaf.grad = None


@pytest.fixture
def leaves():
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(3, ROWS, LENGTH, WIDTH, generator=generator)
    words = 0.02 * torch.randn(WORDS, WIDTH, generator=generator)
    return Leaves([state.clone().requires_grad_() for state in states], words.requires_grad_())


@pytest.fixture
def measured(benchmark, peak_bytes):
    """Time a step (or run it once), after a look at what it allocates where that is asked.

    ``forward`` returns the loss; the step is ``forward`` and the loss's ``backward``.
    """

    def measure(forward):
        shares = []

        def step():
            started = perf_counter()
            loss = forward()
            between = perf_counter()
            loss.backward()
            shares.append((between - started) / (perf_counter() - started))
            return loss.detach()

        if not benchmark.disabled:
            benchmark.extra_info["peak_mib"] = round(peak_bytes(step) / 2**20, 1)
            shares.clear()
        result = benchmark(step)
        if not benchmark.disabled:
            seconds, share = benchmark.stats.stats.median, median(shares)
            benchmark.extra_info |= {
                "forward_ms": round(1000 * seconds * share, 2),
                "backward_ms": round(1000 * seconds * (1 - share), 2),
                "tokens_per_second": round(ROWS * LENGTH / seconds),
            }
        return result

    return measure


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objective(name, leaves, measured):
    config = BertConfig(vocab_size=WORDS, hidden_size=WIDTH, num_attention_heads=4)
    vocabulary = Vocabulary(WORDS, 0, 1, 2, 3, (0, 1, 2, 3), ("x", "##x") * (WORDS // 2))
    encoder_spec = EncoderSpec(WIDTH, WIDTH, "gelu", 1e-12, 0.02, vocabulary, config.to_dict())
    kind = OBJECTIVES[name]
    objective = kind(kind.Config(), encoder_spec)
    encoder = BertModel(config, add_pooling_layer=False)
    encoder.set_input_embeddings(torch.nn.Embedding.from_pretrained(leaves.words, freeze=False))
    teachers = dict.fromkeys(kind.teachers(objective.config), BertModel(config).eval())
    module = TrainingStep(encoder, objective, teachers)
    # The encoder is not run itself, but for a teacher: what it hands over is stood in for.
    output = SimpleNamespace(last_hidden_state=leaves.states[-1], hidden_states=leaves.states)
    module._encoded = lambda *inputs: output
    weights = torch.tensor([term.weight for term in objective.terms])
    ids = torch.randint(4, WORDS, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))
    batch = Batch(ids, torch.zeros_like(ids, dtype=torch.bool), None, Rows.alone(ROWS))

    def forward():
        leaves.clear()
        module.zero_grad()
        totals, counts = module(batch, Streams(0, 0, rows=ROWS))
        return mean_loss(totals, counts, weights, 1)

    assert measured(forward).isfinite()
