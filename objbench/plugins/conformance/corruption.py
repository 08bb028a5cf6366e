"""The batch that a step makes for the encoder must be valid, and must keep what others put into it.

Shape legend: B sequences, T tokens, M predicted slots per sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.objective import Objective
from objbench.engine.encoder.build import word_embeddings
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject

_WITNESS = "somebody.else"
"""Name of an extra that no objective uses."""


def corruption_fits(subject: Subject) -> str:
    """The corruption keeps special tokens, stays in the vocabulary and fills its slots."""
    module, batch = subject.step(), subject.batch()
    objective, streams = module.objective, subject.streams(batch)
    for term in objective.terms:
        batch = term.arrange(batch, streams)
    made = objective.corrupt(batch, streams)
    if not isinstance(made, Corrupted):
        raise Broken(f"corrupt returns {type(made).__name__}, not a Corrupted")
    if not isinstance(made.causal, bool):
        raise Broken(f"causal is a {type(made.causal).__name__}, not a bool known to the host")
    ids, words = made.input_ids, word_embeddings(module.encoder).shape[0]
    _require_words(ids, words, "the ids")
    if ids.shape == batch.input_ids.shape and bool((ids != batch.input_ids)[batch.special].any()):
        raise Broken("special tokens are replaced")
    for term in objective.terms:
        view = term.view(batch, made, streams)
        if view is not None:
            _require_view(view, len(ids), words, f"the view of {term.name!r}")
    if made.positions is None or made.targets is None:
        if (made.positions is None) != (made.targets is None):
            raise Broken("it has positions without targets, or targets without positions")
        return "no tokens are predicted"
    _require_declared(objective, subject.mode, ids.shape[1], made.positions.shape[1])
    return _slots(made.positions, made.targets, ids.shape, words)


def _require_declared(objective: Objective, mode: str | None, length: int, found: int) -> None:
    """The slots that there are must be declared; of one mode among several, exactly these."""
    with objective.counting(mode) if mode is not None else nullcontext():
        declared = objective.slots(length)
    if declared and (found > declared or (mode is not None and found < declared)):
        relation = "more" if found > declared else "fewer"
        raise Broken(
            f"slots() declares {declared} for {length} tokens, but there are {relation}, {found}: "
            "terms that join the objective count their FLOPs by it"
        )


def _require_words(ids: Tensor, words: int, which: str) -> None:
    if ids.dtype != torch.int64 or int(ids.min()) < 0 or int(ids.max()) >= words:
        raise Broken(
            f"{which} are {ids.dtype} from {ids.min()} to {ids.max()}, not in [0, {words})"
        )


def _require_view(view: Batch, rows: int, words: int, which: str) -> None:
    if not isinstance(view, Batch):
        raise Broken(f"{which} is a {type(view).__name__}, not a Batch")
    shapes = {tuple(tensor.shape) for tensor in (view.input_ids, view.special, view.real)}
    if len(shapes) > 1 or len(view.input_ids) != rows:
        raise Broken(f"{which} is of shapes {sorted(shapes)}, not one of {rows} sequences")
    _require_words(view.input_ids, words, f"the ids of {which}")


def _slots(positions: Tensor, targets: Tensor, shape: torch.Size, words: int) -> str:
    if positions.shape != targets.shape or len(positions) != shape[0]:
        raise Broken(
            f"positions are {tuple(positions.shape)} and targets {tuple(targets.shape)} for "
            f"{shape[0]} sequences"
        )
    used = targets != IGNORE_INDEX
    if bool(((positions < 0) | (positions >= shape[1])).any()):
        raise Broken(f"some positions are outside the sequence of {shape[1]} tokens")
    if bool((positions[~used] != 0).any()):
        raise Broken("an unused slot points to a column other than 0")
    if bool(((targets[used] < 0) | (targets[used] >= words)).any()):
        raise Broken("a target is not in the vocabulary")
    return f"{used.float().mean():.0%} of {positions.shape[1]} slots per sequence in use"


def extras_are_handed_on(subject: Subject) -> str:
    """Extras that others put into the batch survive every arrangement and the corruption."""
    objective, batch = subject.step().objective, subject.batch()
    streams = subject.streams(batch)
    witness = torch.arange(len(batch.input_ids))
    batch = replace(batch, extras={_WITNESS: witness}, progress=0.25)
    for term in objective.terms:
        arranged = term.arrange(batch, streams)
        _require_handed_on(batch, arranged, f"arranging by the term {term.name!r}")
        for name in arranged.extras.keys() - batch.extras.keys():
            if not name.startswith(term.name):
                raise Broken(
                    f"arranging by the term {term.name!r} adds the extra {name!r}: its name must "
                    f"begin with {term.name!r}"
                )
        batch = arranged
    made = objective.corrupt(batch, streams)
    _require_handed_on(batch, made, "the corruption")
    added = sorted(made.extras.keys() - {_WITNESS})
    return f"kept; added: {', '.join(added)}" if added else "kept; none added"


def _require_handed_on(given: Batch, made: Batch, who: str) -> None:
    _require_extras(given.extras, made.extras, who)
    for name in ("progress", "mode"):
        if getattr(given, name) != getattr(made, name):
            raise Broken(f"{who} loses the batch's {name}")


def _require_extras(given: Mapping[str, Tensor], made: Mapping[str, Tensor], who: str) -> None:
    for name, tensor in given.items():
        if name not in made:
            raise Broken(f"{who} loses the batch's extras")
        if made[name] is not tensor and not torch.equal(made[name], tensor):
            raise Broken(f"{who} changes the extra {name!r}, which belongs to another term")


CHECKS = (
    Check(
        "corruption fits",
        "others rely on it: special tokens and padding stay, ids are in the vocabulary, unused "
        "slots point to column 0 with the target IGNORE_INDEX, and a view has the batch's rows",
        "do not select positions in batch.special; objbench.blocks.masking fills slots like this",
        corruption_fits,
    ),
    Check(
        "extras are kept",
        "a term that joins an objective (+nsp) records in the batch's extras what it has done to "
        "the text; if they are lost or overwritten, it cannot join",
        "create the corrupted batch with Corrupted.of(batch, ...) and an arranged one with "
        "replace(batch, ..., extras={**batch.extras, ...}); begin names of extras with the term's",
        extras_are_handed_on,
    ),
)
