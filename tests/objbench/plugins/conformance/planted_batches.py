"""Faults in what a step makes of a batch: arranging, corrupting, views, modes, what is held."""

from __future__ import annotations

import random
from dataclasses import replace

import torch
from planted import (
    Arranging,
    Both,
    Pairs,
    Plain,
    Spread,
    Turns,
    fails,
)

from objbench.blocks.heads import TokenPrediction
from objbench.blocks.masking import mask_tokens, slot_count
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.phases import InPhases
from objbench.contract.term import TermLoss


@fails("inputs unchanged")
class InPlaceBatch(Plain):
    """Gives the batch's own ids a mask, after it has kept the words."""

    def corrupt(self, batch, streams):
        made = super().corrupt(batch, streams)
        batch.input_ids.copy_(made.input_ids)
        return made


@fails("inputs unchanged")
class ArrangedInPlace(Plain):
    """Writes its arrangement into the batch that it was given."""

    def make_terms(self, encoder_spec):
        class Writing(Arranging):
            def arranged(self, batch, turned):
                batch.input_ids.copy_(turned)
                return batch

        return [TokenPrediction(encoder_spec), Writing()]


@fails("inputs unchanged")
class ViewedInPlace(Plain):
    """Makes its view in the place of what the encoder reads first."""

    def make_terms(self, encoder_spec):
        class Writing(Pairs):
            def view(self, batch, corrupted, streams):
                made = super().view(batch, corrupted, streams)
                corrupted.input_ids.copy_(made.input_ids)
                return made

        return [TokenPrediction(encoder_spec), Writing()]


@fails("extras are kept")
class LosesExtras(Plain):
    """Arranges the batch, and keeps no extras but its own."""

    def make_terms(self, encoder_spec):
        class Losing(Arranging):
            def arranged(self, batch, turned):
                return replace(batch, input_ids=turned, extras={"arranging.turned": turned})

        return [TokenPrediction(encoder_spec), Losing()]


@fails("extras are kept")
class Unnamed(Plain):
    """Adds an extra under a name that any term could have."""

    def make_terms(self, encoder_spec):
        class Plainly(Arranging):
            def arranged(self, batch, turned):
                extras = {**batch.extras, "turned": turned}
                return replace(batch, input_ids=turned, extras=extras)

        return [TokenPrediction(encoder_spec), Plainly()]


@fails("extras are kept")
class FromScratch(Plain):
    """Makes the corrupted batch of the fields that it knows."""

    def corrupt(self, batch, streams):
        made = super().corrupt(batch, streams)
        plain = Corrupted(made.input_ids, made.special, made.attention, made.rows)
        return replace(plain, positions=made.positions, targets=made.targets, mode=batch.mode)


@fails("extras are kept")
class FinalAlways(Plain):
    """Forgets how much of the budget is spent."""

    def corrupt(self, batch, streams):
        return replace(super().corrupt(batch, streams), progress=1.0)


@fails("one kind of batch per mode")
class Narrowing(Plain):
    """Fewer slots, and fewer FLOPs, towards the end of the budget."""

    def corrupt(self, batch, streams):
        rate = 0.6 - 0.3 * batch.progress
        return mask_tokens(batch, self.encoder_spec.vocabulary, streams, rate)


@fails("one kind of batch per mode")
class Unannounced(Plain):
    """Now and then a causal batch, which no mode speaks of."""

    def corrupt(self, batch, streams):
        return replace(super().corrupt(batch, streams), causal=streams.choice("turn") < 0.5)


@fails("one kind of batch per mode")
class Deaf(Turns):
    """Draws its mode, whichever is asked for."""

    @property
    def modes(self):
        return {"masked": 0.5, "causal": 0.5}

    def corrupt(self, batch, streams):
        return replace(super().corrupt(replace(batch, mode=None), streams), mode=batch.mode)


@fails("one kind of batch per mode")
class Halved(Turns):
    """Shares that do not add up to 1."""

    @property
    def modes(self):
        return {"masked": 0.25, "causal": 0.25}


@fails("one kind of batch per mode")
class Backwards(InPhases, Turns):
    """The second of its phases comes first."""

    phases = ("masked", "causal")

    @property
    def modes(self):
        return {"masked": 0.5, "causal": 0.5}

    def mode_of(self, batch, streams):
        if batch.mode is not None:
            return batch.mode
        return "causal" if batch.progress < 0.5 else "masked"


@fails("global generators untouched")
class RarelyWasteful(Turns):
    """Draws from a global generator, in the rare mode only."""

    def corrupt(self, batch, streams):
        made = super().corrupt(batch, streams)
        if made.causal:
            random.random()
        return made


