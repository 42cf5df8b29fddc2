"""The artifact store that every machine of a cluster shares: for now a folder that all of them see."""

from __future__ import annotations

from pathlib import Path

from polyphony_runner.artifacts.store import ArtifactStore, FolderArtifacts
from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.settings import ClusterSettings
from polyphony_runner.files import private_folder


def open_artifacts(settings: ClusterSettings) -> ArtifactStore:
    """The store that the settings name; PLY2708 when it cannot be used."""
    place = settings.artifacts
    if "://" in place:
        raise ClusterError(
            "PLY2708",
            f"artifacts at {place.partition('://')[0]}://, this version keeps them in a folder",
            hint="name a folder that every machine of the cluster sees",
        )
    folder = Path(place)
    try:
        if not folder.is_absolute():
            raise ValueError("expected an absolute path")
        private_folder(folder)
    except (OSError, ValueError) as error:
        raise ClusterError(
            "PLY2708",
            f"the artifacts of the cluster in {place!r} cannot be used: {error}",
            hint="name a folder that every machine of the cluster sees",
        ) from error
    return FolderArtifacts(folder)
