"""The encoder and the objective of a job before the first step: what a pretraining starts from.

They can also be exported as they are, as floors that a pretrained encoder is compared with.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from objbench.contract.objective import Objective
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.encoder.continued_head import continue_head
from objbench.engine.encoder.export import export_encoder
from objbench.engine.encoder.exported_tokenizer import save_tokenizer
from objbench.engine.training.job import PretrainJob
from objbench.results.atomic_files import whole_folder


def initial_models(job: PretrainJob) -> tuple[PreTrainedModel, Objective]:
    """The encoder and the objective with the initial weights of the job's seed, not tied yet.

    On the CPU in float32; they depend on no other setting of the job than the encoder's, the
    objective's, the vocabulary and the length. Of a checkpoint that the study continues from come
    the encoder and, where it fits, the token head; the seed draws what else the objective has.

    Raises:
        ConfigError: the encoder does not fit.
        CheckpointError, HubError: the checkpoint cannot be read.
    """
    encoder = build_encoder(job.encoder, job.vocabulary, job.length, job.seed)
    spec = encoder_spec_of(encoder, job.vocabulary)
    objective = build_objective(job.objective, job.config, spec, job.seed)
    if job.encoder.init is not None:
        continue_head(objective, job.encoder)
    return encoder, objective


def export_untrained(job: PretrainJob, folder: Path, *, with_head: bool) -> str:
    """Export the encoder as it is before the job's first step.

    Objectives that begin with the same weights, head included, export the same folder.

    Args:
        job: what would be pretrained.
        folder: for the encoder alone; one that is there is replaced.
        with_head: whether with the objective's token head; without it the objective is not built.

    Returns:
        The folder's digest, as ``engine.encoder.export.export_encoder`` returns it.

    Raises:
        ConfigError: the encoder does not fit.
    """
    if not with_head:
        encoder = build_encoder(job.encoder, job.vocabulary, job.length, job.seed)
        return export_encoder(encoder, job.tokenizer, folder)
    encoder, objective = initial_models(job)
    objective.tie(encoder)
    return export_encoder(encoder, job.tokenizer, folder, objective, with_readme=False)


def export_tokenizer(job: PretrainJob, folder: Path) -> None:
    """Export the tokenizer that the job's encoders are exported with, and no weights.

    Args:
        job: what would be pretrained.
        folder: for the tokenizer alone; one that is there is replaced.

    Raises:
        ConfigError: the encoder does not fit.
    """
    with torch.device("meta"):  # Its shapes say how long an input may be.
        encoder = build_encoder(job.encoder, job.vocabulary, job.length, job.seed)
    with whole_folder(folder) as unfinished:
        save_tokenizer(job.tokenizer, encoder, unfinished)
