"""What a user sets for all runs of a home: ``config.yaml`` (docs/install.md, Settings).

```yaml
concurrency: {machine: 4}                 # nodes of all runs of this home at once
usage: {trusted: [polyphony/*, acme/*]}   # whose reports of tokens and USD are believed
observe: {metrics: /var/lib/node_exporter/polyphony.prom}   # where runs of this home write their metrics
secrets: {TOKEN: value}                   # the last place where secrets are looked for; the file has to be 0600
```

``cluster`` is read by ``cluster.settings``. The file is read only when it is there, so that an ordinary start stays light.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.conductor.budgets import TRUSTED
from polyphony_runner.errors import ClientError
from polyphony_runner.home import Home
from polyphony_runner.runs.places import MachinePlaces
from polyphony_schemas.values import JsonValue

_KNOWN = {"concurrency": {"machine"}, "usage": {"trusted"}, "observe": {"metrics"}}
_OTHERS = frozenset({"cluster", "secrets"})


@dataclass(frozen=True, slots=True)
class Settings:
    """``machine``: nodes at once over all runs of the home, None for no bound; ``usage_trusted``: names with ``*``.

    ``metrics`` is the file for those of the last run.
    """

    machine: int | None = None
    usage_trusted: tuple[str, ...] = TRUSTED
    metrics: Path | None = None

    def places(self, home: Home) -> MachinePlaces | None:
        """What bounds the nodes of all runs together."""
        return None if self.machine is None else MachinePlaces(home.locks / "places", self.machine)


def read_settings(home: Home) -> Settings:
    """The settings of a home; PLY2651 when the file says something else."""
    value = _written(home)
    for name in value.keys() - _KNOWN.keys() - _OTHERS:
        raise _refused(home, f"{name!r} is no setting, expected {', '.join(sorted({*_KNOWN, *_OTHERS}))}")
    found = {name: _part(home, name, value.get(name)) for name in _KNOWN}
    machine = found["concurrency"].get("machine")
    trusted = found["usage"].get("trusted", list(TRUSTED))
    if machine is not None and (not isinstance(machine, int) or isinstance(machine, bool) or machine < 1):
        raise _refused(home, f"concurrency.machine is {machine!r}, expected a whole number from 1")
    if not isinstance(trusted, list) or not all(isinstance(one, str) for one in trusted):
        raise _refused(
            home, f"usage.trusted is {trusted!r}, expected a list of OWNER/NAME, with * for a part"
        )
    metrics = found["observe"].get("metrics")
    if metrics is not None and not (isinstance(metrics, str) and Path(metrics).is_absolute()):
        raise _refused(home, f"observe.metrics is {metrics!r}, expected the absolute path of a file")
    return Settings(machine, tuple(str(one) for one in trusted), None if metrics is None else Path(metrics))


def configured_secrets(home: Home) -> Mapping[str, str]:
    """``secrets`` of ``config.yaml``; PLY2651 for anything but texts, PLY3710 when others may read the file."""
    found = _written(home).get("secrets")
    if found is None:
        return {}
    mode = home.config.stat().st_mode
    if mode & 0o077:
        raise ClientError(
            "PLY3710",
            f"others may read {home.config}, which holds secrets (mode {mode & 0o777:04o}, expected 0600)",
            hint=f"chmod 600 {home.config}; if others use this machine, replace the secrets",
        )
    if not isinstance(found, Mapping) or not all(isinstance(one, str) for one in found.values()):
        raise _refused(home, "secrets is no map of texts")  # never the value: it may hold some
    return {name: str(value) for name, value in found.items()}


def _written(home: Home) -> Mapping[str, JsonValue]:
    if not home.config.is_file():
        return {}
    from polyphony_schemas.yaml12 import read_yaml

    written = home.config.read_bytes()
    if not written.strip():
        return {}
    document = read_yaml(written, str(home.config))
    value = document.value
    if document.problems or not isinstance(value, Mapping):
        raise _refused(home, "it is no map in YAML")
    return value


def _part(home: Home, name: str, value: JsonValue) -> Mapping[str, JsonValue]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not value.keys() <= _KNOWN[name]:
        raise _refused(home, f"{name} is {value!r}, expected a map with {', '.join(_KNOWN[name])}")
    return value


def _refused(home: Home, why: str) -> ClientError:
    return ClientError(
        "PLY2651", f"the settings in {str(home.config)!r}: {why}", hint="docs/install.md shows every setting"
    )
