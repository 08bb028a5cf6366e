"""``toy``: a small generated language that a two-layer encoder learns in about a minute.

Words are invented, and every form is a word of its own. A document has a topic, which picks its
nouns and verbs, a cast of three nouns of that topic, and a mood, which picks the pole of its
adjectives. Every concept has two synonyms, used alike; verbs and "is/are" agree with their
subject, also across a noun in between; a fact is stated in the active or in the passive voice; and
a connective says how a sentence relates to the one before it (here in English words):

    gladly gentle wolves see bear .      a fact; the adverb has the pole of its adjective
    so ursine is see by canines .        the same fact in other words, in the passive
    but ursine sees canines .            the fact with its roles swapped
    then canines near fox see bears .    another fact about the same cast
    so canines are not harsh .           a quality, stated by denying its opposite

What a noun does and what it is like are regularities of the language, the same for both its
synonyms; adverbs are next to adjectives of their pole. So synonyms and polarity can be learned from
a word's neighbours, which is what a short pretraining learns first.

Only uniform floats are drawn, from generators keyed by (version, seed, document number): numpy
keeps those from version to version, and its integer and shuffle methods it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from objbench.contract.random_streams import numpy_generator

TOY_VERSION = 1
"""Part of every draw; to be raised with any change of the language."""

# Concepts: numbers of nouns and verbs are per topic; the adjectives are for all topics.
TOPICS, NOUNS, VERBS, QUALITIES = 4, 8, 4, 8
SINGULAR, PLURAL = 0, 1
BAD, GOOD = 0, 1
ADVERBS = (("sadly", "badly"), ("gladly", "truly"))
FUNCTION_WORDS = ("near", "is", "are", "not", "by", "so", "but", "then", ".")


class Dice:
    """Fast draws from one generator, in blocks because a numpy call costs microseconds."""

    def __init__(self, generator: np.random.Generator, block: int = 256) -> None:
        self._generator = generator
        self._block = block
        self._left: list[float] = []

    def uniform(self) -> float:
        """A float in [0, 1)."""
        if not self._left:
            self._left = self._generator.random(self._block).tolist()
        return self._left.pop()

    def below(self, high: int) -> int:
        """An integer in [0, high)."""
        return int(self.uniform() * high)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def distinct(self, count: int, high: int) -> list[int]:
        """``count`` different integers in [0, high), in random order."""
        pool = list(range(high))
        return [pool.pop(self.below(len(pool))) for _ in range(count)]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Every content word, by concept; noun or verb c belongs to topic c // (concepts per topic).

    Attributes:
        nouns: [concept][synonym][number].
        verbs: [concept][synonym][number of the subject]; the passive uses the plural form.
        adjectives: [quality][pole][synonym].
    """

    nouns: tuple[tuple[tuple[str, ...], ...], ...]
    verbs: tuple[tuple[tuple[str, ...], ...], ...]
    adjectives: tuple[tuple[tuple[str, ...], ...], ...]

    def words(self) -> list[str]:
        """Every word of the language, each once."""
        groups = [group for table in (self.nouns, self.verbs, self.adjectives) for group in table]
        content = [word for group in groups for forms in group for word in forms]
        return [*FUNCTION_WORDS, *ADVERBS[BAD], *ADVERBS[GOOD], *content]


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The words of the language, the same for every seed."""
    dice = Dice(numpy_generator(0, "toy/lexicon", TOY_VERSION))
    syllables = [onset + vowel for onset in "bdfgklmnprstvz" for vowel in "aeiou"]
    closed = [syllable + coda for syllable in syllables for coda in "lnrvb"]
    taken: set[str] = set()

    def stem(*parts: list[str]) -> str:
        while True:
            word = "".join(part[dice.below(len(part))] for part in parts)
            if word not in taken:
                taken.add(word)
                return word

    def noun() -> tuple[str, ...]:
        word = stem(syllables, syllables)
        return word, word + "s"

    def verb() -> tuple[str, ...]:
        word = stem(closed)
        return word + "s", word

    def pole() -> tuple[str, ...]:
        return stem(closed) + "ish", stem(closed) + "ish"

    return Lexicon(
        nouns=tuple((noun(), noun()) for _ in range(TOPICS * NOUNS)),
        verbs=tuple((verb(), verb()) for _ in range(TOPICS * VERBS)),
        adjectives=tuple((pole(), pole()) for _ in range(QUALITIES)),
    )


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun as it is used: its concept, synonym and number."""

    concept: int
    synonym: int
    number: int

    def phrase(self, adjective: str = "") -> str:
        """The noun's word, after an adjective if one is given."""
        word = lexicon().nouns[self.concept][self.synonym][self.number]
        return f"{adjective} {word}" if adjective else word

    def be(self) -> str:
        """The form of "be" that agrees with the noun."""
        return "is" if self.number == SINGULAR else "are"

    def other_word(self) -> Noun:
        """The same concept and number by the other synonym."""
        return Noun(self.concept, 1 - self.synonym, self.number)

    def quality(self, adjective: str, *, negated: bool = False) -> str:
        """The sentence "NOUN is (not) ADJECTIVE ."."""
        return f"{self.phrase()} {self.be()} {'not ' if negated else ''}{adjective} ."


