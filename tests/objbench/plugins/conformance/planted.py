"""Objectives that are right, and where those planted to be wrong in one respect each are listed.

The right ones are under RIGHT. Each of PLANTED, filled by ``planted_batches`` (what a step makes of
a batch) and ``planted_losses`` (the rest), fails the check it is listed under, and no other.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from objbench.blocks.heads import TokenPrediction
from objbench.blocks.masking import mask_tokens
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.objective import Objective
from objbench.contract.term import Term, TermLoss
from objbench.errors import ConfigError


class Plain(Objective):
    """Masked language modelling; what every planted fault is put into."""

    name = "plain"
    summary = "for the tests"
    reference = "none"

    def __init__(self, config, encoder_spec):
        super().__init__(config, encoder_spec)
        self.set_terms(*self.make_terms(encoder_spec))

    def make_terms(self, encoder_spec):
        return [TokenPrediction(encoder_spec)]

    def corrupt(self, batch, streams):
        return mask_tokens(batch, self.encoder_spec.vocabulary, streams, 0.3)


def planted(cls):
    """``cls`` with the name that the registry would ask of it."""
    cls.name = cls.__name__.lower()
    cls.summary, cls.reference = "planted", "none"
    return cls


class Spread(Term):
    """How far tokens lie from the mean of the real tokens of the whole batch; draws nothing."""

    name = "spread"
    weight = 0.5
    across_sequences = "it is measured from the mean of all"

    def forward(self, encoder_pass, streams):
        batch = encoder_pass.batch
        states, real = encoder_pass.last_hidden_state.float(), batch.real
        everyone = batch.rows.gather(self.offered(states))
        of_everyone = batch.rows.gather(real)
        mean = everyone[of_everyone].mean(dim=0)
        apart = (states - mean).square().mean(dim=-1)
        return TermLoss((apart * real).sum(), real.sum().float())

    def offered(self, states):
        return states.detach()


class InBatch(Term):
    """Dots of each sequence's first state with every state of the other rows, by gather and sum."""

    name = "inbatch"
    factor = 1.0
    across_sequences = "it compares with the others"

    def forward(self, encoder_pass, streams):
        batch = encoder_pass.batch
        states = encoder_pass.last_hidden_state.float()
        pool = batch.rows.gather(states.detach())[:, 1:].flatten(0, 1)
        own = torch.arange(len(states), device=states.device) + batch.rows.first
        rows = torch.arange(len(pool), device=states.device) // max(states.shape[1] - 1, 1)
        dots = (states[:, :1] * pool).sum(dim=-1) / states.shape[-1]
        real = batch.rows.gather(batch.real)[:, 1:].flatten()
        other = (rows != own.unsqueeze(1)) & real
        return TermLoss((dots.square() * other).sum(), other.sum().float())

    def extra_flops(self, batch, length):
        # Dots forward; the backward pass weighs and sums once more, and so does its own mean.
        return self.factor * 4.0 * batch * batch * (length - 1) * 16


class Both(Plain):
    """A right one with a second term that gathers."""

    across_sequences = Spread.across_sequences

    def make_terms(self, encoder_spec):
        return [TokenPrediction(encoder_spec), Spread()]


class Gathering(Plain):
    """A right one that declares the products that it gathers."""

    across_sequences = InBatch.across_sequences

    def make_terms(self, encoder_spec):
        return [TokenPrediction(encoder_spec), InBatch()]


class Silent(Plain):
    """A right one that draws nothing: every second word is asked for, none is masked."""

    def corrupt(self, batch, streams):
        words = ~batch.special
        odd = words & (words.cumsum(dim=1) % 2 == 1)
        slots = (odd.shape[1] + 1) // 2
        columns = (~odd).to(torch.int8).argsort(dim=1, stable=True)[:, :slots]
        used = odd.gather(1, columns)
        targets = batch.input_ids.gather(1, columns).masked_fill(~used, IGNORE_INDEX)
        return Corrupted.of(batch, positions=columns * used, targets=targets)


class Turns(Plain):
    """A right one of two modes, the second of them rare and causal."""

    @property
    def modes(self):
        return {"masked": 0.99, "causal": 0.01}

    def corrupt(self, batch, streams):
        made = super().corrupt(batch, streams)
        return replace(made, causal=self.mode_of(batch, streams) == "causal")


class Pairs(Term):
    """How far the first state lies from that of the sequence turned round, which is its view."""

    name = "pairs"

    def view(self, batch, corrupted, streams):
        real = corrupted.real
        last = real.sum(dim=1, keepdim=True) - 1
        columns = torch.arange(real.shape[1])
        order = torch.where(real, last - columns, columns)
        turned = corrupted.input_ids.gather(1, order)
        special = corrupted.special.gather(1, order)
        return Batch(turned, special, corrupted.attention, corrupted.rows)

    def forward(self, encoder_pass, streams):
        view = encoder_pass.views[self.name].last_hidden_state.float()
        apart = (encoder_pass.last_hidden_state.float() - view)[:, 0].square().mean(dim=-1)
        return TermLoss(apart.sum(), torch.tensor(float(len(apart))))


class Viewing(Plain):
    """A right one whose second term has the encoder read something else."""

    def make_terms(self, encoder_spec):
        return [TokenPrediction(encoder_spec), Pairs()]


class Arranging(Term):
    """Changes the second and the third token about, and is told by nothing that it did."""

    name = "arranging"

    def arrange(self, batch, streams):
        turned = batch.input_ids.clone()
        turned[:, 1:3] = batch.input_ids[:, 1:3].flip(1)
        return self.arranged(batch, turned)

    def arranged(self, batch, turned):
        shifted = {**batch.extras, "arranging.shift": batch.real.sum(dim=1)}
        return replace(batch, input_ids=turned, extras=shifted)

    def forward(self, encoder_pass, streams):
        first = encoder_pass.last_hidden_state.float()[:, 0, 0]
        return TermLoss((first - 1).square().sum(), torch.tensor(float(len(first))))


class Arranged(Plain):
    """A right one whose second term arranges the text."""

    def make_terms(self, encoder_spec):
        return [TokenPrediction(encoder_spec), Arranging()]


class Refusing(Plain):
    """Needs a second sequence, and says so."""

    def corrupt(self, batch, streams):
        if batch.rows.total < 2:
            raise ConfigError("refusing needs 2 sequences; raise the batch size")
        return super().corrupt(batch, streams)


RIGHT = (Both, Gathering, Silent, Turns, Viewing, Arranged, Refusing)

PLANTED: dict[str, list[type[Objective]]] = {}


def fails(check, *consequences):
    """Registers a class to fail ``check``, and with it only ``consequences``."""

    def register(cls):
        PLANTED.setdefault(check, []).append(planted(cls))
        cls.consequences = set(consequences)
        return cls

    return register


def wrapped(change):
    """An objective whose one term's loss is ``change(term, loss, encoder_pass, streams)``."""

    class Changed(TokenPrediction):
        def forward(self, encoder_pass, streams):
            return change(self, super().forward(encoder_pass, streams), encoder_pass, streams)

    class Made(Plain):
        def make_terms(self, encoder_spec):
            return [Changed(encoder_spec)]

    return Made
