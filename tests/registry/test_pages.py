"""The pages: what they say, that they are safe, and that they can be read without sight or script."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_registry.pages.layout import is_drawable, lay_out
from polyphony_registry.pages.picture import draw, miniature
from polyphony_registry.pages.readme import render_readme
from polyphony_registry.pages.scores import Card, Known, Score, Wire, score_of
from polyphony_registry.pages.services import age
from polyphony_registry.pages.twin import lines_of
from polyphony_schemas.yaml12 import read_document
from support.registry_running import Publisher, Running, http

CSS = Path(__file__).resolve().parents[2] / "registry/polyphony_registry/pages/static/site.css"
MELODY = """\
melody: v1
name: song
version: 1.0.0
summary: Sings
license: MIT
nodes:
  words: {uses: core/set, with: {n: 3}}
  loud: {uses: polyphony/shout@^1, when: "words.n > 2", with: {text: "${ words.n }"}, permissions: {network: ["a.example:443"]}}
  each:
    inputs: {files: {schema: {type: array}}}
    for_each: {items: "${ inputs.files }", as: file, parallel: 4, max: 9}
    nodes: {one: {uses: ./nodes/one, with: {f: "${ file }"}}, two: {uses: core/set, with: {x: "${ one.y }"}}}
    outputs: {all: "${ two.x }"}
  end: {uses: core/set, with: {a: 1}}
connections:
  - {from: words.n, to: each.files, when: "words.n > 1"}
  - loud -> end
config:
  permissions: {network: ["a.example:443"]}
"""


class Outline(HTMLParser):
    """Tags, ids, headings and labels of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def song() -> Score:
    document = read_document(MELODY.encode(), "melody.yaml").value
    assert isinstance(document, dict)
    return score_of(document, {"polyphony/shout": Known("instrument", "Shouts")})


