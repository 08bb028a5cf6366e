"""What is escaped, by where it stands: text, attributes, data for a script."""

import json

import pytest

from objbench.leaderboard.html.markup import Html, data, element, escaped, joined, listing, slug

HOSTILE = "</script><!--<script>alert(1)</script>\"'>&\u2028\u2029]]>"


def test_text_and_attributes_come_back_as_they_were(parsed):
    made = element("p", HOSTILE, title=HOSTILE, data_v=HOSTILE)
    (node,) = parsed(made).children
    clean = HOSTILE.replace("\u2028\u2029", " ")
    assert node.text == clean
    assert node.attributes == {"title": clean, "data-v": clean}
    assert "<script" not in made
    # Half of an escape is none.
    assert escaped("&lt;") == "&amp;lt;"


def test_only_what_was_made_here_is_html():
    assert joined("<b>", Html("<i></i>"), None) == "&lt;b&gt;<i></i>"
    assert element("br") == "<br>"
    assert element("p", hidden=True, id=None, lang=False) == "<p hidden></p>"


@pytest.mark.parametrize(
    "value", [HOSTILE, {HOSTILE: [HOSTILE, None, 1.5]}, ["\ud7ff", "é", "<!--"]]
)
def test_data_is_json_that_ends_no_script(value, parsed):
    made = data("figures", value)
    (node,) = parsed(made).children
    assert node.attributes == {"type": "application/json", "id": "figures"}
    assert not set(node.text) & set("<>&\u2028\u2029")
    assert json.loads(node.text) == value


def test_data_has_no_number_that_json_lacks():
    with pytest.raises(ValueError):
        data("figures", [float("nan")])


def test_control_and_direction_signs_are_left_out():
    assert escaped("a\x00\x1b[31m\u202eb\r\nc") == "a[31mb c"
    assert listing("a\n\tb\x9b<") == "a\n\tb&lt;"


def test_names_of_ids_and_files():
    assert slug("GLUE: mean of 3, ../../é") == "glue-mean-of-3"
    assert slug("é") == "table"
