"""Download, compare, unpack. The archive is hostile until its digest has been compared, and read with care after."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from simple_index import MAX_FILE, IndexReadError, find_sdist, get

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context

MAX_ENTRIES, MAX_TOTAL = 20_000, 256 << 20


class Parameters(TypedDict):
    """Which archive, and the digest it must have."""

    name: str
    version: str
    sha256: str


def main(
    inputs: dict[str, object], parameters: Parameters, task: dict[str, object], context: Context
) -> dict[str, object]:
    """Return the unpacked source as a directory."""
    try:
        name, address = find_sdist(parameters["name"], parameters["version"])
        body = get(address, MAX_FILE).body
    except FileNotFoundError:
        context.fail("network", "the index names an archive that is not there")
    except IndexReadError as problem:
        context.fail("network", problem, retryable=problem.retryable)
    digest = hashlib.sha256(body).hexdigest()
    if digest != parameters["sha256"]:
        context.fail("validation", f"{name} has SHA-256 {digest}, expected {parameters['sha256']}: refused")
    folder = Path("/out/source")
    folder.mkdir()
    try:
        unpack(body, folder)
    except (tarfile.TarError, ValueError, EOFError) as error:
        context.fail("validation", f"{name} cannot be unpacked: {error}")
    context.log(f"{name}: {len(body)} bytes, SHA-256 {digest}")
    return {"file": name, "sha256": digest}


def unpack(body: bytes, folder: Path) -> None:
    """Unpack regular files only, none of them outside ``folder``; the one top folder is left out."""
    total = 0
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        for number, member in enumerate(archive):
            total += member.size
            if number >= MAX_ENTRIES or total > MAX_TOTAL:
                raise ValueError("the archive holds too much")
            parts = [part for part in member.name.split("/") if part not in ("", ".")]
            source = archive.extractfile(member) if member.isreg() else None
            if ".." in parts or not parts or source is None:
                continue
            place = folder.joinpath(*(parts[1:] or parts))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(source.read())
            place.chmod(0o755 if member.mode & 0o100 else 0o644)
