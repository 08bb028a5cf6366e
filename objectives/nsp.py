"""Next sentence prediction: does the second segment continue the first, or another text?

Devlin et al. 2019, section 3.1, task 2, as a term beside any objective: half of the time the second
segment is that of another sequence. Its loss is added to the masked-LM loss with weight 1, as in
BERT's code (google-research/bert, ``run_pretraining.py``).

What it shares with ``sop`` is described in ``objbench_objectives.segments``. Specific to it:

- BERT takes the other segment from a random place in a random other document. Here it is from the
  same columns of a sequence drawn uniformly among the others of the whole batch over all processes,
  also with ``--micro-batches``. Sequences are shuffled, so it is rarely from the same document,
  but may be.
- Padded sequences are both cut to the shorter of the two, also if nothing is taken from the other,
  since otherwise the length would give the answer away.

Shape legend: B sequences of this process, R of the whole batch, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from objbench import hookimpl
from objbench.contract.batch import Batch
from objbench.contract.objective import AddedTerm
from objbench.contract.random_streams import Streams
from objbench.errors import ConfigError
from objbench_objectives.segments import SegmentPairPrediction, Segments, random_cuts


class NextSentencePrediction(SegmentPairPrediction):
    """BERT's second task; formula and differences are in the modules' docstrings."""

    name = "nsp"
    summary = "next sentence prediction (BERT): does the second segment follow the first?"
    reference = "Devlin et al. 2019, https://arxiv.org/abs/1810.04805"

    def segments(self, batch: Batch, changed: Tensor, streams: Streams) -> Segments:
        """The row's own two segments, or its first and another row's second.

        Raises:
            ConfigError: the whole batch is one sequence.
        """
        rows, (count, length) = batch.rows, batch.input_ids.shape
        if rows.total < 2:
            raise ConfigError(
                "nsp takes segments from other sequences: a batch needs at least 2; "
                "raise the batch size"
            )
        step = streams.integers("nsp.other", rows.total - 1)
        own = torch.arange(rows.first, rows.first + count, device=step.device)
        other = step + (step >= own)  # any row but the own
        lengths = batch.real.sum(dim=1)
        # Unpadded batches are unpadded on every process, so none waits here for the others.
        if batch.attention is not None:
            lengths = lengths.minimum(rows.gather(lengths)[other])
        first = random_cuts(lengths, streams, "nsp.cut")
        columns = torch.arange(length, device=step.device)
        taken = changed.unsqueeze(1) & (columns > first.unsqueeze(1))
        text = torch.where(taken, rows.gather(batch.input_ids)[other], batch.input_ids)
        return Segments(text, first, lengths)


@hookimpl
def register_terms(register: Callable[[type[AddedTerm]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(NextSentencePrediction)
