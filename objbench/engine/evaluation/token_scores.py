"""Log-probabilities of tokens under an exported encoder, for suites.

They come from the token head exported with the encoder, read as its objective reads it
(``contract.objective.TokenReading``). Every token of a sequence is scored

- by a masked language model with that token hidden: pseudo-log-likelihood, sum over t of
  log P(w_t | all others), Salazar et al. 2020 (arXiv:1910.14659);
- the same with the rest of its word hidden too: PLL-word-l2r, Kauf & Ivanova 2023
  (arXiv:2305.10588), because the pieces of a word give each other away;
- by a causal language model from the tokens before it: log-likelihood, one pass.

Special tokens are not scored, [UNK] included: ``objbench.blocks.masking`` never chooses them. There
is no dropout, no gradient and no random number.

Shape legend: N sequences, S tokens of all of them together, B rows of a batch, T tokens of its
longest row, M positions, D width, E width of the word embeddings, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from objbench.contract.batch import Batch, Rows
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.objective import TokenReading
from objbench.contract.suite import EvaluationContext
from objbench.data.device_copy import copied_to
from objbench.data.tokenizer import TokenizerHandle
from objbench.engine.encoder.cpu_kernels import use_cpu_kernels
from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.encoder.token_head import load_token_head
from objbench.engine.encoder.token_losses import token_losses
from objbench.engine.evaluation.batching import assemble, evaluation_batches
from objbench.engine.evaluation.classifier import length_limit
from objbench.engine.evaluation.embed import frozen_encoder
from objbench.engine.evaluation.examples import TokenisedExamples
from objbench.engine.evaluation.finetune import EVALUATION_TOKENS, autocast

REPORT_EVERY = 20
"""Batches between two reports of progress."""

Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class WordModel:
    """An exported encoder under its token head, in evaluation mode on its device.

    Attributes:
        reading: how the head is read.
        vocabulary: the tokenizer's.
        length: most tokens of a sequence.
        precision: "fp32", "bf16" or "fp16".
    """

    encoder: nn.Module
    head: nn.Module
    reading: TokenReading
    tokenizer: TokenizerHandle
    vocabulary: Vocabulary
    length: int
    device: torch.device
    precision: str

    def log_probabilities(
        self,
        input_ids: Tensor,
        attention: Tensor | None,
        columns: Tensor,
        targets: Tensor,
    ) -> Tensor:
        """Log-probabilities of ``targets``, (B, M) float32 on the device; 0 where ignored.

        Args:
            input_ids: (B, T) int64, what the encoder reads, hidden tokens replaced.
            attention: (B, T) bool, False at padding; None where nothing is padded.
            columns: (B, M) int64, the columns of the targets; not 0 if the head reads from the
                position before.
            targets: (B, M) int64, IGNORE_INDEX where there is none.
        """
        with torch.inference_mode(), autocast(self.device, self.precision):
            ids, columns, targets = (
                copied_to(tensor, self.device) for tensor in (input_ids, columns, targets)
            )
            real = None if attention is None else copied_to(attention, self.device)
            batch = Batch(ids, torch.zeros_like(ids, dtype=torch.bool), real, Rows.alone(len(ids)))
            return -token_losses(self.encoder, self.head, self.reading, batch, columns, targets)


def load_word_model(folder: Path, length: int, context: EvaluationContext) -> WordModel:
    """The encoder in ``folder`` with its token head.

    Args:
        folder: an exported encoder's; see ``token_head.has_token_head``.
        length: most tokens of a sequence; fewer if the encoder takes no more.
        context: device and precision.

    Raises:
        CheckpointError: there is no encoder or no token head, or one of them is damaged.
        DataError: encoder and tokenizer do not fit.
    """
    device = torch.device(context.device)
    tokenizer = load_tokenizer(folder)
    vocabulary = tokenizer.vocabulary()
    head, reading = load_token_head(folder, vocabulary)
    encoder = frozen_encoder(folder, device)
    length = length_limit(encoder, tokenizer, length, folder)
    use_cpu_kernels(encoder, device, context.precision, length)
    return WordModel(
        encoder=encoder,
        head=head.to(device).eval(),
        reading=reading,
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        length=length,
        device=device,
        precision=context.precision,
    )


def token_log_likelihoods(
    model: WordModel,
    tokens: TokenisedExamples,
    ends: NDArray[np.int64] | None = None,
    report: Report = lambda done, total, text: None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The log-probability of every token of every sequence given the others, or those before it.

    Args:
        model: decides which of the two.
        tokens: N sequences of S tokens.
        ends: (S,) int64, the column after the last token that is hidden together with each token,
            which is the first: PLL-word-l2r if these are the ends of words; None to hide that
            token alone. Ignored by a model that reads from left to right.
        report: called with the progress.

    Returns:
        (S,) float64, 0 at tokens that are not scored, and (S,) bool, which tokens are.

    Raises:
        FloatingPointError: a log-probability is not finite.
    """
    lengths = tokens.lengths
    columns = np.arange(len(tokens.ids)) - np.repeat(tokens.offsets[:-1], lengths)
    scored = ~np.isin(tokens.ids, model.vocabulary.special)
    if model.reading.reads == "previous":
        scored &= columns > 0
    index = np.flatnonzero(scored)
    if model.reading.is_left_to_right:
        values = _in_one_pass(model, tokens, scored, report)
    else:
        last = columns + 1 if ends is None else ends
        rows = np.repeat(np.arange(len(tokens)), lengths)
        values = _one_by_one(model, tokens, rows[index], columns[index], last[index], report)
    if not np.isfinite(values).all():
        raise FloatingPointError("a token's log-probability is not finite; use --precision fp32")
    found = np.zeros(len(tokens.ids))
    found[index] = values
    return found, scored


