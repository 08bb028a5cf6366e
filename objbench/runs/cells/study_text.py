"""The text of a study: tokenised, cut into sequences, and split into training and held-out part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from objbench.contract.encoder_spec import Vocabulary
from objbench.data import PackedSequences, load_tokenizer, open_corpus, open_token_cache
from objbench.results.json_files import content_key
from objbench.study.study import Study


@dataclass(frozen=True, slots=True)
class StudyText:
    """A study's text.

    Attributes:
        train, heldout: the sequences of the two parts.
        tokenizer, vocabulary: what the text was tokenised with.
        key: hash of all that determines the sequences.
        digests: "train" and "heldout" -> the SHA-256 of that part of the token cache, in hex.
    """

    train: PackedSequences
    heldout: PackedSequences
    tokenizer: PreTrainedTokenizerFast
    vocabulary: Vocabulary
    key: str
    digests: Mapping[str, str]

    def description(self) -> dict[str, Any]:
        """What a plan records of the text; counts are of tokens and sequences."""
        return {
            "key": self.key,
            "vocabulary": self.vocabulary.size,
            "train_tokens": len(self.train.tokens),
            "train_sequences": len(self.train),
            "heldout_tokens": len(self.heldout.tokens),
            "heldout_sequences": len(self.heldout),
        }


def open_text(study: Study, cache: Path, say: Callable[[str], None]) -> StudyText:
    """The text of ``study`` from the cache; what the cache does not have is made first.

    Args:
        cache: folder for tokenizers and token streams.
        say: called with a line of text while something takes time.

    Raises:
        DataError, HubError: the corpus or tokenizer cannot be read or does not fit.
    """
    corpus = open_corpus(study.data.corpus)
    if corpus.summary:
        say(f"corpus {corpus.name}: {corpus.summary}")
    tokenizer = load_tokenizer(study.data.tokenizer, corpus, cache)

    def tokenised(tokens: int) -> None:
        say(f"tokenising {study.data.corpus}: {tokens:,} tokens")

    tokens = open_token_cache(corpus, tokenizer, cache, tokenised)
    vocabulary = tokenizer.vocabulary()
    train, heldout = (
        PackedSequences(
            tokens=stream,
            length=study.data.length,
            cls=vocabulary.cls,
            name=f"corpus {study.data.corpus} ({part})",
        )
        for part, stream in (("training part", tokens.train), ("held-out part", tokens.heldout))
    )
    train.require(study.training.batch)
    heldout.require(1)
    key = content_key([corpus.fingerprint, tokenizer.fingerprint, study.data.length])
    digests = {"train": tokens.manifest.train.sha256, "heldout": tokens.manifest.heldout.sha256}
    return StudyText(train, heldout, tokenizer.hf, vocabulary, key, digests)
