"""Fine-tuning for suites: one exported encoder, one task and one seed give predictions.

Deterministic: the head's weights, the order of the examples and the dropout masks are streams
keyed by the fine-tuning seed, so two runs on one CPU with the same number of threads agree bit
for bit, and a comparison of two encoders varies nothing else. The caller's random state is left
unchanged.

Shape legend: N examples, C classes (1 for a regression).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from objbench.contract.random_streams import stream_key
from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder.cpu_kernels import use_cpu_kernels
from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.evaluation.batching import (
    PART_COST,
    assemble,
    evaluation_batches,
    parts_of_similar_length,
    subset,
    training_batches,
)
from objbench.engine.evaluation.classifier import Classifier, length_limit, load_classifier
from objbench.engine.evaluation.examples import Source, TokenisedExamples, tokenised
from objbench.engine.evaluation.recipe import Recipe
from objbench.engine.global_generators import forked_generators, seed_global_generators

CHECK_EVERY = 50
"""Steps between two checks of the loss; a check waits for the device."""

EVALUATION_TOKENS = 8192
"""Tokens of an evaluation batch, padding included."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class FinetuneResult:
    """A fine-tuned encoder's predictions of the examples that it was evaluated on.

    Attributes:
        logits: name -> (N, C) float32, in the order of the examples.
        labels: name -> (N,) int64 or float32, the true labels.
        train_examples: training examples used.
        steps: optimizer steps taken.
        loss: mean training loss of the last epoch.
        length: most tokens of an example, after the encoder's own limit.
    """

    logits: Mapping[str, NDArray[np.float32]]
    labels: Mapping[str, NDArray[Any]]
    train_examples: int
    steps: int
    loss: float
    length: int

    def predictions(self, name: str) -> NDArray[Any]:
        """(N,) int64 classes, or float32 values of a regression."""
        logits = self.logits[name]
        return logits[:, 0] if logits.shape[1] == 1 else logits.argmax(axis=1)


def finetune(
    encoder: Path,
    train: Source,
    evaluation: Mapping[str, Source],
    labels: int,
    recipe: Recipe,
    seed: int,
    context: EvaluationContext,
    is_pair: bool = False,
) -> FinetuneResult:
    """Fine-tune the encoder in the folder ``encoder`` on ``train`` and predict ``evaluation``.

    Args:
        encoder: folder that ``AutoModel`` and ``AutoTokenizer`` load.
        train: the training examples.
        evaluation: name -> examples to predict.
        labels: C, or 1 for a regression.
        recipe: how to fine-tune.
        seed: decides everything random.
        context: device, precision, cache and the cap on training examples.
        is_pair: whether the examples are pairs; see ``Classifier``.

    Raises:
        CheckpointError: the folder holds no encoder.
        DataError: encoder and tokenizer do not fit.
        FloatingPointError: the loss or a prediction is not finite.
    """
    device = torch.device(context.device)
    with forked_generators(device):
        tokenizer = load_tokenizer(encoder)
        model = load_classifier(encoder, labels, recipe.dropout, seed, recipe.pooling, is_pair)
        length = length_limit(model.encoder, tokenizer, recipe.length, encoder)
        examples = tokenised(train, tokenizer, length, context.cache)
        examples = subset(examples, context.max_train_samples)
        held = {
            name: tokenised(source, tokenizer, length, context.cache)
            for name, source in evaluation.items()
        }
        model.to(device)
        use_cpu_kernels(model, device, context.precision, length, training=True)
        # Building the head drew numbers that nothing depends on: dropout starts here.
        seed_global_generators(stream_key(seed, "finetune/dropout"), device)
        loss = _train(model, examples, recipe, seed, context)
        logits = {name: _predict(model, part, name, context) for name, part in held.items()}
    return FinetuneResult(
        logits=logits,
        labels={name: part.labels for name, part in held.items()},
        train_examples=len(examples),
        steps=recipe.steps(len(examples)),
        loss=loss,
        length=length,
    )


def _train(
    model: Classifier,
    examples: TokenisedExamples,
    recipe: Recipe,
    seed: int,
    context: EvaluationContext,
) -> float:
    """Train ``model`` in place; returns the mean loss of the last epoch's steps."""
    device = torch.device(context.device)
    optimizer = finetuning_optimizer(model, recipe, device)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    scaler = torch.amp.GradScaler(device.type, enabled=context.precision == "fp16")
    total = recipe.steps(len(examples))
    lengths = examples.lengths
    # An accelerator waits for small kernels: there padding is cheaper than another part.
    in_parts = device.type == "cpu"
    least = PART_COST // model.linear.in_features
    step = 0
    mean = float("nan")
    model.train()
    for epoch in range(recipe.epochs):
        batches = training_batches(len(examples), recipe.batch, seed, epoch)
        # A loss that is not finite stays so in the sum, so reading the sum now and then will do.
        summed = torch.zeros((), device=device)
        for done, rows in enumerate(batches, start=1):
            rate = recipe.rate_at(step, total)
            for group in optimizer.param_groups:
                group["lr"] = rate
            parts = parts_of_similar_length(rows, lengths, least) if in_parts else [rows]
            batch = [assemble(examples, part).to(device) for part in parts]
            with autocast(device, context.precision):
                loss = model.loss(batch)
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            if recipe.clip:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(parameters, recipe.clip)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
            summed += loss.detach()
            step += 1
            if step % CHECK_EVERY == 0 or done == len(batches):
                mean = _finite_mean(summed, done, step, total)
                context.progress(step, total, f"loss {mean:.3f}")
    return mean


def _finite_mean(summed: torch.Tensor, count: int, step: int, total: int) -> float:
    mean = float(summed) / count
    if not np.isfinite(mean):
        raise FloatingPointError(
            f"the fine-tuning loss is not finite at or before step {step} of {total}; "
            "lower the learning rate, or use --precision fp32"
        )
    return mean


def _predict(
    model: Classifier, examples: TokenisedExamples, name: str, context: EvaluationContext
) -> NDArray[np.float32]:
    """Logits, (N, C) float32, in the order of the examples."""
    device = torch.device(context.device)
    batches = evaluation_batches(examples.lengths, EVALUATION_TOKENS)
    model.eval()
    with torch.inference_mode(), autocast(device, context.precision):
        parts = [model(assemble(examples, rows).to(device)) for rows in batches]
    sorted_logits = torch.cat(parts).cpu().numpy()
    logits = np.empty_like(sorted_logits)
    logits[np.concatenate(batches)] = sorted_logits
    if not np.isfinite(logits).all():
        raise FloatingPointError(
            f"the fine-tuned encoder's predictions on {name} are not finite; "
            "lower the learning rate, or use --precision fp32"
        )
    return logits


def finetuning_optimizer(
    model: Classifier, recipe: Recipe, device: torch.device
) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only, as BERT's."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.epsilon,
        fused=device.type in ("cpu", "cuda"),
    )


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Torch's autocast for a precision of ``EvaluationContext``; nothing for fp32."""
    return torch.autocast(device.type, _DTYPES[precision], enabled=precision != "fp32")
