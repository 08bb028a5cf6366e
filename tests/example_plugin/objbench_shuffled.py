"""An objective from outside: words change places, and the encoder says which word was where."""

from dataclasses import dataclass

import torch

from objbench import IGNORE_INDEX, ConfigError, Corrupted, Objective, hookimpl
from objbench.blocks.heads import TokenPrediction
from objbench.blocks.masking import select_positions


class Shuffled(Objective):
    """Predict the original word at each position whose words have changed places."""

    name = "shuffled"
    summary = "some words of a sequence change places; predict which word was where"
    reference = "after Yamaguchi et al. 2021, https://arxiv.org/abs/2109.01819"

    @dataclass(frozen=True, kw_only=True)
    class Config(Objective.Config):
        """``rate`` is the share of the words that change places."""

        rate: float = 0.15

        def __post_init__(self):
            if not 0 < self.rate <= 1:
                raise ConfigError(f"rate must be in (0, 1], not {self.rate}")

    def __init__(self, config, encoder_spec):
        super().__init__(config, encoder_spec)
        self.set_terms(TokenPrediction(encoder_spec, name="shuffled"))

    def corrupt(self, batch, streams):
        """Give every chosen position the word of the next chosen one, the last that of the first."""
        positions, used = select_positions(~batch.special, self.config.rate, streams)
        original = batch.input_ids.gather(1, positions)
        chosen = used.sum(dim=1, keepdim=True).clamp(min=1)
        following = (torch.arange(used.shape[1], device=used.device) + 1) % chosen
        # Unused slots all point at column 0, where a change of 0 changes nothing.
        change = (original.gather(1, following) - original) * used
        return Corrupted.of(
            batch,
            input_ids=batch.input_ids.scatter_add(1, positions, change),
            positions=positions,
            targets=original.masked_fill(~used, IGNORE_INDEX),
        )


@hookimpl
def register_objectives(register):
    """Called once, when plugins are loaded."""
    register(Shuffled)
