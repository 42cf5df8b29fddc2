"""What a sandbox refuses before anything runs. How a program ended is never an exception: that is an ``Exit``.

SandboxError
├── SandboxUnavailableError   this machine cannot isolate; the hint is the fix
├── MountRefusedError         a path that must not, or cannot, be shown inside
└── WarmBootError             a warm worker did not come up
"""

from __future__ import annotations

from polyphony_schemas.errors import InputError

UNAVAILABLE = "PLY3001"
UIDS_EXHAUSTED = "PLY3002"
MOUNT_REFUSED = "PLY3003"
SPEC_INVALID = "PLY3004"
ENDPOINT_INVALID = "PLY3007"
WARM_BOOT = "PLY3008"
LIMIT_REACHED = "PLY3009"
UIDS_INVALID = "PLY3011"
NOT_STARTED = "PLY3012"
LEVEL_MISMATCH = "PLY3013"
LEVEL_LACKS = "PLY3800"


class SandboxError(InputError):
    """Base of what the sandbox refuses."""


class SandboxUnavailableError(SandboxError):
    """This machine cannot isolate."""


class MountRefusedError(SandboxError):
    """A path that must not, or cannot, be shown inside."""


class WarmBootError(SandboxError):
    """A warm worker did not come up."""
