"""A document as markdown: what is escaped, and that tables keep their shape."""

import pytest

from objbench.leaderboard.document import (
    Bullets,
    Fold,
    Heading,
    Link,
    Listing,
    Notes,
    Paragraph,
    Strong,
    mark,
    shortened,
    table,
)
from objbench.leaderboard.quantity import quantity
from objbench.leaderboard.render_markdown import escaped, render_markdown
from objbench.leaderboard.terminal import render_text


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a | b", r"a \| b"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("**bold** `code`", r"\*\*bold\*\* \`code\`"),
        ("[text](http://x)", r"\[text\](http://x)"),
        ("[1](http://x)", r"[1\](http://x)"),
        ("[1]: http://x", r"[1\]: http://x"),
        ("&lt;", "&amp;lt;"),
        ("a\n\n# b\r\nc", "a # b c"),
        ("\x1b[31mred\x9b\u202e", "[31mred"),
        ("attention_probs_dropout_prob", "attention_probs_dropout_prob"),
        # Numbers stay readable in the source.
        ("< 1.02x [< 1.02x, > 8.00x]", "< 1.02x [< 1.02x, > 8.00x]"),
        ("+3.67 [-8.61, +15.95]", "+3.67 [-8.61, +15.95]"),
    ],
)
def test_text_is_never_markup(text, markdown):
    assert escaped(text) == markdown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("1. a", r"1\. a"),
        ("10) a", r"10\) a"),
        ("1986. A year", r"1986\. A year"),
        ("___", r"\___"),
        ("    code", "code"),
        ("- a", r"\- a"),
        ("# a", r"\# a"),
        ("1.5x is a number", "1.5x is a number"),
        ("_name_ of a plugin", "_name_ of a plugin"),
    ],
)
def test_a_paragraph_is_nothing_else(text, markdown):
    assert render_markdown([Paragraph(text)]) == f"{markdown}\n"


def test_a_listing_cannot_be_closed_from_inside():
    lines = render_markdown([Listing("sh", "echo\n```\n# no title\x1b[0m")]).splitlines()
    assert lines == ["````sh", "echo", "```", "# no title[0m", "````"]


def test_an_address_cannot_end_its_link():
    link = Link("paper", "https://x.org/a) [b](javascript:x\n<")
    assert render_markdown([Paragraph(link)]) == (
        "[paper](https://x.org/a%29%20%5Bb%5D%28javascript:x%0A%3C)\n"
    )


def test_a_table_is_padded_and_a_missing_value_a_dash():
    lines = [
        {"objective": "mlm", "score": quantity(54.1, "points")},
        {"objective": Strong("a|b"), "gain": quantity(0.5, "gain", "2 of 3 seeds")},
    ]
    assert render_markdown([table(lines)]).splitlines() == [
        "| objective   |   score |                 gain |",
        "|:------------|--------:|---------------------:|",
        "| mlm         |   54.10 |                    - |",
        r"| **a\|b**    |       - | +0.50 (2 of 3 seeds) |",
    ]


def test_blocks():
    document = [
        Heading(2, "Title"),
        Paragraph(("see ", Link("the page", "toy/README.md"), ", please")),
        Bullets(("one", Bullets(("a", "b")), "two")),
        Notes(("First.", "Second.")),
        Fold("More", (Paragraph("inside"),)),
    ]
    assert render_markdown(document) == (
        "## Title\n\nsee [the page](toy/README.md), please\n\n- one\n  - a\n  - b\n- two\n\n"
        "<sub>¹ First.<br>\n² Second.</sub>\n\n"
        "<details><summary>More</summary>\n\ninside\n\n</details>\n"
    )
    assert mark(12) == "¹²"


def test_the_terminal_has_no_markup():
    document = [Heading(2, "Title"), Bullets((Strong("a | b"), Bullets(("c",))))]
    assert render_text(document) == "Title\n\n* a | b\n  * c\n"


def test_long_text_is_cut():
    assert shortened("a\n b\tc") == "a b c"
    assert len(shortened("x" * 1000)) == 240
