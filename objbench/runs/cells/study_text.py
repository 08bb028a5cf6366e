"""The text of a study: tokenised, cut into sequences, and split into training and held-out part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from objbench.contract.encoder_spec import Vocabulary
from objbench.data import (
    Corpus,
    PackedSequences,
    TokenCache,
    TokenizerHandle,
    load_tokenizer,
    open_corpus,
    open_token_cache,
)
from objbench.data.cache import open_known_cache, parts_beside, token_key
from objbench.data.shared_tokenizer import load_known_tokenizer, share_tokenizer
from objbench.data.token_parts import TokenParts
from objbench.results.json_files import content_key
from objbench.results.run_folder import RunFolder
from objbench.results.text_plan import TextPlan
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


def open_study_corpus(study: Study, say: Callable[[str], None]) -> Corpus:
    """The corpus of ``study``; all of it is read, for its fingerprint.

    Raises:
        DataError, HubError: it cannot be read.
    """
    corpus = open_corpus(study.data.corpus)
    if corpus.summary:
        say(f"corpus {corpus.name}: {corpus.summary}")
    return corpus


def open_text(
    study: Study,
    cache: Path,
    say: Callable[[str], None],
    read_corpus: Callable[[], Corpus] | None = None,
    shared: RunFolder | None = None,
) -> StudyText:
    """The text of ``study`` from the cache; what the cache does not have is made first.

    Args:
        cache: folder for tokenizers and token streams.
        say: called with a line of text while something takes time.
        read_corpus: gives the study's corpus.
        shared: the run in whose store the text is kept too, for machines without the corpus.

    Raises:
        DataError, HubError: the corpus or tokenizer cannot be read or does not fit.
    """
    corpus = open_study_corpus(study, say) if read_corpus is None else read_corpus()
    tokenizer = load_tokenizer(study.data.tokenizer, corpus, cache)

    def tokenised(tokens: int) -> None:
        say(f"tokenising {study.data.corpus}: {tokens:,} tokens")

    parts = None
    if shared is not None:
        share_tokenizer(study.data.tokenizer, corpus.fingerprint, cache, shared.store)
        parts = parts_of(shared, corpus.fingerprint, tokenizer)
    tokens = open_token_cache(corpus, tokenizer, cache, tokenised, parts)
    return _text(study, tokens, tokenizer)


def open_known_text(study: Study, plan: TextPlan, folder: RunFolder, cache: Path) -> StudyText:
    """The text of ``study`` as another process made it; the corpus is not read and need not be here.

    Args:
        plan: what the text is.
        folder: the run in whose store it may be.
        cache: folder for tokenizers and token streams; what is in the store only is copied there.

    Raises:
        DataError, HubError: it is in neither, or not what was made.
    """
    tokenizer = known_tokenizer(study, plan, folder, cache)
    parts = parts_of(folder, plan.corpus_fingerprint, tokenizer) if plan.is_shared else None
    tokens = open_known_cache(plan.corpus_fingerprint, tokenizer, cache, parts)
    return _text(study, tokens, tokenizer)


def known_tokenizer(
    study: Study, plan: TextPlan, folder: RunFolder, cache: Path
) -> TokenizerHandle:
    """The tokenizer of a study; arguments and errors as of ``open_known_text``."""
    store = folder.store if plan.is_shared else None
    return load_known_tokenizer(study.data.tokenizer, plan.corpus_fingerprint, cache, store)


def text_parts(
    plan: TextPlan, tokenizer: TokenizerHandle, folder: RunFolder, cache: Path
) -> TokenParts:
    """Where the parts of the token cache are while they are made."""
    if plan.is_shared:
        return parts_of(folder, plan.corpus_fingerprint, tokenizer)
    return parts_beside(cache, token_key(plan.corpus_fingerprint, tokenizer.fingerprint))


def parts_of(folder: RunFolder, corpus_fingerprint: str, tokenizer: TokenizerHandle) -> TokenParts:
    """Where a run keeps its text for other machines."""
    key = token_key(corpus_fingerprint, tokenizer.fingerprint)
    return TokenParts(folder.store, f"text/tokens/{key}")


def _text(study: Study, tokens: TokenCache, tokenizer: TokenizerHandle) -> StudyText:
    vocabulary, manifest = tokenizer.vocabulary(), tokens.manifest
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
    key = content_key([manifest.corpus_fingerprint, tokenizer.fingerprint, study.data.length])
    digests = {"train": manifest.train.sha256, "heldout": manifest.heldout.sha256}
    return StudyText(train, heldout, tokenizer.hf, vocabulary, key, digests)
