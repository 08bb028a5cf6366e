"""The toy language: the same for everyone, small, and grammatical throughout."""

from __future__ import annotations

import hashlib
from itertools import chain, pairwise

import pytest

from objbench.contract.random_streams import numpy_generator
from objbench.data.toy.language import (
    ADVERBS,
    PLURAL,
    SINGULAR,
    Dice,
    Fact,
    Noun,
    lexicon,
    toy_documents,
)

FIRST_DOCUMENTS = "b3e5204ef153ca06"


@pytest.fixture(scope="module")
def corpus() -> list[list[str]]:
    return list(toy_documents())


def numbers(table: tuple[tuple[tuple[str, ...], ...], ...]) -> dict[str, int]:
    return {
        word: number
        for concept in table
        for synonym in concept
        for number, word in enumerate(synonym)
    }


NOUN_NUMBER = numbers(lexicon().nouns)
VERB_NUMBER = numbers(lexicon().verbs) | {"is": SINGULAR, "are": PLURAL}


def agrees(sentence: str) -> bool:
    """True where the first noun, the subject, has the number of the first verb."""
    words = sentence.split()
    subject = next(NOUN_NUMBER[word] for word in words if word in NOUN_NUMBER)
    verb = next(VERB_NUMBER[word] for word in words if word in VERB_NUMBER)
    return subject == verb


def test_first_documents_are_fixed() -> None:
    text = "\n".join(chain.from_iterable(toy_documents(documents=20)))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == FIRST_DOCUMENTS


def test_a_document_does_not_depend_on_how_many_there_are(corpus: list[list[str]]) -> None:
    assert list(toy_documents(documents=7)) == corpus[:7]
    assert list(toy_documents(1, documents=7)) != corpus[:7]


def test_no_documents() -> None:
    assert list(toy_documents(documents=0)) == []


def test_size_and_shape_of_the_corpus(corpus: list[list[str]]) -> None:
    assert all(8 <= len(document) <= 16 for document in corpus)
    sentences = list(chain.from_iterable(corpus))
    assert all(sentence.endswith(" .") and "  " not in sentence for sentence in sentences)
    assert 300_000 < sum(len(sentence.split()) for sentence in sentences) < 500_000
    assert max(len(sentence.split()) for sentence in sentences) <= 9


def test_every_word_is_used_and_no_other(corpus: list[list[str]]) -> None:
    words = lexicon().words()
    assert len(words) == len(set(words))
    assert 200 <= len(words) <= 800
    assert {word for document in corpus for line in document for word in line.split()} == set(words)


def test_agreement_holds_in_every_sentence(corpus: list[list[str]]) -> None:
    assert all(agrees(sentence) for document in corpus for sentence in document)


def test_agreement_test_can_fail() -> None:
    singular, plural = lexicon().nouns[0][0]
    assert agrees(f"{plural} near {singular} are .")
    assert not agrees(f"{plural} near {singular} is .")


def test_a_document_keeps_to_one_topic_and_three_concepts(corpus: list[list[str]]) -> None:
    concept = {
        word: number
        for number, synonyms in enumerate(lexicon().nouns)
        for forms in synonyms
        for word in forms
    }
    for document in corpus[:200]:
        words = chain.from_iterable(sentence.split() for sentence in document)
        cast = {concept[word] for word in words if word in concept}
        assert len(cast) <= 3
        assert len({member // 8 for member in cast}) == 1


def test_adverbs_have_the_pole_of_their_adjective(corpus: list[list[str]]) -> None:
    pole = {
        word: number
        for poles in lexicon().adjectives
        for number, synonyms in enumerate(poles)
        for word in synonyms
    }
    adverb = {word: number for number, words in enumerate(ADVERBS) for word in words}
    for sentence in chain.from_iterable(corpus[:200]):
        words = sentence.split()
        for first, second in pairwise(words):
            assert first not in adverb or adverb[first] == pole[second]


def test_a_fact_in_other_words_and_turned_round() -> None:
    fact = Fact(Noun(0, 0, SINGULAR), (0, 0), Noun(1, 1, PLURAL))
    nouns, verb = lexicon().nouns, lexicon().verbs[0][0]
    agent, patient = nouns[0][0][SINGULAR], nouns[1][1][PLURAL]
    assert fact.active() == f"{agent} {verb[SINGULAR]} {patient} ."
    assert fact.passive("big") == f"{patient} are {verb[PLURAL]} by big {agent} ."
    assert fact.turned().active() == f"{patient} {verb[PLURAL]} {agent} ."
    assert fact.reworded().reworded() == fact
    assert not set(fact.active().split()[:3]) & set(fact.reworded().active().split()[:3])
    assert fact.agent.quality("big", negated=True) == f"{agent} is not big ."


def test_dice_draw_in_range() -> None:
    dice = Dice(numpy_generator(0, "test"), block=3)
    assert {dice.below(3) for _ in range(100)} == {0, 1, 2}
    assert sorted(dice.distinct(5, 5)) == [0, 1, 2, 3, 4]
