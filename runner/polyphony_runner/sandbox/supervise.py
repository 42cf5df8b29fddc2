"""Without namespaces, the one who sees to it that nothing outlives a run. A plain script, stdlib only.

Usage: ``python -I -S supervise.py STATUS_FD BLOCK_FD [--confine=RULES_FD,FILTER_FD,UID] COMMAND…``. Speaks bubblewrap's
status protocol: says its pid, waits for one byte, starts the command, adopts every orphan of it (subreaper), and at
the end, or at SIGTERM (also sent by the kernel when the runner dies), kills all descendants until none is left. Then
it reports the exit code. With ``--confine`` the command starts under a Landlock rule set and a system call filter, and,
where UID is not -1, as that user with the one capability to read what others own.
"""

import contextlib
import ctypes
import errno
import os
import signal
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 8, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 36, 38, 47
FILTER_MODE, AMBIENT_RAISE = 2, 2
LANDLOCK_RESTRICT_SELF = 446  # the same number on every architecture
CAPABILITY_VERSION_3 = 0x20080522
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
INSTRUCTION = 8  # bytes of one in a filter
OPTION = "--confine="

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int) -> None:
    """OSError when a call into the kernel failed."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def prctl(option: int, *arguments: int) -> None:
    """prctl(2)."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    check(libc.prctl(option, *(ctypes.c_ulong(value) for value in padded)))


def permitted() -> int:
    """The capabilities this process may use, as bits."""
    with open("/proc/self/status") as file:  # noqa: PTH123
        return next(int(line.split()[1], 16) for line in file if line.startswith("CapPrm:"))


def set_capabilities(effective: int, inheritable: int) -> None:
    """capset(2) of this process; permitted = effective."""
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    words = [
        value >> shift & 0xFFFFFFFF for shift in (0, 32) for value in (effective, effective, inheritable)
    ]
    check(libc.capset(header, struct.pack("=6I", *words)))


def become(uid: int) -> None:
    """From root to ``uid``, with nothing of root's but the right to pass folders and read files of others."""
    have = permitted()
    kept = 1 << (DAC_READ_SEARCH if have >> DAC_READ_SEARCH & 1 else DAC_OVERRIDE)
    set_capabilities(have, kept)
    for number in range(64):
        with contextlib.suppress(OSError):  # numbers this kernel does not have
            prctl(PR_CAPBSET_DROP, number)
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    set_capabilities(kept, kept)
    prctl(PR_CAP_AMBIENT, AMBIENT_RAISE, kept.bit_length() - 1)


def confine(rules: int, bpf: int, uid: int) -> None:
    """Give up everything that is not granted. What this process starts cannot get it back."""
    found = os.read(bpf, 1 << 16)
    program = ctypes.create_string_buffer(found, len(found))
    if uid >= 0:
        become(uid)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    check(libc.syscall(LANDLOCK_RESTRICT_SELF, rules, 0))
    os.close(rules)
    os.close(bpf)
    described = ctypes.create_string_buffer(
        struct.pack("@HP", len(program) // INSTRUCTION, ctypes.addressof(program))
    )
    prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.addressof(described))


def children() -> list[int]:
    """All direct children; orphans of ours become direct children."""
    with open("/proc/self/task/%d/children" % os.getpid()) as file:  # noqa: PTH123, UP031
        return [int(word) for word in file.read().split()]


def below() -> list[int]:
    """Everybody below: children, theirs, and so on. One that is born meanwhile may be missing."""
    found, ahead = [], children()
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        with contextlib.suppress(OSError):  # it has ended
            for task in os.listdir("/proc/%d/task" % pid):  # noqa: PTH208, UP031
                with open("/proc/%d/task/%s/children" % (pid, task)) as file:  # noqa: PTH123, UP031
                    ahead += [int(word) for word in file.read().split()]
    return found


def send(pid: int, number: int) -> None:
    """Signal a process below, which may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def sweep() -> None:
    """Kill and reap until nobody is left.

    All are stopped first: who forks without end is quicker than who kills one after another, but a stopped process
    forks no more and still counts against the bound, so that soon nobody can be born.
    """
    while children():
        stopped: set[int] = set()
        while new := [pid for pid in below() if pid not in stopped]:
            for pid in new:
                send(pid, signal.SIGSTOP)
            stopped.update(new)
        for pid in stopped:
            send(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.wait()


def execute(command: list[str]) -> None:
    """execvp(3). That of ``os`` imports a module on the way, which a confined process may not be able to read."""
    folders = [""] if "/" in command[0] else os.environ["PATH"].split(":")
    reason: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for folder in folders:
        try:
            os.execv(os.path.join(folder, command[0]), command)  # noqa: S606, PTH118  # words as they are, no shell
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            reason = error
    raise reason


def start(command: list[str], confinement: list[int]) -> None:
    """Become the command; never returns."""
    doing = "confine"
    try:
        if confinement:
            confine(*confinement)
        doing = f"execvp {command[0]}"
        execute(command)
    except OSError as error:
        os.write(2, f"supervise: {doing}: {error.strerror}\n".encode())
    finally:
        os._exit(1)


def main(status: int, block: int, command: list[str], confinement: list[int]) -> None:
    """Supervise one command."""
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)

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
        start(command, confinement)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("0")  # whoever needs the memory is below; without its supervisor it would outlive the run
    for fd in (0, 1, *confinement[:2]):
        os.close(fd)
    _, raw = os.waitpid(child, 0)
    sweep()
    code = os.waitstatus_to_exitcode(raw)
    os.write(status, b'{"exit-code": %d}\n' % (code if code >= 0 else 128 - code))


if __name__ == "__main__":
    words = sys.argv[3:]
    option = words.pop(0) if words[0].startswith(OPTION) else OPTION
    numbers = [int(word) for word in option.removeprefix(OPTION).split(",") if word]
    main(int(sys.argv[1]), int(sys.argv[2]), words, numbers)
