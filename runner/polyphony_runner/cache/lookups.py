"""What one running Conductor asks of the cache: is this result known, may I compute it, keep what came out.

Every ``ask`` leads to exactly one ``Found`` through ``report``; so does a ``claim`` that is refused. Waiting for
somebody else's computation takes no place among the running nodes, and ends when that one ends, dies, or after
``patience`` seconds: then the node is executed after all.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.artifacts import ArtifactError, ArtifactStore
from polyphony_runner.artifacts.manifest import DIRECTORY_MEDIA_TYPE
from polyphony_runner.cache.content import ContentDigests
from polyphony_runner.cache.errors import NotCacheableError
from polyphony_runner.cache.key import CacheKey, KeyMaker, reads_files
from polyphony_runner.cache.store import Claim, Entry, FolderResults, KnownKey, ResultStore
from polyphony_runner.conductor.pure_nodes import Found, Report
from polyphony_runner.grants.paths import Boundaries
from polyphony_runner.home import Home
from polyphony_runner.packages import PackageSource
from polyphony_runner.runtimes.protocol import Assignment
from polyphony_runner.runtimes.threads import in_thread
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.values import JsonObject, JsonValue

_PAUSE = 0.05
_PATIENCE = 900.0


@dataclass(slots=True)
class _Asked:
    assignment: Assignment
    report: Report
    key: CacheKey | None = None
    reason: str = ""
    claim: Claim | None = None
    since: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Wait:
    """Nodes that wait for one result which somebody is computing; ``over`` is set when that was this run."""

    nodes: list[_Asked] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Lookups:
    """The cache as one run sees it. ``folder`` is what relative ``uses`` are resolved against. One event loop."""

    store: ResultStore
    keys: KeyMaker
    packages: PackageSource
    folder: Path
    artifacts: ArtifactStore
    patience: float = _PATIENCE
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _queues: dict[str, list[_Asked]] = field(default_factory=dict)
    _waits: dict[str, _Wait] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def ask(self, assignment: Assignment, report: Report) -> None:
        """Look a node up, at once where no granted file has to be read."""
        asked = self._asked[assignment.node] = _Asked(assignment, report)
        if reads_files(assignment):
            self._queue(asked)
        else:
            self._answer(asked, self._first_look(asked))

    def claim(self, path: str) -> bool:
        """Before a node is executed: True when this run may do so; else another computes it, and a ``Found`` follows."""
        asked = self._asked.get(path)
        if asked is None or asked.key is None or time.monotonic() - asked.since > self.patience:
            return True
        asked.claim = self.store.claim(asked.key.digest)
        if asked.claim is None:
            self._join(asked, asked.key.digest)
            return False
        data = self._known(asked)  # it may have been computed since it was looked up
        if data is None:
            return True
        self._release(asked)
        asyncio.get_running_loop().call_soon(self._answer, asked, data)
        return False

    def facts(self, path: str) -> dict[str, JsonValue]:
        """What ``node.started`` says about the lookup: the ``key``, or why there is none (``no_key``)."""
        asked = self._asked.get(path)
        if asked is None:
            return {}
        return {"no_key": asked.reason} if asked.key is None else {"key": asked.key.digest}

    def ended(self, path: str, data: JsonObject | None, at_ms: int) -> None:
        """An attempt is over; ``data`` of its ``node.succeeded``, None when it failed. Kept if its inputs stand."""
        self.keys.content.forget()
        asked = self._asked.pop(path, None)
        if asked is None or asked.key is None:
            return
        if data is None:
            self._release(asked)
        elif reads_files(asked.assignment):
            self._spawn(self._keep_in_thread(asked, asked.key, data, at_ms), "keep")
        else:
            self._keep(asked, asked.key, data, at_ms)
            self._release(asked)

    async def close(self) -> None:
        """Finish what is being kept, forget the rest."""
        for asked in self._asked.values():
            self._release(asked)
        self._asked.clear()
        for task in self._tasks:
            if task.get_name() != "keep":
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _answer(self, asked: _Asked, data: JsonObject | None) -> None:
        if data is not None:
            self._asked.pop(asked.assignment.node, None)
        asked.report(Found(asked.assignment.node, data))

    def _queue(self, asked: _Asked) -> None:
        """Nodes that are granted the same are looked up together: one thread, which reads the files once."""
        grants = repr((asked.assignment.grants.get("read"), asked.assignment.grants.get("run")))
        waiting = self._queues.get(grants)
        if waiting is None:
            self._queues[grants] = [asked]
            self._spawn(self._look_in_thread(grants), "ask")
        else:
            waiting.append(asked)

    async def _look_in_thread(self, grants: str) -> None:
        while several := self._queues[grants]:
            self._queues[grants] = []
            for asked, data in zip(several, await in_thread(self._first_looks, several), strict=True):
                self._answer(asked, data)
        del self._queues[grants]

    def _first_looks(self, several: Sequence[_Asked]) -> list[JsonObject | None]:
        return [self._first_look(asked) for asked in several]

    def _first_look(self, asked: _Asked) -> JsonObject | None:
        asked.key = self._key(asked)
        data = self._known(asked)
        if data is None and asked.key is not None:
            who: JsonObject = {
                "run": asked.assignment.run,
                "node": asked.assignment.node,
                "at": time.time_ns() // 1_000_000,
            }
            with contextlib.suppress(OSError):  # only ``explain`` misses it
                self.store.remember(KnownKey(asked.key, who))
        return data

    def _join(self, asked: _Asked, key: str) -> None:
        wait = self._waits.get(key)
        if wait is None:
            wait = self._waits[key] = _Wait()
            self._spawn(self._wait(key, wait), "wait")
        wait.nodes.append(asked)

    async def _wait(self, key: str, wait: _Wait) -> None:
        """Until nobody computes this result any more; in the end it is known, or these nodes may try."""
        since = wait.nodes[0].since
        while not wait.over.is_set() and time.monotonic() - since < self.patience:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE):
                    await wait.over.wait()
            claim = self.store.claim(key)
            if claim is not None:
                claim.release()
                break
        del self._waits[key]
        for asked in wait.nodes:
            self._answer(asked, self._known(asked))

    def _release(self, asked: _Asked) -> None:
        claim, asked.claim = asked.claim, None
        if claim is not None:
            claim.release()
        if asked.key is not None and (wait := self._waits.get(asked.key.digest)) is not None:
            wait.over.set()

    def _key(self, asked: _Asked) -> CacheKey | None:
        package = self.packages.find(asked.assignment.package, self.folder)
        try:
            if package is None:
                raise NotCacheableError("its package is not on this machine")
            return self.keys.key(asked.assignment, package)
        except NotCacheableError as error:
            asked.reason = error.reason
        except (PolyphonyError, OSError, ValueError, RuntimeError) as error:
            # Whatever is wrong is said by the node when it is executed; a lookup must end in an answer.
            asked.reason = f"{type(error).__name__}: {error}"
        return None

    def _known(self, asked: _Asked) -> JsonObject | None:
        """The kept result of a key, with every artifact it names in place."""
        if asked.key is None:
            return None
        entry = self.store.read(asked.key.digest)
        if entry is None or not self._whole(entry.data):
            return None
        return {**entry.data, "cached": True, "key": entry.key}

    def _whole(self, data: JsonObject) -> bool:
        try:
            for stored in _stored(data):
                self._check(json.loads(self.artifacts.read(str(stored["digest"]))))
            self._check(data.get("outputs"))
            self._check(data.get("artifacts"))
        except (ArtifactError, OSError, ValueError, LookupError):
            return False
        return True

    def _check(self, value: JsonValue) -> None:
        """Raise ArtifactError unless every artifact that is named inside is here and undamaged."""
        if isinstance(value, Mapping):
            digest = value.get("digest")
            if isinstance(digest, str) and "media_type" in value:
                folder = value["media_type"] == DIRECTORY_MEDIA_TYPE
                (self.artifacts.directory if folder else self.artifacts.file)(digest)
            for one in value.values():
                self._check(one)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            for one in value:
                self._check(one)

    async def _keep_in_thread(self, asked: _Asked, key: CacheKey, data: JsonObject, at_ms: int) -> None:
        try:
            await in_thread(self._keep, asked, key, data, at_ms)
        finally:
            self._release(asked)

    def _keep(self, asked: _Asked, key: CacheKey, data: JsonObject, at_ms: int) -> None:
        """Keep a result, unless what it was made from changed meanwhile."""
        again = self._key(asked)
        if again is None or again.digest != key.digest:
            return
        made: JsonObject = {"run": asked.assignment.run, "node": asked.assignment.node, "at": at_ms}
        kept = {name: data[name] for name in ("outputs", "artifacts", "stored") if name in data}
        with contextlib.suppress(OSError):  # a full disk costs the entry, not the run
            self.store.write(Entry(key.digest, kept, made))


def _stored(data: JsonObject) -> Iterator[JsonObject]:
    stored = data.get("stored")
    for reference in stored.values() if isinstance(stored, Mapping) else ():
        if isinstance(reference, Mapping):
            yield reference


def lookups_of(home: Home, packages: PackageSource, folder: Path, artifacts: ArtifactStore) -> Lookups:
    """The cache of a home, for one run."""
    keys = KeyMaker(ContentDigests(home.cache / "digests"), Boundaries.of(home.root))
    return Lookups(FolderResults(home.cache / "results"), keys, packages, folder, artifacts)
