"""Heads on top of the encoder that several objectives share.

The token head is applied to the predicted positions only, which are gathered before its first
layer: at 15% that is about a seventh of the work and memory of logits at every position, for the
same loss.

Shape legend: B sequences of this process, T tokens, M predicted slots, D width of the encoder,
E width of the word embeddings, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import ACT2FN

from objbench.blocks.cross_entropy import linear_cross_entropy
from objbench.contract.batch import IGNORE_INDEX, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss


def at_positions(states: Tensor, positions: Tensor) -> Tensor:
    """The states at the given columns of each sequence.

    Args:
        states: (B, T, D).
        positions: (B, M) int64, columns in [0, T).

    Returns:
        (B, M, D); its gradient is added up where a column occurs more than once.
    """
    return states.gather(1, positions.unsqueeze(-1).expand(-1, -1, states.shape[-1]))


class TokenHead(nn.Module):
    """BERT's prediction head with tied embeddings: word logits from hidden states.

    logits = LayerNorm(act(x W + b)) E^T + c, with E the encoder's word embeddings (V, E), which
    are not parameters of the head. Same as ``cls.predictions`` of transformers' BERT, where the
    decoder's bias c is a separate parameter; W maps D to E, which differ in ELECTRA's and
    ALBERT's encoders.

    Args:
        encoder_spec: of the encoder; gives the widths, the activation, the epsilon of the layer
            normalisation and the standard deviation of the initial weights.
    """

    def __init__(self, encoder_spec: EncoderSpec) -> None:
        super().__init__()
        self.dense = nn.Linear(encoder_spec.width, encoder_spec.embedding_width)
        self.activation = ACT2FN[encoder_spec.activation]
        self.norm = nn.LayerNorm(encoder_spec.embedding_width, eps=encoder_spec.norm_epsilon)
        # An encoder may round its vocabulary up, so its own number of rows comes first.
        words = encoder_spec.encoder_config.get("vocab_size", encoder_spec.vocabulary.size)
        self.bias = nn.Parameter(torch.zeros(words))
        nn.init.normal_(self.dense.weight, std=encoder_spec.initializer_range)
        nn.init.zeros_(self.dense.bias)

    def forward(self, states: Tensor, word_embeddings: Tensor) -> Tensor:
        """Logits (..., V) in the compute dtype from states (..., D) and embeddings (V, E)."""
        return functional.linear(self.transform(states), word_embeddings, self.bias)

    def transform(self, states: Tensor) -> Tensor:
        """The vectors that are compared with the word embeddings: (..., E) from (..., D)."""
        transformed: Tensor = self.norm(self.activation(self.dense(states)))
        return transformed

    def cross_entropy(self, states: Tensor, word_embeddings: Tensor, targets: Tensor) -> Tensor:
        """Sum of -log softmax(logits)[target], without all logits in memory; see ``cross_entropy``.

        Args:
            states: (..., D).
            word_embeddings: (V, E).
            targets: (...) int64, IGNORE_INDEX where nothing is predicted.

        Returns:
            () float32.
        """
        transformed = self.transform(states).flatten(0, -2)
        return linear_cross_entropy(transformed, word_embeddings, self.bias, targets.flatten())


def word_logits(head: nn.Module, encoder_pass: EncoderPass) -> Tensor:
    """(B, M, V) logits in the compute dtype, at the predicted slots only.

    Args:
        head: makes logits from states (B, M, D) and word embeddings (V, E), as ``TokenHead``.
        encoder_pass: with predicted slots and word embeddings.

    Raises:
        LookupError: the corruption predicts no tokens, or the pass lacks the embeddings.
    """
    logits: Tensor = head(read_states(encoder_pass), encoder_pass.need(Need.WORD_EMBEDDINGS))
    return logits


def read_states(encoder_pass: EncoderPass) -> Tensor:
    """(B, M, D), the hidden states from which the slots are predicted.

    Raises:
        LookupError: the corruption predicts no tokens.
    """
    batch = encoder_pass.batch
    columns = batch.positions if batch.reads is None else batch.reads
    if columns is None:
        raise LookupError("the corruption predicts no tokens: it gives no positions")
    return at_positions(encoder_pass.last_hidden_state, columns)


def token_loss(encoder_pass: EncoderPass, head: TokenHead | None = None) -> TermLoss:
    """Cross-entropy of the original tokens at the predicted positions.

    total = -sum over the slots in use of log softmax(logits)[target], in float32;
    count = the number of slots in use.

    Args:
        encoder_pass: with targets (B, M), and word logits (B, M, V) or word embeddings (V, E).
        head: makes the loss of a pass without logits, which are then never in memory at once.
            Logits of the pass, made because another term needs them, are used instead.

    Raises:
        LookupError: the corruption predicts no tokens, or the pass lacks logits and embeddings.
    """
    targets: Tensor = encoder_pass.need(Need.LABELS)
    if head is not None and encoder_pass.word_logits is None:
        embeddings = encoder_pass.need(Need.WORD_EMBEDDINGS)
        total = head.cross_entropy(read_states(encoder_pass), embeddings, targets)
    else:
        total = functional.cross_entropy(
            encoder_pass.need(Need.WORD_LOGITS).flatten(0, 1).float(),
            targets.flatten(),
            ignore_index=IGNORE_INDEX,
            reduction="sum",
        )
    return TermLoss(total=total, count=predicted_items(encoder_pass.batch))


def predicted_items(corrupted: Corrupted) -> Tensor:
    """() float32, the number of prediction slots in use.

    Raises:
        LookupError: the corruption predicts no tokens.
    """
    if corrupted.targets is None:
        raise LookupError("the corruption predicts no tokens: it gives no targets")
    return (corrupted.targets != IGNORE_INDEX).sum().float()


class TokenPrediction(Term):
    """Cross-entropy of the original tokens at the predicted positions.

    ``token_loss`` with the term's own head; total / count is transformers' masked-LM loss.

    Args:
        encoder_spec: of the encoder, for the head.
        name: the term's name in logs and records.
        weight: its factor in the total loss.

    Attributes:
        token_head: the head that makes the word logits, or the loss without them.
    """

    # Not the logits: they are made only if another term needs them.
    needs = frozenset({Need.WORD_EMBEDDINGS, Need.LABELS})

    def __init__(self, encoder_spec: EncoderSpec, name: str = "mlm", weight: float = 1.0) -> None:
        super().__init__()
        self.name = name
        self.weight = weight
        self.token_head = TokenHead(encoder_spec)

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing.

        Raises:
            LookupError: the corruption predicts no tokens, or the pass has no word embeddings.
        """
        return token_loss(encoder_pass, self.token_head)

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The slots in use."""
        return predicted_items(corrupted)
