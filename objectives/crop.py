"""A contiguous piece of each sequence, as a second input of the encoder.

COCO-LM's positive (Meng et al. 2021, section 3) and one of the augmentations that SimCSE tries
(Gao et al. 2021, table 1).

Shape legend: B sequences of this process, T tokens, T' = 1 + kept tokens of a full sequence.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from objbench.contract.batch import Batch
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.random_streams import Streams


def kept_tokens(share: float, length: int) -> int:
    """The number of the ``length`` - 1 tokens after [CLS] that a crop keeps: at least one, if any."""
    text = length - 1
    return min(text, max(1, math.floor(share * text)))


def random_crop(
    batch: Batch, vocabulary: Vocabulary, share: float, streams: Streams, stream: str
) -> Batch:
    """[CLS] and a uniformly random run of consecutive tokens of each sequence.

    Unpadded sequences stay unpadded: the view is as narrow as a full sequence's crop. The tokens
    are at position 1 and on.

    Args:
        batch: (B, T); not changed.
        vocabulary: gives the id of padding.
        share: the share of the text after [CLS] that is kept, rounded down, in (0, 1].
        streams: source of ``stream``.
        stream: name of the stream.

    Returns:
        (B, T'), without ``attention`` if ``batch`` has none, and without extras.
    """
    length = batch.input_ids.shape[1]
    width = 1 + kept_tokens(share, length)
    columns = torch.arange(width, device=batch.input_ids.device)
    text = batch.real.sum(dim=1) - 1
    # In float64, as Python computes the width.
    kept = torch.floor(text.double() * share).long().clamp(min=1).minimum(text)
    start = (streams.uniform(stream) * (text - kept + 1)).long()
    source = torch.where(columns > 0, columns + start.unsqueeze(1), columns)
    # Beyond a short sequence's crop anything may be read, since it becomes padding.
    source = source.clamp(max=length - 1)
    ids, special = (tensor.gather(1, source) for tensor in (batch.input_ids, batch.special))
    if batch.attention is None:
        return Batch(ids, special, None, batch.rows, batch.progress)
    real: Tensor = columns <= kept.unsqueeze(1)
    return Batch(
        input_ids=ids.masked_fill(~real, vocabulary.pad),
        special=special | ~real,
        attention=real,
        rows=batch.rows,
        progress=batch.progress,
    )
