"""``polyphony registry init|serve|user|check|backup|restore``: the server's verbs. The server is imported when one runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polyphony_cli.console import Console
from polyphony_cli.verbs import VerbGroup
from polyphony_schemas.errors import PolyphonyError, UsageError

if TYPE_CHECKING:
    from polyphony_registry.check import Report
    from polyphony_registry.setup import Invitation

_DATA = click.option("--data", metavar="DIR", help="The registry's data folder (default: HOME/registry).")


@click.command("init")
@click.option(
    "--origin", required=True, metavar="NAME", help="The registry's identity, such as registry.example."
)
@click.option("--owner", required=True, metavar="NAME", help="Account of the first owner.")
@click.option(
    "--namespace",
    "namespaces",
    required=True,
    multiple=True,
    metavar="NS",
    help="A namespace of the owner. Repeatable.",
)
@click.option("--url", metavar="URL", help="Where users will reach it (default: the address it listens on).")
@_DATA
@click.pass_obj
def _init(
    console: Console,
    *,
    origin: str,
    owner: str,
    namespaces: tuple[str, ...],
    url: str | None,
    data: str | None,
) -> int:
    """Make a new registry: log key, account, namespaces, and the owner's token."""
    with _server():
        from polyphony_registry.settings import Settings
        from polyphony_registry.setup import initialise

        given = {"url": url.rstrip("/")} if url else {}
        settings = Settings(data=_folder(console, data), origin=origin, **given)
        made = initialise(settings, owner, tuple(dict.fromkeys(namespaces)), now=int(time.time()))
    document = {"data": str(settings.data), "origin": origin, **_invitation(made)}
    if console.as_json:
        console.document(document)
    else:
        console.line(f"registry  {origin} in {settings.data}")
        _print_token(console, made)
        console.hint(f"polyphony registry serve --data {settings.data}")
    return 0


@click.command("serve")
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on."
)
@click.option(
    "--port",
    default=8440,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Port to listen on; 0 takes a free one.",
)
@_DATA
@click.pass_obj
def _serve(console: Console, host: str, port: int, data: str | None) -> int:
    """Serve a registry until SIGTERM or Ctrl-C."""
    with _server():
        from polyphony_registry.server import serve
        from polyphony_registry.settings import Settings

        settings = Settings.load(_folder(console, data))

        server = os.getpid()

        def ready(chosen: int) -> None:  # called in a helper process, once the server answers
            _announce(console, data=settings.data, host=host, port=chosen, pid=server)

        serve(settings, host, port, ready)
    return 0


@click.group("user", cls=VerbGroup)
def _user() -> None:
    """Accounts and their tokens."""


@_user.command(
    "add",
    short_help="Add an account, or print another token of one",
    epilog="Example: polyphony registry user add grace --namespace grace --scope read --days 30",
)
@click.argument("name")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NS",
    help="A namespace it may publish into; a new one becomes its own. Repeatable.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "publish", "yank", "admin"]),
    metavar="SCOPE",
    help="What the token allows: read publish yank admin (default: read, publish, yank). Repeatable.",
)
@click.option(
    "--days",
    default=365,
    show_default=True,
    type=click.IntRange(1, 3650),
    metavar="DAYS",
    help="How long the token lives.",
)
@_DATA
@click.pass_obj
def _user_add(
    console: Console,
    *,
    name: str,
    namespaces: tuple[str, ...],
    scopes: tuple[Any, ...],
    days: int,
    data: str | None,
) -> int:
    """Add an account, or print another token of one."""
    with _server():
        from polyphony_registry.settings import Settings
        from polyphony_registry.setup import add_user, prepare

        services = prepare(Settings.load(_folder(console, data)))
        try:
            made = add_user(
                services,
                name,
                namespaces,
                now=int(time.time()),
                scopes=scopes or ("read", "publish", "yank"),
                days=days,
            )
        finally:
            services.close()
    if console.as_json:
        console.document(_invitation(made))
    else:
        _print_token(console, made)
    return 0


