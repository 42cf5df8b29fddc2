"""What the operator asked for beside the terminal: structured logs, a file of metrics, traces."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from polyphony_cli.app import run

QUICK = """\
melody: v1
name: quick
version: 1.0.0
nodes: {a: {uses: core/set, with: {v: 1}}, b: {uses: core/raise, with: {kind: model, message: no good}}}
"""


def told(home: Path, *words: str) -> tuple[int, list[str]]:
    """Status and the lines on stderr of a call in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run(["--home", str(home), *words])
    return status, err.getvalue().splitlines()


def test_a_structured_log_is_all_there_is_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "melody.yaml").write_text(QUICK)
    status, lines = told(tmp_path / "home", "run", str(tmp_path), "--log-format", "json")
    entries = [json.loads(line) for line in lines]
    assert status == 1
    assert {entry["event"] for entry in entries} >= {"message", "run.started", "node.failed", "run.finished"}
    (failed,) = [entry for entry in entries if entry["event"] == "node.failed"]
    assert (failed["node"], failed["level"], failed["kind"]) == ("b", "error", "model")
    status, lines = told(tmp_path / "home", "--log-format=json", "show", "r_none")
    (refused,) = [json.loads(line) for line in lines]
    assert (status, refused["code"], refused["level"]) == (1, "PLY2402", "error")


def test_metrics_go_to_the_file_of_the_flag_or_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "melody.yaml").write_text(QUICK)
    home, flag, setting = tmp_path / "home", tmp_path / "flag.prom", tmp_path / "setting.prom"
    assert told(home, "run", str(tmp_path), "--metrics", str(flag))[0] == 1
    assert 'polyphony_runs_total{melody="quick",status="failed"} 1' in flag.read_text()
    (home / "config.yaml").write_text(f"observe: {{metrics: {setting}}}\n")
    assert told(home, "run", str(tmp_path))[0] == 1
    assert 'polyphony_runs_total{melody="quick",status="failed"} 1' in setting.read_text()
    status, lines = told(home, "run", str(tmp_path), "--metrics", str(tmp_path / "none/x.prom"))
    assert status == 1
    assert any(line.startswith("warning: no metrics in ") for line in lines)


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Takes what an OpenTelemetry exporter sends over HTTP."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_traces_go_to_the_collector_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "melody.yaml").write_text(QUICK)
    with collector() as (address, got):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        assert told(tmp_path / "home", "run", str(tmp_path))[0] == 1
    assert b"polyphony" in b"".join(got)
    assert b"quick" in b"".join(got)
