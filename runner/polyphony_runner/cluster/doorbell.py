"""The doorbell: RQ jobs that say "run R has something ready", and a word to the worker that holds a run.

A job holds a run's id and nothing else; losing, doubling or reordering jobs changes when something happens, never
what. Whatever a job names, it is never imported or called: a ring has one constant name, everything else is dropped.
Nothing is ever pickled: ``JSONSerializer`` everywhere.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty

from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.tasks import Wake

QUEUE = "polyphony"
RING = "polyphony.ring"
_LOG = logging.getLogger(__name__)
# The lease governs how long something takes, never RQ: the timeout only has to be longer than a ring's moment.
_JOB_TIMEOUT = 3600
_JOB_TTL = 24 * 3600
_SECONDS_LISTENED = 1
_HEARTBEAT_SECONDS = 10.0
_PAUSE_WITHOUT_REDIS = 0.5
_PATIENCE_SECONDS = 2.0
_WORKER_TTL = 60


class Doorbell:
    """Rings, and tells workers by name. Without Redis both do nothing: the sweep finds what is left."""

    def __init__(self, url: str) -> None:
        self.connection = _connect(url, socket_timeout=_PATIENCE_SECONDS)
        self._quiet_until = 0.0
        self.queue = Queue(QUEUE, connection=self.connection, serializer=JSONSerializer)

    def ring(self, runs: Iterable[str]) -> None:
        """One ring for each name given; a run with much to do is given several times."""
        jobs = [
            Queue.prepare_data(
                RING, (run,), timeout=_JOB_TIMEOUT, result_ttl=0, failure_ttl=0, ttl=_JOB_TTL, description=run
            )
            for run in runs
        ]
        if jobs:
            self._try(lambda: self.queue.enqueue_many(jobs))

    def ring_anew(self, runs: Sequence[str]) -> None:
        """Ring for runs that wait, unless as many rings wait too: busy workers must find no more of them each time."""
        if runs:
            self._try(lambda: self.ring(runs) if self.queue.count < len(runs) else None)

    def tell(self, wakes: Iterable[Wake]) -> None:
        """Say to whoever holds these runs that there is something to read; ring for those nobody holds."""
        rings = []
        for wake in wakes:
            if wake.owner is None:
                rings.append(wake.run)
            else:
                channel = channel_of(wake.owner.partition(":")[0])
                self._try(partial(self.connection.publish, channel, wake.run))
        self.ring(rings)

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()

    def _try(self, act: Callable[[], object]) -> None:
        """A Redis that does not answer is left alone for a moment: nobody waits for it."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            act()
        except redis.RedisError as error:
            _LOG.debug("no ring: %s", error)
            self._quiet_until = time.monotonic() + _PAUSE_WITHOUT_REDIS


def channel_of(worker: str) -> str:
    """Where a worker listens for words about the runs it holds."""
    return f"polyphony:worker:{worker}"


def _connect(url: str, *, socket_timeout: float | None) -> redis.Redis:
    try:
        return redis.Redis.from_url(
            url,
            socket_connect_timeout=_PATIENCE_SECONDS,
            socket_timeout=socket_timeout,
            health_check_interval=30,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise ClusterError(
            "PLY2701", f"the address of Redis cannot be read: {error}", hint="redis://HOST:6379/0 is one"
        ) from None


class _NoDeathPenalty(BaseDeathPenalty):
    """RQ's own time limits are not used: they need signals, or raise in the middle of anything."""

    def setup_death_penalty(self) -> None:
        """Nothing."""

    def cancel_death_penalty(self) -> None:
        """Nothing."""


class LeanWorker(SimpleWorker):
    """An RQ worker of one queue that neither forks nor keeps books: each ring costs two round trips.

    It listens in a thread of its own, and only while ``ready`` says that there is a place, so that a busy worker
    leaves the rings to others.
    """

    death_penalty_class = _NoDeathPenalty

    def __init__(self, url: str, name: str, ready: threading.Event, rung: Callable[[str], None]) -> None:
        connection = _connect(url, socket_timeout=_WORKER_TTL)
        queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
        super().__init__(
            [queue],
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=_WORKER_TTL,
            prepare_for_work=False,  # which would need a Redis that answers at this moment
        )
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self._ready = ready
        self._rung = rung
        self._stopping = threading.Event()
        self._beat = 0.0

    def listen(self) -> None:
        """Answer rings until ``stop``; a Redis that is away is waited for."""
        while not self._stopping.is_set():
            if not self._ready.wait(_SECONDS_LISTENED):
                continue
            try:
                self._beat_seldom()
                found = Queue.dequeue_any(
                    self.queues, _SECONDS_LISTENED, connection=self.connection, serializer=JSONSerializer
                )
                if found is not None:
                    self.execute_job(*found)
            except redis.RedisError as error:
                _LOG.debug("no doorbell: %s", error)
                self._stopping.wait(_PAUSE_WITHOUT_REDIS)
            except DequeueTimeout:
                continue
            except Exception as error:  # noqa: BLE001  # whatever lies in the queue, the next job may be a ring
                _LOG.warning("dropped a job that cannot be read: %s", error)
        self.connection.close()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Pass the ring on, then forget the job. What it names is never called."""
        if job.func_name == RING and len(job.args) == 1 and isinstance(job.args[0], str):
            self._rung(job.args[0])
        else:
            _LOG.warning("dropped a job that is no ring: %s", job.func_name)
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.lrem(queue.intermediate_queue_key, 1, job.id)
            pipe.delete(job.key)
            pipe.execute()

    def stop(self) -> None:
        """Listen no more; ``listen`` returns within a second or so."""
        self._stopping.set()

    def _beat_seldom(self) -> None:
        """What ``rq info`` shows."""
        if time.monotonic() - self._beat > _HEARTBEAT_SECONDS:
            if not self._beat:
                self.register_birth()  # type: ignore[no-untyped-call]  # RQ's own
            self._beat = time.monotonic()
            self.heartbeat()


class Listener:
    """Hears what is told to one worker, in a thread of its own; ``heard`` gets the run's id."""

    def __init__(self, url: str, worker: str, heard: Callable[[str], None]) -> None:
        self._connection = _connect(url, socket_timeout=None)
        self._channel = channel_of(worker)
        self._heard = heard
        self._stopping = threading.Event()

    def listen(self) -> None:
        """Hear until ``stop``."""
        while not self._stopping.is_set():
            try:
                with self._connection.pubsub(ignore_subscribe_messages=True) as words:  # type: ignore[no-untyped-call]  # redis-py's own
                    words.subscribe(self._channel)
                    self._hear(words)
            except redis.RedisError as error:
                _LOG.debug("no word from Redis: %s", error)
                self._stopping.wait(_PAUSE_WITHOUT_REDIS)
        self._connection.close()

    def stop(self) -> None:
        """Hear no more."""
        self._stopping.set()

    def _hear(self, words: Any) -> None:
        while not self._stopping.is_set():
            message = words.get_message(timeout=_SECONDS_LISTENED)
            if message is not None:
                self._heard(bytes(message["data"]).decode("utf-8", "replace"))
