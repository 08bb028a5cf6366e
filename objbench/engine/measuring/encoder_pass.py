"""What an encoder alone does for a sequence, for evaluations: FLOPs from shapes alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from objbench.contract.encoder_spec import Vocabulary
from objbench.engine.encoder.build import build_encoder
from objbench.engine.measuring.counted_work import CountedWork
from objbench.engine.measuring.fake_network import DTYPES, materialise
from objbench.engine.training.flops import flop_counter
from objbench.study.settings import EncoderSection


@dataclass(frozen=True, slots=True)
class EncoderPass:
    """FLOPs of an encoder alone, of one sequence of n tokens: ``linear`` n + ``square`` n^2.

    Attributes:
        read: both numbers of a forward pass.
        trained: both of a forward and a backward pass.
        launches: operators of a forward and a backward pass.
        parameters: of the encoder.
    """

    read: tuple[float, float]
    trained: tuple[float, float]
    launches: int
    parameters: int

    def flops(self, length: float, *, trained: bool) -> float:
        """FLOPs of one sequence of ``length`` tokens."""
        linear, square = self.trained if trained else self.read
        return linear * length + square * length**2


def encoder_pass(
    encoder: EncoderSection, vocabulary: Vocabulary, length: int, precision: str
) -> EncoderPass:
    """What evaluations of an encoder do for each sequence, without their small heads.

    Args:
        encoder: the section of the study.
        vocabulary: of V words.
        length: T, the longest sequence in tokens.
        precision: "fp32", "bf16" or "fp16", of the products.
    """
    with torch.device("meta"):
        network = build_encoder(encoder, vocabulary, length, seed=0)
    few, many = max(2, length // 4), max(4, length // 2)
    found: dict[tuple[int, bool], int] = {}
    launches = 0
    enabled = precision != "fp32"
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        torch.autocast("cpu", DTYPES[precision], enabled=enabled),
    ):
        materialise([network])
        for size in (few, many):
            for trained in (False, True):
                network.train(trained)
                with (
                    flop_counter() as counter,
                    CountedWork() as work,
                    torch.set_grad_enabled(trained),
                ):
                    ids = torch.zeros((1, size), dtype=torch.int64)
                    states = network(input_ids=ids).last_hidden_state
                    if trained:
                        states.float().sum().backward()
                found[size, trained] = counter.get_total_flops()
                launches = work.launches

    def line(trained: bool) -> tuple[float, float]:
        one, other = found[few, trained] / few, found[many, trained] / many
        square = (other - one) / (many - few)
        return one - square * few, square

    parameters = sum(parameter.numel() for parameter in network.parameters())
    return EncoderPass(line(False), line(True), launches, parameters)
