"""Where a program that sees the host's own file tree finds what other levels mount (level ``landlock``).

Nothing can be mounted without namespaces. So a private folder beside the work folder stands for the root: ``/ext`` is
``VIEW/ext``, a link to the extension, ``/tmp`` is ``VIEW/tmp``, ``/ws`` the work folder itself. A folder that is shown at its own
path keeps it. Words, environment and values that name a place inside are translated; the program is told the
view's folder in ``POLYPHONY_ROOT``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.sandbox import tree
from polyphony_runner.sandbox.errors import LEVEL_LACKS, SandboxError
from polyphony_runner.sandbox.spec import Mount, SandboxSpec

ROOT_VARIABLE = "POLYPHONY_ROOT"
WORK, TEMPORARY = "/ws", "/tmp"  # noqa: S108  # places inside


@dataclass(frozen=True, slots=True)
class HostPlaces:
    """The translation for one execution. ``own`` are places whose path inside is their path outside."""

    root: Path
    work: Path
    shown: tuple[str, ...]
    own: frozenset[str]

    @classmethod
    def of(cls, spec: SandboxSpec) -> HostPlaces:
        """The places of a specification."""
        return cls.at(spec.work, spec.mounts, spec.files)

    @classmethod
    def at(cls, work: Path, mounts: Iterable[Mount], files: Iterable[str] = ()) -> HostPlaces:
        """The places beside a work folder; decided by words alone, so that everybody comes to the same."""
        by_place = {mount.inside: mount for mount in mounts}
        own = frozenset(inside for inside, mount in by_place.items() if _keeps_its_path(mount))
        shown = sorted({*by_place, *files, TEMPORARY, WORK}, key=len, reverse=True)
        return cls(work.with_name(f".view-{work.name}"), work, tuple(shown), own)

    def path(self, word: str) -> str:
        """The host's path for a word that is a place inside, else the word as it is, one of the view's too."""
        if word.startswith((f"{self.root}/", f"{self.work}/")):
            return word
        for inside in self.shown:
            if word == inside or word.startswith(f"{inside}/"):
                if inside in self.own:
                    return word
                base = str(self.work) if inside == WORK else f"{self.root}{inside}"
                return base + word[len(inside) :]
        return word

    def paths(self, words: str) -> str:
        """The same for a list with colons, such as PATH."""
        return ":".join(self.path(word) for word in words.split(":"))

    def inside(self, text: str) -> str:
        """Back again: a place in the view as it is called inside."""
        return text.removeprefix(str(self.root)) if text.startswith(f"{self.root}/") else text

    @contextmanager
    def made(self, spec: SandboxSpec, mounts: Mapping[str, Path], uid: int | None) -> Iterator[None]:
        """The view's folder, filled, for as long as the context lasts.

        ``mounts`` are the host's paths by place inside, ``uid`` whom the temporary folder belongs to.
        """
        self.root.mkdir(mode=0o755)
        try:
            temporary = Path(f"{self.root}{TEMPORARY}")
            temporary.mkdir(mode=0o700)
            if uid is not None:
                os.chown(temporary, uid, uid)
            for inside in sorted(mounts, key=len):
                self._link(inside, mounts[inside])
            for inside, content in spec.files.items():
                place = self._place(inside)
                place.write_bytes(content)
                place.chmod(0o444)
            yield
        finally:
            tree.remove_tree(self.root)

    def _link(self, inside: str, source: Path) -> None:
        if inside not in self.own and not source.is_relative_to(self.path(inside)):
            self._place(inside).symlink_to(source)

    def _place(self, inside: str) -> Path:
        if any(inside.startswith(f"{outer}/") for outer in self.shown if outer != WORK):
            raise SandboxError(
                LEVEL_LACKS,
                f"{inside!r} lies in another place that is shown, which level landlock cannot do",
                hint="grant one of the two, or run where bubblewrap works (polyphony doctor)",
            )
        place = Path(self.path(inside))
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        return place


def _keeps_its_path(mount: Mount) -> bool:
    return mount.mode != "copy" and os.path.realpath(mount.inside) == os.path.realpath(mount.source)