def _one_by_one(
    model: WordModel,
    tokens: TokenisedExamples,
    rows: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    report: Report,
) -> NDArray[np.float64]:
    """(P,) log-probabilities; of each, the columns first <= c < last of its row are hidden."""
    batches = evaluation_batches(tokens.lengths[rows], EVALUATION_TOKENS)
    parts = []
    for number, chosen in enumerate(batches):
        batch = assemble(tokens, rows[chosen])
        column, end = (torch.from_numpy(values[chosen]).unsqueeze(1) for values in (first, last))
        place = torch.arange(batch.ids.shape[1])
        hidden = (place >= column) & (place < end)
        ids = batch.ids.masked_fill(hidden, model.vocabulary.mask)
        attention = None if batch.attention is None else batch.attention.bool()
        targets = batch.ids.gather(1, column)
        parts.append(model.log_probabilities(ids, attention, column, targets).squeeze(1))
        if number % REPORT_EVERY == 0:
            report(number, len(batches), "scored")
    return _in_order(parts, batches)


def _in_one_pass(
    model: WordModel, tokens: TokenisedExamples, scored: NDArray[np.bool_], report: Report
) -> NDArray[np.float64]:
    """(P,) log-probabilities of the scored tokens, in their order."""
    batches = evaluation_batches(tokens.lengths, EVALUATION_TOKENS)
    parts: list[Tensor] = []
    for number, rows in enumerate(batches):
        batch = assemble(tokens, rows)
        attention = None if batch.attention is None else batch.attention.bool()
        columns = torch.arange(batch.ids.shape[1]).expand(batch.ids.shape)
        parts.append(model.log_probabilities(batch.ids, attention, columns, batch.ids))
        if number % REPORT_EVERY == 0:
            report(number, len(batches), "scored")
    found = np.zeros(len(tokens.ids))
    # Read when all of them are computed, so that nothing waits before that.
    for rows, part in zip(batches, parts, strict=True):
        values = part.cpu().numpy()
        real = np.arange(values.shape[1]) < tokens.lengths[rows][:, None]
        found[(tokens.offsets[rows][:, None] + np.arange(values.shape[1]))[real]] = values[real]
    return found[scored]


def _in_order(parts: Sequence[Tensor], batches: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """(P,) in the order of the rows; one copy at the end, so that nothing waits before it."""
    if not parts:
        return np.zeros(0)
    by_length = torch.cat(list(parts)).double().cpu().numpy()
    ordered = np.empty_like(by_length)
    ordered[np.concatenate(batches)] = by_length
    return ordered
