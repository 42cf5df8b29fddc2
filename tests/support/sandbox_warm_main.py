"""The main file of the warm workers in the tests: each request says what the call does."""

import json
import os
import random
import sys
from collections.abc import Callable

STATE: list[int] = []


def boot(mode: str) -> Callable[[], None]:
    if mode == "broken":
        raise RuntimeError("the import failed")
    if mode == "threads":
        import threading

        threading.Thread(target=threading.Event().wait, daemon=True).start()
    if "\n" in mode:  # what an extension does when it is imported
        exec(mode, {"os": os, "sys": sys})
    return call


def call() -> None:
    request = json.loads(sys.stdin.readline())
    STATE.append(1)
    exec(request.get("code", ""), {"os": os, "sys": sys})
    answer = {
        "pid": os.getpid(),
        "server": os.getppid(),
        "calls seen": len(STATE),
        "cwd": os.getcwd(),  # noqa: PTH109
        "random": random.random(),
        "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1],  # noqa: PTH208
    }
    print(json.dumps(answer))
