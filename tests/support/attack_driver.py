"""Runs attack programs at one level as whoever started it: ``LEVEL FOLDER [NAME…]``; prints what came of each as JSON."""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import cast

from polyphony_runner.sandbox.spec import Level
from support.attack_boxes import Verdict, open_row, run_in_box
from support.attack_nodes import run_as_node
from support.attack_programs import Attack, attacks
from support.attack_world import World, make_world

AT_ONCE = 2


def excuse(attack: Attack) -> str:
    """Why a program cannot run on this machine."""
    if attack.heads.get("machine", platform.machine()) != platform.machine():
        return "another architecture"
    if attack.path.suffix == ".c" and shutil.which("cc") is None:
        return "no compiler"
    return ""


async def run_all(level: Level, folder: Path, chosen: list[Attack]) -> dict[str, Verdict]:
    """All of them, some at a time."""
    turns = asyncio.Semaphore(AT_ONCE)
    found: dict[str, Verdict] = {}

    async def one(attack: Attack, number: int, world: World) -> None:
        place = folder / str(number)
        async with turns:
            began = time.monotonic()
            if because := excuse(attack):
                found[attack.name] = Verdict("-", because)
                return
            try:
                if attack.way == "box":
                    found[attack.name] = await run_in_box(attack, level, world, place)
                else:
                    found[attack.name] = await run_as_node(attack, level, place)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
                found[attack.name] = open_row(f"the runner failed: {error!r}"[:300])
            print(f"{time.monotonic() - began:.1f} {attack.name}", file=sys.stderr)

    with make_world(folder) as world:
        await asyncio.gather(*(one(attack, number, world) for number, attack in enumerate(chosen)))
    return found


if __name__ == "__main__":
    level, folder, *names = sys.argv[1:]
    chosen = [attack for attack in attacks() if not names or attack.name in names]
    came = asyncio.run(run_all(cast("Level", level), Path(folder), chosen))
    print(json.dumps({name: asdict(verdict) for name, verdict in sorted(came.items())}))
