"""Standard error as log lines: masked, cut at line ends, handed on while the program runs."""

from __future__ import annotations

from polyphony_runner.grants.masking import Masker
from polyphony_runner.runtimes.protocol import NodeEvent, Sink

LONGEST = 8 << 10
MAX_BYTES = 1 << 20


class LogLines:
    """Feeds lines to a sink; after ``MAX_BYTES`` the rest is counted, not kept."""

    def __init__(self, sink: Sink, masker: Masker) -> None:
        self._sink = sink
        self._stream = masker.stream()
        self._partial = b""
        self._taken = 0
        self._dropped = 0

    def feed(self, chunk: bytes) -> None:
        """Take bytes as they come."""
        room = MAX_BYTES - self._taken
        self._taken += min(len(chunk), room)
        self._dropped += max(len(chunk) - room, 0)
        self._lines(self._stream.feed(chunk[:room]))

    def close(self) -> None:
        """Hand on what is left."""
        self._lines(self._stream.flush())
        if self._partial:
            self._say(self._partial)
            self._partial = b""
        if self._dropped:
            self._say(f"… {self._dropped} more bytes on standard error".encode())

    def _lines(self, data: bytes) -> None:
        *whole, self._partial = (self._partial + data).split(b"\n")
        for line in whole:
            self._say(line)
        while len(self._partial) > LONGEST:
            self._say(self._partial[:LONGEST])
            self._partial = self._partial[LONGEST:]

    def _say(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        self._sink(NodeEvent("log", {"level": "info", "message": text, "stream": "stderr"}))
