"""Whole words of a batch: where they begin, and choosing words instead of tokens to predict.

A tokenizer splits rare words into pieces and marks, in the vocabulary, either the pieces that
continue a word or those that begin one. That mark alone defines the words:

- "##" (WordPiece) marks a piece that continues a word;
- U+0120, "G" with a dot (byte-level BPE), or U+2581, a low line (SentencePiece), represents the
  space before a piece that begins a word. As in fairseq's ``is_beginning_of_word``, punctuation
  or a line break that follows without a space belongs to the word before it.

Words end at special tokens: one that is cut off by the start of a sequence begins there, and none
continues after [SEP].

Shape legend: B sequences of this process, T tokens, M predicted slots, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from objbench.contract.encoder_spec import CONTINUES, Vocabulary
from objbench.contract.random_streams import Streams
from objbench.errors import ConfigError

BEGINS = ("\u0120", "\u2581")
"""The first character of a piece that begins a word, in byte-level BPE and SentencePiece."""


def continuing_tokens(vocabulary: Vocabulary, wanted_by: str) -> Tensor:
    """(V,) bool, True at the tokens that continue the word of the token before them.

    The mark is the one that most tokens of the vocabulary have: byte-level vocabularies hold "####"
    too, a rule under a Markdown heading.

    Args:
        vocabulary: the tokenizer's.
        wanted_by: the objective's name, for the message.

    Raises:
        ConfigError: no token has a mark, so words cannot be recognised.
    """
    carriers = {
        mark: [len(token) > len(mark) and token.startswith(mark) for token in vocabulary.tokens]
        for mark in (CONTINUES, *BEGINS)
    }
    mark = max(carriers, key=lambda mark: sum(carriers[mark]))
    if not any(carriers[mark]):
        raise ConfigError(
            f"{wanted_by} predicts whole words, and the tokenizer marks neither pieces that "
            f"continue a word ({CONTINUES}) nor pieces that begin one ({' or '.join(BEGINS)}): use a "
            "tokenizer of word pieces, such as train:8192"
        )
    carried = torch.tensor(carriers[mark])
    if mark == CONTINUES:
        return carried
    # The mark alone is a space, which begins the word that follows.
    alone = torch.tensor([token == mark for token in vocabulary.tokens])
    return ~(carried | alone)


def first_columns(starts: Tensor) -> Tensor:
    """(B, T) int64: for every column the last start at or before it, 0 before the first.

    Args:
        starts: (B, T) bool.
    """
    columns = torch.arange(starts.shape[1], device=starts.device)
    return (columns * starts).cummax(dim=1).values


def last_columns(ends: Tensor) -> Tensor:
    """(B, T) int64: for every column the first end at or after it, T - 1 after the last.

    Args:
        ends: (B, T) bool.
    """
    final = ends.shape[1] - 1
    return final - first_columns(ends.flip(1)).flip(1)


def pieces(unit: Tensor, counted: Tensor) -> Tensor:
    """(B, T) int64: at each unit's index its number of tokens, 0 elsewhere.

    Args:
        unit: (B, T) int64 in [0, T), the unit of each token, such as the first column of its word.
        counted: (B, T) bool, the tokens that belong to a unit.
    """
    return torch.zeros_like(unit).scatter_add(1, unit, counted.to(torch.int64))


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a batch.

    Attributes:
        maskable: (B, T) bool, the tokens that belong to a word: all except special ones.
        starts: (B, T) bool, True at the first token of a word.
        first: (B, T) int64, the column of the first token of each token's word.
        sizes: (B, T) int64, at the first token of a word its number of tokens, 0 elsewhere.
    """

    maskable: Tensor
    starts: Tensor
    first: Tensor
    sizes: Tensor

    @staticmethod
    def of(input_ids: Tensor, special: Tensor, continues: Tensor) -> Words:
        """The words of ``input_ids`` (B, T) with ``special`` (B, T), given ``continues`` (V,)."""
        maskable = ~special
        starts = maskable & ~(continues[input_ids] & after(maskable))
        first = first_columns(starts)
        return Words(maskable, starts, first, pieces(first, maskable))

    def tokens_of(self, chosen: Tensor) -> Tensor:
        """(B, T) bool, every token of the words whose first token is ``chosen`` (B, T) bool."""
        return chosen.gather(1, self.first) & self.maskable


