"""HTML as a tree, and a browser to look at it with."""

from html.parser import HTMLParser

import pytest

VOID = {"meta", "link", "input", "br"}


class Node:
    """An element: its tag, attributes, children, and the text in it."""

    def __init__(self, tag, attributes):
        self.tag = tag
        self.attributes = attributes
        self.children = []

    @property
    def text(self):
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, tag="", **wanted):
        """The elements below, in order, of a tag and with these attributes."""
        for child in self.children:
            if isinstance(child, Node):
                names = {name.rstrip("_").replace("_", "-"): v for name, v in wanted.items()}
                if tag in ("", child.tag) and names.items() <= child.attributes.items():
                    yield child
                yield from child.all(tag, **wanted)


class Parser(HTMLParser):
    """Reads what is strictly nested: every end tag ends the element that was opened last."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = [Node("", {})]
        self.comments = []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].children.append(data)

    def handle_comment(self, data):
        self.comments.append(data)


@pytest.fixture
def parsed():
    """(text) -> the tree of an HTML page or a part of one."""

    def parse(text):
        parser = Parser()
        parser.feed(text)
        parser.close()
        assert len(parser.open) == 1, "not closed"
        assert not parser.comments
        return parser.open[0]

    return parse
