"""Each way to end: the kind is right, and nothing of the tree is left."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from polyphony_runner.sandbox import Exit, run_sandboxed
from support.sandbox_box import QUICK, SYSTEM_PYTHON, Box, processes_with

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3)
        while True:
            with open("/ws/beat", "a") as file:
                file.write("x")
            time.sleep(0.01)
    os._exit(0)
os.wait()
while not os.path.exists("/ws/beat"):
    time.sleep(0.01)
"""


def beats_stopped(box: Box) -> bool:
    """The tree is dead as soon as the call returned, so the file cannot grow any more."""
    before = (box.work / "beat").stat().st_size
    time.sleep(0.05)
    return before == (box.work / "beat").stat().st_size


def test_success_and_status_and_streams(box: Box) -> None:
    ended = box.run("sh", "-c", "cat; echo to-stderr >&2; exit 7", stdin=b"hello")
    assert (ended.kind, ended.status, ended.stdout, ended.stderr) == ("exit", 7, b"hello", "to-stderr\n")
    assert box.run("true").kind is None


def test_a_missing_program_is_unavailable(box: Box) -> None:
    ended = box.run("no-such-program")
    assert ended.kind == "unavailable"
    assert "no-such-program" in ended.message


def test_a_signal_is_a_crash(box: Box) -> None:
    ended = box.run("sh", "-c", "kill -SEGV $$")
    assert ended.kind == "crash"
    assert "SIGSEGV" in ended.message


def test_a_daemon_dies_with_a_program_that_ends(box: Box) -> None:
    assert box.python(DAEMON).kind is None
    assert beats_stopped(box)


def test_a_daemon_dies_at_the_timeout(box: Box) -> None:
    ended = box.python(DAEMON + "\ntime.sleep(60)", limits=replace(QUICK, wall=3.0))
    assert ended.kind == "timeout"
    assert ended.seconds < 30
    assert beats_stopped(box)


def test_memory_in_files_that_nobody_maps_counts_too(box: Box) -> None:
    code = """
import os, time
for i in range(40):
    os.write(os.memfd_create(str(i)), b'x' * (4 << 20))
time.sleep(80)
"""
    assert box.python(code, limits=replace(QUICK, memory=64 << 20)).kind == "memory"


def test_memory_is_bounded(box: Box) -> None:
    code = "b = bytearray(200 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1"
    assert box.python(code, limits=replace(QUICK, memory=64 << 20)).kind == "memory"


def test_many_medium_processes_are_bounded_together(box: Box) -> None:
    code = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        block = bytearray(24 << 20)
        for i in range(0, len(block), 4096): block[i] = 1
        time.sleep(80)
        os._exit(0)
time.sleep(80)
"""
    ended = box.python(code, limits=replace(QUICK, memory=64 << 20))
    assert ended.kind == "memory"


def test_processes_are_bounded(box: Box) -> None:
    code = "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(80)"
    ended = box.python(code, limits=replace(QUICK, processes=16))
    assert ended.kind == "processes"


def test_a_silent_fork_bomb_ends_at_the_timeout(box: Box) -> None:
    code = """
import os
while True:
    try: os.fork()
    except OSError: pass
"""
    ended = box.python(code, limits=replace(QUICK, processes=16, wall=0.5))
    assert ended.kind == "timeout"
    assert ended.seconds < 30


def test_processor_time_is_bounded(box: Box) -> None:
    ended = box.python("while True: pass", limits=replace(QUICK, cpu=1.0))
    assert ended.kind == "cpu"


def test_a_large_file_is_a_disk_error(box: Box) -> None:
    ended = box.run("dd", "if=/dev/zero", "of=/ws/large", "bs=64K", limits=replace(QUICK, file_size=1 << 20))
    assert ended.kind == "disk"


def test_many_small_files_are_a_disk_error_even_between_two_looks(box: Box) -> None:
    code = "for i in range(600): open(f'/ws/{i}', 'w').write('x' * 4096)"
    assert box.python(code, limits=replace(QUICK, disk=1 << 20)).kind == "disk"
    for path in box.work.iterdir():
        path.unlink()
    assert (
        box.python("for i in range(600): open(f'/ws/{i}', 'w')", limits=replace(QUICK, entries=500)).kind
        == "disk"
    )


def test_a_writer_without_end_is_stopped_by_looking(box: Box) -> None:
    code = """
i = 0
while True:
    i += 1
    open(f'/ws/{i % 500}', 'w').write('x' * 65536)