def after(flags: Tensor) -> Tensor:
    """(B, T) bool, True where the column before is flagged."""
    return torch.nn.functional.pad(flags, (1, -1))


def ranks(scores: Tensor) -> Tensor:
    """(B, T) int64, 0 at the highest score of each sequence, 1 at the next, and so on."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    return torch.empty_like(order).scatter(1, order, _places(order))


def _places(order: Tensor) -> Tensor:
    return torch.arange(order.shape[1], device=order.device).expand_as(order)


def filled_up(words: Words, chosen: Tensor, wanted: Tensor, scores: Tensor) -> Tensor:
    """``chosen`` and random words of one token, to make up the number wanted.

    Args:
        words: of the batch.
        chosen: (B, T) bool, chosen tokens, at most ``wanted``.
        wanted: (B,) int64, the number of tokens to choose.
        scores: (B, T) float32 in [0, 1), random; the highest are taken.

    Returns:
        (B, T) bool; fewer than wanted only if there are too few words of one token.
    """
    single = (words.sizes == 1) & ~chosen
    wanting = wanted - chosen.sum(dim=1)
    rank = ranks(scores.masked_fill(~single, -1.0))
    return chosen | (single & (rank < wanting.unsqueeze(1)))


def select_words(
    words: Words, rate: float, wanted: Tensor, streams: Streams, stream: str = "mask"
) -> Tensor:
    """Whole words at random, so that every token is chosen with probability ``rate``.

    Words of more than one token are sampled systematically: ordered by size, with equal sizes
    shuffled, word number i is taken if floor((i + 1) * rate + u) > floor(i * rate + u),
    u uniform in [0, 1). Each is taken with probability ``rate`` whatever its size, and because
    neighbours in that order are of about equal size, the number of their tokens hardly varies.
    Words of one token, at random, make up the number wanted, so that they too are chosen with
    probability ``rate``.

    That holds if the number wanted (rate * n rounded up or down at random, n tokens) has room for
    the longer words sampled and there are enough words of one token. If the longer words exceed
    it, the shortest of them are left out; a word longer than the number wanted is never
    chosen. Then the share of the tokens of long words falls below ``rate`` and that of single
    tokens rises; the share of all tokens falls below it only if single tokens run out.

    Args:
        words: of the batch.
        rate: the share of tokens to choose, in (0, 1].
        wanted: (B,) int64, how many tokens to choose; see ``objbench.blocks.masking.prediction_count``.
        streams: source of ``stream`` (scores) and ``stream + ".phase"`` (u).
        stream: prefix of the streams' names.

    Returns:
        (B, T) bool, the chosen tokens: at most ``wanted`` per sequence, whole words only.
    """
    scores = streams.uniform(stream, words.starts.shape[1])
    long = words.sizes > 1
    # By size, and by score among equal sizes; everything else comes after the long words.
    keys = (words.sizes + scores).masked_fill(~long, 0.0)
    order = keys.argsort(dim=1, descending=True, stable=True)
    place, phase = _places(order), streams.uniform(f"{stream}.phase").unsqueeze(1)
    sampled = torch.floor((place + 1) * rate + phase) > torch.floor(place * rate + phase)
    sizes, room = words.sizes.gather(1, order), wanted.unsqueeze(1)
    sampled = sampled & (sizes > 1) & (sizes <= room)
    taken = sampled & ((sizes * sampled).cumsum(dim=1) <= room)
    chosen = words.tokens_of(torch.zeros_like(taken).scatter(1, order, taken))
    return filled_up(words, chosen, wanted, scores)
