"""One bucket of an S3-compatible server: the few requests that the artifact store makes, and their errors.

Address, region and credentials come from the usual variables: ``AWS_ENDPOINT_URL``, ``AWS_REGION``,
``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``, or the role of the machine or container. The
work is done by obstore, which comes with the extra ``s3``; this is the only module that imports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_runner.artifacts.errors import ArtifactError

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

_SCHEME = "s3://"
_BLOCK = 1 << 20
_PART = 8 << 20
# Together with the server's own time to answer: a node waits no longer for a store that is gone.
_RETRIES = 5
_RETRY_SECONDS = 30
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


@dataclass(frozen=True, slots=True)
class Object:
    """What the server says of an object: bytes, and when it was put, in Unix seconds."""

    size: int
    put_at: float


class Bucket:
    """Objects below a prefix of a bucket. Every method may raise PLY2800 (no answer) and PLY2801 (refused)."""

    def __init__(self, place: str, environ: Mapping[str, str]) -> None:
        self.place = place
        self._store = _open(place, environ)

    def head(self, key: str) -> Object | None:
        """The object under a key, None when there is none."""
        import obstore

        with self._talking():
            try:
                found = obstore.head(self._store, key)
            except FileNotFoundError:
                return None
            return Object(found["size"], found["last_modified"].timestamp())

    def put(self, key: str, path: Path) -> None:
        """Put the bytes of a file: streamed, in parts when there are many."""
        import obstore

        with self._talking():
            obstore.put(self._store, key, path, chunk_size=_PART)

    def get(self, key: str) -> Iterable[bytes] | None:
        """The bytes of an object, block by block; None when there is none."""
        import obstore

        with self._talking():
            try:
                found = obstore.get(self._store, key)
            except FileNotFoundError:
                return None
        return self._blocks(found.stream(min_chunk_size=_BLOCK))

    def list(self, prefix: str) -> Iterator[tuple[str, int, float]]:
        """Key, bytes and time of every object below a prefix."""
        import obstore

        with self._talking():
            for page in obstore.list(self._store, prefix):
                for one in page:
                    yield one["path"], one["size"], one["last_modified"].timestamp()

    def move(self, key: str, target: str) -> None:
        """Give an object another key; nothing happens when it is gone."""
        import obstore

        with self._talking():
            try:
                obstore.copy(self._store, key, target)
            except FileNotFoundError:
                return
            obstore.delete(self._store, key)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects."""
        import obstore

        with self._talking():
            if keys:
                obstore.delete(self._store, list(keys))

    def _blocks(self, stream: Iterable[object]) -> Iterator[bytes]:
        with self._talking():
            for block in stream:
                yield bytes(block)  # type: ignore[call-overload]  # a buffer of the library

    @contextmanager
    def _talking(self) -> Iterator[None]:
        from obstore import exceptions

        try:
            yield
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise self._refused(error) from error
        except FileNotFoundError as error:  # where an object need not be there yet: the bucket itself
            raise self._refused(error) from error
        except exceptions.BaseError as error:
            if "<Code>NoSuchBucket" in str(error):
                raise self._refused(error) from error
            raise ArtifactError(
                "PLY2800",
                f"the artifact store {self.place} did not answer as expected: {_first_line(error)}",
                hint="check AWS_ENDPOINT_URL, AWS_REGION and the network, then try again",
            ) from error

    def _refused(self, error: Exception) -> ArtifactError:
        return ArtifactError(
            "PLY2801",
            f"the artifact store {self.place} refused: {_first_line(error)}",
            hint="make the bucket, and give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY that may read, write, list and delete",
        )


def _open(place: str, environ: Mapping[str, str]) -> S3Store:
    bucket, _, prefix = place.removeprefix(_SCHEME).partition("/")
    if not place.startswith(_SCHEME) or not bucket:
        raise ArtifactError(
            "PLY2802", f"{place!r} is no artifact store", hint="write s3://BUCKET or s3://BUCKET/PREFIX"
        )
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError:
        raise ArtifactError(
            "PLY2803",
            f"{place} needs the library obstore, which is not installed",
            hint="pip install 'polyphony-runner[s3]'",
        ) from None
    endpoint = next((environ[name] for name in _ENDPOINTS if environ.get(name)), "")
    config: S3Config = {"endpoint": endpoint} if endpoint else {}
    try:
        return S3Store(
            bucket,
            config=config,
            prefix=prefix.strip("/") or None,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": "5s",
                "timeout": "300s",
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)},
        )
    except (BaseError, ValueError) as error:
        raise ArtifactError(
            "PLY2802", f"{place} cannot be used: {_first_line(error)}", hint="check the variables AWS_*"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
