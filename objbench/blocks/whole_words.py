"""Whole words of a batch: where they begin, and choosing words instead of tokens to predict.

A tokenizer splits rare words into pieces and marks either the pieces that continue a word, those
that begin one or those that end one. Which mark, is asked from the tokenizer (``Vocabulary.word_mark``)
and never guessed from its tokens. That mark alone defines the words:

- "##" (WordPiece) marks a piece that continues a word;
- U+0120, "G" with a dot (byte-level BPE), or U+2581, a low line (SentencePiece), represents the
  space before a piece that begins a word. As in fairseq's ``is_beginning_of_word``, punctuation
  or a line break that follows without a space belongs to the word before it. In text without
  spaces, such as Chinese, a word is then a whole sentence, too long to be chosen: how much is
  really predicted is measured before a study runs (``engine.measuring.realised_rate``);
- "</w>" (BPE as in GPT) marks a piece that ends a word.

Words end at special tokens: one that is cut off by the start of a sequence begins there, and none
continues after [SEP].

Shape legend: B sequences of this process, T tokens, M predicted slots, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.random_streams import Streams
from objbench.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PieceTables:
    """What each token says about its word.

    Attributes:
        continues: (V,) bool, the token goes on with the word of the token before it, unless that
            one ended it.
        ends: (V,) bool, the token ends its word.
    """

    continues: Tensor
    ends: Tensor


def piece_tables(vocabulary: Vocabulary, wanted_by: str) -> PieceTables:
    """The tables of ``vocabulary``, by the mark that its tokenizer defines.

    Args:
        vocabulary: the tokenizer's.
        wanted_by: the objective's name, for the message.

    Raises:
        ConfigError: the tokenizer defines no mark or no token has it, so words cannot be
            recognised.
    """
    mark = vocabulary.word_mark
    tokens = vocabulary.tokens
    nothing = torch.zeros(len(tokens), dtype=torch.bool)
    if mark is not None and mark.marks == "whole":
        return PieceTables(nothing, nothing)
    text = "" if mark is None else mark.text
    is_suffix = mark is not None and mark.marks == "ends"
    carries = str.endswith if is_suffix else str.startswith
    carried = torch.tensor([len(token) > len(text) and carries(token, text) for token in tokens])
    if not text or not carried.any():
        shown = "does not define how its tokens mark words"
        if text:
            shown = f"marks words by {text!r}, which none of its tokens has"
        raise ConfigError(
            f"{wanted_by} predicts whole words, and the tokenizer {shown}: use a tokenizer of word "
            "pieces, such as train:8192"
        )
    # The mark alone is a space, which begins the word that follows, or ends the one before.
    alone = torch.tensor([token == text for token in tokens])
    if is_suffix:
        return PieceTables(~nothing, carried | alone)
    assert mark is not None
    return PieceTables(carried if mark.marks == "continues" else ~(carried | alone), nothing)


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
    def of(input_ids: Tensor, special: Tensor, continues: Tensor, ends: Tensor) -> Words:
        """The words of ``input_ids`` (B, T) with ``special`` (B, T), given ``PieceTables`` (V,)."""
        maskable = ~special
        goes_on = after(maskable & ~ends[input_ids])
        starts = maskable & ~(continues[input_ids] & goes_on)
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
