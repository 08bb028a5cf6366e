"""The frozen encoders that an objective learns from: exported by other cells of the study."""

from __future__ import annotations

import torch
from torch import nn

from objbench.engine.classifier import load_encoder
from objbench.engine.encoder import build_encoder
from objbench.engine.job import PretrainJob
from objbench.errors import ConfigError
from objbench.streams import stream_key


def frozen_teachers(job: PretrainJob, device: torch.device) -> dict[str, nn.Module]:
    """The teachers that the job's objective asks for, in evaluation mode and without gradients.

    Args:
        job: names the folders; where it names none, a fresh encoder of the job's own kind stands
            in, whose steps cost what the real one's cost.
        device: where they are wanted.

    Raises:
        CheckpointError: a folder holds no encoder.
        ConfigError: a teacher's vocabulary is not the job's.
    """
    teachers = {}
    for name in job.objective.teachers(job.config):
        folder = job.teachers.get(name)
        if folder is None:
            seed = stream_key(job.seed, "teacher", len(teachers))
            teacher: nn.Module = build_encoder(job.encoder, job.vocabulary, job.length, seed)
        else:
            # Loading draws initial weights, which the stored ones then replace.
            with torch.random.fork_rng(devices=[]):
                teacher = load_encoder(folder)
            words = teacher.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
            if words < job.vocabulary.size:
                raise ConfigError(
                    f"the teacher {name} in {folder} knows {words} words and the corpus "
                    f"{job.vocabulary.size}: both need one tokenizer"
                )
        teachers[name] = teacher.to(device).eval().requires_grad_(False)
    return teachers
