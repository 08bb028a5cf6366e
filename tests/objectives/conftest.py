"""What the tests of the in-tree objectives share: a small encoder_spec, batches, and the oracle."""

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted, Rows
from objbench.contract.encoder_spec import EncoderSpec, Vocabulary
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.step import TrainingStep
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.rtd import ReplacedTokenDetection

ORACLE = Path(__file__).parents[1] / "data" / "oracle"
TINY = Path(__file__).parents[1] / "objbench" / "engine" / "train_tiny.py"


def _anatomy(width, vocabulary):
    return EncoderSpec(
        width=width,
        embedding_width=width,
        activation="gelu",
        norm_epsilon=1e-12,
        initializer_range=0.02,
        vocabulary=Vocabulary(vocabulary, 0, 1, 2, 3, (0, 1, 2, 3), ("x",) * vocabulary),
        encoder_config={"vocab_size": vocabulary},
    )


@pytest.fixture
def encoder_spec():
    return _anatomy(width=16, vocabulary=97)


@pytest.fixture
def make_batch():
    """(rows, length, lengths=None) -> a batch of [CLS] words [SEP] with padding on the right."""

    def make(rows, length, lengths=None, seed=0):
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(4, 97, (rows, length), generator=generator)
        full = torch.full((rows,), length) if lengths is None else torch.tensor(lengths)
        columns = torch.arange(length)
        real = columns < full[:, None]
        ids = ids.masked_fill(~real, 0)
        ids[:, 0] = 1
        last = (columns == full[:, None] - 1) & (columns > 0)
        ids = ids.masked_fill(last, 2)
        attention = None if lengths is None else real
        return Batch(ids, ids < 4, attention, Rows.alone(rows))

    return make


@pytest.fixture(params=["taco-small", "taco-paper-k"])
def oracle(request):
    """One case of the public reference: tensors, numbers, and our encoder with its weights."""
    tensors = load_file(ORACLE / f"{request.param}.safetensors")
    numbers = json.loads((ORACLE / f"{request.param}.json").read_text())
    config = BertConfig(
        vocab_size=numbers["vocab"],
        hidden_size=numbers["hidden"],
        num_hidden_layers=numbers["layers"],
        num_attention_heads=numbers["heads"],
        intermediate_size=numbers["intermediate"],
        max_position_embeddings=numbers["max_positions"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    encoder = BertModel(config, add_pooling_layer=False)
    prefix = "model.bert."
    state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    encoder.load_state_dict(state)
    return SimpleNamespace(
        tensors=tensors,
        numbers=numbers,
        encoder=encoder,
        encoder_spec=_anatomy(numbers["hidden"], numbers["vocab"]),
        corrupted=_corrupted(tensors["input_ids"], tensors["labels"]),
    )


def _corrupted(input_ids, labels):
    """The oracle's batch, its predicted positions moved into slots."""
    chosen = labels != IGNORE_INDEX
    slots = int(chosen.sum(dim=1).max())
    order = (~chosen).to(torch.uint8).argsort(dim=1, stable=True)[:, :slots]
    used = chosen.gather(1, order)
    return Corrupted(
        input_ids=input_ids,
        special=torch.zeros_like(chosen),
        attention=None,
        rows=Rows.alone(len(input_ids)),
        positions=order * used,
        targets=labels.gather(1, order),
    )


@pytest.fixture(scope="session")
def tiny():
    """The engine's tiny job and its vocabulary."""
    if "train_tiny" not in sys.modules:
        spec = importlib.util.spec_from_file_location("train_tiny", TINY)
        sys.modules["train_tiny"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["train_tiny"])
    return sys.modules["train_tiny"]


@pytest.fixture(scope="session")
def build(tiny):
    """(kind, section=None, options of it) -> objective and encoder, as they are trained."""

    def build(kind=ReplacedTokenDetection, section=None, **options):
        section = section or tiny.encoder_section()
        encoder = build_encoder(section, tiny.VOCABULARY, tiny.LENGTH, seed=0)
        encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
        config = kind.Config(**options)
        return TrainingStep(encoder, build_objective(kind, config, encoder_spec, seed=0)).train()

    return build


@pytest.fixture(scope="session")
def batch_of(tiny):
    """(rows, padded) -> rows of [CLS] words [SEP], where padded shorter from row to row."""

    def make(rows=6, padded=False, seed=3):
        generator = torch.Generator().manual_seed(seed)
        words = torch.randint(5, 65, (rows, tiny.LENGTH), generator=generator)
        short = torch.arange(rows) % 6 if padded else torch.zeros(rows, dtype=torch.int64)
        ends = (tiny.LENGTH - short).unsqueeze(1)
        columns = torch.arange(tiny.LENGTH)
        ids = torch.where(columns == ends - 1, 3, words)
        ids[:, 0] = 2
        real = columns < ends
        ids = ids.masked_fill(~real, 0)
        return Batch(ids, ids < 5, real if padded else None, Rows.alone(rows))

    return make


@pytest.fixture(scope="session")
def masks_of(build):
    """(batch, streams) -> it masked as for ``mlm``, more of it."""
    objective = build(MaskedLanguageModeling, rate=0.3).objective
    return objective.corrupt
