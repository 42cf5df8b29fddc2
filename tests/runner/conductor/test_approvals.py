"""``core/approve``: a person decides, or the time does (docs/melody.md)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import Conductor
from polyphony_runner.conductor.requests import ApproveRequest
from support.conductor_graphs import Player, compiled, core

OUTPUTS = {name: f"${{ ask.{name} }}" for name in ("approved", "by", "comment")}


def asking(**further: Any) -> Any:
    nodes = {
        "ask": core("approve", {"question": "Deploy?", **further}),
        "deploy": core("set", {"n": 1}, when="ask.approved"),
    }
    return compiled(nodes, outputs=OUTPUTS)


@pytest.mark.parametrize(("approved", "status"), [(True, "succeeded"), (False, "skipped")])
def test_a_person_decides(player: Player, approved: bool, status: str) -> None:
    async def decide(conductor: Conductor) -> None:
        while conductor.state.status != "waiting":
            await asyncio.sleep(0)
        for who in ("ada", "bob"):  # the second one comes too late
            conductor.request(ApproveRequest("ask", approved, who, "as planned"))

    played = player.play(asking(), during=decide)
    assert played.outputs == {"approved": approved, "by": "ada", "comment": "as planned"}
    assert played.statuses["deploy"] == status
    assert played.events_of("ask") == ["node.started", "node.waiting", "approval.given", "node.succeeded"]


@pytest.mark.parametrize(
    ("on_timeout", "approved"),
    [({}, False), ({"on_timeout": "reject"}, False), ({"on_timeout": "approve"}, True)],
)
def test_without_an_answer_the_time_decides(
    player: Player, on_timeout: dict[str, str], approved: bool
) -> None:
    played = player.play(asking(timeout="10ms", **on_timeout))
    assert played.outputs == {"approved": approved, "by": None, "comment": None}


def test_no_answer_may_be_a_failure(player: Player) -> None:
    played = player.play(asking(timeout="10ms", on_timeout="fail"))
    error = played.state.nodes["ask"].error
    assert error is not None
    assert error["kind"] == "timeout"
    assert played.state.status == "failed"
