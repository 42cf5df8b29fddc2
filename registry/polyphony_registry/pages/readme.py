"""README files as safe HTML: CommonMark and tables, no raw HTML, no pictures that would tell a third party who reads.

Rendered by markdown-it with HTML off, then cleaned by nh3 with a short list of tags: two walls, either would do.
Headings move down one level, since the page has its own first heading. Pictures become links to themselves.
"""

from __future__ import annotations

import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

_TAGS = {
    *(
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "p",
        "br",
        "hr",
        "blockquote",
        "ul",
        "ol",
        "li",
        "pre",
        "code",
        "em",
        "strong",
    ),
    *("a", "table", "thead", "tbody", "tr", "th", "td", "s"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}}
_SCHEMES = {"http", "https", "mailto"}
_LOWEST = 6
# Nested brackets cost the parser time beyond their number; no README of a person comes near these.
_LONGEST = 128 * 1024
_LONGEST_BLOCK = 32 * 1024
_MOST_BRACKETS = 1_000


@lru_cache(maxsize=256)
def render_readme(text: str) -> str:
    """The HTML of a Markdown text. Links leave with ``rel="nofollow noopener"``. A text made to be slow stays text."""
    if _is_heavy(text):
        return f"<pre><code>{nh3.clean_text(text[:_LONGEST])}</code></pre>"
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    tokens = [_changed(token) for token in parser.parse(text)]
    html = parser.renderer.render(tokens, parser.options, {})
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener",
    )


def _is_heavy(text: str) -> bool:
    return len(text) > _LONGEST or any(
        len(block) > _LONGEST_BLOCK or block.count("[") > _MOST_BRACKETS
        for block in re.split(r"\n[ \t>]*\n", text)
    )


def _changed(token: Token) -> Token:
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(int(token.tag[1]) + 1, _LOWEST)}"
    if token.children:
        token.children = [part for child in token.children for part in _linked(child)]
    return token


def _linked(token: Token) -> list[Token]:
    """A picture becomes a link with its description."""
    if token.type != "image":
        return [token]
    address = str(token.attrs.get("src", ""))
    text = Token("text", "", 0, content=token.content or address)
    return [Token("link_open", "a", 1, attrs={"href": address}), text, Token("link_close", "a", -1)]
