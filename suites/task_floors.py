"""What a task of sentences gives without an encoder: its most frequent answer, or its word pieces.

    majority        the most frequent class of the training examples, the smallest of several;
                    of grades their mean
    bag-of-words    a linear model of which word pieces occur, in whatever order: logistic or ridge
                    regression of binary features. Single sentences: x. Pairs:
                    [u, v, |u - v|, u * v, o], the features of the probe with pieces in place of
                    states, and the share o = |u * v| / |max(u, v)| of the pieces that both have

Both see the examples that an encoder would be trained on and predict those that it would be scored
on. The strength of the L2 penalty is chosen on a fifth of the training examples.

Shape legend: N examples, V vocabulary, F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from objbench.data.tokenizer import TokenizerHandle
from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.evaluation.examples import Source, TokenisedExamples, tokenised
from objbench.engine.evaluation.splits import HELD_OUT, first_hashed
from objbench_suites.linear_probe import fit, fit_chosen
from objbench_suites.sentence_sides import sentence_sides
from objbench_suites.sentence_task import SentenceTask

STRENGTHS = (1e-1, 1e-2, 1e-3, 1e-4)
"""From strong to weak: the strongest of several equally good ones is taken."""


@dataclass(frozen=True, slots=True)
class FloorPredictions:
    """What a floor predicts of a task.

    Attributes:
        predictions: column -> (N,) classes, or grades of a regression.
        labels: column -> (N,), the true ones.
        train_examples: training examples used.
        details: what was found on them, as JSON types.
    """

    predictions: Mapping[str, NDArray[Any]]
    labels: Mapping[str, NDArray[Any]]
    train_examples: int
    details: Mapping[str, Any]


def majority(
    task: SentenceTask, train: Source, evaluation: Mapping[str, Source]
) -> FloorPredictions:
    """The same answer whatever the sentences.

    Args:
        task: what is predicted.
        train: the training examples.
        evaluation: column -> the examples to predict.
    """
    known = train.load().labels
    answer = known.mean(dtype=np.float64) if task.labels == 1 else np.bincount(known).argmax()
    labels = {column: source.load().labels for column, source in evaluation.items()}
    return FloorPredictions(
        predictions={column: np.full_like(own, answer) for column, own in labels.items()},
        labels=labels,
        train_examples=len(known),
        details={"answer": answer.item()},
    )


def bag_of_words(
    task: SentenceTask,
    train: Source,
    evaluation: Mapping[str, Source],
    folder: Path,
    longest: int,
    cache: Path,
) -> FloorPredictions:
    """A linear model of which word pieces occur.

    Args:
        task: what is predicted.
        train: the training examples.
        evaluation: column -> the examples to predict.
        folder: of the tokenizer that makes the pieces.
        longest: most tokens of a sentence, special tokens included, or fewer if the encoders that
            the tokenizer is of take fewer; longer sentences are cut.
        cache: folder for tokenised examples.
    """
    is_regression = task.labels == 1
    tokenizer = load_tokenizer(folder)
    length = min(longest, tokenizer.hf.model_max_length)

    def bags(source: Source) -> tuple[csr_matrix, NDArray[Any]]:
        parts = [
            tokenised(side, tokenizer, length, cache)
            for side in sentence_sides(source, task).values()
        ]
        return features([pieces(part, tokenizer) for part in parts]), parts[0].labels

    # The last fifth is held out: the order must not depend on the labels.
    known, targets = bags(first_hashed(train))
    # A feature that no training example has would have no weight.
    kept = np.flatnonzero(known.getnnz(axis=0))
    known = known[:, kept]
    if len(targets) < HELD_OUT:
        model = fit(known, targets, STRENGTHS[0], is_regression=is_regression, standardise=False)
    else:
        model = fit_chosen(
            known, targets, STRENGTHS, is_regression=is_regression, standardise=False
        )
    scored = {column: bags(source) for column, source in evaluation.items()}
    return FloorPredictions(
        predictions={column: model.predict(own[:, kept]) for column, (own, _) in scored.items()},
        labels={column: labels for column, (_, labels) in scored.items()},
        train_examples=len(targets),
        details={"strength": model.strength, "length": length},
    )


def pieces(examples: TokenisedExamples, tokenizer: TokenizerHandle) -> csr_matrix:
    """Which pieces occur in each example: (N, V) float64 of 0 and 1, without [CLS], [SEP] and padding."""
    layout = tokenizer.layout
    rows = np.repeat(np.arange(len(examples)), examples.lengths)
    is_word = ~np.isin(examples.ids, (layout.cls, layout.sep, layout.pad))
    shape = (len(examples), tokenizer.vocabulary().size)
    ones = np.ones(int(is_word.sum()))
    counts = csr_matrix((ones, (rows[is_word], examples.ids[is_word])), shape=shape)
    counts.data[:] = 1.0  # However often a piece occurs.
    return counts


def features(sides: Sequence[csr_matrix]) -> csr_matrix:
    """The features of the linear model, (N, F): F = V for single sentences, 4 V + 1 for pairs.

    Args:
        sides: the pieces of the sentences, or of the first and of the second sentences.
    """
    if len(sides) == 1:
        return sides[0]
    u, v = sides
    shared = u.multiply(v)
    either = np.asarray(u.maximum(v).sum(axis=1))
    overlap = np.asarray(shared.sum(axis=1)) / np.maximum(either, 1.0)
    return csr_matrix(hstack([u, v, abs(u - v), shared, csr_matrix(overlap)]))
