"""Each kind of program, run for real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyphony_runner.runtimes.protocol import Success
from polyphony_schemas.graph.model import Limits
from support.runtimes_nodes import Bench

ANY: dict[str, object] = {"schema": {}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_python_function_is_called_with_inputs_parameters_task_and_context(bench: Bench) -> None:
    uses = bench.python(
        "def main(inputs, parameters, task, context):\n"
        "    print('harmless')\n"
        "    context.log('hello', 'warning')\n"
        "    context.usage('tiny', 3, 4, '0.01')\n"
        "    return {'sum': inputs['a'] + parameters['b'], 'who': [context.run, context.node, context.attempt], 'task': task}\n",
        inputs={"a": ANY},
        outputs={"sum": {"schema": {"type": "integer"}}, "who": ANY, "task": ANY},
        parameters={"type": "object", "properties": {"b": {"type": "integer"}}},
    )
    outputs = bench.succeed(uses, inputs={"a": 1}, parameters={"b": 2}, task={"objective": "add"}, attempt=3)
    assert outputs == {"sum": 3, "who": ["r_test", "work", 3], "task": {"objective": "add"}}
    assert {"level": "warning", "message": "hello"} in [event.data for event in bench.events]
    assert "harmless" in bench.messages()
    assert {"model": "tiny", "input_tokens": 3, "output_tokens": 4, "usd": "0.01"} in [
        event.data for event in bench.events if event.type == "usage"
    ]


def test_an_exception_is_an_exit_with_its_trace(bench: Bench) -> None:
    failure = bench.fail(bench.python("def main(i, p, t, c):\n    raise ValueError('no good')\n"))
    assert (failure.kind, failure.message) == ("exit", "ValueError: no good")
    assert failure.trace is not None
    assert 'File "/ext/node.py", line 2' in failure.trace


def test_a_function_may_claim_a_kind_and_others_become_exit(bench: Bench) -> None:
    source = "def main(i, p, t, c):\n    c.fail(i['kind'], 'because', retryable=True)\n"
    uses = bench.python(source, inputs={"kind": ANY})
    for claimed, kind in (("model", "model"), ("budget", "exit")):
        failure = bench.fail(uses, inputs={"kind": claimed})
        assert (failure.kind, failure.message, failure.retryable) == (kind, "because", True)


def test_sys_exit_and_a_silent_end_are_failures(bench: Bench) -> None:
    left = bench.fail(bench.python("import sys\ndef main(i, p, t, c):\n    sys.exit(0)\n"))
    silent = bench.fail(bench.python("import os\ndef main(i, p, t, c):\n    os._exit(0)\n"))
    assert (left.kind, silent.kind) == ("exit", "protocol")


def test_a_process_speaks_the_protocol(bench: Bench) -> None:
    script = (
        "#!/bin/sh\nread -r line\n"
        'echo \'{"type":"progress","done":1,"total":2}\'\n'
        'echo "$line" >&2\n'
        'echo \'{"type":"result","outputs":{"done":true}}\'\n'
    )
    uses = bench.extension(
        "speaker", {"bin/speak": script}, run={"process": ["bin/speak"]}, outputs={"done": ANY}
    )
    assert bench.succeed(uses, inputs={}) == {"done": True}
    request = json.loads(str(bench.messages()[0]))
    assert request["protocol"] == 1
    assert request["deadline"].endswith("Z")
    assert [event.data for event in bench.events if event.type == "progress"] == [{"done": 1, "total": 2}]


@pytest.mark.parametrize(
    "lines",
    [
        "not json",
        "[1]",
        '{"type":"result","outputs":{}}\n{"type":"result","outputs":{}}',
        '{"type":"result","outputs":{"x":NaN}}',
        '{"type":"result","outputs":{"x":1,"x":2}}',
        '{"type":"shout"}',
        "",
    ],
)
def test_anything_else_on_standard_output_is_a_protocol_error(bench: Bench, lines: str) -> None:
    uses = bench.extension("bad", {"say.txt": lines}, run={"process": ["cat", "say.txt"]})
    assert bench.fail(uses).kind == "protocol"


def test_a_command_gets_words_and_gives_its_streams_and_status(bench: Bench) -> None:
    uses = bench.extension(
        "greet",
        run={
            "command": ["sh", "-c", 'echo "hello $1"; echo oh >&2; exit 3', "sh", "${ inputs.who }"],
            "ok": [0, 3],
        },
        inputs={"who": ANY},
    )
    assert bench.succeed(uses, inputs={"who": "Ada; rm -rf /"}) == {
        "stdout": "hello Ada; rm -rf /\n",
        "stderr": "oh\n",
        "status": 3,
    }


def test_a_status_that_is_not_ok_is_an_exit(bench: Bench) -> None:
    uses = bench.extension("no", run={"command": ["sh", "-c", "echo why >&2; exit 4"]})
    failure = bench.fail(uses)
    assert (failure.kind, failure.trace) == ("exit", "why")


def test_long_output_of_a_command_becomes_an_artifact(bench: Bench) -> None:
    uses = bench.extension("long", run={"command": ["seq", "10000"]})
    reference = bench.succeed(uses)["stdout"]
    assert isinstance(reference, dict)
    assert bench.artifacts.read(str(reference["digest"])).startswith(b"1\n2\n")


def test_a_value_that_looks_like_an_option_needs_two_dashes_before_it(bench: Bench) -> None:
    refused = bench.extension("bare", run={"command": ["echo", "${ inputs.x }"]}, inputs={"x": ANY})
    fine = bench.extension(
        "dashes", run={"command": ["cat", "--", "${ inputs.x }"], "ok": [1]}, inputs={"x": ANY}
    )
    assert bench.fail(refused, inputs={"x": "--version"}).kind == "validation"
    assert bench.succeed(fine, inputs={"x": "--version"})["status"] == 1


def test_a_missing_program_is_unavailable(bench: Bench) -> None:
    missing = bench.extension("missing", run={"command": ["no-such-program-anywhere"]})
    server = bench.extension("mcp", run={"mcp": {"command": ["no-such-server-anywhere"], "tool": "t"}})
    failures = [bench.fail(uses) for uses in (missing, server)]
    assert [failure.kind for failure in failures] == ["unavailable"] * 2
    assert not any(failure.retryable for failure in failures)


def test_standard_error_of_a_command_is_log_while_it_runs_and_an_output_after(bench: Bench) -> None:
    uses = bench.extension("both", run={"command": ["sh", "-c", "echo one >&2; echo two >&2"]})
    assert bench.succeed(uses)["stderr"] == "one\ntwo\n"
    assert bench.messages() == ["one", "two"]


def test_outputs_are_checked_against_the_declared_ports(bench: Bench) -> None:
    uses = bench.python(
        "def main(i, p, t, c):\n    return i['give']\n",
        inputs={"give": ANY},
        outputs={"n": {"schema": {"type": "integer"}}, "free": {"schema": True, "from_task": True}},
    )
    assert bench.fail(uses, inputs={"give": {"n": "one"}}).kind == "validation"
    assert bench.fail(uses, inputs={"give": {"other": 1}}).kind == "validation"
    assert bench.succeed(uses, inputs={"give": {"n": 1, "free": "x"}}) == {"n": 1, "free": "x"}
    task = {"outputs": {"schema": {"type": "object"}}}
    assert bench.fail(uses, inputs={"give": {"free": "x"}}, task=task).kind == "validation"


def test_files_arrive_and_leave_as_artifacts(bench: Bench) -> None:
    file, folder = {"schema": {"$ref": "urn:polyphony:file"}}, {"schema": {"$ref": "urn:polyphony:directory"}}
    uses = bench.python(
        "import pathlib, shutil\n"
        "def main(inputs, p, t, context):\n"
        "    source = pathlib.Path(inputs['source']['path'])\n"
        "    shutil.copy(source, '/out/same')\n"
        "    pathlib.Path('/out/tree/deep').mkdir(parents=True)\n"
        "    pathlib.Path('/out/tree/deep/a.txt').write_text('a')\n"
        "    pathlib.Path('note.html').write_text('<p>')\n"
        "    context.artifact('note', 'note.html', 'text/html')\n"
        "    context.artifact('extra', 'note.html')\n"
        "    return {'where': str(source)}\n",
        inputs={"source": file},
        outputs={"same": file, "tree": folder, "note": file, "where": ANY},
    )
    kept = bench.artifacts.put_bytes(b"content")
    reference = {"digest": kept.digest, "name": "in.txt", "media_type": "text/plain", "size": 7}
    outcome = bench.go(uses, inputs={"source": reference})
    assert isinstance(outcome, Success), outcome
    outputs = outcome.outputs
    assert outputs["where"] == "/in/source/in.txt"
    assert outputs["same"]["digest"] == kept.digest  # type: ignore[index,call-overload]  # a reference
    assert outputs["note"]["media_type"] == "text/html"  # type: ignore[index,call-overload]  # a reference
    tree = bench.artifacts.directory(outputs["tree"]["digest"])  # type: ignore[index,call-overload,arg-type]  # same
    assert (tree / "deep/a.txt").read_text() == "a"
    assert [artifact["name"] for artifact in outcome.artifacts] == ["extra"]


def test_an_artifact_may_not_lead_out_of_the_work_folder(bench: Bench) -> None:
    uses = bench.python(
        "import os\n"
        "def main(i, p, t, context):\n"
        "    os.symlink('/etc', 'etc')\n"
        "    context.artifact('x', i['path'])\n",
        inputs={"path": ANY},
    )
    for path in ("etc/passwd", "../x", "/etc/passwd", "nothing", "etc"):
        failure = bench.fail(uses, inputs={"path": path})
        assert failure.kind == "validation", path


def test_without_a_sandbox_paths_are_the_hosts(bench: Bench) -> None:
    uses = bench.python(
        "import os\ndef main(inputs, p, t, c):\n"
        "    return {'out': [open(inputs['path']).read(), os.getpid() > 3, len(c.secret('TOKEN'))]}\n",
        inputs={"path": {"schema": {"type": "string", "format": "path"}}},
        outputs={"out": ANY},
    )
    (bench.work / "a.txt").write_text("text")
    bench.secrets["TOKEN"] = "hidden-word"
    grants = {"read": ("a.txt",), "secrets": ("TOKEN",)}
    outputs = bench.succeed(uses, inputs={"path": "a.txt"}, grants=grants, allow_unsandboxed=True)
    assert outputs["out"] == ["text", True, 11]
    assert not list(bench.home.cache.rglob("secret-*"))


def test_a_cancellable_program_is_asked_before_it_is_ended(bench: Bench) -> None:
    script = '#!/bin/sh\nread -r request\nread -r cancel\necho "$cancel" >&2\n'
    uses = bench.extension("patient", {"bin/wait": script}, run={"process": ["bin/wait"]}, cancellable=True)
    assert bench.fail(uses, limits=Limits(timeout_ms=400)).kind == "timeout"
    assert '"type":"cancel"' in str(bench.messages())


def test_granted_programs_and_variables_are_there_and_others_are_not(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "own-tool").write_text("#!/bin/sh\necho own\n")
    (programs / "own-tool").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("SHOWN", "yes")
    monkeypatch.setenv("HIDDEN", "no")
    uses = bench.extension("tools", run={"command": ["sh", "-c", "own-tool; echo $SHOWN $HIDDEN"]})
    assert bench.succeed(uses, grants={"run": ("own-tool",), "env": ("SHOWN",)})["stdout"] == "own\nyes\n"
    assert bench.succeed(uses)["stdout"] == "\n"


def test_what_a_killed_runner_left_is_removed_by_the_next(bench: Bench) -> None:
    left = bench.home.cache / "work/session-dead"
    left.mkdir(parents=True)
    (left / ".lock").touch()
    bench.succeed(bench.python("def main(i, p, t, c):\n    return {}\n"))
    assert not left.exists()
