"""torch.compile is checked by the precision that the products have, whatever the states have."""

import logging

import pytest
import torch

from objbench.contract.batch import Batch, Rows
from objbench.engine.encoder import compiled as module
from objbench.engine.encoder.build import build_encoder
from objbench.engine.encoder.compiled import compile_encoder

LOG = logging.getLogger("objbench.test")


@pytest.fixture
def encoder(tiny, monkeypatch):
    """An encoder whose compilation moves the states by ``encoder.off`` of their largest."""
    built = build_encoder(tiny.encoder_section(), tiny.VOCABULARY, tiny.LENGTH, seed=0)

    def compile_():
        def call(**inputs):
            output = built.forward(**inputs)
            largest = output.last_hidden_state.detach().abs().max()
            output.last_hidden_state = output.last_hidden_state + built.off * largest
            return output

        built._compiled_call_impl = call

    monkeypatch.setattr(built, "compile", compile_)
    return built


@pytest.fixture
def as_on_cuda(monkeypatch):
    """Layer norms are computed in float32 under autocast, as torch's autocast for CUDA has them."""
    plain = torch.nn.functional.layer_norm

    def whole(states, shape, weight=None, bias=None, eps=1e-5):
        with torch.autocast("cpu", enabled=False):
            return plain(states.float(), shape, weight, bias, eps)

    monkeypatch.setattr(torch.nn.functional, "layer_norm", whole)


def compiles(encoder, tiny, off, bf16):
    encoder.off = off
    ids = torch.arange(5, 5 + 2 * tiny.LENGTH).view(2, -1) % tiny.VOCABULARY.size
    batch = Batch(ids, ids < 5, None, Rows.alone(2))
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        state = encoder(input_ids=ids).last_hidden_state
        return compile_encoder(encoder, batch, LOG), state.dtype


# base's 12 layers, 768 wide, differ by 5.5e-3 between two attention kernels in bfloat16.
@pytest.mark.parametrize(
    ("off", "bf16", "expected"),
    [(5.5e-3, True, True), (0.1, True, False), (5.5e-3, False, False), (5e-4, False, True)],
)
def test_the_tolerance_is_that_of_the_products(as_on_cuda, encoder, tiny, off, bf16, expected):
    found, dtype = compiles(encoder, tiny, off, bf16)
    assert dtype == torch.float32
    assert found == expected
    assert (encoder._compiled_call_impl is not None) == expected


def test_a_refusal_is_said_once_with_its_reason(encoder, tiny, caplog):
    caplog.set_level(logging.WARNING)
    compiles(encoder, tiny, 0.1, bf16=False)
    (said,) = caplog.messages
    assert said.startswith("torch.compile is not used: compiled hidden states differ by 1.0e-01")


def test_no_gpu_is_asked_for_its_generator(encoder, tiny, monkeypatch):
    seen = []
    plain = module.forked_generators
    monkeypatch.setattr(module, "forked_generators", lambda d: seen.append(str(d)) or plain(d))
    compiles(encoder, tiny, 0.0, bf16=False)
    assert seen == ["cpu"]
