"""What the verbs about runs do for a run of the cluster. Nothing here is imported before one is met."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from polyphony_cli.console import Console
from polyphony_cli.run_verbs import INTERRUPTED, home_of, tell

if TYPE_CHECKING:
    from polyphony_runner.artifacts import ArtifactStore
    from polyphony_runner.cluster.client import Cluster
    from polyphony_runner.cluster.settings import ClusterSettings
    from polyphony_runner.runs.assemble import AssembledRun
    from polyphony_runner.runs.folder import RunFolder
    from polyphony_runner.runs.listing import ListedRun


def settings_of(console: Console) -> ClusterSettings:
    """The cluster that this machine names; PLY2700 for none, PLY2712 when the extra is not installed."""
    from polyphony_runner.cluster.errors import ClusterError
    from polyphony_runner.cluster.settings import cluster_settings

    settings = cluster_settings(home_of(console), os.environ)
    if missing := [name for name in ("psycopg", "redis", "rq") if find_spec(name) is None]:
        raise ClusterError(
            "PLY2712",
            f"the packages for a cluster are not installed: {', '.join(missing)}",
            hint="pip install 'polyphony-runner[cluster]'",
        )
    return settings


def names_cluster(console: Console) -> bool:
    """Whether this machine names a cluster."""
    from polyphony_runner.cluster.settings import find_settings

    return find_settings(home_of(console), os.environ) is not None


def artifacts_of(console: Console) -> ArtifactStore:
    """The artifacts of this home, and behind them those of the machine's cluster."""
    from polyphony_runner.artifacts import FolderArtifacts
    from polyphony_runner.cluster.settings import find_settings

    home = home_of(console)
    own = FolderArtifacts(home.artifacts)
    settings = find_settings(home, os.environ)
    if settings is None:
        return own
    from polyphony_runner.artifacts.layered import LayeredArtifacts
    from polyphony_runner.cluster.artifacts import open_artifacts

    return LayeredArtifacts(own, open_artifacts(settings, home))


@contextmanager
def cluster_of(console: Console) -> Iterator[Cluster]:
    """The cluster of this machine, for one call."""
    from polyphony_runner.cluster.client import Cluster

    cluster = Cluster(settings_of(console), home_of(console))
    try:
        yield cluster
    finally:
        cluster.close()


def run_in_cluster(
    console: Console, assembled: AssembledRun, announce: Callable[[], None], *, detach: bool
) -> int:
    """Bring a run into the cluster, say so, and watch it unless ``detach``."""
    with cluster_of(console) as cluster:
        cluster.submit(assembled, announce)
        if not cluster.slots():
            console.hint("no worker is there yet: polyphony worker, on any machine of the cluster")
        if detach:
            if console.as_json:
                console.document({"run": assembled.folder.run, "status": "running"})
            console.line(assembled.folder.run)
            return 0
        return _watch(console, cluster, assembled.folder.run)


def resume_in_cluster(console: Console, folder: RunFolder) -> int:
    """Let a halted run go on, and watch it; one that goes on anyway is only watched."""
    with cluster_of(console) as cluster:
        cluster.resume(folder.run)
        return _watch(console, cluster, folder.run)


def relayed(console: Console, run: str) -> RunFolder | None:
    """A folder of this home that behaves like the cluster's run until this call ends; None when there is no such run."""
    import click

    from polyphony_runner.cluster.client import Cluster
    from polyphony_runner.cluster.leases import UNFINISHED
    from polyphony_runner.cluster.relay import Relay

    call = click.get_current_context()
    cluster = call.with_resource(closing(Cluster(settings_of(console), home_of(console))))
    found = cluster.find(run)
    if found is None:
        return None
    folder = cluster.mirror(found)
    if cluster.status(found)[0] in UNFINISHED:
        call.with_resource(Relay(cluster, folder))
    return folder


def unfinished_in_cluster(console: Console, packages: Sequence[str]) -> list[RunFolder]:
    """Every unfinished run of these packages in the cluster, as ``relayed`` gives them."""
    with cluster_of(console) as cluster:
        found = [run for package in packages for run in cluster.unfinished(package)]
    return [folder for run in found if (folder := relayed(console, run)) is not None]


def goes_on(console: Console, folder: RunFolder) -> Callable[[], bool]:
    """Says whether more of a run is to come; ``relayed`` brings it."""

    def ask() -> bool:
        with cluster_of(console) as cluster:
            return cluster.status(folder.run)[0] in ("running", "waiting")

    return ask


def listed_in_cluster(console: Console, limit: int | None) -> list[ListedRun]:
    """The cluster's runs, the newest first."""
    from polyphony_runner.runs.listing import ListedRun
    from polyphony_schemas.journal import format_time

    with cluster_of(console) as cluster:
        return [
            ListedRun(one.run, one.name, one.status, format_time(one.started_ms), one.seconds, one.local)
            for one in cluster.runs(limit)
        ]


def _watch(console: Console, cluster: Cluster, run: str) -> int:
    """Follow a run to its end or halt. Ctrl-C halts it, a second one leaves it to the workers."""
    import sys

    from polyphony_cli.run_view import view_for
    from polyphony_runner.conductor.conductor import Interrupt
    from polyphony_runner.runs.folder import RunFolder

    view = view_for(console, tty=sys.stderr.isatty())
    with view.around():
        try:
            state = cluster.follow(run, view)
        except KeyboardInterrupt:
            try:
                cluster.ask(run, Interrupt())
                state = cluster.follow(run, lambda _event, _state: None)
            except KeyboardInterrupt:
                console.hint(f"the run goes on in the cluster; polyphony cancel {run} ends it")
                return INTERRUPTED
    return tell(console, RunFolder(cluster.home.runs / run), state)