def test_the_package_page_shows_everything_one_decides_by(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("song")
    (tree / "extension.yaml").unlink()
    (tree / "nodes/one").mkdir(parents=True)
    (tree / "nodes/one/extension.yaml").write_text(
        "extension: v1\nname: one\nversion: 1.0.0\nkind: operator\ninputs: {f: {schema: {}}}\n"
        "outputs: {y: {schema: {}}}\nrun: {python: 'node:main'}\n"
    )
    (tree / "melody.yaml").write_text(MELODY)
    publisher.commit(tree)
    answer = publisher.publish(registry.url, tree)
    assert answer.status == 201, answer.body
    page = http(f"{registry.url}/{publisher.owner}/song").body.decode()
    for text in (
        "polyphony install",
        "Signed by key",
        "<svg",
        "Permissions",
        "MIT",
        "git clone",
        "1.0.0",
        "Sings",
    ):
        assert text in page, text
    assert http(f"{registry.url}/{publisher.owner}/song/1.0.0").status == 200
    assert http(f"{registry.url}/{publisher.owner}/song/9.9.9").status == 404
    assert f"/{publisher.owner}/song" in http(f"{registry.url}/{publisher.owner}").body.decode()
    assert "miniature" in http(f"{registry.url}/").body.decode()
    found = http(f"{registry.url}/api/v1/search?q=sings").json()["results"]
    assert f"{publisher.owner}/song" in [entry["name"] for entry in found]
    assert f"/{publisher.owner}/song" in http(f"{registry.url}/search?q=sings").body.decode()


REACHING = """\
melody: v1
name: reach
version: 1.0.0
summary: Reaches out
license: MIT
nodes:
  call: {uses: OWNER/call@^1, permissions: {network: ["a.example:443", "http://127.0.0.1:8080"]}}
  gone: {uses: elsewhere/gone@^1}
config:
  permissions: {network: ["a.example:443", "b.example:443", "http://127.0.0.1:8080"], run: [git, make]}
"""


def test_the_page_of_a_melody_says_what_its_nodes_get_of_the_ceiling(
    registry: Running, publisher: Publisher
) -> None:
    used = publisher.work_tree("call")
    (used / "extension.yaml").write_text(
        "extension: v1\nname: call\nversion: 1.0.0\nkind: operator\nsummary: Calls\nlicense: MIT\n"
        "permissions: {network: granted, run: [git]}\nrun: {process: [call]}\n"
    )
    tree = publisher.work_tree("reach")
    (tree / "extension.yaml").unlink()
    (tree / "melody.yaml").write_text(REACHING.replace("OWNER", publisher.owner))
    for one in (used, tree):
        publisher.commit(one)
        answer = publisher.publish(registry.url, one)
        assert answer.status == 201, answer.body
    for _ in range(2):
        page = http(f"{registry.url}/{publisher.owner}/reach").body.decode()
        allowed, _, got = page.partition("What its nodes get of that")
        assert "b.example:443" in allowed
        got, _, private = got.partition("Services of your own machine or network")
        assert "talks to a.example:443" in got
        assert "b.example:443" not in got
        assert "git, make" in got, "nobody knows what the package of another registry asks for"
        assert "<code>http://127.0.0.1:8080</code>" in private
    page = http(f"{registry.url}/{publisher.owner}/call").body.decode()
    assert "What its nodes get of that" not in page


@pytest.mark.parametrize("path", ["/", "/search", "/search?q=nothing-at-all", "/acme"])
def test_pages_have_landmarks_one_first_heading_and_named_fields(registry: Running, path: str) -> None:
    answer = http(registry.url + path)
    outline = Outline(answer.body.decode())
    assert len(outline.named("h1")) == 1
    assert len(outline.named("main")) == 1
    assert outline.named("html") == [{"lang": "en"}]
    labels = {label["for"] for label in outline.named("label")}
    assert all(field["id"] in labels for field in outline.named("input") if field.get("type") != "hidden")
    assert outline.named("a")[0]["href"] == "#content"
    assert "script" not in [tag for tag, _ in outline.tags]
    assert not [tag for tag, attributes in outline.tags if "style" in attributes]


def test_pages_forbid_everything_they_do_not_need(registry: Running) -> None:
    policy = http(registry.url + "/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_style_sheet_and_font_are_served_for_ever(registry: Running) -> None:
    page = http(registry.url + "/").body.decode()
    for address in re.findall(r'href="(/static/[^"]+)"', page):
        answer = http(registry.url + address)
        assert answer.status == 200
        assert "immutable" in answer.headers["cache-control"]
    assert len(http(registry.url + "/static/newsreader-500.woff2").body) <= 30_000
    assert http(registry.url + "/static/nothing.css").status == 404


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,xx)",
        "<img src=x onerror=alert(1)>",
        "![x](javascript:alert(1))",
        "<a href='https://x' onclick=y>z</a>",
        "[a]: javascript:x\n\n[a]",
    ],
)
def test_a_readme_cannot_bring_script(text: str) -> None:
    outline = Outline(render_readme(text))
    assert {tag for tag, _ in outline.tags} <= {"p", "a"}
    for attributes in outline.named("a"):
        assert not (attributes.get("href") or "").startswith(("javascript", "data"))
        assert "onclick" not in attributes


