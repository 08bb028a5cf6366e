"""A step must not change its inputs or the global generators, and must be repeatable."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from objbench.contract.batch import Batch
from objbench.contract.term import EncoderPass
from objbench.engine.training.step import Readings
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject, gradients, losses, relative_difference


def inputs_unchanged(subject: Subject) -> str:
    """No part of a step changes its inputs, which other parts read later."""
    module, batch = subject.step(), subject.batch()
    streams, terms = subject.streams(batch), module.objective.terms
    for term in terms:
        what = f"arranging by the term {term.name!r} changes the batch's"
        batch = _keeping(_of_batch(batch), what, term.arrange, batch, streams)
    corrupt, what = module.objective.corrupt, "the corruption changes the batch's"
    corrupted = _keeping(_of_batch(batch), what, corrupt, batch, streams)
    views: dict[str, Batch] = {}
    for term in terms:
        seen = {
            **_of_batch(batch, "the batch's "),
            **_of_batch(corrupted, "the corrupted batch's "),
        }
        what = f"the view of the term {term.name!r} changes"
        view = _keeping(seen, what, term.view, batch, corrupted, streams)
        if view is not None:
            views[term.name] = view
    encoder_pass = module.with_logits(module.encode(Readings(corrupted, views)))
    watched = {**_of_batch(corrupted), **_of_pass(encoder_pass)}
    for term in terms:
        what = f"the term {term.name!r} changes the pass's"
        _keeping(watched, what, term, encoder_pass, streams).total.detach()
    return f"{len(watched)} tensors unchanged"


def _keeping(
    watched: Mapping[str, Tensor], what: str, call: Callable[..., Any], *given: Any
) -> Any:
    """The result of ``call``, which must not change the watched tensors."""
    before = {name: tensor.detach().clone() for name, tensor in watched.items()}
    result = call(*given)
    for name, tensor in before.items():
        if not torch.equal(tensor, watched[name].detach()):
            raise Broken(f"{what} {name} in place")
    return result


def _of_batch(batch: Batch, whose: str = "") -> dict[str, Tensor]:
    named = {name: getattr(batch, name, None) for name in _BATCH_TENSORS}
    named |= {f"extras[{name!r}]": tensor for name, tensor in batch.extras.items()}
    return {f"{whose}{name}": tensor for name, tensor in named.items() if tensor is not None}


_BATCH_TENSORS = ("input_ids", "special", "attention", "positions", "targets", "reads")


def _of_pass(encoder_pass: EncoderPass) -> dict[str, Tensor]:
    named: dict[str, Any] = {
        name: getattr(encoder_pass, name)
        for name in ("last_hidden_state", "embedding_output", "word_embeddings", "word_logits")
    }
    for name, view in encoder_pass.views.items():
        named[f"views[{name!r}]"] = view.last_hidden_state
    for number, state in enumerate(encoder_pass.hidden_states or ()):
        named[f"hidden_states[{number}]"] = state
    return {name: tensor for name, tensor in named.items() if tensor is not None}


def same_streams_same_loss(subject: Subject) -> str:
    """Two fresh builds give equal losses and gradients, whatever the global generators hold."""
    batch = subject.batch()
    seen = []
    for seed in (0, 1):
        module = subject.step()
        with _global_seeds(seed):
            result = losses(module, batch, subject.streams(batch))
            result.backward()
        seen.append((result.means, gradients(module)))
    (one, its), (other, theirs) = seen
    if not torch.equal(one, other):
        raise Broken(f"the losses are {one.tolist()} at first and {other.tolist()} when repeated")
    difference = relative_difference(its, theirs)
    if difference:
        raise Broken(f"the losses are equal, but the gradients differ by {difference:.1e}")
    return "equal bit for bit"


def global_state_untouched(subject: Subject) -> str:
    """The step leaves the global generators of torch, numpy and random as they were."""
    module, batch = subject.step(), subject.batch()
    with _global_seeds(0):
        before = _global_states()
        losses(module, batch, subject.streams(batch)).backward()
        after = _global_states()
    moved = [name for name in before if before[name] != after[name]]
    if moved:
        raise Broken(f"the step draws from or seeds the global generator of {' and '.join(moved)}")
    return ", ".join(before)


def _global_states() -> dict[str, object]:
    states: dict[str, object] = {
        "torch": torch.default_generator.get_state().numpy().tobytes(),
        "numpy": pickle.dumps(np.random.get_state()),
        "random": random.getstate(),
    }
    if torch.cuda.is_available():
        states["CUDA"] = b"".join(s.numpy().tobytes() for s in torch.cuda.get_rng_state_all())
    return states


@contextmanager
def _global_seeds(seed: int) -> Iterator[None]:
    """Seed the global generators for the block, and restore them afterwards."""
    of_numpy, of_random = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_random)


CHECKS = (
    Check(
        "inputs unchanged",
        "others read the batch after the corruption, and every term reads the pass; if one of "
        "them writes there, the losses depend on the order of the terms",
        "create new tensors: scatter instead of scatter_, a + b instead of a += b, a clone before "
        "an assignment to an index",
        inputs_unchanged,
    ),
    Check(
        "same streams, same loss",
        "a step must be a pure function of weights, batch and streams; otherwise a resumed run is "
        "a different run, and two objectives do not see the same masks",
        "draw every number from `streams` by name; keep no state outside of parameters and buffers",
        same_streams_same_loss,
    ),
    Check(
        "global generators untouched",
        "dropout draws from the global generator: an objective that draws from it or seeds it "
        "changes the encoder's dropout, and is compared with others unfairly",
        "replace torch.rand, torch.randperm, torch.bernoulli, numpy.random and random by "
        "streams.uniform(name, ...) and streams.integers(name, ...); seed nothing",
        global_state_untouched,
    ),
)
