"""Without a sandbox, the one who sees to it that nothing outlives a run. A plain script, stdlib only.

Usage: ``python -I -S supervise.py STATUS_FD BLOCK_FD COMMAND…``. Speaks bubblewrap's status protocol: says its pid, waits
for one byte, starts the command, adopts every orphan of it (subreaper), and at the end, or at SIGTERM (also sent by
the kernel when the runner dies), kills all descendants until none is left. Then it reports the exit code.
"""

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def children() -> list[int]:
    """All direct children; orphans of ours become direct children."""
    with open("/proc/self/task/%d/children" % os.getpid()) as file:  # noqa: PTH123, UP031
        return [int(word) for word in file.read().split()]


def sweep() -> None:
    """Kill and reap until nobody is left."""
    while pids := children():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.wait()


def main(status: int, block: int, command: list[str]) -> None:
    """Supervise one command."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)

    def ended(*_: object) -> None:
        sweep()
        os._exit(0)

    signal.signal(signal.SIGTERM, ended)
    os.write(status, b'{"child-pid": %d}\n' % os.getpid())
    if not os.read(block, 1):
        os._exit(0)
    os.close(block)
    child = os.fork()
    if child == 0:
        os.close(status)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        try:
            os.execvp(command[0], command)  # noqa: S606  # words as they are, no shell
        except OSError as error:
            os.write(2, f"supervise: execvp {command[0]}: {error.strerror}\n".encode())
            os._exit(1)
    for fd in (0, 1):
        os.close(fd)
    _, raw = os.waitpid(child, 0)
    sweep()
    code = os.waitstatus_to_exitcode(raw)
    os.write(status, b'{"exit-code": %d}\n' % (code if code >= 0 else 128 - code))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
