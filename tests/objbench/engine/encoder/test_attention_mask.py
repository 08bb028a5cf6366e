"""Padding: the mask that a GPU gets means the same, and nobody looks into it.

torch's "meta" device has shapes and no numbers. Whoever asks a tensor there for a number gets an
error, where on a GPU the host would wait.
"""

import logging
from types import SimpleNamespace

import pytest
import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from objbench.contract.batch import Batch, Rows
from objbench.engine.encoder.attention_mask import (
    attention_mask,
    padding_mask,
    takes_written_out,
    written_out,
)
from objbench.engine.encoder.build import build_encoder
from objbench.engine.evaluation.batching import ExampleBatch
from objbench.engine.evaluation.classifier import Classifier
from objbench.study.settings import EncoderSection

SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4} | {
    "intermediate_size": 64,
    "max_position_embeddings": 20,
}
OWN = {
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 16},
    "roc_bert": {"shape_vocab_size": 9},
}
NOT_HERE = {
    *("bart", "mbart", "mvp", "modernvbert", "ultravbert", "perceiver"),  # no plain text encoders
    *("flaubert", "funnel", "reformer", "tapas", "xlm", "xmod"),  # other sizes or inputs
}
# They make masks of their own, or read the padding in other places too.
OTHERS = {"deberta", "deberta-v2", "fnet", "layoutlm", "mra", "yoso"} | {
    *("esm", "longformer", "neomme", "ultrabert"),
}
FAMILIES = sorted({*MODEL_FOR_MASKED_LM_MAPPING_NAMES} - NOT_HERE)
LENGTH = 12
REAL = torch.arange(LENGTH) < torch.tensor([[12], [8], [3]])


def built(family, tiny, **fields):
    section = EncoderSection(model_type=family, config={**SIZES, **OWN.get(family, {}), **fields})
    return build_encoder(section, tiny.VOCABULARY, LENGTH, seed=0)


def padded_ids(tiny):
    ids = torch.arange(3 * LENGTH).view(3, LENGTH) % tiny.WORDS + len(tiny.SPECIAL)
    return ids.where(REAL, tiny.VOCABULARY.pad)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mask_that_is_written_out_means_the_same(family, tiny, caplog):
    caplog.set_level(logging.CRITICAL)
    encoder = built(family, tiny).eval()
    assert takes_written_out(encoder) == (family not in OTHERS)
    if family in OTHERS:
        return
    ids, seen = padded_ids(tiny), REAL[:, None, None, :].expand(3, 1, LENGTH, LENGTH)
    with torch.no_grad():
        plain = encoder(input_ids=ids, attention_mask=REAL.long()).last_hidden_state
        own = encoder(input_ids=ids, attention_mask=written_out(encoder, seen)).last_hidden_state
    assert torch.equal(own[REAL], plain[REAL])


@pytest.mark.parametrize("family", sorted({*FAMILIES} - OTHERS))
@pytest.mark.parametrize("is_bool", [True, False])
def test_a_padded_pass_asks_a_gpu_for_nothing(family, is_bool, tiny, caplog):
    caplog.set_level(logging.CRITICAL)
    encoder = built(family, tiny).to("meta").eval()
    ids = padded_ids(tiny).to("meta")
    real = (REAL if is_bool else REAL.long()).to("meta")
    mask = attention_mask(encoder, Batch(ids, ids, real, Rows.alone(3)), causal=False)
    encoder(input_ids=ids, attention_mask=mask).last_hidden_state.sum()


def test_looking_into_the_mask_is_seen(tiny):
    encoder = built("bert", tiny).to("meta")
    ids, real = padded_ids(tiny).to("meta"), REAL.long().to("meta")
    with pytest.raises(RuntimeError, match="item"):
        encoder(input_ids=ids, attention_mask=real)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("labels", [1, 3])
def test_a_padded_step_of_fine_tuning_asks_a_gpu_for_nothing(pooling, labels, tiny):
    model = Classifier(built("bert", tiny), labels, 0.1, seed=0, pooling=pooling).to("meta").train()
    ids, real = padded_ids(tiny).to("meta"), REAL.long().to("meta")
    kind = torch.float32 if labels == 1 else torch.int64
    truth = torch.zeros(3, dtype=kind, device="meta")
    model.loss([ExampleBatch(ids, torch.zeros_like(ids), real, truth)]).backward()


def test_a_cpu_gets_the_short_mask_and_no_padding_none(tiny):
    encoder = built("bert", tiny)
    assert padding_mask(encoder, None) is None
    found = padding_mask(encoder, REAL)
    assert found.dtype == torch.int64 and torch.equal(found, REAL.long())


def test_who_makes_masks_otherwise_is_left_alone(tiny):
    encoder = built("bert", tiny)
    assert takes_written_out(encoder)
    encoder.config._attn_implementation = "flash_attention_2"
    assert not takes_written_out(encoder)
    foreign = SimpleNamespace(config=SimpleNamespace(model_type="own"))
    assert not takes_written_out(foreign)
