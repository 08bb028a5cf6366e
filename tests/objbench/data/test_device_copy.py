"""Copies to a GPU go through pinned memory, so that the host does not wait; to a CPU there is none."""

from contextlib import suppress

import numpy as np
import pytest
import torch

from objbench.data.device_copy import copied_to
from objbench.engine.evaluation import batching, embed, token_scores
from objbench.engine.evaluation.batching import ExampleBatch

GPU = torch.device("cuda")


@pytest.fixture
def copies(monkeypatch):
    """(device type, whether it was pinned, whether the host goes on) of every copy to a device."""
    pinned, made = set(), []
    plain = torch.Tensor.to

    def pin(tensor):
        # torch would write into memory that is laid out alike.
        assert tensor.is_contiguous()
        pinned.add(id(tensor))
        return tensor

    def to(tensor, *args, **options):
        device = next((one for one in args if isinstance(one, torch.device)), None)
        if device is None:
            return plain(tensor, *args, **options)
        made.append((device.type, id(tensor) in pinned, options.get("non_blocking", False)))
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", to)
    return made


def test_a_copy_to_a_gpu_is_pinned_and_not_waited_for(copies):
    copied_to(torch.arange(3), GPU)
    assert copies == [("cuda", True, True)]


def test_what_is_expanded_is_written_out_before_it_is_pinned(copies):
    copied_to(torch.arange(3).expand(2, 3), GPU)
    assert copies == [("cuda", True, True)]


def test_a_cpu_needs_no_copy():
    tensor = torch.arange(3)
    assert copied_to(tensor, torch.device("cpu")) is tensor


@pytest.mark.parametrize("padded", [True, False])
def test_no_tensor_of_a_batch_of_examples_is_waited_for(copies, padded):
    ids = torch.ones(2, 3, dtype=torch.int64)
    ExampleBatch(ids, ids.clone(), ids.clone() if padded else None, torch.zeros(2)).to(GPU)
    assert copies == [("cuda", True, True)] * (4 if padded else 3)


def test_nor_of_what_is_embedded_or_scored(copies, monkeypatch):
    class Stop(Exception):
        pass

    class Model:
        def __call__(self, **inputs):
            raise Stop

    monkeypatch.setattr(embed, "frozen_encoder", lambda folder, device: Model())
    context = type("Context", (), {"device": "cuda", "precision": "fp32"})
    with suppress(Stop):
        next(embed.sequence_states(None, np.zeros((2, 3), np.int64), context))
    assert copies.pop() == ("cuda", True, True) and not copies

    def scored(*_):
        raise Stop

    monkeypatch.setattr(token_scores, "token_losses", scored)
    made = dict.fromkeys(("encoder", "head", "reading", "tokenizer", "vocabulary"))
    model = token_scores.WordModel(**made, length=3, device=GPU, precision="fp32")
    ids = torch.ones(2, 3, dtype=torch.int64)
    with suppress(Stop):
        model.log_probabilities(ids, ids.bool(), ids.clone(), ids.clone())
    assert copies == [("cuda", True, True)] * 4
    assert batching.copied_to is copied_to