@_user.command(
    "list", short_help="List accounts and namespaces", epilog="Example: polyphony registry user list"
)
@_DATA
@click.pass_obj
def _user_list(console: Console, data: str | None) -> int:
    """List accounts and their namespaces."""
    with _server():
        from polyphony_registry.accounts.services import list_accounts
        from polyphony_registry.settings import Settings
        from polyphony_registry.setup import prepare

        services = prepare(Settings.load(_folder(console, data)))
        try:
            with services.database.read() as session:
                accounts = list_accounts(session)
        finally:
            services.close()
    if console.as_json:
        console.document({"accounts": [{"name": name, "namespaces": spaces} for name, spaces in accounts]})
    for name, spaces in accounts:
        console.line(f"{name}  {' '.join(spaces)}")
    return 0


@click.command("check")
@_DATA
@click.pass_obj
def _check(console: Console, data: str | None) -> int:
    """Compare database, log, files and repositories with each other; status 1 when something differs."""
    with _server():
        from polyphony_registry.check import check
        from polyphony_registry.settings import Settings
        from polyphony_registry.setup import prepare

        services = prepare(Settings.load(_folder(console, data)))
        try:
            report = check(services)
        finally:
            services.close()
    return _say_report(console, report)


@click.command("backup")
@click.argument("file")
@_DATA
@click.pass_obj
def _backup(console: Console, file: str, data: str | None) -> int:
    """Copy the registry into a tar FILE while it runs. The log key is inside: keep the file as you keep the key."""
    with _server():
        from polyphony_registry.backup import write_backup
        from polyphony_registry.settings import Settings

        size = write_backup(Settings.load(_folder(console, data)), Path(file))
    if console.as_json:
        console.document({"file": str(Path(file).resolve()), "bytes": size})
    console.line(f"backup    {file} ({size} bytes), the log key inside")
    return 0


@click.command("restore")
@click.argument("file")
@_DATA
@click.pass_obj
def _restore(console: Console, file: str, data: str | None) -> int:
    """Make a registry again from a backup FILE, in a folder that is new or empty, and check it."""
    with _server():
        from polyphony_registry.backup import restore_backup

        folder = _folder(console, data)
        report = restore_backup(Path(file), folder)
    status = _say_report(console, report)
    console.hint(f"polyphony registry serve --data {folder}")
    return status


COMMANDS: dict[str, click.Command] = {
    "init": _init,
    "serve": _serve,
    "user": _user,
    "check": _check,
    "backup": _backup,
    "restore": _restore,
}


@contextmanager
def _server() -> Iterator[None]:
    """Say what to install when the server is missing, and what stands in the way when its folder cannot be used."""
    try:
        import polyphony_registry  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError(
            "PLY4012",
            "the registry server is not installed",
            hint='install it beside the command: pip install "polyphony-cli[registry]"',
        ) from None
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except (OSError, OperationalError) as error:
        raise PolyphonyError(
            "PLY4016",
            f"the data folder cannot be used: {error.orig if isinstance(error, OperationalError) else error}",
            hint="it must be a folder of the user who runs the registry, with room on its disk",
        ) from None


def _folder(console: Console, data: str | None) -> Path:
    if data:
        return Path(data).expanduser().resolve()
    from polyphony_runner.home import default_home

    return (console.home or default_home()) / "registry"


def _announce(console: Console, *, data: Path, host: str, port: int, pid: int) -> None:
    from polyphony_registry.setup import describe

    told = describe(data, host, port)
    if console.as_json:
        console.document({**told, "pid": pid})
    else:
        console.line(f"serving   {told['url']}")
        console.line(f"add       {told['add']}")


def _say_report(console: Console, report: Report) -> int:
    if console.as_json:
        console.document({"ok": not report.findings, "checked": report.checked, "findings": report.findings})
    for finding in report.findings:
        console.line(finding)
    counted = ", ".join(f"{count} {what}" for what, count in report.checked.items())
    console.line(f"{'ok' if not report.findings else 'not ok'}: {counted}")
    return 1 if report.findings else 0


def _invitation(made: Invitation) -> dict[str, object]:
    return {
        "account": made.account,
        "namespaces": list(made.namespaces),
        "token": made.token,
        "log_key": made.log_key,
        "add": made.add,
    }


def _print_token(console: Console, made: Invitation) -> None:
    console.line(
        f"account   {made.account}" + (f" for {', '.join(made.namespaces)}" if made.namespaces else "")
    )
    console.line(f"token     {made.token}")
    console.line(f"users     {made.add}")
    console.say("the token is shown this once; keep it with: polyphony login URL --token-stdin")
