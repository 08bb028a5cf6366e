"""Columns: as wide as their words, or wrapped to a width without losing a word."""

from objbench.cli.columns import aligned

ROWS = [("NAME", "WHAT"), ("one", "a few words that are long"), ("second", "short")]


def test_columns_are_as_wide_as_their_words():
    assert aligned(ROWS).splitlines() == [
        "NAME    WHAT",
        "one     a few words that are long",
        "second  short",
    ]


def test_the_widest_column_is_wrapped():
    assert aligned(ROWS, 20).splitlines() == [
        "NAME    WHAT",
        "one     a few words",
        "        that are",
        "        long",
        "second  short",
    ]


def test_a_word_longer_than_its_column_is_cut_and_not_lost():
    lines = aligned([("a" * 30, "b" * 30)], 24).splitlines()
    assert max(map(len, lines)) <= 24
    assert "".join("".join(lines).split()).count("a") == 30
    assert "".join(lines).count("b") == 30


def test_no_column_is_narrower_than_eight():
    lines = aligned([("a b " * 9,) * 9], 20).splitlines()
    assert max(map(len, lines)) <= 9 * 8 + 8 * 2
