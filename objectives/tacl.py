"""TaCL: masked language modelling plus a contrastive loss against a teacher's tokens.

Su et al. 2022, section 2. A student reads the masked sequence x~, a frozen teacher the original x.
The student's state h~ of a masked token should resemble the teacher's state h of the same token
more than the teacher's states of the other tokens of that sequence:

    L_TaCL = -sum over i of 1(x~_i) log( exp(sim(h~_i, h_i) / tau)
                                         / sum over j of exp(sim(h~_i, h_j) / tau) )
    L = L_MLM + L_NSP + L_TaCL

with 1(x~_i) = 1 for masked tokens, sim the cosine, and tau = 0.01. Only the
student gets a gradient. The teacher is another objective's encoder, pretrained before with the same
seed: its forward pass is part of the cost of a step, its own pretraining is not.

Differences between the paper, its authors' code (yxuansu/TaCL, ``pretraining/``) and this file:

- Without next-sentence prediction: total = L_MLM + weight * L_TaCL.
- The start. In the paper student and teacher are both BERT-base, and the student is trained on for
  150k steps. Default: the student starts from the initial weights that all objectives share;
  ``start="teacher"`` copies the teacher's encoder, though not its prediction head, which the
  code copies too.
- Sum or mean. The formula sums over a sequence; the code divides the sum over a batch by the number
  of its masked tokens, on each device. Here the mean is over the whole batch.
- Masked tokens. As in the code, all predicted tokens, including the fifth that is kept or replaced
  by a random word.
- Padding. The code includes it in the tokens j; this file does not. Both include special tokens.
- Dropout. The code's ``model.train()`` affects its teacher too; here the teacher has none.
- The code also has ``sim="dot_product"``, without tau, which is left out.

Shape legend: B sequences of this process, T tokens, M predicted slots, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from objbench import hookimpl
from objbench.blocks.heads import at_positions, predicted_items
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.mlm import MaskedLanguageModeling

Start = Literal["fresh", "teacher"]

TAUGHT = "tacl.taught"
"""Extra of the corruption: (B, T, D), the teacher's states of the original tokens, no gradient."""


def token_contrast(
    student: Tensor, teacher: Tensor, columns: Tensor, real: Tensor, temperature: float
) -> Tensor:
    """The loss of picking, for each slot, its own token among the teacher's of that sequence.

    loss[b, m] = -log( exp(s[m, i] / tau) / sum over real j of exp(s[m, j] / tau) ), i the slot's
    column, s[m, j] = cos(student[b, m], teacher[b, j]); in float32 whatever the compute dtype,
    since a small temperature magnifies what bfloat16 rounds off.

    Args:
        student: (B, M, D) in any floating dtype, with gradient.
        teacher: (B, T, D), without.
        columns: (B, M) int64, in [0, T); IGNORE_INDEX in an unused slot.
        real: (B, T) bool, False at padding.
        temperature: tau, positive.

    Returns:
        () float32, the sum over the slots in use.
    """
    with torch.autocast(student.device.type, enabled=False):
        ours = functional.normalize(student.float(), dim=-1)
        theirs = functional.normalize(teacher.float(), dim=-1)
        logits = torch.bmm(ours, theirs.transpose(1, 2)) / temperature
        # The smallest number rather than infinity: a row of padding must give no NaN.
        logits = logits.masked_fill(~real.unsqueeze(1), torch.finfo(logits.dtype).min)
        return functional.cross_entropy(
            logits.flatten(0, 1), columns.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
        )


