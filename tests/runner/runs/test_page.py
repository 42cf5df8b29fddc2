"""The run report says what the run says, and nothing of a run is ever markup."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from polyphony_runner.home import Home
from polyphony_runner.runs.folder import RunFolder, RunRecord
from polyphony_runner.runs.page import run_page
from polyphony_runner.runs.page_facts import PageFacts, Span, facts_of_events, page_facts
from polyphony_runner.runs.page_timeline import timeline
from polyphony_runner.runs.report import run_document
from polyphony_runner.runs.session import load_state
from polyphony_runner.runtimes.protocol import Failure
from polyphony_schemas.values import RunId
from support.conductor_graphs import Player, compiled, core, work
from support.page_runs import HOSTILE, rich_run


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
    page = run_page(
        record, run_document(RunId("r_1"), played.state), played.state, facts_of_events(played.events)
    )
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


def report_of(folder: RunFolder) -> str:
    state = load_state(folder, Home.at(folder.path.parent.parent))
    return run_page(folder.record(), run_document(folder.run, state), state, page_facts(folder))


def test_the_report_tells_attempts_costs_artifacts_failures_and_logs(tmp_path: Path) -> None:
    folder = rich_run(tmp_path)
    page = report_of(folder)
    facts = page_facts(folder)
    flaky = [(span.attempt, span.outcome) for span in facts.spans if span.path == "flaky"]
    assert flaky == [(1, "retrying"), (2, "retrying"), (3, "succeeded")]
    tried = [span.outcome for span in facts.spans if span.path == "first_try"]
    assert tried == ["failed", "waiting"]
    assert all(span.end is not None and span.end >= span.start for span in facts.spans)
    for told in (
        "flaky, attempt 2: retrying",
        "<td>all</td>",
        "0.0042",
        "lint</b> exit (tolerated)",
        "line 29, in main",
        "cannot go on hello",
        "by second_try",
        "scan_the_repository.file",
        "journal.jsonl",
    ):
        assert told in page, told
    assert (
        page.index("<td>scan_the_repository</td>")
        < page.index("<td>flaky</td>")
        < page.index("<td>broken</td>")
    )


def test_nothing_of_a_hostile_run_becomes_markup(tmp_path: Path) -> None:
    page = report_of(rich_run(tmp_path, HOSTILE))
    tags = Tags()
    tags.feed(page)
    assert not tags.seen & {"script", "img", "a", "iframe", "link", "object"}
    assert not any(name.startswith("on") or name in ("src", "href", "style") for name in tags.attributes)
    assert page.count("&lt;script&gt;") > 5


def test_many_nodes_share_lines_and_the_rest_is_counted(tmp_path: Path) -> None:
    played = Player(tmp_path).play(compiled({"a": core("set", {"v": 1})}))
    spans = [Span(f"each[{number}]/n", 1, number, number + 40, "succeeded") for number in range(1000)]
    drawn = timeline(spans, played.state)
    assert "The first 600 of 1000 attempts." in drawn
    assert drawn.count("class='staff'") <= 60
    assert "class='name'" not in drawn
    assert timeline([], played.state) == ""
    assert PageFacts().spans == []
