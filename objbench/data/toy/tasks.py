"""Five tasks over the toy language, shaped like GLUE's.

Training examples use the first half of every topic's concepts, validation examples all of them:
the meaning of words that fine-tuning never shows must come from pretraining. By itself, each
sentence of a pair has the same distribution under every label.

Measured, mean score (Matthews, accuracy, accuracy/F1, Pearson/Spearman, accuracy; times 100):

    bag of words, task seeds 0/1/2      31.0 29.6 28.7; seed 0:    2  60  54   2  37
    random encoder, seeds 0/1           32.2 32.6;      seed 0:    5  74  53  -3  32
    MLM 2,000 steps, seeds 0/1          70.7 69.0;      seed 0:  100  89  62  64  38
    MLM 3,000 steps, seed 0             75.1;                    100 100  67  64  45

So paraphrase and entailment take longer than the rest. Bag of words: scikit-learn on both bags,
|difference| and product (C 0.3, Ridge 10); with 6,000 examples of each split its accuracy is 52
on paraphrase and 35 on entailment. Encoders: 2 layers of 64, 4 heads, initializer_range 0.1, word
tokens, length 32, batch 32; MLM at rate 3e-3 (10 % warm-up, linear decay, betas 0.9/0.98), 53 CPU
seconds for 2,000 steps; fine-tuning of 4 epochs, batch 32, rate 1e-3, mean pooling, tanh head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from objbench.contract.random_streams import numpy_generator
from objbench.data.toy.language import (
    NOUNS,
    QUALITIES,
    TOPICS,
    TOY_VERSION,
    VERBS,
    Dice,
    Fact,
    Noun,
    lexicon,
)
from objbench.errors import UnknownNameError

Split = Literal["train", "validation"]
SIZES: dict[Split, int] = {"train": 2000, "validation": 500}


@dataclass(frozen=True, slots=True)
class ToyExamples:
    """The examples of one split of one task; N of them, labels as even as N allows.

    Attributes:
        sentence1: N sentences of space-separated words.
        sentence2: N sentences, or None for a task on single sentences.
        labels: (N,) int64 classes, or (N,) float32 scores from 0 to 5 for similarity.
    """

    sentence1: list[str]
    sentence2: list[str] | None
    labels: NDArray[np.int64] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Words:
    """Draws of words from one topic: from the first half of its concepts, or from all."""

    dice: Dice
    topic: int
    every: bool

    def _concepts(self, count: int, per_topic: int) -> list[int]:
        high = per_topic if self.every else per_topic // 2
        return [self.topic * per_topic + concept for concept in self.dice.distinct(count, high)]

    def nouns(self, count: int, number: int | None = None) -> list[Noun]:
        return [
            Noun(concept, self.dice.below(2), self.dice.below(2) if number is None else number)
            for concept in self._concepts(count, NOUNS)
        ]

    def verbs(self, count: int) -> list[tuple[int, int]]:
        return [(concept, self.dice.below(2)) for concept in self._concepts(count, VERBS)]

    def quality(self) -> tuple[tuple[str, ...], ...]:
        """The adjectives of a quality: [pole][synonym]."""
        return lexicon().adjectives[self.dice.below(QUALITIES if self.every else QUALITIES // 2)]

    def fact(self, number: int) -> Fact:
        agent, patient = self.nouns(2, number)
        return Fact(agent, self.verbs(1)[0], patient)

    def elsewhere(self) -> _Words:
        """The words of another topic."""
        topic = (self.topic + 1 + self.dice.below(TOPICS - 1)) % TOPICS
        return _Words(self.dice, topic, self.every)


_Example = tuple[str, str, float]


def _acceptability(words: _Words, index: int) -> _Example:
    """Does the verb, or "is/are", agree with its subject (1) or not (0)?"""
    dice, acceptable = words.dice, index % 2
    agent, patient, near = words.nouns(3)
    fact = Fact(agent, words.verbs(1)[0], patient)
    adjective = words.quality()[dice.below(2)][dice.below(2)]
    sentence = (fact.active(near=near), fact.passive(), agent.quality(adjective))[dice.below(3)]
    if not acceptable:
        concept, synonym = fact.verb
        singular, plural = lexicon().verbs[concept][synonym]
        wrong = {"is": "are", "are": "is", singular: plural}
        if "by" not in sentence.split():
            wrong[plural] = singular
        sentence = " ".join(wrong.get(word, word) for word in sentence.split())
    return sentence, "", acceptable


def _polarity(words: _Words, index: int) -> _Example:
    """Is the stated quality good (1) or bad (0)? Every second plain quality is negated."""
    dice, good = words.dice, index % 2
    agent, patient = words.nouns(2)
    adjectives = words.quality()
    if dice.chance(0.4):
        fact = Fact(agent, words.verbs(1)[0], patient)
        return fact.told(dice, adjectives[good][dice.below(2)]), "", good
    negated = dice.chance(0.5)
    adjective = adjectives[good ^ negated][dice.below(2)]
    return agent.quality(adjective, negated=negated), "", good


def _paraphrase(words: _Words, index: int) -> _Example:
    """The same fact (1)? If not, its roles are swapped, or one or all concepts differ.

    Both nouns have the same number, so that swapping the roles keeps the words; and another concept
    occurs only where a paraphrase has a synonym. No sentence mixes topics, which would give
    sentence 2 away by itself.
    """
    dice, same = words.dice, index % 2
    number, difference, changed = dice.below(2), dice.below(3), dice.below(3)
    agent, patient, other = words.nouns(3, number)
    verb, other_verb = words.verbs(2)
    fact = Fact(agent, verb, patient)
    role = [difference == 2 or changed == place or dice.chance(0.5) for place in range(3)]
    again = fact.reworded(agent=role[0], verb=role[1], patient=role[2])
    if not same and difference == 0:
        again = again.turned()
    elif not same and difference == 1:
        again = (
            Fact(other, again.verb, again.patient),
            Fact(again.agent, other_verb, again.patient),
            Fact(again.agent, again.verb, other),
        )[changed]
    elif not same:
        again = words.elsewhere().fact(number)
    return fact.told(dice), again.told(dice), same


def _similarity(words: _Words, index: int) -> _Example:
    """Another topic (0), or 2 plus how many of agent, verb and patient are the same (2 to 5).

    The same concept always has its other word, so no two sentences share a word.
    """
    dice, score = words.dice, (0, 2, 3, 4, 5)[index % 5]
    number = dice.below(2)
    agent, patient, other_agent, other_patient = words.nouns(4, number)
    verb, other_verb = words.verbs(2)
    fact = Fact(agent, verb, patient)
    if score == 0:
        return fact.told(dice), words.elsewhere().fact(number).told(dice), score
    equal, same = dice.distinct(3, 3)[: score - 2], fact.reworded()
    again = Fact(
        same.agent if 0 in equal else other_agent,
        same.verb if 1 in equal else other_verb,
        same.patient if 2 in equal else other_patient,
    )
    return fact.told(dice), again.told(dice), score


def _entailment(words: _Words, index: int) -> _Example:
    """Given a fact about a good or bad agent: entailment 0, neutral 1, contradiction 2.

    Sentence 2 says an adjective of the agent (entailment, or contradiction if it is of the
    other pole) or of another noun (neutral): the patient, or one of another topic.
    """
    dice, label = words.dice, index % 3
    number = dice.below(2)
    agent, patient = words.nouns(2, number)
    fact = Fact(agent, words.verbs(1)[0], patient)
    adjectives = words.quality()
    pole, synonym = dice.below(2), dice.below(2)
    premise = fact.told(dice, adjectives[pole][synonym])
    agrees = dice.chance(0.5) if label == 1 else label == 0
    said = adjectives[pole][1 - synonym] if agrees else adjectives[1 - pole][dice.below(2)]
    about = agent
    if label == 1:
        about = patient if dice.chance(0.5) else words.elsewhere().nouns(1, number)[0]
    return premise, about.other_word().quality(said), label


_MAKERS: dict[str, Callable[[_Words, int], _Example]] = {
    "acceptability": _acceptability,
    "polarity": _polarity,
    "paraphrase": _paraphrase,
    "similarity": _similarity,
    "entailment": _entailment,
}

TOY_TASKS = tuple(_MAKERS)


def _examples(
    name: str, split: Split, seed: int, elsewhere: set[tuple[str, str]]
) -> list[_Example]:
    dice = Dice(numpy_generator(seed, f"toy/tasks/{name}/{split}", TOY_VERSION))
    taken = set(elsewhere)
    made: list[_Example] = []
    while len(made) < SIZES[split]:
        words = _Words(dice, dice.below(TOPICS), every=split == "validation")
        example = _MAKERS[name](words, len(made))
        if example[:2] not in taken:
            taken.add(example[:2])
            made.append(example)
    return made


def toy_task(name: str, split: Split, *, seed: int = 0) -> ToyExamples:
    """The examples of one split: 2,000 to train on, 500 others to validate on.

    Args:
        name: one of TOY_TASKS.
        split: "train" or "validation"; no example is in both, and none is in one twice.
        seed: the examples are a pure function of (TOY_VERSION, seed, name, split).

    Raises:
        UnknownNameError: there is no task of that name.
    """
    if name not in _MAKERS:
        raise UnknownNameError("toy task", name, TOY_TASKS)
    examples = _examples(name, "train", seed, set())
    if split == "validation":
        examples = _examples(name, split, seed, {example[:2] for example in examples})
    first, second, labels = zip(*examples, strict=True)
    scores = np.asarray(labels, dtype=np.float32)
    return ToyExamples(
        sentence1=list(first),
        sentence2=list(second) if second[0] else None,
        labels=scores if name == "similarity" else scores.astype(np.int64),
    )
