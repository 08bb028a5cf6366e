"""BLiMP: does the encoder give the grammatical sentence of a minimal pair the higher score?

67 paradigms of 1,000 pairs (Warstadt et al. 2020). A pair is won where the grammatical sentence
has the higher score, summed over its tokens and not divided by their number; two sentences with the
same tokens, or with equal scores, count half. Nothing is trained and no example is seen before. The
score of a sentence depends on what its token head was trained for:

    pll            sum over tokens of log P(w_t | all others), each token hidden in turn (Salazar
                   et al. 2020): their way of scoring BERT on BLiMP
    pll_word_l2r   the same with the rest of the token's word hidden too (Kauf & Ivanova 2023)
    left to right  sum of log P(w_t | those before), for causal heads, whatever the option

An objective's score is the mean over the paradigms, as in the paper; a phenomenon's column is the
mean over its paradigms. An encoder without a token head has no score.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from objbench import hookimpl
from objbench.contract.suite import (
    Average,
    Column,
    CurveSuite,
    EvaluationContext,
    ExampleScores,
    Suite,
    TaskResult,
)
from objbench.errors import ConfigError
from objbench_suites.blimp_data import PAIRS, PARADIGMS, Paradigm, read_folder, read_hub
from objbench_suites.option_limits import require_at_least

TASK = "pairs"
OVERALL = "overall"
CHANCE = "chance"
UNIGRAM = "unigram"

_WAYS = {"pll": "each token hidden in turn", "pll_word_l2r": "with the rest of its word hidden too"}


class BlimpSuite(Suite):
    """Minimal pairs of sentences, scored by (pseudo-)log-likelihood."""

    name = "blimp"
    summary = "BLiMP: minimal pairs distinguished by pseudo-log-likelihood, zero-shot"
    reference = "Warstadt et al. 2020, https://arxiv.org/abs/1912.00582"
    version = 1
    reads_token_head = True
    # All pairs are reported on, so none are left to tune by.
    tunable = False

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Options of the BLiMP suite.

        Attributes:
            dir: folder with one ``.jsonl`` per paradigm; the hub's ``nyu-mll/blimp`` when None.
            pairs: the largest number of pairs of a paradigm, from the first on; 0 for all.
            score: "pll", or "pll_word_l2r".
            length: most tokens of a sentence, special tokens included; longer ones are cut.
        """

        dir: str | None = None
        pairs: int = 0
        score: Literal["pll", "pll_word_l2r"] = "pll"
        length: int = 128

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        require_at_least(self.name, config, pairs=0, length=4)

    @property
    def protocol(self) -> str:
        """One line: what is compared, and how ties count."""
        pairs = self.config.pairs
        parts = [
            f"zero-shot, the higher summed pseudo-log-likelihood ({_WAYS[self.config.score]}) wins",
            "heads that read left to right: log-likelihood",
            "ties count half",
            *([f"at most {pairs} pairs a paradigm"] if pairs else []),
        ]
        return "; ".join(parts)

    def tasks(self) -> tuple[str, ...]:
        """All pairs, so that an encoder is loaded once; whether the hub has them is not checked.

        Raises:
            DataError: the folder has none.
        """
        return (TASK,) if self.config.dir is None or self._paradigms else ()

    def columns(self) -> tuple[Column, ...]:
        """Every phenomenon, and the mean over the paradigms."""
        names = (*self._phenomena, OVERALL)
        return tuple(Column(name, TASK, ("accuracy",)) for name in names)

    def average(self) -> Average:
        """The mean over the paradigms; the label says if only a part of BLiMP is there."""
        count = len(self._paradigms)
        wanted = min(self.config.pairs or PAIRS, PAIRS)
        pairs = sum(min(len(paradigm.good), wanted) for paradigm in self._paradigms)
        of = "" if count == PARADIGMS else f" (BLiMP has {PARADIGMS})"
        if count == PARADIGMS and pairs < PARADIGMS * wanted:
            of = f" ({pairs:,} of BLiMP's {PARADIGMS * wanted:,} pairs)"
        return Average(f"accuracy, mean of {count} paradigms{of}", ((OVERALL,),))

    def fingerprint(self, task: str) -> str:
        """Hash of the options and the pairs, wherever these are stored."""
        return self._fingerprint

    def evaluate(
        self, encoder: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Score every sentence and compare the two of each pair.

        Raises:
            ConfigError: it was to choose settings.
        """
        if context.tuning:
            raise ConfigError(f"{self.name} reports on all of its pairs: tune by another suite")
        from objbench.engine.encoder.token_head import NO_TOKEN_HEAD, has_token_head
        from objbench.engine.evaluation.token_scores import load_word_model
        from objbench_suites.pair_scores import pair_points

        if not has_token_head(encoder):
            reasons = {column.name: NO_TOKEN_HEAD for column in self.columns()}
            return TaskResult({}, train_examples=0, eval_examples={}, unscored=reasons)
        model = load_word_model(encoder, self.config.length, context)
        points = pair_points(
            model,
            *self._sentences,
            whole_words=self.config.score == "pll_word_l2r",
            report=context.progress,
        )
        return self._result(points, reading=asdict(model.reading), length=model.length)

    def floors(self) -> tuple[str, ...]:
        """A fair coin, and how frequent the words are in the held-out text."""
        return (CHANCE, UNIGRAM)

    def evaluate_floor(
        self, floor: str, tokenizer: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Compare the sentences of each pair without an encoder.

        Raises:
            DataError: there is no held-out text to count words in.
        """
        from objbench.engine.encoder.load import load_tokenizer
        from objbench_suites.pair_scores import frequency_points

        good, bad = self._sentences
        if floor == CHANCE:
            return self._result(np.full(len(good), 0.5))
        handle = load_tokenizer(tokenizer)
        length = min(self.config.length, handle.hf.model_max_length)
        text = context.heldout(0)
        return self._result(frequency_points(handle, text, good, bad, length), length=length)

    # -- parts

    @property
    def _sentences(self) -> tuple[list[str], list[str]]:
        """The good and the bad sentences of all pairs, in order."""
        return (
            [sentence for paradigm in self._paradigms for sentence in paradigm.good],
            [sentence for paradigm in self._paradigms for sentence in paradigm.bad],
        )

    def _result(self, points: NDArray[np.float64], **details: Any) -> TaskResult:
        """What is measured from the points of all pairs, in order."""
        accuracies = self._accuracies(points)
        return TaskResult(
            scores={
                name: {"accuracy": float(np.mean([accuracies[one] for one in paradigms]))}
                for name, paradigms in {**self._phenomena, OVERALL: list(accuracies)}.items()
            },
            train_examples=0,
            eval_examples={OVERALL: len(points)},
            details={"paradigms": accuracies, **details},
            examples={OVERALL: ExampleScores(self._fingerprint, {"accuracy": self._equal(points)})},
        )

    @cached_property
    def _paradigms(self) -> tuple[Paradigm, ...]:
        flag = f"--{self.name}-dir"
        folder = self.config.dir
        found = read_hub(flag) if folder is None else read_folder(Path(folder), flag)
        return tuple(paradigm.first(self.config.pairs) for paradigm in found)

    @cached_property
    def _fingerprint(self) -> str:
        # Computed once for all cells, since there are 134,000 sentences.
        options = {name: value for name, value in asdict(self.config).items() if name != "dir"}
        digest = blake2b(json.dumps(options, sort_keys=True).encode(), digest_size=16)
        for paradigm in self._paradigms:
            digest.update(json.dumps(asdict(paradigm), sort_keys=True).encode())
        return digest.hexdigest()

    @property
    def _phenomena(self) -> Mapping[str, list[str]]:
        """Phenomenon -> its paradigms, by name."""
        found: dict[str, list[str]] = {}
        for paradigm in sorted(self._paradigms, key=lambda one: (one.phenomenon, one.name)):
            found.setdefault(paradigm.phenomenon, []).append(paradigm.name)
        return found

    def _accuracies(self, points: NDArray[np.float64]) -> dict[str, float]:
        """Paradigm -> share of its pairs that were won, from the points of all pairs in order."""
        sizes = [len(paradigm.good) for paradigm in self._paradigms]
        parts = np.split(points, np.cumsum(sizes)[:-1])
        return {
            paradigm.name: float(part.mean())
            for paradigm, part in zip(self._paradigms, parts, strict=True)
        }

    def _equal(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The points of all pairs, weighted so that paradigms of any size count alike."""
        sizes = np.array([len(paradigm.good) for paradigm in self._paradigms])
        return points * np.repeat(len(points) / (len(sizes) * sizes), sizes)


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the BLiMP suite."""
    register(BlimpSuite)
