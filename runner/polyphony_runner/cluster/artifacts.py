"""The artifact store that every machine of a cluster shares: a folder that all of them see, or a bucket."""

from __future__ import annotations

import os

from polyphony_runner.artifacts.places import open_store
from polyphony_runner.artifacts.protocol import CollectableStore
from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.settings import ClusterSettings
from polyphony_runner.home import Home


def open_artifacts(settings: ClusterSettings, home: Home) -> CollectableStore:
    """The store that the settings name, with copies in this home where it is far; PLY2708 when it cannot be used."""
    try:
        return open_store(settings.artifacts, home.cache / "cluster", os.environ)
    except (OSError, ValueError) as error:
        raise ClusterError(
            "PLY2708",
            f"the artifacts of the cluster in {settings.artifacts!r} cannot be used: {error}",
            hint="name a folder that every machine of the cluster sees, or a bucket: s3://BUCKET/PREFIX",
        ) from error
