"""Errors of the client side of the runner.

InputError
└── ClientError            home, keys, credentials, bindings, store, lock, transport (PLY60xx to PLY69xx)
    ├── TransportError     a registry could not be read within the bounds set
    └── ConsentError      a person has to agree to permissions first

What verification itself says is ``TrustError`` with the codes of its numbered steps (PLY5xxx).
"""

from __future__ import annotations

from polyphony_schemas.errors import InputError


class ClientError(InputError):
    """Something in the home, a binding, a key, the store or the lock stands in the way."""


class TransportError(ClientError):
    """A registry could not be reached, or answered outside the limits of size, time and rate."""


class ConsentError(ClientError):
    """Permissions were asked for that nobody agreed to; ``details`` holds ``permissions`` and ``digest``."""
