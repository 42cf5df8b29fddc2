"""What every verb is handed: the global flags, and the one way to print. Stdout is data, stderr is talk."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from polyphony_schemas.errors import PolyphonyError


@dataclass(frozen=True, slots=True)
class Console:
    """The global flags of one call and how to speak."""

    as_json: bool = False
    home: Path | None = None
    registry: str | None = None
    quiet: bool = False
    verbose: int = 0
    color: bool = False
    offline: bool = False

    @classmethod
    def from_flags(cls, flags: Mapping[str, object], environ: Mapping[str, str]) -> Console:
        """Read once, here: nothing below this line looks at the environment."""
        tty = sys.stderr.isatty()
        home = flags["home"]
        registry = flags["registry"]
        return cls(
            as_json=bool(flags["as_json"]),
            home=Path(str(home)) if home else None,
            registry=str(registry) if registry else None,
            quiet=bool(flags["quiet"]),
            verbose=int(str(flags["verbose"])),
            color=tty and not flags["no_color"] and not environ.get("NO_COLOR"),
            offline=bool(flags["offline"]),
        )

    def document(self, value: object) -> None:
        """Print the one JSON document of this call."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
        sys.stdout.flush()

    def line(self, text: str) -> None:
        """Print a line of data for people; silent under ``--json``."""
        if not self.as_json:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def say(self, text: str) -> None:
        """Talk: progress and remarks on stderr."""
        if not self.quiet:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def hint(self, text: str) -> None:
        """What to do next."""
        self.say(f"hint: {text}")


def report_error(error: PolyphonyError | click.ClickException, *, as_json: bool) -> int:
    """Print an error in its three parts and return its exit status."""
    if isinstance(error, click.ClickException):
        usage = isinstance(error, click.UsageError)
        error = PolyphonyError(
            "PLY7001" if usage else "PLY7002", error.format_message(), hint="polyphony --help lists the verbs"
        )
        error.exit_status = 2 if usage else 1
    if as_json:
        sys.stdout.write(json.dumps(error.to_json(), ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stderr.write(f"error[{error.code}]: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
    return error.exit_status


def report_bug(error: Exception, *, as_json: bool) -> int:
    """Print an error nobody foresaw, with its trace, and return exit status 3."""
    trace = "".join(traceback.format_exception(error))
    bug = PolyphonyError(
        "PLY7003",
        f"a bug of ours: {type(error).__name__}: {error}",
        hint="please report it with the lines above",
        details={"trace": trace},
    )
    bug.exit_status = 3
    if not as_json:
        sys.stderr.write(trace)
    return report_error(bug, as_json=as_json)