"""
    ended = box.python(code, limits=replace(QUICK, disk=4 << 20))
    assert ended.kind == "disk"


@pytest.mark.parametrize(
    "hide",
    [
        "name = f'/ws/{i}'; open_files.append(open(name, 'wb')); os.unlink(name); open_files[-1].write(data); open_files[-1].flush()",
        "os.mkdir(f'/ws/{i}'); open(f'/ws/{i}/f', 'wb').write(data); os.chmod(f'/ws/{i}', 0)",
    ],
    ids=["files without a name", "folders that cannot be read"],
)
def test_what_is_hidden_from_a_look_counts_too(box: Box, hide: str) -> None:
    code = f"""
import os, time
open_files, data = [], b'x' * (1 << 20)
for i in range(12):
    {hide}
time.sleep(80)
"""
    ended = box.python(code, limits=replace(QUICK, disk=4 << 20))
    assert ended.kind == "disk"


def test_a_full_tmp_is_a_disk_error(box: Box) -> None:
    ended = box.run("dd", "if=/dev/zero", "of=/tmp/large", "bs=64K", limits=replace(QUICK, tmp=1 << 20))
    assert ended.kind == "disk"


def test_output_is_bounded(box: Box) -> None:
    ended = box.run("yes", limits=replace(QUICK, stdout=1 << 20))
    assert ended.kind == "output"


def test_a_line_without_end_is_bounded(box: Box) -> None:
    code = "import os\nwhile True: os.write(1, b'x' * 65536)"
    ended = box.python(code, wants_lines=True, limits=replace(QUICK, line=1 << 18))
    assert ended.kind == "output"
    assert "line" in ended.message


def test_lines_arrive_whole_and_in_order(box: Box) -> None:
    ended = box.run("sh", "-c", "printf 'a\\nbb\\n\\nlast'", wants_lines=True)
    assert ended.kind is None
    assert box.lines == [b"a", b"bb", b"", b"last"]


def test_ten_megabytes_both_ways_do_not_deadlock_and_stderr_keeps_both_edges(box: Box) -> None:
    code = """
import sys
data = sys.stdin.buffer.read()
sys.stderr.write('first ' + 'e' * (10 << 20) + ' last')
sys.stdout.buffer.write(data)
"""
    sent = b"0123456789abcdef" * (10 << 16)
    ended = box.python(code, stdin=sent, limits=replace(QUICK, stdout=16 << 20))
    assert ended.kind is None
    assert ended.stdout == sent
    assert ended.stderr.startswith("first e")
    assert ended.stderr.endswith("e last")
    assert len(ended.stderr) < 140_000


def test_a_program_that_closes_its_input_is_no_error(box: Box) -> None:
    assert box.run("true", stdin=b"x" * (1 << 20)).kind is None


def test_a_cancelled_task_returns_only_when_the_tree_is_dead(here: Box) -> None:
    marker = f"marker-{id(here)}"

    async def main() -> None:
        spec = here.spec("sh", "-c", f"sleep 300 & sleep 300 # {marker}")
        task = asyncio.create_task(run_sandboxed(spec, level=here.level))
        while not processes_with(marker):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert processes_with(marker) == []

    asyncio.run(main())


def test_a_cancellable_program_is_asked_first(here: Box) -> None:
    code = "import sys\nsys.stdin.readline(); print('began', flush=True); print(sys.stdin.readline().strip())"
    seen: list[bytes] = []

    async def main() -> Exit:
        spec = here.spec(
            SYSTEM_PYTHON,
            "-I",
            "-S",
            "-c",
            code,
            stdin=b"request\n",
            cancel_message=b"please stop\n",
            limits=replace(QUICK, wall=1.0),
        )
        return await run_sandboxed(spec, level=here.level, on_line=seen.append)

    ended = asyncio.run(main())
    assert ended.kind == "timeout"
    assert seen == [b"began", b"please stop"]


def test_what_a_line_callback_raises_reaches_the_caller_with_the_tree_dead(here: Box) -> None:
    marker = f"raiser-{id(here)}"

    def refuse(line: bytes) -> None:
        raise ValueError(line.decode())

    with pytest.raises(ValueError, match="one"):
        asyncio.run(
            run_sandboxed(
                here.spec("sh", "-c", f"echo one; sleep 300 # {marker}"), level=here.level, on_line=refuse
            )
        )
    assert processes_with(marker) == []


def test_no_limit_error_hides_behind_137(here: Box) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert here.python(code).kind == "crash"