@dataclass(frozen=True, slots=True)
class Fact:
    """Who does what to whom; the verb is (concept, synonym)."""

    agent: Noun
    verb: tuple[int, int]
    patient: Noun

    def reworded(self, *, agent: bool = True, verb: bool = True, patient: bool = True) -> Fact:
        """The same fact, with the other synonym in the roles that are True."""
        concept, synonym = self.verb
        return Fact(
            self.agent.other_word() if agent else self.agent,
            (concept, 1 - synonym if verb else synonym),
            self.patient.other_word() if patient else self.patient,
        )

    def turned(self) -> Fact:
        """The fact with agent and patient swapped."""
        return Fact(self.patient, self.verb, self.agent)

    def active(self, adjective: str = "", *, near: Noun | None = None) -> str:
        """The sentence "(ADJECTIVE) AGENT (near NOUN) VERBs PATIENT ."."""
        concept, synonym = self.verb
        verb = lexicon().verbs[concept][synonym][self.agent.number]
        place = f" near {near.phrase()}" if near else ""
        return f"{self.agent.phrase(adjective)}{place} {verb} {self.patient.phrase()} ."

    def passive(self, adjective: str = "") -> str:
        """The sentence "PATIENT is VERB by (ADJECTIVE) AGENT ."."""
        concept, synonym = self.verb
        verb = lexicon().verbs[concept][synonym][PLURAL]
        agent, patient = self.agent.phrase(adjective), self.patient
        return f"{patient.phrase()} {patient.be()} {verb} by {agent} ."

    def told(self, dice: Dice, adjective: str = "") -> str:
        """The fact in either voice, with equal chances."""
        return self.passive(adjective) if dice.chance(0.5) else self.active(adjective)


def _document(dice: Dice) -> list[str]:
    words = lexicon()
    topic, mood = dice.below(TOPICS), dice.below(2)
    cast = dice.distinct(3, NOUNS)

    def mention(noun: int, number: int) -> Noun:
        return Noun(topic * NOUNS + noun, dice.below(2), number)

    def adjective(noun: int, pole: int) -> str:
        word = words.adjectives[(noun + topic) % QUALITIES][pole][dice.below(2)]
        return f"{ADVERBS[pole][dice.below(2)]} {word}" if dice.chance(0.5) else word

    sentences: list[str] = []
    target = 8 + dice.below(8)
    while len(sentences) < target:
        turn, number = dice.below(3), dice.below(2)
        who, whom, third = cast[turn], cast[(turn + 1) % 3], cast[(turn + 2) % 3]
        agent = mention(who, number)
        patient = mention(whom, number if dice.chance(0.7) else 1 - number)
        fact = Fact(agent, (topic * VERBS + who % VERBS, dice.below(2)), patient)
        first = fact.told(dice, adjective(who, mood) if dice.chance(0.5) else "")
        # Mostly in other words, which relates synonyms to each other.
        again = fact.reworded() if dice.chance(0.7) else fact
        shape = dice.uniform()
        if shape < 0.35:
            sentences += [first, "so " + again.told(dice)]
        elif shape < 0.55:
            sentences += [first, "but " + again.turned().told(dice)]
        elif shape < 0.9:
            negated = dice.chance(0.25)
            link, about, noun, pole = (
                ("so", again.agent, who, mood),
                ("so", again.agent, who, mood),
                ("but", again.agent, who, 1 - mood),
                ("then", again.patient, whom, mood),
            )[dice.below(4)]
            said = about.quality(adjective(noun, pole ^ negated), negated=negated)
            sentences += [first, f"{link} {said}"]
        else:
            sentences.append("then " + fact.active(near=mention(third, dice.below(2))))
    return sentences


def toy_documents(seed: int = 0, *, documents: int = 5000) -> Iterator[list[str]]:
    """The documents of the toy corpus, each a list of 8 to 16 sentences.

    A sentence is lower-case words and a final ".", separated by single spaces. Document i is a
    pure function of (TOY_VERSION, seed, i). The default is about 350,000 words and full stops.

    Args:
        seed: the seed of the corpus.
        documents: how many documents to yield.
    """
    for index in range(documents):
        yield _document(Dice(numpy_generator(seed, "toy/documents", TOY_VERSION, index)))