@pytest.mark.parametrize("piece", ["![", "[", "![a](", "*a_", "&", "[a]: x\n"])
def test_a_readme_cannot_take_long(piece: str) -> None:
    start = time.process_time()
    html = render_readme(piece * (256 * 1024 // len(piece)))
    assert time.process_time() - start < 1.0
    assert html.startswith("<pre><code>")


def test_a_long_readme_of_a_person_is_rendered() -> None:
    text = "# Long\n\n" + "A paragraph with [a link](https://x.example) and `code`.\n\n" * 1_500
    assert render_readme(text).count("<a ") == 1_500


def test_a_table_of_ports_has_no_empty_column(registry: Running, publisher: Publisher) -> None:
    publisher.publish(registry.url, publisher.work_tree("shout"))
    page = http(f"{registry.url}/{publisher.owner}/shout").body.decode()
    assert page.count('<th scope="col">Type</th>') == 2
    assert '<th scope="col">Note</th>' not in page


def test_a_search_by_tag_says_so_and_keeps_it(registry: Running) -> None:
    page = http(f"{registry.url}/search?tag=%3Cb%3Etest&q=").body.decode()
    assert "tagged <strong>&lt;b&gt;test</strong>" in page
    assert '<input type="hidden" name="tag" value="&lt;b&gt;test">' in page


def test_a_readme_keeps_what_it_may() -> None:
    html = render_readme(
        "# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n![logo](https://x.example/l.png) `code` ~~no~~\n"
    )
    assert "<h2>Title</h2>" in html
    assert "<table>" in html
    assert '<a href="https://x.example/l.png" rel="nofollow noopener">logo</a>' in html
    assert "<img" not in html


def test_a_score_has_wires_conditions_frames_and_kinds() -> None:
    score = song()
    cards = {card.id: card for card in score.cards}
    assert cards["loud"].kind == "instrument"
    assert cards["loud"].glyphs == ("network",)
    assert cards["each"].frame == "map"
    assert cards["each"].bound == "for each file · 4 at a time · at most 9"
    wires = {(wire.source, wire.target): wire for wire in score.wires}
    assert wires["words", "each"].condition == "words.n > 1"
    assert wires["loud", "end"].ports == ()
    picture = draw(score, "Graph of <song>")
    assert "wire order" in picture and "&lt;song&gt;" in picture and "style=" not in picture
    assert "<text" not in miniature(score)


def test_the_text_twin_says_what_feeds_what() -> None:
    lines = {line.name: line for line in lines_of(song())}
    assert lines["words"].feeds == "starts at once"
    assert lines["each"].feeds == "after words (n) when words.n > 1"
    assert [line.name for line in lines["each"].inside] == ["one", "two"]


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30)
        )
    )
)
def test_cards_never_overlap_and_stay_inside_whatever_the_wires(
    given_: tuple[int, list[tuple[int, int]]],
) -> None:
    count, pairs = given_
    cards = tuple(Card(f"n{i}", "core", "core/set", "") for i in range(count))
    wires = tuple(Wire(f"n{a}", f"n{b}", ("x",)) for a, b in dict.fromkeys(pairs) if a != b)
    placed = lay_out(Score(cards, wires))
    for number, one in enumerate(placed.boxes):
        assert one.x >= 0 and one.x + one.width <= placed.width
        assert one.y >= 0 and one.y + one.height <= placed.height
        for other in placed.boxes[:number]:
            apart = one.x + one.width <= other.x or other.x + other.width <= one.x
            assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y
    for path in placed.paths:
        assert path.points[0][0] < path.points[-1][0]


def test_ages_are_said_in_the_largest_unit() -> None:
    assert [age(seconds) for seconds in (5, 60, 7200, 3 * 86_400, 70 * 86_400, 800 * 86_400)] == [
        "just now",
        "1 minute ago",
        "2 hours ago",
        "3 days ago",
        "2 months ago",
        "2 years ago",
    ]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_have_enough_contrast_in_light_and_dark() -> None:
    light, dark = CSS.read_text().split("@media (prefers-color-scheme: dark)", 1)
    for theme in (light, dark.split("@font-face")[0]):
        token = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", theme))
        for paper in (token["paper"], token["raised"]):
            for text in ("ink", "muted", "accent", "operator", "addon", "core", "good", "warn", "bad"):
                assert contrast(token[text], paper) >= 4.5, (text, paper)
            assert contrast(token["strong-line"], paper) >= 3
        assert contrast(token["on-accent"], token["accent"]) >= 4.5


def test_only_the_tokens_name_colours() -> None:
    rules = CSS.read_text().split("@font-face", 1)[1]
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)


@pytest.mark.parametrize(
    ("cards", "apart"), [(1_500, ()), (301, ()), (200, range(2, 200, 9)), (300, (2, 150))]
)
def test_a_score_that_would_cost_everybody_seconds_is_not_drawn(cards: int, apart: Iterable[int]) -> None:
    names = [f"n{number}" for number in range(cards)]
    steps = (1, *apart)
    wires = tuple(Wire(name, names[i + step]) for step in steps for i, name in enumerate(names[:-step]))
    assert not is_drawable(Score(tuple(Card(name, "core", "core/set", "") for name in names), wires))


def test_a_long_row_is_drawn() -> None:
    names = [f"n{number}" for number in range(300)]
    wires = tuple(Wire(*pair) for pair in pairwise(names))
    score = Score(tuple(Card(name, "core", "core/set", "") for name in names), wires)
    assert is_drawable(score)
    assert len(miniature(score)) < 200_000