class TokenContrast(Term):
    """The contrastive term "tacl": ``token_contrast`` at the predicted slots.

    Args:
        temperature: tau.
        weight: its factor in the total loss.
    """

    name = "tacl"
    needs = frozenset({Need.LAST_HIDDEN_STATE, Need.LABELS})

    def __init__(self, temperature: float, weight: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.weight = weight

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        batch = encoder_pass.batch
        positions: Tensor = batch.positions  # type: ignore[assignment]  # masked-LM gives them
        used = encoder_pass.need(Need.LABELS) != IGNORE_INDEX
        total = token_contrast(
            at_positions(encoder_pass.last_hidden_state, positions),
            batch.extras[TAUGHT],
            positions.masked_fill(~used, IGNORE_INDEX),
            batch.real,
            self.temperature,
        )
        return TermLoss(total=total, count=predicted_items(batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The slots in use."""
        return predicted_items(corrupted)


class TokenAwareContrast(MaskedLanguageModeling):
    """TaCL: total = MLM + weight * contrast with a frozen teacher; the same masks as ``mlm``.

    Formula, defaults and differences from public code are in the module's docstring.
    """

    name = "tacl"
    summary = "MLM plus a contrastive loss against a frozen teacher's tokens (TaCL)"
    reference = "Su et al. 2022, https://arxiv.org/abs/2111.04198"

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of masking, of the contrastive term, and the teacher.

        Attributes:
            teacher: the objective of the study whose final encoder, pretrained with the same
                seed, is the teacher.
            start: "fresh": the student starts from the initial weights that all objectives share;
                "teacher": from the teacher's encoder, as in the paper.
            temperature: tau, the divisor of the cosine similarities.
            weight: factor of the contrastive term in the total loss.

        Raises:
            ConfigError: a value out of range.
        """

        teacher: str = "mlm"
        start: Start = "fresh"
        temperature: float = 0.01
        weight: float = 1.0

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            if not self.teacher:
                raise ConfigError("teacher must name an objective of the study, such as mlm")
            if self.start not in get_args(Start):
                raise ConfigError(f"start must be one of {', '.join(get_args(Start))}")
            if not self.temperature > 0:
                raise ConfigError(f"temperature must be positive, not {self.temperature}")
            if not self.weight >= 0:
                raise ConfigError(f"weight must not be negative, not {self.weight}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        # In a tuple, so that the teacher is neither trained nor stored with this module.
        self._teacher: tuple[nn.Module, ...] = ()
        self.set_terms(*self.terms, TokenContrast(config.temperature, config.weight))

    @classmethod
    def teachers(cls, config: Any) -> tuple[str, ...]:
        """The teacher that ``config`` names."""
        return (config.teacher,)

    def learn_from(self, teachers: Mapping[str, nn.Module]) -> None:
        """Take the teacher.

        Raises:
            ConfigError: its width is not the encoder's.
        """
        teacher = teachers[self.config.teacher]
        width = int(teacher.config.hidden_size)  # type: ignore[union-attr, arg-type]
        if width != self.encoder_spec.width:
            raise ConfigError(
                f"tacl compares states with its teacher's: {self.config.teacher}'s encoder is "
                f"{width} wide and this one {self.encoder_spec.width}; give both one encoder"
            )
        self._teacher = (teacher,)

    def tie(self, encoder: nn.Module) -> None:
        """Shares nothing; with ``start="teacher"`` the encoder is given the teacher's weights.

        Raises:
            ConfigError: the teacher's encoder has another shape.
        """
        if self.config.start == "fresh":
            return
        try:
            encoder.load_state_dict(self._frozen.state_dict())
        except RuntimeError as error:
            raise ConfigError(
                f"tacl.start = 'teacher': the encoder of {self.config.teacher} has another shape; "
                "give both one encoder, or start fresh"
            ) from error

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """Mask ``batch`` as ``mlm`` does, and let the teacher read it uncorrupted.

        Raises:
            LookupError: no teacher was given.
        """
        masked = super().corrupt(batch, streams)
        return replace(masked, extras={**masked.extras, TAUGHT: self._taught(batch)})

    def outline(self, batch: Batch, streams: Streams) -> Corrupted:
        """Without the teacher, who changes no count."""
        return super().corrupt(batch, streams)

    @torch.no_grad()
    def _taught(self, batch: Batch) -> Tensor:
        """(B, T, D), the teacher's last states of the uncorrupted tokens."""
        mask = None if batch.attention is None else batch.attention.to(torch.int64)
        options = {} if mask is None else {"attention_mask": mask}
        states: Tensor = self._frozen(input_ids=batch.input_ids, **options).last_hidden_state
        return states

    @property
    def _frozen(self) -> nn.Module:
        if not self._teacher:
            raise LookupError("tacl has no teacher: pass it to learn_from")
        return self._teacher[0]


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(TokenAwareContrast)
