"""The frozen encoders that an objective learns from: exported by other cells of the study."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.random_streams import stream_key
from objbench.engine.encoder.build import build_encoder
from objbench.engine.encoder.load import load_encoder
from objbench.engine.training.job import PretrainJob
from objbench.errors import ConfigError
from objbench.study.settings import EncoderSection


def frozen_teachers(job: PretrainJob, device: torch.device) -> dict[str, nn.Module]:
    """The teachers of the job's objective, in evaluation mode and without gradients.

    Args:
        job: names the folders; for a teacher without one, a fresh encoder of the job's own kind is
            used, which costs as much per step as the real one.
        device: where they are put.

    Raises:
        CheckpointError: a folder holds no encoder.
        ConfigError: a teacher's vocabulary is not the job's.
    """
    wanted = job.objective.teachers(job.config)
    absent = [name for name in wanted if name not in job.teachers]
    teachers = stand_ins(absent, job.encoder, job.vocabulary, job.length, job.seed)
    for name in wanted:
        if name in job.teachers:
            teachers[name] = _frozen(_loaded(name, job.teachers[name], job.vocabulary))
    return {name: teacher.to(device) for name, teacher in teachers.items()}


def stand_ins(
    names: Iterable[str], section: EncoderSection, vocabulary: Vocabulary, length: int, seed: int
) -> dict[str, nn.Module]:
    """Fresh encoders for the teachers ``names``, no two alike and none like the learner's.

    Args:
        section: the learner's kind of encoder.
        length: T, tokens of a sequence.
        seed: the pretraining seed.
    """
    return {
        name: _frozen(
            build_encoder(section, vocabulary, length, stream_key(seed, "teacher", number))
        )
        for number, name in enumerate(names)
    }


def _loaded(name: str, folder: Path, vocabulary: Vocabulary) -> nn.Module:
    # Loading draws initial weights, which the stored ones then replace.
    with torch.random.fork_rng(devices=[]):
        teacher = load_encoder(folder)
    words = teacher.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
    if words < vocabulary.size:
        raise ConfigError(
            f"the teacher {name} in {folder} knows {words} words and the corpus "
            f"{vocabulary.size}: both need one tokenizer"
        )
    return teacher


def _frozen(teacher: nn.Module) -> nn.Module:
    return teacher.eval().requires_grad_(False)
