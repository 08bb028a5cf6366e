"""Causal language modelling: predict every token from those before it.

Radford et al. 2018, section 3.1. Under a causal mask the state h_t-1 has seen x_<t and nothing
else, so that one pass predicts every token but the first:

    L_CLM = mean over real tokens t >= 1 of -log p(x_t | x_<t),  p(. | x_<t) from h_t-1

The head is ``mlm``'s: a transform, then the word embeddings again. GPT has the embeddings alone;
one head for all that predict words keeps the objective the only difference.

What is predicted:

- [CLS] never is: every sequence begins with it, so it stands for GPT's token of the beginning.
- [SEP] is. It ends a document, and where a text ends is part of the text; GPT-2's packed text
  has its end-of-text token predicted as well. GPT-BERT's code parts documents by a token of the
  beginning, which it does not predict.
- [UNK] is, as a word like any other. Padding is not, nor is anything predicted from it.

Documents run on across the borders of sequences, and a token sees the documents before its own in
the sequence, as in GPT-2.

What it costs: a loss at every token instead of a seventh of them, which is what makes it learn fast
by steps, and (B, T - 1, V) logits instead of (B, M, V): against 15% masked, about 6.5 times the
FLOPs of ``mlm``'s head. That is counted, so that at equal FLOPs it is given fewer steps. All of
the logits are never in memory at once (see ``heads.TokenHead``) unless another term asks for them:
with 64 x 128 tokens and 30,522 words they are 1 GB in float32.

What is exported is an encoder, and suites read it like any other, with every token seeing every
other. That is how the field compares models pretrained so with masked ones (GPT-BERT, see
``hybrid``; Gisserot-Boukhlef et al. 2025, arXiv:2507.00994, find them behind, and ahead when they
go on with masking). No state has looked ahead before fine-tuning: it is out of its element there,
most of all where nothing is fine-tuned. Its head is exported with ``token_reading``, by which
suites that ask about words read it as the language model that it is.

Shape legend: B sequences of this process, T tokens, M predicted slots, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from objbench import hookimpl
from objbench.blocks.heads import TokenPrediction
from objbench.blocks.masking import slots_of
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective, TokenReading
from objbench.contract.random_streams import Streams


def next_token_slots(length: int) -> int:
    """M: every token but the first of ``length``, and a slot to spare where there is no other."""
    return max(1, length - 1)


def next_tokens(batch: Batch, begin: int) -> Corrupted:
    """``batch`` as it is, to be read causally, every token predicted from the one before.

    Args:
        batch: (B, T), padded or not.
        begin: id of the token that begins a sequence; never predicted.

    Returns:
        positions, targets and reads (B, M), M as ``next_token_slots``; slots are filled from the
        left, in order.
    """
    real, ids = batch.real, batch.input_ids
    predicted = real & (ids != begin)
    # Whatever stands first has nothing before it, and padding says nothing.
    predicted[:, 1:] &= real[:, :-1]
    predicted[:, :1] = False
    positions, used = slots_of(predicted, next_token_slots(ids.shape[1]))
    return Corrupted.of(
        batch,
        positions=positions,
        targets=ids.gather(1, positions).masked_fill(~used, IGNORE_INDEX),
        reads=(positions - 1).clamp(min=0),
        causal=True,
    )


class CausalLanguageModeling(Objective):
    """GPT's loss: the mean cross-entropy of every token given all before it.

    Formula, what is predicted and what it costs are in the module's docstring.
    """

    name = "clm"
    summary = "causal language modelling (GPT): predict every next token"
    reference = "Radford et al. 2018, https://openai.com/index/language-unsupervised"

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        self.set_terms(TokenPrediction(encoder_spec, name="clm"))

    @property
    def token_reading(self) -> TokenReading:
        """As a language model's: a token from the state before it, which has seen no further."""
        return TokenReading(reads="previous", attention="causal")

    def slots(self, length: int) -> int:
        """T - 1: every token but the first."""
        return next_token_slots(length)

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Nothing is hidden but by the causal mask; draws nothing."""
        return next_tokens(batch, self.encoder_spec.vocabulary.cls)


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(CausalLanguageModeling)
