"""The size of a study before anything is run: parameters, tokens and FLOPs of masked language modelling.

By the count of Kaplan et al. 2020 (arXiv:2001.08361, table 1), with attention in both directions and
three forward passes' worth for a step: per token 6 N for the N weights of the matrices, 12 L T D for
the scores and sums of attention, and 6 (D + V) D for the head at each predicted token, 15% of them. At
the presets it is within 2% of what ``objbench show`` counts on a real step.

Shape legend: L layers, T tokens of a sequence, D width, V words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from objbench.engine.encoder.build import build_encoder
from objbench.engine.measuring.objective_size import made_up_vocabulary
from objbench.results.step_cost import StepCost
from objbench.study.budget import baseline_steps, parse_budget
from objbench.study.study import Study

PREDICTED = 0.15
"""Share of the tokens that are predicted."""

BERT_WORDS = 30522
"""Words assumed of a tokenizer that is a name or a folder: BERT's."""


@dataclass(frozen=True, slots=True)
class PresetSize:
    """What one pretraining is.

    Attributes:
        parameters: of the encoder, with embeddings.
        steps, tokens, flops: of the whole budget.
    """

    parameters: int
    steps: int
    tokens: int
    flops: float


def preset_size(study: Study) -> PresetSize:
    """The size of one pretraining of the study's baseline, as if it were masked language modelling.

    Raises:
        ConfigError: the encoder does not fit.
        BudgetError: the budget is one of device time, which nothing has measured.
    """
    kind, _, size = study.data.tokenizer.partition(":")
    words = int(size) if kind == "train" and size.isdecimal() else BERT_WORDS
    length = study.data.length
    with torch.device("meta"):  # Shapes suffice.
        encoder = build_encoder(study.encoder, made_up_vocabulary(words), length, seed=0)
    width, layers = encoder.config.hidden_size, encoder.config.num_hidden_layers
    embeddings = {id(module.weight) for module in encoder.modules() if _is_embedding(module)}
    matrices = sum(
        weight.numel()
        for weight in encoder.parameters()
        if weight.ndim == 2 and id(weight) not in embeddings
    )
    head = PREDICTED * (width + words) * width
    per_token = 6.0 * (matrices + head) + 12.0 * layers * length * width
    tokens = study.training.batch * length
    step = StepCost(flops=per_token * tokens, tokens=tokens, seconds=None, rate=None)
    steps = baseline_steps(parse_budget(study.budget), step)
    return PresetSize(
        parameters=sum(weight.numel() for weight in encoder.parameters()),
        steps=steps,
        tokens=steps * tokens,
        flops=steps * step.flops,
    )


def _is_embedding(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Embedding)
