"""Sentence order prediction: are two consecutive segments in their order, or swapped?

Lan et al. 2020 (ALBERT), section 3.1, "Inter-sentence coherence loss", as a term beside any
objective: half of the time the two segments are swapped, as in the authors' code
(google-research/albert, ``create_pretraining_data.py``). Its loss is added to the masked-LM loss
with weight 1 there and here. What it shares with ``nsp``, and how both differ from the papers, is
described in ``objbench_objectives.segments``. The sequence is cut uniformly, so the [SEP] of a
swapped pair may be anywhere, as in any other pair.

Shape legend: B sequences of this process, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from objbench import hookimpl
from objbench.contract.batch import Batch
from objbench.contract.objective import AddedTerm
from objbench.contract.random_streams import Streams
from objbench_objectives.segments import SegmentPairPrediction, Segments, random_cuts


class SentenceOrderPrediction(SegmentPairPrediction):
    """ALBERT's second task; formula and differences are in the modules' docstrings."""

    name = "sop"
    summary = "sentence order prediction (ALBERT): were the two segments swapped?"
    reference = "Lan et al. 2020, https://arxiv.org/abs/1909.11942"

    def segments(self, batch: Batch, changed: Tensor, streams: Streams) -> Segments:
        """The row's own two segments, in their order or swapped."""
        lengths = batch.real.sum(dim=1)
        first = random_cuts(lengths, streams, "sop.cut")
        text = (lengths - 2).clamp(min=1)  # tokens of both
        columns = torch.arange(batch.input_ids.shape[1], device=lengths.device)
        # Swapping two neighbours is rotating both of them in a ring.
        turned = 1 + (columns - 1 + first.unsqueeze(1)) % text.unsqueeze(1)
        source = torch.where(changed.unsqueeze(1) & (columns > 0), turned, columns)
        return Segments(
            batch.input_ids.gather(1, source), torch.where(changed, text - first, first), lengths
        )


@hookimpl
def register_terms(register: Callable[[type[AddedTerm]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(SentenceOrderPrediction)