@fails("weights are owned once")
class KeepsWords(Plain):
    """Holds the encoder's word embeddings as a child."""

    def tie(self, encoder):
        self.words = encoder.get_input_embeddings()


@fails("weights are owned once")
class KeepsTeacher(Plain):
    """Holds its teacher as a child."""

    @classmethod
    def teachers(cls, config):
        return ("plain",)

    def learn_from(self, teachers):
        self.teacher = teachers["plain"]


@fails("corruption fits")
class OnTheDevice(Plain):
    """Says by a tensor whether the batch is causal, which the host would have to wait for."""

    def corrupt(self, batch, streams):
        return replace(super().corrupt(batch, streams), causal=torch.tensor(False))


@fails("declared rate")
class HalfOfTheRate(Plain):
    """Predicts 30% of the words and declares 60%."""

    def declared_rate(self, progress):
        return 0.6


@fails("corruption fits")
class FewerSlots(Plain):
    """Declares fewer slots than it fills."""

    def slots(self, length):
        return 1


@fails("corruption fits")
class LargestSlots(Turns):
    """Fills fewer slots in one mode than in the other, and declares the same for both."""

    def slots(self, length):
        return slot_count(0.3, length)

    def corrupt(self, batch, streams):
        made = super().corrupt(batch, streams)
        if not made.causal:
            return made
        return replace(made, positions=made.positions[:, :2], targets=made.targets[:, :2])


@fails("corruption fits")
class TwiceTheRows(Plain):
    """A view of twice the rows."""

    def make_terms(self, encoder_spec):
        class Twice(Pairs):
            def view(self, batch, corrupted, streams):
                made = super().view(batch, corrupted, streams)
                ids, special = (torch.cat([one, one]) for one in (made.input_ids, made.special))
                real = None if made.attention is None else torch.cat([made.attention] * 2)
                return Batch(ids, special, real, made.rows)

            def forward(self, encoder_pass, streams):
                view = encoder_pass.views[self.name].last_hidden_state.float()
                own = encoder_pass.last_hidden_state.float()
                apart = (own - view[: len(own)])[:, 0].square().mean(dim=-1)
                return TermLoss(apart.sum(), torch.tensor(float(len(apart))))

        return [TokenPrediction(encoder_spec), Twice()]


@fails("corruption fits")
class Misplaced(Plain):
    """Unused slots point at the last column."""

    def corrupt(self, batch, streams):
        made = super().corrupt(batch, streams)
        last = batch.input_ids.shape[1] - 1
        unused = made.targets == IGNORE_INDEX
        return replace(made, positions=made.positions.masked_fill(unused, last))


@fails("padding changes nothing")
class ViewPaddingRead(Plain):
    """Reads the last state of its view, padding or not."""

    def make_terms(self, encoder_spec):
        class Last(Pairs):
            def forward(self, encoder_pass, streams):
                last = encoder_pass.views[self.name].last_hidden_state.float()[:, -1]
                return TermLoss((last[:, 0] - 1).square().sum(), torch.tensor(float(len(last))))

        return [TokenPrediction(encoder_spec), Last()]


@fails("a batch in parts agrees")
class Exchanging(Plain):
    """Predicts a word of the next sequence, of those that the corruption is given."""

    def corrupt(self, batch, streams):
        made = super().corrupt(batch, streams)
        rows = (batch.rows.first + torch.arange(len(made.targets)) + 1) % batch.rows.total
        others = batch.rows.gather(batch.input_ids)[rows].gather(1, made.positions)
        used = made.targets != IGNORE_INDEX
        return replace(made, targets=torch.where(used, others, IGNORE_INDEX))


@fails("a batch in parts agrees")
class Comparing(Plain):
    """Compares sequences, and does not say so."""

    def make_terms(self, encoder_spec):
        class Secret(Spread):
            across_sequences = ""

        return [TokenPrediction(encoder_spec), Secret()]


@fails("a batch in parts agrees")
class Overdeclared(Plain):
    """Says that it compares sequences, and does not."""

    across_sequences = "one never knows"

    def make_terms(self, encoder_spec):
        term = TokenPrediction(encoder_spec)
        term.across_sequences = self.across_sequences
        return [term]


@fails("a batch in parts agrees")
class DeclaredByTheTermAlone(Both):
    """Its class does not say what its term says."""

    across_sequences = ""


@fails("a batch in parts agrees")
class Miscounted(Plain):
    """Counts the slots before the pass, and the slots in use after it."""

    def make_terms(self, encoder_spec):
        class Slots(TokenPrediction):
            def count_items(self, corrupted):
                return torch.tensor(float(corrupted.targets.numel()))

        return [Slots(encoder_spec)]
