"""What ``signal`` and ``approve`` share: one run or every run of a melody, who asks, and how it went."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from polyphony_cli.console import Console
from polyphony_schemas.errors import PolyphonyError, UsageError

if TYPE_CHECKING:
    from polyphony_runner.home import Home
    from polyphony_runner.runs.folder import RunFolder
    from polyphony_runner.runs.outside import Person


def addressed(
    console: Console, words: Sequence[str], melody: str | None, what: str
) -> tuple[list[RunFolder], str]:
    """The runs that are meant, and the last word; UsageError PLY7006 for a word too many or too few."""
    from polyphony_cli.run_verbs import home_of, run_folder
    from polyphony_runner.runs.outside import unfinished_runs

    expected = (what,) if melody is not None else ("RUN", what)
    if len(words) != len(expected):
        raise UsageError(
            "PLY7006",
            f"got {len(words)} word{'' if len(words) == 1 else 's'}, expected {' and '.join(expected)}",
            hint="name a run, or give --melody OWNER/NAME in its place",
        )
    if melody is None:
        return [run_folder(console, words[0])], words[1]
    home = home_of(console)
    names = [melody] if "/" in melody else [f"polyphony/{melody}", melody]
    folders = [folder for name in names for folder in unfinished_runs(home, name) if not folder.of_cluster]
    from polyphony_cli.cluster_verbs import names_cluster, unfinished_in_cluster

    return [*folders, *(unfinished_in_cluster(console, names) if names_cluster(console) else ())], words[-1]


def person(home: Home) -> Person:
    """The account that calls, and whether the home is its own."""
    import pwd

    from polyphony_runner.runs.outside import Person

    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return Person(name, home.root.is_dir() and home.root.stat().st_uid == number)


def tell(
    console: Console, melody: str | None, folders: Sequence[RunFolder], act: Callable[[RunFolder], bool]
) -> int:
    """Do it for each run and say whether it was delivered; with ``--melody`` one refusal stops none of the others."""
    if melody is None:
        delivered = act(folders[0])
        if console.as_json:
            console.document({"run": folders[0].run, "delivered": delivered})
        else:
            console.line(f"{folders[0].run}  {'delivered' if delivered else 'nobody waited: dropped'}")
        return 0
    reached: dict[str, bool] = {}
    for folder in folders:
        try:
            reached[folder.run] = act(folder)
        except PolyphonyError as error:
            reached[folder.run] = False
            console.say(f"{folder.run}: {error.message}")
    if console.as_json:
        console.document(
            {
                "run": None,
                "delivered": any(reached.values()),
                "runs": [{"run": run, "delivered": done} for run, done in reached.items()],
            }
        )
    else:
        for run, done in reached.items():
            console.line(f"{run}  {'delivered' if done else 'not delivered'}")
        if not reached:
            console.line(f"no unfinished run of {melody}")
    return 0
