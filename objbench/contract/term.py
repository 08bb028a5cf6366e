"""A loss term and what it is given: one pass of the encoder, of which it says what it needs.

Shape legend: B sequences of this process, T tokens, D width of the encoder, M predicted slots, V
vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from torch import Tensor, nn

from objbench.contract.batch import Batch, Corrupted
from objbench.contract.random_streams import Streams


class Need(StrEnum):
    """What a term asks of the encoder pass."""

    LAST_HIDDEN_STATE = "last_hidden_state"
    EMBEDDING_OUTPUT = "embedding_output"
    HIDDEN_STATES = "hidden_states"
    WORD_EMBEDDINGS = "word_embeddings"
    WORD_LOGITS = "word_logits"
    LABELS = "labels"


@dataclass(frozen=True, slots=True)
class EncodedView:
    """A further input of one term, and what the encoder made of it.

    Attributes:
        batch: what went in, (B, T').
        last_hidden_state: (B, T', D) in the compute dtype, with its graph.
    """

    batch: Batch
    last_hidden_state: Tensor


@dataclass(frozen=True, slots=True)
class EncoderPass:
    """One encoder pass over a corrupted batch; a field that no term needs is None.

    Attributes:
        batch: the corrupted batch that went in, with the predicted positions and targets.
        last_hidden_state: (B, T, D) in the compute dtype.
        embedding_output: (B, T, D), the output of the embedding layer (word + position + type,
            after layer normalisation and dropout): ``hidden_states[0]`` in transformers.
        hidden_states: every layer's (B, T, D), the embedding output first.
        word_embeddings: (V, E), the encoder's input embedding matrix, for tied heads.
        word_logits: (B, M, V), what the objective's token head says of each predicted slot.
        views: name of the term -> what the encoder made of the further input that the term asked
            for; see ``Term.view``.
    """

    batch: Corrupted
    last_hidden_state: Tensor
    embedding_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    word_embeddings: Tensor | None = None
    word_logits: Tensor | None = None
    views: Mapping[str, EncodedView] = field(default_factory=dict)

    def need(self, what: Need) -> Any:
        """The field ``what``; a clear error if the term did not declare that it needs it.

        Raises:
            LookupError: the field is absent from this pass.
        """
        value = self.batch.targets if what is Need.LABELS else getattr(self, what.value)
        if value is None:
            raise LookupError(f"the pass holds no {what.value}: add it to the term's `needs`")
        return value


@dataclass(frozen=True, slots=True)
class TermLoss:
    """The value of one term on this process's rows, as a sum that can be averaged exactly.

    The engine adds ``total`` and ``count`` up over processes, so that the mean is the mean over
    the whole batch however it is split.

    Attributes:
        total: () float32, the sum of the losses of the counted items; carries the gradient.
        count: () float32, the number of items summed; carries none.
    """

    total: Tensor
    count: Tensor


class Term(nn.Module, ABC):
    """One named, weighted loss over an encoder pass; its modules and parameters are its head.

    Attributes:
        name: the term's name in logs and records, such as "mlm".
        weight: its factor in the total loss.
        needs: what it reads of the pass beyond the last hidden state.
    """

    name: str
    weight: float = 1.0
    needs: frozenset[Need] = frozenset({Need.LAST_HIDDEN_STATE})

    @abstractmethod
    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass, drawing random numbers from ``streams`` only."""

    def arrange(self, batch: Batch, streams: Streams) -> Batch:
        """``batch`` as this term wants it before it is corrupted; as it is by default.

        For terms that ask about the text itself: whether two segments have changed places, say.
        What the term must know of it later goes into the batch's ``extras``, under names that
        begin with the term's. Every process is asked equally often. Where a term defines this,
        held-out losses of the terms beside it are not compared with those of other objectives.

        Args:
            batch: not to be changed in place.
            streams: the only source of random numbers.
        """
        return batch

    def view(self, batch: Batch, corrupted: Corrupted, streams: Streams) -> Batch | None:
        """A further input that the encoder is to read for this term; None where it needs none.

        The encoder reads it in a pass of its own, with dropout of its own, and the term finds
        what came out in ``EncoderPass.views``. Its cost is counted like any other. It is read
        causally if it is a ``Corrupted`` that says so.

        Args:
            batch: as it was before the corruption; not to be changed in place.
            corrupted: what the encoder reads in its first pass.
            streams: the only source of random numbers.
        """
        return None

    def extra_flops(self, batch: int, length: int) -> float:
        """Training FLOPs of one batch (forward and backward) that torch's counter cannot see.

        The counter sees matrix products only; a term that gathers and sums, or that runs a
        kernel of its own, declares that work here, 2 FLOPs a multiply-add.
        """
        return 0.0
