"""Download, compare, unpack. The archive is hostile until its digest has been compared, and read with care after."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

from simple_index import MAX_FILE, IndexReadError, find_sdist, get

MAX_ENTRIES, MAX_TOTAL = 20_000, 256 << 20


def unpack(body, folder):
    """Unpack without links, devices and paths that leave ``folder``; the one top folder is left out."""
    total = 0
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        for number, member in enumerate(archive):
            total += member.size
            if number >= MAX_ENTRIES or total > MAX_TOTAL:
                raise ValueError("the archive holds too much")
            parts = [part for part in member.name.split("/") if part not in ("", ".")]
            if ".." in parts or not member.isreg():
                continue
            place = folder.joinpath(*parts[1:]) if len(parts) > 1 else folder / parts[0]
            place.parent.mkdir(parents=True, exist_ok=True)
            source = archive.extractfile(member)
            place.write_bytes(source.read() if source else b"")
            place.chmod(0o755 if member.mode & 0o100 else 0o644)


def main(inputs, parameters, task, context):
    """Return the unpacked source as a directory."""
    try:
        name, address = find_sdist(parameters["name"], parameters["version"])
        body, _, _ = get(address, MAX_FILE)
    except IndexReadError as problem:
        context.fail("network", str(problem), retryable=problem.retryable)
    digest = hashlib.sha256(body).hexdigest()
    if digest != parameters["sha256"]:
        context.fail("validation", f"{name} has SHA-256 {digest}, expected {parameters['sha256']}: refused")
    folder = Path("/out/source")
    folder.mkdir(exist_ok=True)
    try:
        unpack(body, folder)
    except (tarfile.TarError, ValueError, OSError) as error:
        context.fail("validation", f"{name} cannot be unpacked: {error}")
    context.log("info", f"{name}: {len(body)} bytes, SHA-256 {digest}")
    return {"file": name, "sha256": digest}
