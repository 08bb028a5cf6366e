"""The geometry of an encoder's states: numbers that describe and do not rank.

Measured on uncorrupted held-out text at every point of the budget, without special tokens. The
encoder is the one that ``AutoModel`` loads, as in the other suites that need no token head: encoders
that were trained causally are at a disadvantage.

    alignment       mean |f(x) - f(y)|^2 over positive pairs            Wang & Isola 2020, section
    uniformity      log of the mean of exp(-2 |f(x) - f(y)|^2)          4.1, alpha = 2 and t = 2
                    over pairs of different sequences
    anisotropy      mean cosine of two tokens of different sequences    Ethayarajh 2019,
                                                                        arXiv:1909.00512
    effective_rank  exp of the entropy of the singular values of all    Roy & Vetterli 2007,
                    token states, divided by their sum                  definition 1
    closeness       mean cosine of g of two tokens of one sequence,     after Fu et al. 2022 (TACO)
                    minus that of tokens of different sequences

Positive pairs are the two halves of one sequence, each encoded separately after [CLS]; f is the mean
of a half's token states, at unit length. As in the authors' code, uniformity is taken of the first
halves and of the second ones, and averaged. g = h - e is what the encoder adds to the output of
its embedding layer, the token's share of the sequence's meaning in TACO's terms.

Every mean is over all pairs, which random draws would only estimate. The states are those of the
last layer, not centred. Cosines are printed in points of 0.01.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objbench import hookimpl
from objbench.contract.suite import (
    Average,
    Column,
    CurveSuite,
    EvaluationContext,
    Suite,
    TaskResult,
)
from objbench_suites.heldout_text import TASK, HeldoutTextSuite
from objbench_suites.option_limits import require_at_least


class RepresentationSuite(HeldoutTextSuite):
    """Alignment, uniformity, anisotropy, effective rank and closeness within a sequence."""

    name = "representation"
    summary = "geometry of the hidden states on held-out text; describes, does not rank"
    reference = "Wang & Isola 2020, https://arxiv.org/abs/2005.10242"
    version = 1

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Options of the representation suite.

        Attributes:
            sequences: the largest number of held-out sequences that are read.
        """

        sequences: int = 256

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        require_at_least(self.name, config, sequences=2)

    @property
    def protocol(self) -> str:
        """One line: what is read, and what the positive pairs are."""
        return (
            f"last layer on {self.config.sequences} held-out sequences, special tokens left out; "
            "positive pairs: the halves of a sequence, read apart; means over all pairs; cosines "
            "in points of 0.01"
        )

    def columns(self) -> tuple[Column, ...]:
        """One column per number."""
        return (
            Column("alignment", TASK, ("squared distance",), scale=1.0),
            Column("uniformity", TASK, ("log of a mean",), scale=1.0),
            Column("anisotropy", TASK, ("cosine",)),
            Column("effective_rank", TASK, ("dimensions",), scale=1.0),
            Column("closeness", TASK, ("cosine",)),
        )

    def average(self) -> Average:
        """No average: these numbers rank nothing."""
        return Average("", ())

    def evaluate(
        self, encoder: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Measure the encoder's states of the held-out text that ``context`` gives."""
        from objbench_suites.state_geometry import measured

        rows = context.heldout(self.config.sequences)
        found = measured(encoder, rows, context)
        return TaskResult(
            scores={
                column.name: {column.metrics[0]: found[column.name]} for column in self.columns()
            },
            train_examples=0,
            eval_examples={column.name: len(rows) for column in self.columns()},
        )


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the representation suite."""
    register(RepresentationSuite)
