"""How a machine names its cluster: ``cluster:`` in the home's ``config.yaml``, or three environment variables.

```yaml
cluster:
  database: postgresql://polyphony@db.example/polyphony
  redis: redis://redis.example:6379/0
  artifacts: /mnt/polyphony/artifacts   # a folder that every machine sees
```

``POLYPHONY_CLUSTER_DATABASE``, ``POLYPHONY_CLUSTER_REDIS`` and ``POLYPHONY_CLUSTER_ARTIFACTS`` come first.
``POLYPHONY_CLUSTER_LEASE`` (a duration, 30s when absent) says how long a silent worker keeps what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.home import Home
from polyphony_schemas.errors import FormatError
from polyphony_schemas.scalars import parse_duration

_VARIABLES = {
    "database": "POLYPHONY_CLUSTER_DATABASE",
    "redis": "POLYPHONY_CLUSTER_REDIS",
    "artifacts": "POLYPHONY_CLUSTER_ARTIFACTS",
    "lease": "POLYPHONY_CLUSTER_LEASE",
}
_KEYS = ("database", "redis", "artifacts")
_LEASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Where the cluster is.

    ``lease``: seconds without a sign of life after which another worker takes over; a heartbeat comes every third of
    it. ``sweep``: seconds between two looks for runs that nobody drives.
    """

    database: str
    redis: str
    artifacts: str
    lease: float = _LEASE_SECONDS
    sweep: float = 5.0


def find_settings(home: Home, environ: Mapping[str, str]) -> ClusterSettings | None:
    """The settings of this machine, None when it names no cluster at all; PLY2701 when they are incomplete."""
    found = _configured(home.config)
    found |= {key: value for key, name in _VARIABLES.items() if (value := environ.get(name))}
    if not found:
        return None
    if missing := [key for key in _KEYS if key not in found]:
        raise ClusterError(
            "PLY2701",
            f"the cluster is named without its {' and '.join(missing)}",
            hint=f"set {', '.join(_VARIABLES[key] for key in missing)}, or cluster in config.yaml",
        )
    lease = _lease(found["lease"]) if "lease" in found else _LEASE_SECONDS
    return ClusterSettings(
        found["database"], found["redis"], found["artifacts"], lease, sweep=max(0.5, min(5.0, lease / 2))
    )


def cluster_settings(home: Home, environ: Mapping[str, str]) -> ClusterSettings:
    """The settings of this machine; PLY2700 when it names no cluster."""
    settings = find_settings(home, environ)
    if settings is None:
        raise ClusterError(
            "PLY2700",
            "this machine names no cluster",
            hint=f"set {', '.join(_VARIABLES[key] for key in _KEYS)}, or cluster in {home.config}",
        )
    return settings


def _configured(path: Path) -> dict[str, str]:
    """The map ``cluster`` of the settings file, empty when there is none; PLY2701 for anything but texts."""
    if not path.is_file():
        return {}
    from polyphony_schemas.yaml12 import read_yaml

    document = read_yaml(path.read_bytes(), str(path))
    value = document.value
    cluster = value.get("cluster") if isinstance(value, Mapping) else None
    if cluster is None and not document.problems:
        return {}
    if isinstance(cluster, Mapping):
        found = {str(key): one for key, one in cluster.items() if isinstance(one, str)}
        if len(found) == len(cluster) and found.keys() <= _VARIABLES.keys():
            return found
    raise ClusterError(
        "PLY2701",
        f"cluster in {path} is not a map of texts named {', '.join(_KEYS)} and lease",
        hint="docs/cluster.md shows one",
    )


def _lease(text: str) -> float:
    try:
        seconds = parse_duration(text) / 1000
    except FormatError as error:
        raise ClusterError("PLY2701", f"the cluster's lease: {error.message}", hint="30s is usual") from None
    if seconds < 1:
        raise ClusterError("PLY2701", f"a lease of {text!r}, expected at least 1s", hint="30s is usual")
    return seconds
