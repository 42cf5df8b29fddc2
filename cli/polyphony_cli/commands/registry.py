"""``polyphony registry``: bind registries (client verbs) and operate one (server verbs).

The client verbs never import the server; the server verbs say what to install when it is missing.
"""

from __future__ import annotations

import click

from polyphony_cli.verbs import LazyGroup, Verb

_VERBS: dict[str, Verb] = {
    "add": Verb(
        "registry_client",
        "Bind namespaces to a registry and its log key",
        "polyphony registry add http://127.0.0.1:8440 --log-key VKEY --namespace acme",
    ),
    "list": Verb("registry_client", "List the registries you added", "polyphony registry list"),
    "remove": Verb("registry_client", "Forget a registry", "polyphony registry remove registry.example"),
    "init": Verb(
        "registry_server",
        "Make a new registry in a data folder",
        "polyphony registry init --origin registry.example --owner ada --namespace ada",
    ),
    "serve": Verb(
        "registry_server", "Serve the registry of a data folder", "polyphony registry serve --port 8440"
    ),
    "user": Verb(
        "registry_server",
        "Add accounts and print tokens",
        "polyphony registry user add grace --namespace grace",
    ),
    "check": Verb(
        "registry_server",
        "Check database, log, files and repositories against each other",
        "polyphony registry check",
    ),
    "backup": Verb(
        "registry_server", "Copy a registry while it runs", "polyphony registry backup registry.tar"
    ),
    "restore": Verb(
        "registry_server",
        "Make a registry again from its copy, and check it",
        "polyphony registry restore registry.tar --data DIR",
    ),
}


@click.group(cls=LazyGroup, verbs=_VERBS)
def command() -> None:
    """Add registries to this home, or operate one."""
