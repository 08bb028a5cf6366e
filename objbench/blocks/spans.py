"""Spans of whole words to predict, as SpanBERT masks them, without a loop.

Joshi et al. 2020, section 3.1: until 15% of the tokens are chosen, draw a length l ~ Geo(0.2) of
at most 10 words (3.8 on average) and a start, uniform over the sequence, at the beginning of a
word. Drawn one after the other, each span depends on those before it. Here the words of a sequence
form a ring that is cut into spans of such lengths from a random word on, all at once; spans are
then taken in random order. Differences:

- Spans do not overlap. In the authors' code (facebookresearch/SpanBERT, ``masking.py``) a span
  may overlap an earlier one; there and here spans may touch, and touching spans count as one for
  the replacement and for the boundaries.
- Every position is equally likely to be chosen. In the paper fewer starts reach the first words of
  a sequence, and the code starts at the word of a random token, so more often at long words.
- A span that meets a special token or the end of its sequence continues after it, or at the
  beginning, in two parts. Where the ring closes, one span is shorter than drawn. The code's
  segments hold no special tokens, and a span ends with its segment.
- The number of tokens is that of ``objbench.blocks.masking``, rate * n rounded up or down at random;
  the code takes ceil(rate * n). If the last span exceeds it, the code cuts it anywhere, even inside
  a word. Here it is cut after a whole word, and words of one token make up the number. So long words are chosen less often, the more so the shorter the sequence: at 15%, on English text
  in 4,096 WordPieces, 15.3%, 14.8% and 12.0% of the words of one, two and four tokens in sequences
  of 128, and 15.7%, 12.3% and 6.9% in sequences of 32.

Shape legend: B sequences of this process, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from objbench.blocks.whole_words import (
    Words,
    after,
    filled_up,
    first_columns,
    last_columns,
    pieces,
    ranks,
)
from objbench.contract.random_streams import Streams


def length_thresholds(p: float, longest: int) -> Tensor:
    """(longest - 1,) float32: P(l <= k) for k = 1 .. longest - 1 of the truncated geometric law.

    P(l = k) = p (1 - p)^(k - 1) / (1 - (1 - p)^longest): longer spans are drawn again, as in the
    code, not clipped; only then is the mean of Geo(0.2) with at most 10 words 3.8, as in the paper.

    Args:
        p: in (0, 1].
        longest: in words, at least 1.
    """
    kept = 1 - (1 - p) ** longest
    shares = [(1 - (1 - p) ** k) / kept for k in range(1, longest)]
    return torch.tensor(shares, dtype=torch.float32)


def spans(words: Words, thresholds: Tensor, streams: Streams, stream: str) -> tuple[Tensor, Tensor]:
    """Cut the words of every sequence, in a ring, into spans from a random word on.

    Args:
        words: of the batch.
        thresholds: of ``length_thresholds``.
        streams: source of ``stream + ".length"`` and ``stream + ".phase"``.
        stream: prefix of the streams' names.

    Returns:
        The number of each token's span, and of the token itself, both counted along the ring from
        that word on: (B, T) int64 each, in [0, T), undefined at special tokens.
    """
    maskable, width = words.maskable, words.starts.shape[1]
    lots = streams.uniform(f"{stream}.length", width)
    ends = (1 + torch.bucketize(lots, thresholds, right=True)).cumsum(dim=1)
    begins = torch.zeros(len(ends), width + 1, dtype=torch.int64, device=ends.device)
    begins = begins.scatter(1, ends.clamp(max=width), 1)
    word = words.starts.cumsum(dim=1) - 1
    count = words.starts.sum(dim=1, keepdim=True)
    first = (streams.uniform(f"{stream}.phase").unsqueeze(1) * count).long()
    in_ring = (word - first).remainder(count.clamp(min=1))
    skipped = (maskable & (word < first)).sum(dim=1, keepdim=True)
    tokens = maskable.sum(dim=1, keepdim=True).clamp(min=1)
    token = (maskable.cumsum(dim=1) - 1 - skipped).remainder(tokens)
    return begins.cumsum(dim=1).gather(1, in_ring), token


def select_spans(
    words: Words, thresholds: Tensor, wanted: Tensor, streams: Streams, stream: str = "span"
) -> Tensor:
    """Spans at random until the number of tokens wanted is reached.

    Args:
        words: of the batch.
        thresholds: of ``length_thresholds``.
        wanted: (B,) int64, how many tokens to choose; see ``objbench.blocks.masking.prediction_count``.
        streams: source of ``stream`` (their order) and ``stream`` + ".length", ".phase", ".fill".
        stream: prefix of the streams' names.

    Returns:
        (B, T) bool, the chosen tokens: whole words only, ``wanted`` per sequence, fewer only if
        there are too few words of one token to make up the number.
    """
    span, token = spans(words, thresholds, streams, stream)
    width = span.shape[1]
    sizes = pieces(span, words.maskable)  # by number of the span
    rank = ranks(streams.uniform(stream, width).masked_fill(sizes == 0, -1.0))
    ordered = torch.zeros_like(sizes).scatter(1, rank, sizes)
    before = _exclusive(ordered).gather(1, rank)  # tokens of the spans taken before each
    # The position in that order of the last token of each token's word, counted from 1.
    end = token.gather(1, words.first) + words.sizes.gather(1, words.first)
    end = end + (before - _exclusive(sizes)).gather(1, span)
    chosen = words.maskable & (end <= wanted.unsqueeze(1))
    return filled_up(words, chosen, wanted, streams.uniform(f"{stream}.fill", width))


def _exclusive(counts: Tensor) -> Tensor:
    """(B, T): for each position the sum of those before it."""
    return counts.cumsum(dim=1) - counts


@dataclass(frozen=True, slots=True)
class Runs:
    """The maximal runs of chosen tokens: spans, and spans that touch.

    Attributes:
        first: (B, T) int64, at chosen tokens the column of the first of their run; undefined elsewhere.
        last: (B, T) int64, that of the last.
    """

    first: Tensor
    last: Tensor

    @staticmethod
    def of(chosen: Tensor) -> Runs:
        """The runs of ``chosen`` (B, T) bool."""
        ahead = torch.nn.functional.pad(chosen, (-1, 1))
        return Runs(first_columns(chosen & ~after(chosen)), last_columns(chosen & ~ahead))
