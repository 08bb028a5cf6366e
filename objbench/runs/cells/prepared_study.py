"""From a study to the engine's jobs: its text, and one pretraining of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from transformers import PreTrainedTokenizerBase

from objbench.contract.encoder_spec import Vocabulary
from objbench.data import PackedSequences, load_tokenizer, open_corpus, open_token_cache
from objbench.engine.training.job import PretrainJob
from objbench.results.json_files import content_key
from objbench.results.plan import PlannedCell
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.study.budget import export_steps
from objbench.study.study import Study


@dataclass(frozen=True, slots=True)
class StudyText:
    """A study's text, tokenised and cut.

    Attributes:
        train, heldout: the sequences of the two parts.
        tokenizer, vocabulary: what made them.
        key: hash of all that determines the sequences.
    """

    train: PackedSequences
    heldout: PackedSequences
    tokenizer: PreTrainedTokenizerBase
    vocabulary: Vocabulary
    key: str


def open_text(
    study: Study, cache: Path, say: Callable[[str], None] = lambda text: None
) -> StudyText:
    """The text of ``study`` from the cache, where it is put first if it is not there.

    Args:
        cache: folder for tokenizers and token streams.
        say: told what takes time.

    Raises:
        DataError, HubError: the corpus or tokenizer cannot be read or does not fit.
    """
    corpus = open_corpus(study.data.corpus)
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
    return StudyText(train, heldout, tokenizer.hf, vocabulary, key)


def data_description(text: StudyText) -> dict[str, Any]:
    """What a plan records of a study's text; counts are of tokens and sequences."""
    return {
        "key": text.key,
        "vocabulary": text.vocabulary.size,
        "train_tokens": len(text.train.tokens),
        "train_sequences": len(text.train),
        "heldout_tokens": len(text.heldout.tokens),
        "heldout_sequences": len(text.heldout),
    }


def pretrain_job(
    study: Study,
    plugins: ConfiguredPlugins,
    text: StudyText,
    cell: PlannedCell,
    *,
    run: Path,
    device: str,
    folder: str = "",
    teachers: Mapping[str, Path] = MappingProxyType({}),
) -> PretrainJob:
    """The engine's job for one pretraining cell or trial.

    Args:
        folder: name under ``run/encoders`` and ``run/checkpoints``.
        teachers: as ``PretrainJob.teachers``; none where only the cost of a step is wanted.
    """
    own = study.of(cell.objective, cell.settings)
    cls, _ = plugins.objectives[cell.objective]
    steps = max(1, cell.step)
    points = 1 if cell.kind == "trial" else min(steps, study.evaluation.points)
    return PretrainJob(
        objective=cls,
        config=plugins.config(own, cell.objective),
        encoder=own.encoder,
        training=own.training,
        length=study.data.length,
        seed=cell.seed,
        steps=steps,
        train=text.train,
        heldout=text.heldout,
        vocabulary=text.vocabulary,
        tokenizer=text.tokenizer,
        run=run,
        encoders=f"encoders/{folder}",
        checkpoints=run / "checkpoints" / folder,
        key=cell.key,
        teachers=dict(teachers),
        export_steps=tuple(export_steps(steps, points, study.evaluation.spacing)),
        heldout_batches=study.evaluation.heldout_batches,
        heldout_part="tuning" if cell.kind == "trial" else "reported",
        device=device,
    )
