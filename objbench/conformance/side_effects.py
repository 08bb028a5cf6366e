"""Side effects: a step leaves its inputs and the global generators alone, and can be repeated.

Shape legend: B sequences, T tokens, M predicted slots a sequence.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from objbench.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.conformance.check import Broken, Check
from objbench.conformance.subject import Subject, gradients, losses, relative_difference
from objbench.engine.encoder import word_embeddings
from objbench.objective import EncoderPass


def inputs_unchanged(subject: Subject) -> str:
    """The batch is the same after the corruption, and the pass the same after every term."""
    module, batch = subject.step(), subject.batch()
    streams = subject.streams(batch)
    before = _copied(_of_batch(batch))
    readings = module.corrupt(batch, streams)
    _require_same(before, _of_batch(batch), "the corruption changes the batch's")
    encoder_pass = module.with_logits(module.encode(readings))
    corrupted = readings.corrupted
    watched = {**_of_batch(corrupted), **corrupted.extras, **_of_pass(encoder_pass)}
    before = _copied(watched)
    for term in module.objective.terms:
        term(encoder_pass, streams).total.detach()
        _require_same(before, watched, f"the term {term.name!r} changes the pass's")
    return f"{len(watched)} tensors as before"


def _of_batch(batch: Batch) -> dict[str, Tensor]:
    named = {name: getattr(batch, name, None) for name in _BATCH_TENSORS}
    return {name: tensor for name, tensor in named.items() if tensor is not None}


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


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _require_same(before: Mapping[str, Tensor], now: Mapping[str, Tensor], what: str) -> None:
    for name, tensor in before.items():
        if not torch.equal(tensor, now[name].detach()):
            raise Broken(f"{what} {name} in place")


def corruption_fits(subject: Subject) -> str:
    """The corruption keeps special tokens, stays in the vocabulary and fills its slots."""
    module, batch = subject.step(), subject.batch()
    streams = subject.streams(batch)
    for term in module.objective.terms:
        batch = term.arrange(batch, streams)
    made = module.objective.corrupt(batch, streams)
    if not isinstance(made, Corrupted):
        raise Broken(f"corrupt returns {type(made).__name__}, not a Corrupted")
    ids, words = made.input_ids, word_embeddings(module.encoder).shape[0]
    if ids.dtype != torch.int64 or int(ids.min()) < 0 or int(ids.max()) >= words:
        raise Broken(
            f"the ids are {ids.dtype} from {ids.min()} to {ids.max()}, not in [0, {words})"
        )
    if ids.shape == batch.input_ids.shape and bool((ids != batch.input_ids)[batch.special].any()):
        raise Broken("special tokens are replaced")
    if made.positions is None or made.targets is None:
        if (made.positions is None) != (made.targets is None):
            raise Broken("there are positions without targets, or targets without positions")
        return "no tokens are predicted"
    return _slots(made.positions, made.targets, ids.shape, words)


def _slots(positions: Tensor, targets: Tensor, shape: torch.Size, words: int) -> str:
    if positions.shape != targets.shape or len(positions) != shape[0]:
        raise Broken(
            f"positions are {tuple(positions.shape)} and targets {tuple(targets.shape)} for "
            f"{shape[0]} sequences"
        )
    used = targets != IGNORE_INDEX
    if bool(((positions < 0) | (positions >= shape[1])).any()):
        raise Broken(f"positions lie outside the sequence of {shape[1]} tokens")
    if bool((positions[~used] != 0).any()):
        raise Broken("an unused slot points at another column than 0")
    if bool(((targets[used] < 0) | (targets[used] >= words)).any()):
        raise Broken("a target is no word of the vocabulary")
    return f"{used.float().mean():.0%} of {positions.shape[1]} slots a sequence in use"


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
        raise Broken(f"the losses are {one.tolist()} and then {other.tolist()}")
    difference = relative_difference(its, theirs)
    if difference:
        raise Broken(f"the losses are equal and the gradients differ by {difference:.1e}")
    return "bit for bit"


def global_state_untouched(subject: Subject) -> str:
    """The generators of torch, numpy and random stand where they stood before the step."""
    module, batch = subject.step(), subject.batch()
    with _global_seeds(0):
        before = _global_states()
        losses(module, batch, subject.streams(batch)).backward()
        after = _global_states()
    moved = [name for name in before if before[name] != after[name]]
    if moved:
        raise Broken(f"the step moves the global generator of {' and '.join(moved)}")
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
    """The global generators started from ``seed``, and put back afterwards."""
    of_numpy, of_random = np.random.get_state(), random.getstate()
    with torch.random.fork_rng():
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
        "the batch is read by others after the corruption, and the pass by every term; what one "
        "of them writes there depends on the order of the terms",
        "make new tensors: scatter instead of scatter_, a + b instead of a += b, a clone before "
        "an assignment to an index",
        inputs_unchanged,
    ),
    Check(
        "corruption fits",
        "special tokens and padding stay, ids are of the vocabulary, and unused slots point at "
        "column 0 with the target IGNORE_INDEX, as shared terms expect",
        "leave out batch.special, and see objbench.masking for slots that are filled so",
        corruption_fits,
    ),
    Check(
        "same streams, same loss",
        "a step is a pure function of weights, batch and streams; else a resumed run is another "
        "run, and two objectives do not see the same masks",
        "draw every number from `streams` by name; keep no state outside of parameters and buffers",
        same_streams_same_loss,
    ),
    Check(
        "global generators untouched",
        "dropout draws from the global generator: whoever else draws from it or seeds it changes "
        "the encoder's dropout from one objective to the next",
        "replace torch.rand, torch.randperm, torch.bernoulli, numpy.random and random by "
        "streams.uniform(name, ...) and streams.integers(name, ...); seed nothing",
        global_state_untouched,
    ),
)
