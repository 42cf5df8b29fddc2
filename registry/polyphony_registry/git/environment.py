"""How git programs are started: configuration by environment, nothing from the machine, limits by ``ulimit``.

Repository ``config`` files are ours and hold no setting; everything that matters stands here, where no pusher
can reach it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from polyphony_registry.errors import SetupError
from polyphony_registry.git.protocol import DEFAULT_BRANCH
from polyphony_registry.settings import Settings


def git_config(settings: Settings) -> dict[str, str]:
    """The whole git configuration of the server."""
    return {
        "safe.directory": "*",
        "uploadpack.allowFilter": "true",
        "uploadpack.keepAlive": "5",
        "uploadpack.hideRefs": "refs/staging",
        "transfer.hideRefs": "refs/internal",
        "transfer.fsckObjects": "true",
        "receive.maxInputSize": str(settings.pack_limit),
        "receive.unpackLimit": "1",
        "receive.autogc": "false",
        "receive.denyNonFastForwards": "true",
        "receive.denyDeletes": "true",
        "receive.denyCurrentBranch": "ignore",
        "core.bigFileThreshold": "1m",
        "core.hooksPath": str(settings.hooks),
        "core.fsync": "committed",
        "pack.threads": "1",
        "pack.windowMemory": "32m",
        "pack.writeReverseIndex": "true",
        "gc.auto": "0",
        "init.defaultBranch": DEFAULT_BRANCH.removeprefix("refs/heads/"),
    }


def git_environment(settings: Settings, version: str | None = None) -> dict[str, str]:
    """The whole environment of a git program. ``version`` is the ``Git-Protocol`` header, ignored unless valid."""
    environment = {
        "PATH": os.defpath if (git := shutil.which("git")) is None else f"{Path(git).parent}:{os.defpath}",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_TERMINAL_PROMPT": "0",
        "POLYPHONY_BLOB_LIMIT": str(settings.blob_limit),
        "POLYPHONY_INFLATED_LIMIT": str(settings.inflated_limit),
        **numbered(git_config(settings)),
    }
    if version in ("version=0", "version=1", "version=2"):
        environment["GIT_PROTOCOL"] = version
    return environment


def numbered(config: Mapping[str, str]) -> dict[str, str]:
    """Git's ``GIT_CONFIG_COUNT`` form of a configuration."""
    variables = {"GIT_CONFIG_COUNT": str(len(config))}
    for index, (key, value) in enumerate(config.items()):
        variables[f"GIT_CONFIG_KEY_{index}"] = key
        variables[f"GIT_CONFIG_VALUE_{index}"] = value
    return variables


def limited(settings: Settings, argv: list[str]) -> list[str]:
    """``argv`` behind a shell that first sets address space (KiB), CPU seconds and file size (512-byte blocks)."""
    blocks = 4 * settings.pack_limit // 512
    script = f"ulimit -v {settings.git_memory // 1024} -t {settings.git_cpu} 2>/dev/null || ulimit -t {settings.git_cpu}; "
    return ["/bin/sh", "-c", f'{script}ulimit -f {blocks}; exec "$@"', "limited", *argv]


def require_git() -> None:
    """Raise SetupError when there is no git program: a registry that takes pushes needs it."""
    if shutil.which("git") is None:
        raise SetupError(
            "PLY4009", "no git program in PATH", hint="install git, for example: apt-get install git"
        )
