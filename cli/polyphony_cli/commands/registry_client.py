"""``polyphony registry add|list|remove``: which registry speaks for which namespace, under which log key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import click

from polyphony_cli.client import confirm, home_of, transport_of
from polyphony_cli.console import Console
from polyphony_schemas.errors import UsageError
from polyphony_schemas.scalars import format_duration, parse_duration

if TYPE_CHECKING:
    from polyphony_runner.registries.binding import Binding


@click.command()
@click.argument("url")
@click.option(
    "--log-key",
    metavar="VKEY",
    help="The registry's log key, as its owner published it (default: ask whether the key it shows is right).",
)
@click.option(
    "--namespace",
    "namespaces",
    metavar="NS",
    multiple=True,
    required=True,
    help="A namespace it speaks for. Repeatable.",
)
@click.option(
    "--minimum-age",
    "ages",
    metavar="D|NS=D",
    multiple=True,
    help="How long a version must have been public, for all or for one namespace (default: 72h). Repeatable.",
)
@click.option("--max-age", metavar="D", help="How old the log's last sign of life may be (default: 24h).")
@click.pass_obj
def add(
    console: Console,
    *,
    url: str,
    log_key: str | None,
    namespaces: tuple[str, ...],
    ages: tuple[str, ...],
    max_age: str | None,
) -> int:
    """Bind namespaces to the registry at URL.

    A registry is known by its origin and its log key, never by its address. Compare the key with the one its
    owner published; without --log-key the key that the registry itself shows has to be confirmed on a terminal.
    """
    from polyphony_runner.registries.binding import (
        DEFAULT_MAX_AGE_MS,
        DEFAULT_MINIMUM_AGE_MS,
        Binding,
        origin_of,
    )
    from polyphony_runner.registries.table import Registries
    from polyphony_runner.wire import place_of
    from polyphony_schemas.names import check_name

    url = url.rstrip("/")
    place_of(url)
    for namespace in namespaces:
        check_name(namespace, "namespace")
    key = log_key or _confirmed_key(console, url)
    general, special = _ages(ages)
    binding = Registries(home_of(console)).add(
        Binding(
            origin=origin_of(key),
            log_key=key,
            urls=(url,),
            namespaces=namespaces,
            minimum_age=DEFAULT_MINIMUM_AGE_MS if general is None else general,
            namespace_ages=special,
            max_age=DEFAULT_MAX_AGE_MS if max_age is None else _duration(max_age),
        )
    )
    _show(console, binding)
    if binding.minimum_age == 0:
        console.say(
            "versions are taken the moment they are published; 72h, the default, gives time to find a stolen release"
        )
    return 0


@click.command("list")
@click.pass_obj
def list_(console: Console) -> int:
    """List the registries that were added."""
    from polyphony_runner.registries.table import Registries

    found = Registries(home_of(console)).all()
    if console.as_json:
        console.document({"registries": [binding.to_json() for binding in found]})
        return 0
    for binding in found:
        _show(console, binding)
    if not found:
        console.hint("polyphony registry add URL --log-key KEY --namespace NS")
    return 0


@click.command()
@click.argument("origin")
@click.pass_obj
def remove(console: Console, origin: str) -> int:
    """Forget the registry ORIGIN, and what was remembered of its log."""
    from polyphony_runner.registries.table import Registries

    binding = Registries(home_of(console)).remove(origin)
    if console.as_json:
        console.document(binding.to_json())
    console.line(f"forgot {binding.origin}")
    return 0


COMMANDS = {"add": add, "list": list_, "remove": remove}


def _confirmed_key(console: Console, url: str) -> str:
    """The key that the registry shows, if somebody at a terminal says that it is the right one."""
    from polyphony_runner.registries.binding import origin_of

    with transport_of(console) as transport:
        shown = transport.get(f"{url}/log/key", limit=4096).body.decode("utf-8", "replace").strip()
    origin = origin_of(shown)
    fingerprint = hashlib.sha256(shown.encode()).hexdigest()
    console.say(f"{url} says it is {origin!r}; its log key is\n  {shown}\n  SHA-256 {fingerprint}")
    if not confirm("Is this the key that its owner published?"):
        raise UsageError(
            "PLY6506",
            f"nobody confirmed the log key of {origin!r}",
            hint=f"compare it with the published one, then add --log-key {shown}",
            details={"origin": origin, "log_key": shown, "sha256": fingerprint},
        )
    return shown


def _ages(given: tuple[str, ...]) -> tuple[int | None, dict[str, int]]:
    general: int | None = None
    special: dict[str, int] = {}
    for text in given:
        namespace, mark, age = text.partition("=")
        if mark:
            special[namespace] = _duration(age)
        else:
            general = _duration(text)
    return general, special


def _duration(text: str) -> int:
    return 0 if text == "0" else parse_duration(text)


def _show(console: Console, binding: Binding) -> None:
    if console.as_json:
        console.document(binding.to_json())
        return
    console.line(f"{binding.origin}  {', '.join(binding.namespaces)}  {' '.join(binding.urls)}")
    console.line(f"  log key {binding.log_key}")
    console.line(
        f"  minimum age {format_duration(binding.minimum_age)}, log no older than {format_duration(binding.max_age)}"
    )
