"""The fork server that runs inside the sandbox. A plain script, standard library only.

Usage: ``python -I -S -B -X utf8 server.py CONTROL_FD MAIN [ARGUMENT…]``. MAIN is a Python file that defines
``boot(*arguments)``: called once, it imports what calls need and returns the function that each call runs in a
process of its own, with the request on standard input. That process is forked before the request comes, so that
nobody waits for the fork; it takes the request itself.

Control messages (SEQPACKET): ``{"ready": rss}`` or ``{"failed": text}`` once; then for each call
``{"cpu": seconds or null, "work": folder}`` with three pipe ends comes in and
``{"rc", "cpu", "maxrss", "rss", "left"}`` goes out. Between two calls no process and no file of the first is left, or
the answer says so and the worker is retired.
"""

import contextlib
import ctypes
import errno
import gc
import importlib.util
import json
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any

PR_SET_DUMPABLE = 4
CPU_GRACE = 2
MAX_FDS = 1 << 16
MAX_IDLE_DEATHS = 3
SHARED = ("/tmp", "/dev/shm")  # noqa: S108
EXPECTED = {".secrets"}
Call = Callable[[], object]


def load(path: str, arguments: list[str]) -> Call:
    """Run the main file and its ``boot``."""
    spec = importlib.util.spec_from_file_location("polyphony_warm_main", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    call: Call = module.boot(*arguments)
    return call


def resident() -> int:
    """Bytes of this process."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()


def harden() -> None:
    """No child may look into this process; what is imported stays shared between forks."""
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
        raise RuntimeError("the extension starts threads when it is imported, which no fork survives")
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    gc.collect()
    gc.freeze()


def become(request: dict[str, Any], fds: list[int]) -> None:
    """In the child: pipes, session, limits, folder, fresh random numbers."""
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
    os.closerange(3, MAX_FDS)
    os.setsid()
    if request["cpu"]:
        resource.setrlimit(resource.RLIMIT_CPU, (request["cpu"], request["cpu"] + CPU_GRACE))
    os.chdir(request["work"])
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def run(call: Call, control: socket.socket, taken: int) -> None:
    """The child's whole life: wait for one request, say that it was taken, answer it."""
    status = 1
    try:
        message, fds, _, _ = socket.recv_fds(control, 1 << 16, 3)
        if not message:
            os._exit(0)
        os.write(taken, b"1")
        become(json.loads(message), fds)
        call()
        status = 0
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:  # noqa: BLE001  # whatever the function raises
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status & 0xFF)


def clear() -> None:
    """Kill and reap until nobody is left; zombies count, so the end is the end."""
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError as error:
            if error.errno != errno.ECHILD:
                raise
            try:
                os.kill(-1, 0)
            except ProcessLookupError:
                return


def left_over() -> list[str]:
    """Names that the call left where the next one would find them."""
    found = []
    for folder in SHARED:
        with os.scandir(folder) as entries:
            found += [entry.name for entry in entries if entry.name not in EXPECTED]
    return found[:16]


def serve(control: socket.socket, call: Call) -> None:
    """One call after the other, until the runner closes its end or no process lives long enough to take one."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    idle_deaths = 0
    while idle_deaths < MAX_IDLE_DEATHS:
        child = os.fork()
        if child == 0:
            run(call, control, writing)
        _, status, usage = os.wait4(child, 0)
        try:
            os.read(reading, 1)
        except BlockingIOError:  # it died, or the runner has gone, before there was a request
            idle_deaths += 1
            if is_closed(control):
                return
            continue
        idle_deaths = 0
        clear()
        answer = {
            "rc": os.waitstatus_to_exitcode(status),
            "cpu": usage.ru_utime + usage.ru_stime,
            "maxrss": usage.ru_maxrss * 1024,
            "rss": resident(),
            "left": left_over(),
        }
        control.send(json.dumps(answer).encode())


def is_closed(control: socket.socket) -> bool:
    """Whether the runner has closed its end."""
    try:
        return not control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def main() -> None:
    """Boot, say how it went, serve."""
    number = int(sys.argv[1])
    os.closerange(3, number)
    os.closerange(number + 1, MAX_FDS)
    control = socket.socket(fileno=number)
    control.set_inheritable(False)
    try:
        call = load(sys.argv[2], sys.argv[3:])
        harden()
    except BaseException as error:  # noqa: BLE001  # whatever the extension's import does
        text = "".join(traceback.format_exception(error))[-16384:]
        control.send(json.dumps({"failed": text}).encode())
        return
    control.send(json.dumps({"ready": resident()}).encode())
    serve(control, call)


if __name__ == "__main__":
    main()
