"""Replaced-token detection (ELECTRA): detect which tokens a small generator has replaced.

Clark et al. 2020, section 2. Of a sequence x, positions m are masked and a generator G is trained
to predict them. At these positions tokens are drawn from G's softmax and replace the originals; the
encoder, as discriminator D, predicts for every token whether it was replaced:

    x_masked  = REPLACE(x, m, [MASK])
    x_corrupt = REPLACE(x, m, x_hat),  x_hat_i ~ p_G(x_i | x_masked) for i in m
    L_MLM = mean over i in m of -log p_G(x_i | x_masked)
    L_RTD = mean over real tokens t of -[x_corrupt_t = x_t] log D(x_corrupt, t)
                                       -[x_corrupt_t != x_t] log(1 - D(x_corrupt, t))
    total = L_MLM + lambda L_RTD

A sampled token that equals the original counts as original. No gradient flows through the sample,
so L_RTD trains the encoder, L_MLM the generator, and both train the embedding layer, which is
shared. Only the encoder is exported; the generator's work is part of the objective's cost.

DeBERTaV3 (He et al. 2021, arXiv:2111.09543, section 3) finds that the two losses pull the shared
embeddings in different directions. ``sharing="gdes"`` is its gradient-disentangled sharing (section
3.2), ``sharing="none"`` its separate embeddings (section 3.1):

    gdes: E_D = stop_gradient(E_G) + E_delta, so L_MLM trains E_G, and L_RTD E_delta, which is 0 at first

The exported encoder holds the sum E_D. Read: the authors' code (microsoft/DeBERTa,
``apps/tasks/rtd_task.py``) and summaries of the paper. Differences from it under both options:

- Every table of the embedding layer is treated so; the code names words and positions, and
  DeBERTaV3's encoder has no others. The layer's normalisation is the generator's own in the code too.
- E_G starts as a copy of the encoder's embeddings, so that E_D = E_G at first and the encoder starts
  as under every other objective. In the code both networks have weights of their own.
- Both losses are of one step, as in the code with ``decoupled_training`` off. By default the code
  steps the generator first, then the discriminator on the text that was sampled before that step.
- Weight decay acts on E_delta and E_G, which are the parameters, as in the code.
- The generator is still ELECTRA's, narrower and of the same depth, and lambda its 50.
  The width of its embeddings is the encoder's. What the own layer holds is counted
  as the objective's parameters; adding tables is not counted as FLOPs.

Defaults are those of the authors' code (google-research/electra, ``configure_pretraining.py``):
rate 15%, lambda 50, a generator a quarter as wide (the paper finds 1/4 to 1/2 best, section 3.2).
Differences:

- Masks. The paper masks all of m, the code 85% of it (``pretrain_helpers.mask``) and keeps the rest,
  which is predicted, sampled and classified alike. Default: the code. So the predicted positions
  are ``mlm``'s at every seed and step; the tokens shown there are not.
- The code draws m with replacement, so that a token drawn twice counts twice in L_MLM, and counts
  special tokens in the n of rate * n; here m is drawn as ``objbench.blocks.masking`` does.
- Sampling. The code adds Gumbel noise to every logit and takes the largest. Here one uniform
  number per slot is looked up in the cumulative softmax: the same distribution from 1 / V of the
  random numbers, which every process draws for the whole batch.
- Special tokens are never replaced, and are classified as real tokens, as in the code; padding is
  not. As in the code, any word may be sampled, special tokens included.
- The generator is a quarter as wide and the rate 15% at every size of encoder. The code has a
  generator of a third at base size and a rate of 25% at large size; ``rtd.generator_size=0.3333`` and
  ``rtd.rate=0.25`` set these. For the heads' sizes see ``objbench_objectives.generator``.
- An unknown word is not predicted, as by ``mlm``; in the code it may be. AdamW's epsilon is 1e-8 as
  for every objective, the code's 1e-6; see ``OptimizerSettings``.

Shape legend: B sequences of this process, T tokens, M predicted slots, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import ACT2FN

from objbench import hookimpl
from objbench.contract.batch import Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Term, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.generator import Generator, Sharing
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.sampled_tokens import REPLACED, GeneratorObjective, GeneratorPrediction


class ReplacementDetection(Term):
    """Binary cross-entropy of "replaced" at every real token, special tokens included.

    logit = act(h W + b) w + c, as transformers' ``ElectraDiscriminatorPredictions``.

    Args:
        encoder_spec: of the encoder, for the head.
        weight: lambda, its factor in the total loss.
    """

    name = "rtd"

    def __init__(self, encoder_spec: EncoderSpec, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.dense = nn.Linear(encoder_spec.width, encoder_spec.width)
        self.activation = ACT2FN[encoder_spec.activation]
        self.logit = nn.Linear(encoder_spec.width, 1)
        for linear in (self.dense, self.logit):
            nn.init.normal_(linear.weight, std=encoder_spec.initializer_range)
            nn.init.zeros_(linear.bias)

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws nothing."""
        states, batch = encoder_pass.last_hidden_state, encoder_pass.batch
        logits = self.logit(self.activation(self.dense(states))).squeeze(-1).float()
        labels = batch.extras[REPLACED].float()
        losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        return TermLoss(losses.masked_fill(~batch.real, 0.0).sum(), self.count_items(batch))

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The real tokens."""
        return corrupted.real.sum().float()


class ReplacedTokenDetection(GeneratorObjective):
    """ELECTRA: a generator's masked-LM loss + weight * the encoder's loss of detecting its samples.

    Formula, defaults and differences from public code are in the module's docstring.
    """

    name = "rtd"
    summary = "replaced-token detection with a small generator (ELECTRA)"
    reference = "Clark et al. 2020, https://arxiv.org/abs/2003.10555"

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of the generator's masking, its size, and the weight.

        Attributes:
            mask_share: share of the predicted tokens that the generator sees as [MASK].
            random_share: share of these that it sees as a random word; the rest as they are.
            generator_size: width of the generator as a share of the encoder's, at most 1.
            weight: lambda, factor of the detection loss in the total loss.
            sharing: embeddings that generator and encoder have in common: "shared", one layer that
                both losses train; "gdes", the generator's plus a difference, each trained by the
                loss of its network (DeBERTaV3); "none".

        Raises:
            ConfigError: a value out of range.
        """

        mask_share: float = 0.85
        random_share: float = 0.0
        generator_size: float = 0.25
        weight: float = 50.0
        sharing: Sharing = "shared"

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            if not 0 < self.generator_size <= 1:
                raise ConfigError(f"generator_size must be in (0, 1], not {self.generator_size}")
            if not self.weight >= 0:
                raise ConfigError(f"weight must not be negative, not {self.weight}")
            if self.sharing not in get_args(Sharing):
                known = ", ".join(get_args(Sharing))
                raise ConfigError(f"sharing must be one of {known}, not {self.sharing!r}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        generator = Generator(encoder_spec, config.generator_size, config.sharing)
        super().__init__(config, encoder_spec, generator)
        self.set_terms(GeneratorPrediction(), ReplacementDetection(encoder_spec, config.weight))


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(ReplacedTokenDetection)
