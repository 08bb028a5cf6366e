"""Causal language modelling: predict every token from those before it.

Radford et al. 2018, section 3.1. Under a causal mask the state h_t-1 has seen x_<t and nothing
else, so that one pass predicts every token but the first:

    L_CLM = mean over real tokens t >= 1 of -log p(x_t | x_<t),  p(. | x_<t) from h_t-1

The head is ``mlm``'s: a transform, then the word embeddings again. GPT has the embeddings alone;
one head for all that predict words keeps the objective the only difference.

What is predicted:

- not [CLS]: every sequence begins with it, so it serves as GPT's start token;
- [SEP]: it ends a document, and the end is part of a text; GPT-2 predicts its end-of-text token in
  packed text as well. GPT-BERT's code separates documents by a start token, which it does not
  predict;
- [UNK], as a word like any other; not padding, and nothing is predicted from padding.

Documents continue across sequences, and a token sees the documents before its own in the sequence,
as in GPT-2.

Cost: the loss is at every token instead of a seventh of them, which makes it learn fast per step,
and there are (B, T - 1, V) logits instead of (B, M, V): compared with 15% masked, about 6.5 times
the FLOPs of ``mlm``'s head. These are counted, so at equal FLOPs it gets fewer steps. The logits are
never in memory at once (see ``blocks.heads.TokenHead``) unless another term needs them: with 64 x
128 tokens and 30,522 words they take 1 GB in float32.

The exported encoder is read by suites like any other, with every token seeing every other. That is
how such models are usually compared with masked ones (GPT-BERT, see
``hybrid``; Gisserot-Boukhlef et al. 2025, arXiv:2507.00994, find them behind, and ahead when they
continue with masking). Before fine-tuning no state has looked ahead, which puts it at a disadvantage,
most of all in suites that fine-tune nothing. Its head is exported with ``token_reading``, by which
suites that score words read it as a causal language model.

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
    """M: every token of ``length`` except the first, and at least one slot."""
    return max(1, length - 1)


def next_tokens(batch: Batch, begin: int) -> Corrupted:
    """``batch`` unchanged, to be read causally, with every token predicted from the previous one.

    Args:
        batch: (B, T), padded or not.
        begin: id of the token that begins a sequence; never predicted.

    Returns:
        positions, targets and reads (B, M), M as ``next_token_slots``; slots are filled from the
        left, in order.
    """
    real, ids = batch.real, batch.input_ids
    predicted = real & (ids != begin)
    # The first token has nothing before it, and nothing is predicted from padding.
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
        """As a causal language model: a token from the state before it, which has seen no further."""
        return TokenReading(reads="previous", attention="causal")

    def slots(self, length: int) -> int:
        """T - 1: every token except the first."""
        return next_token_slots(length)

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Hides nothing except by the causal mask; draws nothing."""
        return next_tokens(batch, self.encoder_spec.vocabulary.cls)


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(CausalLanguageModeling)
