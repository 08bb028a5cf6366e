"""A loss term and its input: one encoder pass, of which a term declares what it needs.

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
    """A part of the encoder pass that a term needs."""

    LAST_HIDDEN_STATE = "last_hidden_state"
    EMBEDDING_OUTPUT = "embedding_output"
    HIDDEN_STATES = "hidden_states"
    WORD_EMBEDDINGS = "word_embeddings"
    WORD_LOGITS = "word_logits"
    LABELS = "labels"


@dataclass(frozen=True, slots=True)
class EncodedView:
    """An additional input that a term asked for, and the encoder's output.

    Attributes:
        batch: the input, (B, T').
        last_hidden_state: (B, T', D) in the compute dtype, with its autograd graph.
    """

    batch: Batch
    last_hidden_state: Tensor


@dataclass(frozen=True, slots=True)
class EncoderPass:
    """One encoder pass over a corrupted batch; fields that no term needs are None.

    Attributes:
        batch: the input, with the predicted positions and targets.
        last_hidden_state: (B, T, D) in the compute dtype.
        embedding_output: (B, T, D), the output of the embedding layer (word + position + type,
            after layer normalisation and dropout): ``hidden_states[0]`` in transformers.
        hidden_states: (B, T, D) for each layer, the embedding output first.
        word_embeddings: (V, E), the encoder's input embedding matrix, for tied heads.
        word_logits: (B, M, V), the logits of the objective's token head at each predicted slot.
        views: name of a term -> the additional input that it asked for; see ``Term.view``.
    """

    batch: Corrupted
    last_hidden_state: Tensor
    embedding_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    word_embeddings: Tensor | None = None
    word_logits: Tensor | None = None
    views: Mapping[str, EncodedView] = field(default_factory=dict)

    def need(self, what: Need) -> Any:
        """The field ``what``.

        Raises:
            LookupError: the field is missing, because the term did not declare that it needs it.
        """
        value = self.batch.targets if what is Need.LABELS else getattr(self, what.value)
        if value is None:
            raise LookupError(f"the pass has no {what.value}: add it to the `needs` of the term")
        return value


@dataclass(frozen=True, slots=True)
class TermLoss:
    """The value of a term on this process's rows, as a sum and a count.

    The engine adds them up over processes, so that the mean is exactly the mean over the whole
    batch, however it is split over processes and micro-batches.

    Attributes:
        total: () float32, the sum of the losses, with a gradient.
        count: () float32, the number of losses summed, without a gradient.
    """

    total: Tensor
    count: Tensor


class Term(nn.Module, ABC):
    """A named, weighted loss of an encoder pass; its modules and parameters are its head.

    Attributes:
        name: name in logs and records, such as "mlm".
        weight: factor in the total loss.
        needs: the parts of the pass that it reads.
        across_sequences: why the loss of a sequence depends on what the encoder makes of the
            other sequences of its batch, as words that follow "because", such as "its negatives
            are tokens of other sequences"; "" if it does not. With ``--micro-batches`` such a
            term sees one part of the batch at a time, and the leaderboard says so.
    """

    name: str
    weight: float = 1.0
    needs: frozenset[Need] = frozenset({Need.LAST_HIDDEN_STATE})
    across_sequences: str = ""

    @abstractmethod
    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; random numbers are drawn from ``streams`` only."""

    def arrange(self, batch: Batch, streams: Streams) -> Batch:
        """``batch`` as this term needs it before the corruption; unchanged by default.

        For terms about the text itself, such as whether two segments have been swapped. What the
        term must know later goes into the batch's ``extras``, under names that begin with the
        name of the term, with one row per sequence. The batch is the whole one, also with
        ``--micro-batches``. Every process calls this equally often. If a term defines this method,
        the held-out losses of the other terms are not compared with those of other objectives.

        Args:
            batch: must not be changed in place.
            streams: the only source of random numbers.
        """
        return batch

    def view(self, batch: Batch, corrupted: Corrupted, streams: Streams) -> Batch | None:
        """An additional input of the encoder for this term; None if it needs none.

        The encoder reads it in a separate pass, with its own dropout, and the term finds the
        output in ``EncoderPass.views``. The cost is counted. A ``Corrupted`` with ``causal`` set
        is read causally.

        Args:
            batch: the batch before the corruption; must not be changed in place.
            corrupted: the input of the main pass.
            streams: the only source of random numbers.
        """
        return None

    def count_items(self, corrupted: Corrupted) -> Tensor | None:
        """The count that ``forward`` will return for ``corrupted``, known before it is encoded.

        With ``--micro-batches`` the loss of the first part is divided by the count of the whole
        batch. Without this method the engine learns that from a pass of the encoder without
        gradients, which costs about a third more.

        Args:
            corrupted: as ``Objective.outline`` gives it.

        Returns:
            () float32; None, the default, if it is known only after the pass.
        """
        return None

    def extra_flops(self, batch: int, length: int) -> float:
        """Training FLOPs of one batch, forward and backward, that torch's counter cannot see.

        The counter sees matrix products only. A term that gathers and sums, or that runs its own
        kernel, declares that work here, at 2 FLOPs per multiply-add.
        """
        return 0.0
