"""``--registry``: which address to ask first, among the registries that were added."""

from __future__ import annotations

from polyphony_runner.errors import ClientError
from polyphony_runner.http import Transport
from polyphony_runner.registries.binding import Binding
from polyphony_runner.registries.table import Registries
from polyphony_schemas.errors import FormatError

MAX_NOTE = 64 * 1024


def asking_first(registries: Registries, transport: Transport, wanted: str) -> Registries:
    """The same registries, with ``wanted`` asked first for the one it belongs to.

    ``wanted`` is an origin or address that was added, or a further address of one: then its checkpoint must be
    signed by the bound log key (PLY6507). Nothing is bound by this (PLY6505).
    """
    wanted = wanted.rstrip("/")
    known = registries.all()
    for binding in known:
        if wanted == binding.origin:
            return registries
        if wanted in binding.urls:
            return Registries(registries.home, {binding.origin: wanted})
    if "://" in wanted:
        found = _recognised(known, transport, wanted)
        if found is not None:
            return Registries(registries.home, {found.origin: wanted})
    raise ClientError(
        "PLY6505",
        f"{wanted!r} is no registry that was added, and no address of one",
        hint=f"polyphony registry add {wanted} --log-key KEY --namespace NS",
    )


def _recognised(known: list[Binding], transport: Transport, url: str) -> Binding | None:
    from polyphony_schemas.trust.notes import open_note, parse_verifier_key

    note = transport.get(f"{url}/log/checkpoint", limit=MAX_NOTE).body
    origin = note.split(b"\n", 1)[0].decode("utf-8", "replace")
    for binding in known:
        if binding.log_origin == origin:
            try:
                open_note(note, [parse_verifier_key(binding.log_key)])
            except FormatError as error:
                raise ClientError(
                    "PLY6507",
                    f"{url} says it is {binding.origin!r}, but its log is not signed by that registry's key",
                    hint="do not use this address; tell the owner of the registry",
                ) from error
            return binding
    return None
