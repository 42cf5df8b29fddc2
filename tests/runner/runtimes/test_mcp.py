"""MCP servers: one call of one tool, whatever the server says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_runner.grants.masking import Masker
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.mcp import REQUEST_KEY, McpReader, ToolCall
from polyphony_runner.runtimes.protocol import NodeEvent
from polyphony_schemas.graph.model import Limits
from support.runtime_stages import server
from support.runtimes_nodes import Bench

ANY: dict[str, object] = {"schema": {}}
READY = {"id": 1, "result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def tool(bench: Bench, body: str, **manifest: Any) -> str:
    name = f"mcp-{len(bench.packages)}"
    run = {"mcp": {"command": ["python3", "server.py"], "tool": "act"}}
    return bench.extension(name, {"server.py": server(body)}, run=run, **manifest)


class Conversation:
    """A reader without a program."""

    def __init__(self, *, only_text: bool = False, secret: bytes = b"") -> None:
        self.events: list[NodeEvent] = []
        call = ToolCall("act", {"n": 1}, {"run": "r_1"}, only_text)
        secrets = {"S": secret} if secret else {}
        self.reader = McpReader(call, self.events.append, Masker(secrets), lambda: 0.0)

    def hear(self, *messages: Mapping[str, Any]) -> Conversation:
        for message in messages:
            self.reader.line(json.dumps({"jsonrpc": "2.0", **message}).encode())
        return self

    def said(self) -> list[dict[str, Any]]:
        """What was answered so far."""
        waiting = self.reader.replies._waiting
        lines = [waiting.get_nowait() for _ in range(waiting.qsize())]
        return [json.loads(line) for line in lines if line is not None]

    def refused(self, *messages: Mapping[str, Any]) -> NodeError:
        with pytest.raises(NodeError) as caught:
            self.hear(*messages)
        return caught.value


def called(**result: Any) -> dict[str, Any]:
    return {"id": 2, "result": {"content": [], **result}}


def test_it_introduces_itself_and_calls_the_tool_once() -> None:
    conversation = Conversation()
    opening = json.loads(conversation.reader.opening)
    assert (opening["method"], opening["params"]["capabilities"]) == ("initialize", {})
    initialized, call = conversation.hear(READY).said()
    assert initialized == {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (call["method"], call["params"]["name"], call["params"]["arguments"]) == (
        "tools/call",
        "act",
        {"n": 1},
    )
    assert call["params"]["_meta"][REQUEST_KEY] == {"run": "r_1"}


def test_structured_content_gives_the_ports_and_text_the_port_text() -> None:
    text = [{"type": "text", "text": "one"}, {"type": "resource", "resource": {"text": "two"}}]
    both = called(content=text, structuredContent={"n": 1})
    assert Conversation().hear(READY, both).reader.outcome() == {"n": 1}
    assert Conversation(only_text=True).hear(READY, both).reader.outcome() == {"text": "one\ntwo"}
    assert Conversation().hear(READY, called(content=text)).reader.outcome() == {"text": "one\ntwo"}


def test_content_that_is_no_text_is_said_to_be_left_out() -> None:
    image = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    conversation = Conversation().hear(READY, called(content=[image]))
    assert conversation.reader.outcome() == {"text": ""}
    assert "left out: image" in str(conversation.events[0].data["message"])


def test_a_tool_that_fails_is_an_error_of_kind_exit() -> None:
    failing = called(isError=True, content=[{"type": "text", "text": "no such city"}])
    with pytest.raises(NodeError) as caught:
        Conversation().hear(READY, failing).reader.outcome()
    assert (caught.value.kind, caught.value.message, caught.value.retryable) == ("exit", "no such city", True)


@pytest.mark.parametrize(("code", "kind"), [(-32602, "validation"), (-32601, "exit"), (-32603, "exit")])
def test_an_error_of_the_protocol_says_its_code(code: int, kind: str) -> None:
    refusal = {"id": 2, "error": {"code": code, "message": "Unknown tool: act"}}
    with pytest.raises(NodeError) as caught:
        Conversation().hear(READY, refusal).reader.outcome()
    assert (caught.value.kind, caught.value.code) == (kind, "PLY3751")
    assert f"{code}: Unknown tool" in caught.value.message


def test_pings_are_answered_and_everything_else_a_server_asks_for_is_refused() -> None:
    conversation = Conversation().hear(READY)
    conversation.said()
    asked = ("ping", "sampling/createMessage", "roots/list", "elicitation/create")
    conversation.hear(*({"id": f"s{number}", "method": method} for number, method in enumerate(asked)))
    answers = conversation.said()
    assert answers[0] == {"jsonrpc": "2.0", "id": "s0", "result": {}}
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32601] * 3


def test_log_and_progress_become_events_and_other_notifications_nothing() -> None:
    progress = {"progressToken": 2, "progress": 1, "total": 4, "message": "a quarter"}
    conversation = Conversation(secret=b"hidden-word").hear(
        {"method": "notifications/message", "params": {"level": "critical", "data": "a hidden-word"}},
        {"method": "notifications/message", "params": {"level": "notice", "data": {"a": 1}}},
        {"method": "notifications/progress", "params": progress},
        {"method": "notifications/progress", "params": {"progressToken": "other", "progress": 1}},
        {"method": "notifications/tools/list_changed"},
    )
    assert [(event.type, event.data) for event in conversation.events] == [
        ("log", {"level": "error", "message": "a ***"}),
        ("log", {"level": "info", "message": '{"a": 1}'}),
        ("progress", {"done": 1, "total": 4, "message": "a quarter"}),
    ]


@pytest.mark.parametrize(
    "messages",
    [
        [{"id": 2, "result": {}}],
        [{"id": 1}],
        [{"id": 1, "result": {}, "error": {"code": 1, "message": "both"}}],
        [{"id": True, "result": {}}],
        [{"id": None, "error": {"code": -32700, "message": "Parse error"}}],
        [{"id": 1, "result": {"protocolVersion": "1999-01-01"}}],
        [{"id": 1, "result": {"protocolVersion": 7}}],
        [{"id": 1, "result": []}],
        [{"id": 1, "error": "no"}],
        [{"id": 1, "error": {"code": "x", "message": "y"}}],
        [READY, READY],
        [READY, called(), called()],
        [READY, {"id": 2, "result": "text"}],
        [READY, called(structuredContent=[1])],
        [READY, called(isError="yes")],
        [READY, called(content="text")],
        [READY, called(content=[{"type": "text"}])],
        [READY, called(content=["text"])],
        [{"id": {}, "method": "ping"}],
        [{"id": 1, "method": 5}],
        [{"method": "notifications/message", "params": []}],
        [{"method": "notifications/progress", "params": {"progressToken": 2, "progress": "half"}}],
        [{"jsonrpc": "1.0", **READY}],
    ],
)
def test_a_breach_of_the_protocol_is_an_error_of_that_kind(messages: list[dict[str, Any]]) -> None:
    refused = Conversation().refused(*messages)
    assert (refused.kind, refused.code) == ("protocol", "PLY3503")
    assert "JSON-RPC" in refused.hint


@pytest.mark.parametrize(
    "raw", [b"", b"Server started", b"[]", b'[{"jsonrpc":"2.0"}]', b"\xff", b"[" * 100_000]
)
def test_anything_but_json_objects_is_one_too(raw: bytes) -> None:
    with pytest.raises(NodeError) as caught:
        Conversation().reader.line(raw)
    assert caught.value.kind == "protocol"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_WORDS = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "code", "content", "type"])
_MESSAGES = st.dictionaries(
    _WORDS, _JSON | st.sampled_from([1, 2, "ping", "notifications/message"]), max_size=5
)


@given(st.lists(_MESSAGES, max_size=4))
def test_whatever_a_server_says_only_typed_errors_come_of_it(messages: list[dict[str, Any]]) -> None:
    conversation = Conversation()
    try:
        conversation.hear(*messages)
        conversation.reader.outcome()
    except NodeError as error:
        assert error.kind in ("protocol", "exit", "validation")


def test_a_server_that_stays_is_ended_and_its_answer_counts(bench: Bench) -> None:
    body = "result({'n': 1}); import time; print('still here', file=sys.stderr, flush=True); time.sleep(3600)"
    assert bench.succeed(tool(bench, body, outputs={"n": ANY})) == {"n": 1}
    assert "still here" in bench.messages()


def test_a_server_that_falls_over_after_its_answer_has_answered(bench: Bench) -> None:
    assert bench.succeed(tool(bench, "result({'n': 1}); sys.exit(9)", outputs={"n": ANY})) == {"n": 1}


def test_one_that_ends_without_an_answer_broke_the_protocol(bench: Bench) -> None:
    failure = bench.fail(tool(bench, "sys.exit(0)"))
    assert failure.kind == "protocol"


def test_a_server_is_told_that_nobody_waits_and_may_end_by_itself(bench: Bench) -> None:
    body = "print(json.loads(sys.stdin.readline())['method'], sys.stdin.read() == '', file=sys.stderr)"
    assert bench.fail(tool(bench, body), limits=Limits(timeout_ms=1500)).kind == "timeout"
    assert "notifications/cancelled True" in bench.messages()


def test_parameters_are_arguments_and_words_too(bench: Bench) -> None:
    run = {"mcp": {"command": ["python3", "server.py", "${ parameters.mode }"], "tool": "act"}}
    uses = bench.extension(
        "words",
        {"server.py": server("result({'got': [sys.argv[1], arguments, sorted(meta['polyphony/request'])]})")},
        run=run,
        inputs={"city": ANY},
        outputs={"got": ANY},
        parameters={"type": "object", "properties": {"mode": {"type": "string"}}},
    )
    given = {"inputs": {"city": "Rome"}, "parameters": {"mode": "fast"}}
    words = ["attempt", "deadline", "node", "protocol", "run", "secrets", "task"]
    assert bench.succeed(uses, **given) == {"got": ["fast", {"city": "Rome", "mode": "fast"}, words]}


def test_a_server_has_secrets_and_limits_like_any_node(bench: Bench) -> None:
    bench.secrets["TOKEN"] = "hidden-word"
    reading = "result({'n': open(meta['polyphony/request']['secrets']['TOKEN']).read()})"
    uses = tool(bench, reading, outputs={"n": ANY})
    assert bench.succeed(uses, grants={"secrets": ("TOKEN",)}) == {"n": "***"}
    assert bench.succeed(uses, grants={"secrets": ("TOKEN",)}, allow_unsandboxed=True) == {"n": "***"}
    hungry = tool(bench, "result({'n': len('x' * (1 << 30))})")
    assert bench.fail(hungry, limits=Limits(memory=128 << 20)).kind == "memory"
    flood = tool(bench, "[log('x' * 60000) for _ in range(1000)]")
    assert bench.fail(flood).kind == "output"
    chatter = tool(bench, "[log('x') for _ in range(20000)]")
    assert bench.fail(chatter).kind == "output"


def test_files_of_a_server_are_artifacts(bench: Bench) -> None:
    file = {"schema": {"$ref": "urn:polyphony:file"}}
    uses = tool(bench, "open('/out/report', 'w').write('text'); result({})", outputs={"report": file})
    assert bench.succeed(uses)["report"]["size"] == 4  # type: ignore[index,call-overload]  # a reference
