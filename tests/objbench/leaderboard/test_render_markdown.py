"""A document as markdown: what is escaped, and that tables keep their shape."""

import pytest

from objbench.leaderboard.document import (
    Bullets,
    Code,
    Fold,
    Heading,
    Link,
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
        ("attention_probs_dropout_prob", "attention_probs_dropout_prob"),
        # Numbers stay readable in the source.
        ("< 1.02x [< 1.02x, > 8.00x]", "< 1.02x [< 1.02x, > 8.00x]"),
        ("+3.67 [-8.61, +15.95]", "+3.67 [-8.61, +15.95]"),
    ],
)
def test_text_is_never_markup(text, markdown):
    assert escaped(text) == markdown


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
        Paragraph(("see ", Link("the page", "toy/README.md"), " by ", Code("objbench run"))),
        Bullets(("one", "two")),
        Notes(("First.", "Second.")),
        Fold("More", (Paragraph("inside"),)),
    ]
    assert render_markdown(document) == (
        "## Title\n\nsee [the page](toy/README.md) by `objbench run`\n\n- one\n- two\n\n"
        "<sub>¹ First.<br>\n² Second.</sub>\n\n"
        "<details><summary>More</summary>\n\ninside\n\n</details>\n"
    )
    assert mark(12) == "¹²"


def test_the_terminal_has_no_markup():
    document = [Heading(2, "Title"), Bullets((Strong("a | b"),))]
    assert render_text(document) == "Title\n\n* a | b\n"


def test_long_text_is_cut():
    assert shortened("a\n b\tc") == "a b c"
    assert len(shortened("x" * 1000)) == 240
