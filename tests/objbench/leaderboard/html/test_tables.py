"""Tables as HTML: what sorts, what is missing, what is drawn."""

import pytest

from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.document import Link, Strong, Table
from objbench.leaderboard.html.intervals import scale_of
from objbench.leaderboard.html.tables import Bars, sort_value, table_html
from objbench.leaderboard.quantity import Quantity, quantity

GAIN = Quantity(estimate=Bound(1.0), low=Bound(-1.0), high=Bound(3.0), notation="gain")
TABLE = Table(
    ("objective", "gain over mlm", "seeds better"),
    (("a", GAIN, "4 of 5 [28%, 99%]"), ("b", quantity(2, "gain"), None), ("c", None, "1 of 5")),
)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (GAIN, 1.0),
        (quantity(1e12, "amount"), 1e12),
        ("12,345 steps", 12345.0),
        ("-1.5e-3", -0.0015),
        ("< 1.02x", 1.02),
        ("4 of 5", 4.0),
        ("taco", None),
        ("", None),
        (None, None),
        (Strong("1"), None),
    ],
)
def test_what_a_column_is_sorted_by(cell, value):
    assert sort_value(cell) == value


def test_a_table_says_how_it_is_sorted_and_what_each_row_is(parsed):
    tree = parsed(table_html(TABLE, "Ranking by x"))
    (region,) = tree.all("div", role="group")
    assert region.attributes["aria-label"] == "Ranking by x"
    assert region.attributes["tabindex"] == "0"
    heads = list(tree.all("th", scope="col"))
    assert [head.text for head in heads] == list(TABLE.columns)
    assert all(head.attributes["aria-sort"] == "none" for head in heads)
    assert all(head.children[0].tag == "button" for head in heads)
    assert [head.text for head in tree.all("th", scope="row")] == ["a", "b", "c"]
    rows = [[cell.text for cell in row.all("td")] for row in list(tree.all("tr"))[1:]]
    assert rows == [
        ["+1.00 [-1.00, +3.00]", "4 of 5 [28%, 99%]"],
        ["+2.00", "-"],
        ["-", "1 of 5"],
    ]
    values = [[cell.attributes.get("data-v") for cell in row.all("td")] for row in tree.all("tr")]
    assert values[1:] == [["1", "4"], ["2", None], [None, "1"]]


def test_a_sentence_has_room(parsed):
    rows = (("a", "few words", "+0.40 [0.00, 1.00]"), ("b", "a sentence of " + "words " * 9, "-"))
    tree = parsed(table_html(Table(("x", "y", "z"), rows, text_columns=2), "x"))
    kinds = [[cell.attributes.get("class") for cell in row.all("td")] for row in tree.all("tr")]
    assert kinds[1:] == [[None, "n"], ["long", "n"]]


def test_two_rows_need_no_sorting(parsed):
    tree = parsed(table_html(Table(TABLE.columns, TABLE.rows[:2]), "x"))
    assert not list(tree.all("button"))
    assert not list(tree.all(aria_sort="none"))


def test_bars_stand_beside_their_numbers_and_are_no_data(parsed):
    bars = Bars(column="gain over mlm", scale=scale_of([GAIN], "gain"))
    tree = parsed(table_html(TABLE, "x", bars=bars))
    rows = list(tree.all("tr"))
    assert {len(row.children) for row in rows} == {4}
    drawn = [row.children[2] for row in rows]
    assert all("data-drawn" in cell.attributes for cell in drawn)
    assert [len(list(cell.all("svg"))) for cell in drawn] == [1, 1, 1, 0]
    assert drawn[1].text == "+1.00 [-1.00, +3.00]"


def test_a_path_is_never_a_scheme(parsed):
    rows = ((Link("a", "javascript:alert(1)"),), (Link("b", "https://example.org/"),))
    tree = parsed(table_html(Table(("x",), rows), "x"))
    assert [node.attributes["href"] for node in tree.all("a")] == [
        "./javascript:alert(1)",
        "https://example.org/",
    ]
