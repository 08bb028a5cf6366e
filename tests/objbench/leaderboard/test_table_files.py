"""Tables as files: the numbers as they were computed, and text that no program acts on."""

import csv
import io
import json

import pandas as pd
import pytest

from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.document import Fold, Heading, Notes, Paragraph, Strong, Table
from objbench.leaderboard.quantity import Quantity, quantity
from objbench.leaderboard.sections import page_document
from objbench.leaderboard.table_files import (
    csv_text,
    json_text,
    latex_text,
    named_tables,
    table_files,
)

GAIN = Quantity(estimate=Bound(1 / 3), low=Bound(-1.0), high=Bound(2.5), notation="gain")
BOUND = Quantity(
    estimate=Bound(1.02, "below"), low=Bound(1.02, "below"), high=Bound(1.5), notation="speedup"
)
TABLE = Table(
    ("objective", "gain", "speedup", "notes"),
    (
        ("a_b & c", GAIN, BOUND, "\u00b9 \u2074"),
        (Strong("average"), None, quantity(2.0, "speedup"), None),
    ),
)


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_every_digit_and_an_empty_field_for_what_is_missing():
    first, second = read(csv_text(TABLE))
    assert first == {
        "objective": "a_b & c",
        "gain": repr(1 / 3),
        "gain low": "-1.0",
        "gain high": "2.5",
        "speedup": "1.02",
        "speedup low": "1.02",
        "speedup high": "1.5",
        "speedup text": "< 1.02x, up to 1.50x",
        "notes": "1 4",
    }
    assert second["objective"] == "average"
    assert {second[name] for name in ("gain", "gain low", "gain high", "notes")} == {""}
    assert (second["speedup"], second["speedup low"]) == ("2.0", "")
    frame = pd.read_csv(io.StringIO(csv_text(TABLE)))
    assert frame["gain"][0] == 1 / 3


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("-x()", "'-x()"),
        ("+x", "'+x"),
        ("-1.5", "-1.5"),
        ("+3.67 [-8.61, +15.95]", "+3.67 [-8.61, +15.95]"),
        ('a"b,c\nd', 'a"b,c d'),
    ],
)
def test_no_field_is_a_formula(text, written):
    (row,) = read(csv_text(Table(("x",), ((text,),))))
    assert row["x"] == written


def test_latex_is_escaped_and_shows_what_the_page_shows():
    text = latex_text(TABLE)
    assert r"a\_b \& c" in text
    assert r"\ensuremath{<} 1.02x, up to 1.50x" in text
    # A hyphen would stand where a minus is meant.
    assert "+0.33 [$-$1.00, +2.50]" in text
    assert r"\toprule" in text
    hostile = latex_text(Table((r"\input{x}",), ((r"\write18{rm} $x$ #1 ~ ^ % {}",),)))
    assert r"\input{" not in hostile
    assert r"\write18" not in hostile
    assert "\n".join(hostile.splitlines()[1:]).count("$x$") == 0


def test_only_the_sign_of_a_number_is_a_minus_in_latex():
    cells = ("-5.75 [-21.91, -.5]", "1e-05", "mlm@30-15", "2026-11-30", "ladder-1", "-", "tc --x")
    rows = tuple((cell,) for cell in cells)
    found = [line.strip(" \\") for line in latex_text(Table(("what",), rows)).splitlines()[4:-2]]
    assert found == ["$-$5.75 [$-$21.91, $-$.5]", *cells[1:]]


def test_footnotes_are_with_the_table():
    notes = Notes(("First.", "", "", "Fourth, =1."))
    blocks = [Heading(2, "T"), TABLE, notes, TABLE]
    first, second = table_files(blocks, "csv").values()
    assert [row["notes"] for row in read(first)] == ["First. Fourth, =1.", ""]
    assert [row["notes"] for row in read(second)] == ["1 4", ""]
    made, _ = json.loads(json_text(blocks, "study"))["tables"]
    assert made["rows"][0]["notes"] == "First. Fourth, =1."
    tex, bare = table_files(blocks, "tex").values()
    assert tex.startswith(bare) and tex.splitlines()[-4::3] == ["% 1 First.", "% 4 Fourth, =1."]


def test_json_keeps_intervals_and_bounds():
    (made,) = json.loads(json_text([Heading(2, "T"), TABLE], "study"))["tables"]
    assert made["title"] == "T"
    first, second = made["rows"]
    assert first["gain"] == {
        "estimate": 1 / 3,
        "low": -1.0,
        "high": 2.5,
        "notation": "gain",
        "text": "+0.33 [-1.00, +2.50]",
    }
    assert first["speedup"]["estimate_side"] == first["speedup"]["low_side"] == "below"
    assert "high_side" not in first["speedup"]
    assert second["gain"] is None


def test_a_table_is_called_by_what_is_above_it():
    blocks = [
        Heading(2, ("A ", Strong("b"))),
        Paragraph("x"),
        TABLE,
        Fold("../../C: d", [TABLE, Heading(4, "e"), TABLE]),
    ]
    assert [name for name, *_ in named_tables(blocks)] == ["A b", "../../C: d", "../../C: d e"]
    assert list(table_files(blocks, "csv")) == ["01-a-b.csv", "02-c-d.csv", "03-c-d-e.csv"]


def test_every_table_of_a_page_becomes_a_file(make_study, report_of):
    document = page_document(report_of(make_study(seeds=(1, 2, 3), trials=2)))
    files = table_files(document, "tex")
    assert len(files) == len(list(named_tables(document))) > 12
    assert all(text.startswith(r"\begin{tabular}") for text in files.values())
    for text in table_files(document, "csv").values():
        rows = list(csv.reader(io.StringIO(text)))
        assert len({len(row) for row in rows}) == 1
        assert len(rows) > 1
