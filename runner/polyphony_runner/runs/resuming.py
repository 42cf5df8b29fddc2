"""Taking a run up again: what it runs from the store is hashed once more, as a new run would do."""

from __future__ import annotations

from polyphony_runner.home import Home
from polyphony_runner.locking import verify_run_content
from polyphony_runner.runs.folder import RunFolder, RunRecord
from polyphony_runner.runs.session import Session, take_up
from polyphony_runner.store import FolderStore
from polyphony_schemas.values import TreeId


def resume(folder: RunFolder, home: Home) -> Session:
    """Open a run to go on with it; nothing is written when a stored package is no longer what it was.

    PLY2414 when the run is over, PLY2102 when it is being executed, PLY5902 when files changed, PLY6203 when they
    are gone.
    """
    session = take_up(folder, home)
    try:
        for tree in _trees(session.record):
            verify_run_content(FolderStore(home.store), tree)
    except BaseException:
        session.journal.close()
        raise
    return session


def _trees(record: RunRecord) -> list[TreeId]:
    """The trees that the run takes from the store, each once; folders of authors and overrides have none."""
    named = {record.tree, *(package.tree for package in record.packages.values() if not package.local)}
    return sorted(TreeId(tree) for tree in named if tree is not None)
