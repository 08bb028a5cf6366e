"""A whole HTML file: style, script and data in it, and no network.

Its content security policy allows the style and the script by their hashes and nothing else, so that
what might slip in with a record is neither run nor fetched. The same contents give the same bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from objbench.leaderboard.document import Block, Heading, plain
from objbench.leaderboard.html.blocks import blocks_html
from objbench.leaderboard.html.markup import Html, data, element, slug

SCRIPTS = (
    "elements.js",
    "tables.js",
    "scales.js",
    "frame.js",
    "curves.js",
    "speedups.js",
    "start.js",
)
STYLES = ("figures.css", "page.css")

PAGE = "index.html"
"""What a page is called in its folder."""

Section = tuple[str, Html]
"""The heading of a section, and what is in it."""


def whole_page(
    title: str, opening: Html, sections: Sequence[Section], mark: str, figures: Html
) -> str:
    """The file as text, with a newline at its end.

    Args:
        title: of the window.
        opening: what comes before the sections, with the page's own heading.
        sections: in their order; two may be named alike.
        mark: by which a file of ours is known.
        figures: the data that the script draws.
    """
    ids = _ids([name for name, _ in sections])
    links = [
        element("a", name, href=f"#{own}") for own, (name, _) in zip(ids, sections, strict=True)
    ]
    parts = [
        element("section", element("h2", name), content, id=own)
        for own, (name, content) in zip(ids, sections, strict=True)
    ]
    body = element(
        "body",
        element("a", "Skip to the results", href="#results", class_="skip"),
        element("header", opening),
        element("nav", *links, aria_label="Sections of this page") if links else None,
        element("main", *parts, id="results"),
        element("div", id="said", class_="hidden", aria_live="polite"),
        figures,
        element("script", asset(SCRIPTS)),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy()),
        element("meta", name="generator", content=mark),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        # Otherwise a browser asks a server for a picture of its own.
        element("link", rel="icon", href="data:,"),
        element("style", asset(STYLES)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def document_page(
    document: Sequence[Block], mark: str, pictures: Mapping[str, bytes] | None = None
) -> str:
    """A document as a file: its pictures are in it, and its tables sort.

    Args:
        document: begins with a heading of level 1.
        mark: by which a file of ours is known.
        pictures: file name -> the SVG that the document shows.
    """
    title, parts = "", []
    opening: list[Block] = []
    blocks = opening
    for block in document:
        if isinstance(block, Heading) and block.level == 2:
            blocks = []
            parts.append((plain(block.text), blocks))
            continue
        if isinstance(block, Heading) and block.level == 1:
            title = plain(block.text)
        blocks.append(block)
    sections = [(name, blocks_html(inside, name, pictures)) for name, inside in parts]
    figures = data("figures", {"study": title, "curves": []})
    return whole_page(title, blocks_html(opening, title, pictures), sections, mark, figures)


def _ids(names: Sequence[str]) -> list[str]:
    """An id per section, each once."""
    made: list[str] = []
    for name in map(slug, names):
        made.append(name if name not in made else f"{name}-{len(made)}")
    return made


@cache
def asset(names: Sequence[str]) -> Html:
    """Our own style or script, from the files beside this one."""
    folder = files("objbench.leaderboard.html")
    return Html("\n" + "\n".join(folder.joinpath(name).read_text("utf-8") for name in names))


def _policy() -> str:
    """What the page may do, as a content security policy."""
    style, script = (_hash(asset(names)) for names in (STYLES, SCRIPTS))
    return (
        f"default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
