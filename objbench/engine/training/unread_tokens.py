"""Check that terms which join an objective leave alone what it hides from its encoder.

A corruption may hide tokens from attention (``mae`` hides those that it predicts): they are not
``Corrupted.real``, and unlike padding they lie anywhere in a sequence. A term that takes the real
tokens for the first ones of each row (``tc`` draws columns below their number, a crop is cut from
them) compares hidden tokens and misses visible ones. Its loss is finite and falls all the same, so
what is known to be wrong is refused. A term is not judged by its name or by what it declares, but by
what it computes: other states and other ids at hidden places must change neither its loss nor the
further input that it asks for.

Shape legend: B sequences, T tokens, D width of the encoder.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.objective import AddedTerm, Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, TermLoss
from objbench.engine.global_generators import forked_generators
from objbench.engine.training.flops import leaving_no_trace
from objbench.engine.training.stand_in import ROWS, StandIn
from objbench.engine.training.step import Readings, TrainingStep
from objbench.engine.training.teachers import stand_ins
from objbench.errors import ConfigError

TRIED = (0.0, 1.0)
"""Shares of the budget that are spent when something is tried, once each."""

ALIKE = 1e-6
"""Largest relative difference of two losses of which one is to be the other."""


def require_hidden_unread(tried: StandIn) -> None:
    """Refuse an added term that reads tokens which the objective hides, before anything is trained.

    What cannot be run so is left to the training.

    Args:
        tried: the objective with its terms, and a few layers of its encoder.

    Raises:
        ConfigError: a term reads hidden tokens, or all that it compares is hidden.
    """
    fault = ""
    try:
        with forked_generators("cpu"), torch.no_grad():
            fault = _fault(tried)
    except (Exception, SystemExit):  # noqa: BLE001 - what is wrong shows elsewhere, in its own words
        return
    if fault:
        raise ConfigError(
            f"{tried.kind.name} cannot be trained as it is meant, because {fault}: leave the term "
            "out, choose other options of it, or add it to an objective that hides no tokens"
        )


def _fault(tried: StandIn) -> str:
    """What a term does wrong, as words that follow "because"; "" if none does or none joins."""
    objective, vocabulary = tried.objective, tried.vocabulary
    if not any(isinstance(term, AddedTerm) for term in objective.terms):
        return ""
    if not _may_hide(objective, tried.batch):
        return ""
    length = tried.batch.input_ids.shape[1]
    wanted = tried.kind.teachers(tried.config)
    teachers = stand_ins(wanted, tried.section, vocabulary, length, seed=0)
    # Without dropout, so that only what is changed on purpose changes.
    step = TrainingStep(tried.encoder(), objective, teachers).eval()
    for number, progress in enumerate(TRIED):
        for mode in objective.modes:
            given = replace(tried.batch, mode=mode, progress=progress)
            fault = _fault_on(step, given, Streams(0, number, rows=ROWS), vocabulary)
            if fault:
                return fault
    return ""


def _may_hide(objective: Objective, batch: Batch) -> bool:
    """Whether a corruption hides tokens, or cannot be had without an encoder."""
    try:
        return any(
            objective.corrupt(replace(batch, mode=mode), Streams(0, 0, rows=ROWS)).attention
            is not None
            for mode in objective.modes
        )
    except Exception:  # noqa: BLE001 - such as a generator, which shares the encoder's weights
        return True


def _fault_on(step: TrainingStep, batch: Batch, streams: Streams, words: Vocabulary) -> str:
    """What a term does wrong on one batch, or ""."""
    arranged = step.arrange(batch, streams)
    corrupted = step.objective.corrupt(arranged, streams)
    hidden = ~corrupted.real
    if not bool(hidden.any()):
        return ""

    def drawn() -> Streams:
        """The numbers that follow the corruption's, as often as they are asked for."""
        return streams.of_rows(0, ROWS)

    def loss(term: AddedTerm, encoder_pass: EncoderPass) -> TermLoss:
        with leaving_no_trace(step, batch):
            return term(step.with_logits(encoder_pass), drawn())  # type: ignore[no-any-return]

    other = replace(
        corrupted,
        input_ids=torch.where(hidden, (corrupted.input_ids + 1) % words.size, corrupted.input_ids),
    )
    read = step.with_views(arranged, corrupted, drawn())
    again = step.with_views(arranged, other, drawn())
    plain = step.encode(read)
    changed = _changed(plain, other, hidden)
    unhidden = replace(plain, batch=replace(corrupted, attention=arranged.attention))
    for term in step.objective.terms:
        if not isinstance(term, AddedTerm):
            continue
        one, two, whole = (loss(term, each) for each in (plain, changed, unhidden))
        if not (_is_same_input(read, again, term.name) and _is_same(one, two)):
            return (
                f"its term {term.name!r} reads tokens that {step.objective.name!r} hides from the "
                "encoder"
            )
        if not bool(one.count) and bool(whole.count):
            return (
                f"all that its term {term.name!r} compares is hidden from the encoder by "
                f"{step.objective.name!r}"
            )
    return ""


def _changed(plain: EncoderPass, batch: Corrupted, hidden: Tensor) -> EncoderPass:
    """The pass over ``batch`` with other states where ``hidden``, (B, T)."""

    def moved(states: Tensor) -> Tensor:
        return torch.where(hidden.unsqueeze(-1), torch.randn_like(states), states)

    embedded, states = plain.embedding_output, plain.hidden_states
    return replace(
        plain,
        batch=batch,
        last_hidden_state=moved(plain.last_hidden_state),
        embedding_output=None if embedded is None else moved(embedded),
        hidden_states=None if states is None else tuple(moved(each) for each in states),
    )


def _is_same_input(one: Readings, other: Readings, name: str) -> bool:
    """Whether the further input of the term ``name`` has the same tokens to be read in both."""
    first, second = one.views.get(name), other.views.get(name)
    if first is None or second is None:
        return first is second
    if not torch.equal(first.real, second.real):
        return False
    return torch.equal(first.input_ids[first.real], second.input_ids[second.real])


def _is_same(one: TermLoss, other: TermLoss) -> bool:
    pairs = ((one.total, other.total), (one.count, other.count))
    return all(torch.allclose(a, b, rtol=ALIKE, atol=0, equal_nan=True) for a, b in pairs)
