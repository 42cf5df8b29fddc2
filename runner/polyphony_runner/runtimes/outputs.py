"""From the files a dead node left to the artifacts of its ports: opened safely, masked, kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.artifacts import ArtifactStore
from polyphony_runner.artifacts.manifest import DIRECTORY_MEDIA_TYPE
from polyphony_runner.grants.masking import Masker
from polyphony_runner.grants.ports import marked
from polyphony_runner.grants.safe_files import (
    Entry,
    entry_kind,
    open_beneath,
    open_folder,
    open_regular,
    opened,
    walk,
)
from polyphony_runner.runtimes.events import NamedFile
from polyphony_runner.runtimes.failures import NodeError
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.graph.model import Port
from polyphony_schemas.values import JsonObject, JsonValue

# The folder below the work folder that is shown at /out.
OUT = ".out"
INLINE_TEXT = 16 << 10
_MAX_MASKED = 64 << 20
_CHUNK = 1 << 20
_PATH_ONLY = os.O_PATH | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Collector:
    """Keeps files of one dead work folder. Blocking.

    ``known`` are the digests the node was given: a result may hand on no other artifact. All artifacts
    together (``sizes`` so far) may hold ``max_bytes``: files with holes have more to read than they took on the disk.
    """

    store: ArtifactStore
    work: Path
    masker: Masker
    known: frozenset[str] = frozenset()
    max_bytes: int | None = None
    sizes: list[int] = field(default_factory=list)

    def ports(
        self, ports: Mapping[str, Port], files: list[NamedFile], outputs: JsonObject
    ) -> dict[str, JsonValue]:
        """The artifacts of the file ports: an ``artifact`` event, else ``/out/PORT``, else a path as the result."""
        events = {event.name: event for event in files}
        collected: dict[str, JsonValue] = {}
        for name, port in ports.items():
            kind = marked(port.schema)
            if kind not in ("file", "folder"):
                continue
            event = events.get(name)
            value = outputs.get(name)
            if event is not None:
                collected[name] = self.keep(event)
            elif self._is_there(f"{OUT}/{name}"):
                collected[name] = self._out(name, folder=kind == "folder")
            elif isinstance(value, str):
                collected[name] = self.keep(NamedFile(Path(value).name or name, value, None))
            elif isinstance(value, Mapping):
                collected[name] = self._handed_on(name, value)
                continue
            else:
                continue
            _check_kind(name, kind, collected[name])
        return collected

    def free(self, ports: Mapping[str, Port], files: list[NamedFile]) -> tuple[JsonObject, ...]:
        """Artifacts whose name is no file port."""
        return tuple(
            self.keep(event)
            for event in files
            if event.name not in ports or marked(ports[event.name].schema) not in ("file", "folder")
        )

    def keep(self, event: NamedFile) -> JsonObject:
        """Keep what an ``artifact`` event or a result names."""
        return self._keep(_inside_work(event.path), event.name, event.media_type)

    def text(self, name: str, data: bytes) -> JsonValue:
        """A text output: inline up to 16 KiB, else an artifact. Bytes that are no UTF-8 are replaced."""
        data = self.masker.data(data)
        if len(data) <= INLINE_TEXT:
            return data.decode("utf-8", "replace")
        kept = self.store.put_bytes(data)
        return {"digest": kept.digest, "name": f"{name}.txt", "media_type": "text/plain", "size": kept.size}

    def _handed_on(self, port: str, value: JsonObject) -> JsonObject:
        digest = value.get("digest")
        if not isinstance(digest, str) or digest not in self.known:
            raise NodeError(
                "validation",
                "PLY3509",
                f"the output {port!r} names an artifact the node was not given",
                hint=f"write the file to /out/{port}",
                retryable=True,
            )
        return {key: item for key, item in value.items() if key != "path"}

    def _is_there(self, path: str) -> bool:
        with opened(open_folder(self.work)) as work:
            try:
                os.close(open_beneath(work, path, _PATH_ONLY))
            except FileNotFoundError:
                return False
            except OSError:  # a link: there, and refused when it is opened
                return True
        return True

    def _out(self, port: str, *, folder: bool) -> JsonObject:
        path = f"{OUT}/{port}"
        if folder:
            return self._keep(path, port, None)
        try:
            with opened(open_folder(self.work)) as work:
                children = [entry for entry in walk(work, path) if entry.path != path]
        except OSError as error:  # a link, or no folder any more, in its place or above it
            raise _not_kept(path, error) from error
        if len(children) == 1 and children[0].kind == "file":
            return self._keep(children[0].path, children[0].path.rpartition("/")[2], None)
        return self._keep(path, port, None)

    def _keep(self, path: str, name: str, media_type: str | None) -> JsonObject:
        try:
            with opened(open_folder(self.work)) as work:
                with opened(open_beneath(work, path, _PATH_ONLY)) as found:
                    folder = entry_kind(os.fstat(found).st_mode) == "folder"
                if not folder:
                    os.close(open_regular(work, path))
                self._check_size(work, path)
                if self.masker:
                    self._mask(work, path)
            # Nothing of the tree lives any more and no part of the path is a link: the name is safe to open again.
            kept = (
                self.store.put_directory(self.work / path)
                if folder
                else self.store.put_file(self.work / path)
            )
        except OSError as error:
            raise _not_kept(path, error) from error
        except PolyphonyError as error:
            if isinstance(error, NodeError):
                raise
            raise NodeError(
                "validation", "PLY3509", error.message, hint=error.hint, retryable=True
            ) from error
        import mimetypes

        guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return {
            "digest": kept.digest,
            "name": name,
            "media_type": media_type or (DIRECTORY_MEDIA_TYPE if folder else guessed),
            "size": kept.size,
        }

    def _check_size(self, work: int, path: str) -> None:
        self.sizes.extend(entry.status.st_size for entry in walk(work, path) if entry.kind == "file")
        size = sum(self.sizes)
        if self.max_bytes is not None and size > self.max_bytes:
            raise NodeError(
                "output",
                "PLY3411",
                f"the artifacts up to {path!r} have {size} bytes, allowed are {self.max_bytes}",
                hint="write less, or raise the limit disk of this node",
                retryable=False,
            )

    def _mask(self, work: int, path: str) -> None:
        for entry in walk(work, path):
            self._refuse_name(work, entry)
            if entry.kind != "file":
                continue
            if entry.status.st_size > _MAX_MASKED:
                self._refuse_secret(work, entry)
                continue
            with (
                opened(open_beneath(work, entry.path)) as reading,
                os.fdopen(os.dup(reading), "rb") as stream,
            ):
                data = stream.read()
            masked = self.masker.data(data)
            if masked != data:
                flags = os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC
                with os.fdopen(open_beneath(work, entry.path, flags), "wb") as target:
                    target.write(masked)

    def _refuse_secret(self, work: int, entry: Entry) -> None:
        """A file too large to be masked in memory may hold no secret."""
        before = b""
        with os.fdopen(open_beneath(work, entry.path), "rb") as stream:
            while chunk := stream.read(_CHUNK):
                if any(self.masker.spans(before + chunk)):
                    raise NodeError(
                        "output",
                        "PLY3509",
                        f"{entry.path!r} holds a granted secret, and has more than the {_MAX_MASKED} bytes that are masked",
                        hint="leave the secret out of the file, or write smaller ones",
                    )
                before = (before + chunk)[-self.masker.longest :]

    def _refuse_name(self, work: int, entry: Entry) -> None:
        """Names and links cannot be masked: the folder would not be the one the node made."""
        target = os.readlink(entry.path, dir_fd=work) if entry.kind == "link" else ""
        if self.masker.text(entry.path) != entry.path or self.masker.text(target) != target:
            raise NodeError(
                "output",
                "PLY3509",
                f"the name {self.masker.text(entry.path)!r} in an artifact, or its target, holds a granted secret",
                hint="a secret may be in no file name",
            )


def _not_kept(path: str, error: OSError) -> NodeError:
    return NodeError(
        "validation",
        "PLY3509",
        f"the artifact {path!r} cannot be kept: {error.strerror}",
        hint="leave /out the folder it is, and write files or folders of your own into it",
        retryable=True,
    )


def _check_kind(port: str, kind: str, kept: JsonValue) -> None:
    is_folder = isinstance(kept, Mapping) and kept["media_type"] == DIRECTORY_MEDIA_TYPE
    if is_folder != (kind == "folder"):
        raise NodeError(
            "validation",
            "PLY3509",
            f"the output {port!r} is a {'folder' if is_folder else 'file'}, expected a {kind}",
            hint=f"write one {kind} to /out/{port}",
            retryable=True,
        )


def _inside_work(path: str) -> str:
    if path.startswith("/out/"):
        path = f"{OUT}/{path.removeprefix('/out/')}"
    relative = path.removeprefix("/ws/")
    if relative.startswith("/") or not relative or "\0" in relative:
        raise NodeError(
            "validation",
            "PLY3509",
            f"the artifact path {path!r} is outside the work folder",
            hint="write files below /ws or /out",
            retryable=True,
        )
    return relative
