"""Seconds of a fine-tuning step and of reading, measured on a fresh encoder and made-up examples."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import torch
from transformers import PreTrainedModel

from objbench.engine.encoder.build import word_embeddings
from objbench.engine.encoder.cpu_kernels import use_cpu_kernels
from objbench.engine.evaluation.batching import ExampleBatch
from objbench.engine.evaluation.classifier import Classifier
from objbench.engine.evaluation.finetune import autocast, finetuning_optimizer
from objbench.engine.evaluation.recipe import Recipe
from objbench.engine.global_generators import forked_generators
from objbench.engine.training.stopwatch import Stopwatch

WARM_UP, TIMED = 3, 8
READ_TOKENS = 8192
"""Tokens of a batch that is only read, as when a fine-tuned encoder predicts."""

_RECIPE = Recipe(learning_rate=1e-4, batch=1, epochs=1, length=4)


def finetuning_seconds(
    encoder: PreTrainedModel, device: str, precision: str, rows: int, length: int
) -> tuple[float, float]:
    """(seconds of a step, seconds of reading a sequence).

    Args:
        encoder: trained in place.
        device: torch device string.
        precision: "fp32", "bf16" or "fp16", which is timed without a loss scaler.
        rows: examples of a step.
        length: tokens of an example.
    """
    where = torch.device(device)
    with forked_generators(where):
        model = Classifier(encoder, labels=2, dropout=0.1, seed=0, pooling="mean").to(where)
        use_cpu_kernels(model, where, precision, length, training=True)
        optimizer = finetuning_optimizer(model, _RECIPE, where)
        words = len(word_embeddings(encoder))
        batch = _made_up(words, rows, length).to(where)
        read_rows = max(1, READ_TOKENS // length)
        many = _made_up(words, read_rows, length).to(where)

        def step() -> None:
            with autocast(where, precision):
                loss = model.loss([batch])
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        @torch.inference_mode()
        def read() -> None:
            with autocast(where, precision):
                model(many)

        taken = _median_seconds(step, where)
        model.eval()
        return taken, _median_seconds(read, where) / read_rows


def _made_up(words: int, rows: int, length: int) -> ExampleBatch:
    ids = torch.arange(rows * length).view(rows, length) % words
    zeros = torch.zeros_like(ids)
    return ExampleBatch(ids=ids, types=zeros, attention=None, labels=zeros[:, 0])


def _median_seconds(work: Callable[[], None], device: torch.device) -> float:
    seconds = []
    for number in range(WARM_UP + TIMED):
        watch = Stopwatch(device)
        watch.start()
        work()
        taken = watch.pause()
        if number >= WARM_UP:
            seconds.append(taken)
    return median(seconds)
