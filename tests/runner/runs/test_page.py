"""The run report says what the run says, and nothing of a run is ever markup."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from polyphony_runner.runs.folder import RunRecord
from polyphony_runner.runs.page import run_page
from polyphony_runner.runs.report import run_document
from polyphony_runner.runtimes.protocol import Failure
from polyphony_schemas.values import RunId
from support.conductor_graphs import Player, compiled, core, work

HOSTILE = "<script>alert(1)</script>"


class Tags(HTMLParser):
    """Every element of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_page_holds_outcome_timeline_and_nodes_and_escapes_everything(tmp_path: Path) -> None:
    melody = compiled(
        {
            "a": work("./bad"),
            "b": core("set", {"v": HOSTILE, "file": {"digest": HOSTILE, "name": HOSTILE, "size": HOSTILE}}),
        },
        outputs={"text": "${ b.v }", "n": "${ [1] }", "file": "${ b.file }"},
    )
    played = Player(tmp_path).play(melody, {"*": lambda a, s: Failure("exit", HOSTILE)})
    record = RunRecord(RunId("r_1"), f"x{HOSTILE}", "1.0.0", "/", "/", True, None, {}, {}, True)
    page = run_page(record, run_document(RunId("r_1"), played.state), played.state)
    tags = Tags()
    tags.feed(page)
    assert {"svg", "rect", "line", "table", "h1"} <= tags.seen
    assert "script" not in tags.seen
    assert not any(name.startswith("on") or name in ("src", "href") for name in tags.attributes)
    assert "The run failed" in page
    assert "&lt;script&gt;" in page
    assert "--unsafe-no-sandbox" in page
    head = page[: page.index("<style>")]
    assert "Content-Security-Policy" in head
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in head
