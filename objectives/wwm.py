"""Whole-word masking: masked language modelling that predicts all pieces of a word or none.

Introduced with Google's BERT code in May 2019 (google-research/bert, README and
``create_pretraining_data.py``, ``do_whole_word_mask``); studied for Chinese by Cui et al. 2021
(arXiv:1906.08101). A piece of a word is easily guessed from the others, so predicting it alone teaches
little.

As many tokens of a sequence are predicted as by ``mlm`` at the same seed and step, and in text
without split words the same ones. Differences from Google's code:

- The code visits the words in random order and skips one that would exceed the number of
  predictions, so longer words are chosen less often: one of 4 pieces among words of one
  piece 16% less often than these at 19 predictions (128 tokens), 60% less at 5 (32 tokens). Here
  every token is chosen with probability ``rate``, as far as the number of predictions allows;
  see ``objbench.blocks.whole_words.select_words``.
- The code joins a "##" piece after [SEP] to the word before; here it is a word by itself.
- As in the code, [MASK], a random token or the token itself is drawn for each token independently,
  also within a word. The number of predictions is ``mlm``'s; see ``objbench.blocks.masking``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from objbench import hookimpl
from objbench.blocks.masking import corrupted_tokens, prediction_count, slots_of, with_corrupted
from objbench.blocks.whole_words import Words, piece_tables, select_words
from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench_objectives.mlm import MaskedLanguageModeling


class WholeWordMasking(MaskedLanguageModeling):
    """The mean cross-entropy of the original tokens of masked words; options are ``mlm``'s.

    Raises:
        ConfigError: the tokenizer does not mark where words begin or go on.
    """

    name = "wwm"
    summary = "masked language modelling of whole words: all pieces of a word or none"
    reference = "Devlin et al. 2019, https://github.com/google-research/bert#whole-word-masking"
    prediction = "wwm"

    continues: Tensor
    ends: Tensor

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        tables = piece_tables(encoder_spec.vocabulary, self.name)
        self.register_buffer("continues", tables.continues, persistent=False)
        self.register_buffer("ends", tables.ends, persistent=False)

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask words of ``batch``; (B, T) ids and M predicted slots per sequence."""
        config, slots = self.config, self.slots(batch.input_ids.shape[1])
        rate = config.rate_at(batch.progress)
        words = Words.of(batch.input_ids, batch.special, self.continues, self.ends)
        wanted = prediction_count(words.maskable, rate, slots, streams)
        chosen = self.choose(words, rate, wanted, streams)
        positions, used = slots_of(chosen, slots)
        lot, extras = self.details(batch, chosen, positions, used, streams)
        corrupted = corrupted_tokens(
            batch.input_ids.gather(1, positions),
            self.encoder_spec.vocabulary,
            config.mask_share,
            config.random_share,
            streams,
            lot=lot,
        )
        return with_corrupted(batch, positions, used, corrupted, extras)

    def choose(self, words: Words, rate: float, wanted: Tensor, streams: Streams) -> Tensor:
        """(B, T) bool, the tokens to predict: ``wanted``, (B,) int64, in whole words."""
        return select_words(words, rate, wanted, streams)

    def details(
        self, batch: Batch, chosen: Tensor, positions: Tensor, used: Tensor, streams: Streams
    ) -> tuple[Tensor | None, dict[str, Tensor] | None]:
        """``lot`` of ``corrupted_tokens`` and extras of the corruption; None here, for subclasses."""
        return None, None


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(WholeWordMasking)
