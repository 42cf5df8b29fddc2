"""``GitService`` by the git program: bare repositories in a folder, one bounded process for each request."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

from polyphony_registry.errors import BusyError
from polyphony_registry.git.environment import git_environment, limited
from polyphony_registry.git.errors import GitError
from polyphony_registry.git.objects import read_commit
from polyphony_registry.git.packets import object_count
from polyphony_registry.git.protocol import CommitFiles, Repository, Service
from polyphony_registry.settings import Settings

_LOG = logging.getLogger(__name__)
_PIECE = 64 * 1024
_DEADLINE = 600.0


class GitProgram:
    """Serves the repositories below ``settings.repositories`` with ``git upload-pack`` and ``git receive-pack``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = threading.BoundedSemaphore(settings.git_slots)

    def path(self, repository: Repository) -> Path:
        """Where the bare repository lies."""
        return self._settings.repositories / repository.owner / f"{repository.name}.git"

    def exists(self, repository: Repository) -> bool:
        """See GitService."""
        return (self.path(repository) / "HEAD").is_file()

    def create(self, repository: Repository) -> None:
        """See GitService: made beside its place and renamed, so nobody sees half a repository."""
        if self.exists(repository):
            return
        place = self.path(repository)
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{repository.name}-", dir=place.parent))
        try:
            self._git(["init", "--quiet", "--bare", "--template=", str(draft)])
            draft.chmod(0o700)
            draft.rename(place)
        except OSError:
            if not self.exists(repository):
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def advertise(self, repository: Repository, service: Service, version: str | None) -> Iterator[bytes]:
        """See GitService."""
        argv = ["git", service, "--stateless-rpc", "--http-backend-info-refs", str(self.path(repository))]
        return self._stream(argv, None, version)

    def upload_pack(self, repository: Repository, body: IO[bytes], version: str | None) -> Iterator[bytes]:
        """See GitService."""
        return self._stream(
            ["git", "upload-pack", "--stateless-rpc", str(self.path(repository))], body, version
        )

    def receive_pack(self, repository: Repository, body: IO[bytes]) -> Iterator[bytes]:
        """See GitService."""
        count = object_count(body)
        if count > self._settings.object_limit:
            raise GitError(
                "PLY4304",
                f"the push holds {count} objects, the limit is {self._settings.object_limit}",
                hint="push a shorter history or fewer files",
                status=413,
            )
        return self._stream(
            ["git", "receive-pack", "--stateless-rpc", str(self.path(repository))], body, None
        )

    def resolve(self, repository: Repository, ref: str) -> str | None:
        """See GitService."""
        return self.refs(repository, ref).get(ref)

    def refs(self, repository: Repository, prefix: str) -> dict[str, str]:
        """See GitService."""
        if not self.exists(repository):
            return {}
        argv = ["-C", str(self.path(repository)), "for-each-ref", "--format=%(refname) %(objectname)", prefix]
        pairs = (line.split(" ") for line in self._git(argv).decode().splitlines())
        return {name: identity for name, identity in pairs}  # noqa: C416  # dict(pairs) of lists has no type

    def write_ref(self, repository: Repository, ref: str, commit: str) -> None:
        """See GitService."""
        self._git(["-C", str(self.path(repository)), "update-ref", ref, commit])

    def advance(self, repository: Repository, ref: str, commit: str) -> bool:
        """See GitService: compared and swapped, so a push at the same moment is never undone."""
        place = ["-C", str(self.path(repository))]
        old = self.resolve(repository, ref)
        if old == commit:
            return True
        if old is not None and self._run([*place, "merge-base", "--is-ancestor", old, commit]).returncode:
            return False
        moved = self._run([*place, "update-ref", ref, commit, old or "0" * len(commit)])
        return not moved.returncode

    def delete_ref(self, repository: Repository, ref: str) -> None:
        """See GitService."""
        self._git(["-C", str(self.path(repository)), "update-ref", "-d", ref])

    def files(self, repository: Repository, commit: str) -> CommitFiles:
        """See GitService."""
        return read_commit(self.path(repository), commit, git_environment(self._settings))

    def _git(self, arguments: list[str]) -> bytes:
        done = self._run(arguments)
        if done.returncode:
            _LOG.error("git %s: %s", arguments, done.stderr.decode(errors="replace"))
            raise GitError(
                "PLY4308", f"git ended with status {done.returncode}", hint="ask the operator", status=500
            )
        return done.stdout

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", *arguments],
            env=git_environment(self._settings),
            capture_output=True,
            check=False,
            timeout=60,
        )

    def _stream(self, argv: list[str], body: IO[bytes] | None, version: str | None) -> Iterator[bytes]:
        if not self._slots.acquire(timeout=self._settings.git_wait):
            raise BusyError("PLY4005", "every git slot is taken", hint="try again in a few seconds")
        try:
            process = subprocess.Popen(
                limited(self._settings, argv),
                env=git_environment(self._settings, version),
                stdin=subprocess.DEVNULL if body is None else body,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except BaseException:
            self._slots.release()
            raise
        return _Output(process, self._slots)


class _Output:
    """The program's output as an iterator; closing it, or reading to the end, ends the program and frees its slot."""

    def __init__(self, process: subprocess.Popen[bytes], slots: threading.BoundedSemaphore) -> None:
        self._process = process
        self._output = cast("BufferedReader", process.stdout)
        self._slots = slots
        self._open = True
        self._talk: list[bytes] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._alarm = threading.Timer(_DEADLINE, self._kill)
        self._alarm.daemon = True
        self._alarm.start()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._output.read1(_PIECE) if self._open else b""
        if piece:
            return piece
        self.close()
        raise StopIteration

    def close(self) -> None:
        """End the program if it still runs, reap it, free the slot. May be called twice."""
        if not self._open:
            return
        self._open = False
        self._alarm.cancel()
        self._output.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        finally:
            self._slots.release()
        self._listener.join(timeout=5)
        if self._process.returncode:
            talk = b"".join(self._talk).decode(errors="replace")
            _LOG.warning("%s: status %s: %s", self._process.args, self._process.returncode, talk)

    def __del__(self) -> None:
        self.close()

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _listen(self) -> None:
        with cast("IO[bytes]", self._process.stderr) as stream:
            while piece := stream.read(4096):
                if sum(map(len, self._talk)) < _PIECE:
                    self._talk.append(piece)
