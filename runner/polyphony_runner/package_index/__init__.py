"""``package-index``: the machine's own package index, resolved by the runner and never by a package (docs/runtimes.md)."""

from polyphony_runner.package_index.access import IndexAccess, PackageIndex
from polyphony_runner.package_index.settings import DEFAULT_INDEX, IndexSettings, machine_settings

__all__ = ["DEFAULT_INDEX", "IndexAccess", "IndexSettings", "PackageIndex", "machine_settings"]
