"""``polyphony verify``: check signature, log and content of a package, step by step."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polyphony_cli.client import home_of, registries_of, transport_of
from polyphony_cli.console import Console
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.names import MANIFESTS, looks_like_path, parse_package

if TYPE_CHECKING:
    from polyphony_runner.bundles.verifying import BundleReport
    from polyphony_runner.http import Transport
    from polyphony_runner.verifying import Report, Verifier
    from polyphony_schemas.lock import Lock

_FILES = (".lock", ".tar.gz", ".zip")


@click.command()
@click.argument("what", metavar="NAME[@V]|PATH|LOCK|FILE")
@click.pass_obj
def command(console: Console, *, what: str) -> int:
    """Check a package in the numbered steps of docs/install.md; the first that fails is the last.

    NAME is a package of a registry, PATH a package on disk, LOCK a melody.lock (every package in it), FILE an
    archive (.tar.gz), a signature bundle (.json) or the bundle of a run (.zip), which is checked from its own bytes
    alone. With --offline the proof kept at install is checked.
    """
    if what.endswith(".zip"):
        from polyphony_runner.bundles.verifying import verify_bundle

        return _tell(console, verify_bundle(_existing(what)))
    with transport_of(console) as transport:
        return _tell(console, _verify(console, what, transport))


def _tell(console: Console, report: Report | BundleReport) -> int:
    """Print the steps, or the document; the exit status."""
    if console.as_json:
        console.document(report.to_json())
        return 0 if report.ok else 1
    for step in report.steps:
        mark = "ok  " if step["ok"] else f"FAIL {step['code']}"
        about = f"{step['package']}: " if "package" in step else ""
        console.line(f"{mark} {step['step']}: {about}{step['detail']}")
        if step.get("hint"):
            console.hint(str(step["hint"]))
    console.line(
        f"tree {report.tree}" if report.tree else ("every step passed" if report.ok else "not verified")
    )
    return 0 if report.ok else 1


def _verify(console: Console, what: str, transport: Transport) -> Report:
    if not looks_like_path(what) and not what.endswith(_FILES):
        reference = parse_package(what)
        report = _verifier(console, transport, Path.cwd(), None).name(reference)
        if report.steps[-1].get("code") == "PLY5303":
            from polyphony_runner.search_client import nearest_name

            meant = nearest_name(registries_of(console, transport), transport, reference.full_name)
            report.steps[-1]["hint"] = f"{meant} {report.steps[-1].get('hint') or ''}".strip()
        return report
    path = _existing(what)
    if path.is_file() and path.suffix == ".lock":
        return _verifier(console, transport, path.absolute().parent, path).whole_lock()
    if path.is_file() and what.endswith(".tar.gz"):
        from polyphony_schemas.trust.verification import unpack

        return _verifier(console, transport, Path.cwd(), None).entries(unpack([path.read_bytes()]))
    if path.is_file() and path.suffix == ".json" and path.name not in MANIFESTS:
        return _verifier(console, transport, Path.cwd(), None).bundle(path.read_bytes())
    from polyphony_runner.package_files import package_root, read_package_files

    root = package_root(path)
    return _verifier(console, transport, root, None).entries(read_package_files(root).entries)


def _existing(what: str) -> Path:
    path = Path(what).expanduser()
    if not path.exists():
        raise PolyphonyError(
            "PLY6704", f"there is no {what!r}", hint="give a folder, a lock or a file that exists"
        )
    return path


def _verifier(console: Console, transport: Transport, near: Path, lock: Path | None) -> Verifier:
    from polyphony_runner.store import FolderStore
    from polyphony_runner.verifying import Verifier

    home = home_of(console)
    return Verifier(
        registries_of(console, transport),
        transport,
        FolderStore(home.store),
        _lock(console, near, lock),
        int(time.time()),
    )


def _lock(console: Console, near: Path, given: Path | None) -> Lock:
    """The given lock, else everything that the locks around ``near`` hold, the nearest first."""
    from polyphony_runner.locking import read_lock, run_places
    from polyphony_schemas.lock import Lock

    if given is not None:
        return read_lock(given) or Lock()
    whole = Lock()
    for place in reversed(run_places(home_of(console), near, near)):
        lock = read_lock(place)
        if lock is not None:
            whole = Lock(
                registries={**whole.registries, **lock.registries},
                roots={**whole.roots, **lock.roots},
                packages={**whole.packages, **lock.packages},
            )
    return whole
