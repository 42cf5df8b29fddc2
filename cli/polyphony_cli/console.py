"""What every verb is handed: the global flags, and the one way to print. Stdout is data, stderr is talk."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from polyphony_schemas.errors import PolyphonyError

# C0 but for tab and line feed, C1, and what turns the direction of text or hides in it. Names, messages and outputs
# come from packages and servers: none of it may move a cursor, set a title, or make a line read backwards.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Text fit for a terminal: control and invisible characters stand as their escapes.

    >>> plain("ok\\x1b[2J\\n\\u202egpj")
    'ok\\\\x1b[2J\\n\\\\u202egpj'
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def json_text(value: object, indent: int | None = None) -> str:
    """JSON in which such characters are escaped too, so that it may be read in a terminal of any encoding."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    text = json.dumps(value, ensure_ascii=not unicode, indent=indent)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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
    log_json: bool = False

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
            log_json=flags["log_format"] == "json",
        )

    def document(self, value: object) -> None:
        """Print the one JSON document of this call."""
        sys.stdout.write(json_text(value, 2) + "\n")
        sys.stdout.flush()

    def line(self, text: str) -> None:
        """Print a line of data for people; silent under ``--json``."""
        if not self.as_json:
            sys.stdout.write(plain(text) + "\n")
            sys.stdout.flush()

    def say(self, text: str) -> None:
        """Talk: progress and remarks on stderr."""
        if not self.quiet:
            _talk(text, log_json=self.log_json)

    def hint(self, text: str) -> None:
        """What to do next."""
        self.say(f"hint: {text}")


def _talk(text: str, *, log_json: bool, level: str = "info", **facts: object) -> None:
    """One line on stderr: as it is, or as an object of a structured log."""
    if log_json:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = json_text({"at": at, "level": level, "event": "message", "message": text, **facts})
    sys.stderr.write(plain(text) + "\n")
    sys.stderr.flush()


def report_error(
    error: PolyphonyError | click.ClickException, *, as_json: bool, log_json: bool = False
) -> int:
    """Print an error in its three parts and return its exit status; ``log_json``: as an entry of a structured log."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not as_json:
        sys.stderr.write(error.format_message() + "\n")
        return error.exit_code
    if isinstance(error, click.ClickException):
        error = _of_click(error)
    if as_json and _told(json_text(error.to_json(), 2)):
        return error.exit_status
    if log_json:
        _talk(error.message, log_json=True, level="error", code=error.code, hint=error.hint)
        return error.exit_status
    sys.stderr.write(plain(f"error[{error.code}]: {error.message}") + "\n")
    if error.hint:
        sys.stderr.write(plain(f"hint: {error.hint}") + "\n")
    return error.exit_status


def _told(document: str) -> bool:
    """Whether stdout took it; False on a full disk, or when nobody reads any more."""
    try:
        sys.stdout.write(document + "\n")
        sys.stdout.flush()
    except OSError:
        close_stdout()
        return False
    return True


def close_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not fail on it when it leaves."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _of_click(error: click.ClickException) -> PolyphonyError:
    """What click refused, as an error of ours: the hint is the nearest flag, the verb's help, and its example."""
    usage = isinstance(error, click.UsageError)
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "polyphony"
    example = (context and context.command.epilog) or ""
    text = " ".join(error.format_message().split()).rstrip(".")
    hint = f"{path} --help" + (f"; {example[0].lower()}{example[1:]}" if example else "")
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        text = "missing command"
    elif isinstance(error, click.NoSuchOption):
        text = f"no such option {error.option_name!r}"
        hint = " or ".join(sorted(repr(one) for one in error.possibilities or ())) + f"?; {hint}"
        hint = f"did you mean {hint}" if error.possibilities else hint.removeprefix("?; ")
    ours = PolyphonyError("PLY7001" if usage else "PLY7002", text[:1].lower() + text[1:], hint=hint)
    ours.exit_status = 2 if usage else 1
    return ours


_REFUSALS = {
    errno.ENOSPC: "free some space on that disk, then try again",
    errno.EDQUOT: "free some of your quota on that disk, then try again",
    errno.EFBIG: "raise the limit of the size of files: ulimit -f",
    errno.EROFS: "choose a place that can be written; --home or POLYPHONY_HOME moves Polyphony's own",
    errno.EACCES: "choose a place of yours, or ask for its rights; --home or POLYPHONY_HOME moves Polyphony's own",
    errno.EPERM: "choose a place of yours, or ask for its rights; --home or POLYPHONY_HOME moves Polyphony's own",
    errno.ENAMETOOLONG: "choose a shorter name or path",
    errno.ELOOP: "mend the links that lead in a circle",
    errno.EIO: "check that disk",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
    errno.ENFILE: "close other programs: the machine's limit of open files is reached",
}


def unusable(error: OSError) -> PolyphonyError | None:
    """PLY7004 when it is the machine that says no (full disk, no right), None when it must be a bug of ours."""
    hint = _REFUSALS.get(error.errno or 0)
    if hint is None:
        return None
    said = (error.strerror or str(error)).lower()
    what = "writing failed" if error.filename is None else f"{str(error.filename)!r} cannot be used"
    return PolyphonyError("PLY7004", f"{what}: {said}", hint=hint, details={"errno": error.errno})


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
        sys.stderr.write(plain(trace))
    return report_error(bug, as_json=as_json)
