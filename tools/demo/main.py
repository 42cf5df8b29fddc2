"""``make demo``: the whole path on a real project, with the same commands a person would type.

registry init → serve → key, login → publish the kit and the melodies → (as another user) registry add → install →
verify → fetch a project in a sandbox → run full-stack-review on it → report. Leaves the report and nothing else: no
process, no state.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
POLYPHONY = ROOT / ".venv/bin/polyphony"
ORIGIN = "demo.example"
EXTENSIONS = sorted(path.parent for path in ROOT.glob("kit/*/extension.yaml"))
MELODIES = sorted(path.parent for path in ROOT.glob("melodies/*/melody.yaml"))


class DemoFailedError(Exception):
    """One of the commands did not do what it should."""


STARTED = time.monotonic()


def say(text: str) -> None:
    """A step begins: what is done, and how far the clock is."""
    print(f"\n{time.monotonic() - STARTED:4.0f} s  {text}", flush=True)


def detail(text: str) -> None:
    """What came of a step."""
    print(f"        {text}", flush=True)


class Person:
    """Somebody at the command line, with a home and a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.environment = {**os.environ, "POLYPHONY_HOME": str(folder / "home"), "NO_COLOR": "1"}

    def polyphony(self, *words: str, stdin: str = "", talk: bool = False) -> dict[str, object]:
        """Run one command and return its JSON document; ``talk`` shows what it says meanwhile."""
        said = []
        with tempfile.TemporaryFile("w+") as answer, tempfile.TemporaryFile("w+") as asked:
            asked.write(stdin)
            asked.seek(0)
            command = subprocess.Popen(
                [str(POLYPHONY), "--json", *words],
                env=self.environment,
                cwd=self.folder,
                stdin=asked,
                stdout=answer,
                stderr=subprocess.PIPE,
                text=True,
            )
            for line in command.stderr or ():
                said.append(line)
                if talk:
                    detail(line.rstrip())
            status = command.wait()
            answer.seek(0)
            text = answer.read().strip()
        if status:
            raise DemoFailedError(
                f"polyphony {' '.join(words)} ended with {status}:\n{text}\n{''.join(said)}".strip()
            )
        document: dict[str, object] = json.loads(text) if text else {}
        return document


@contextmanager
def served_registry(data: Path, owner: Person) -> Iterator[tuple[str, str, str]]:
    """A registry on a free loopback port: (address, log key, the owner's token). Ended at the end, whatever happens."""
    made = owner.polyphony(
        "registry",
        "init",
        "--data",
        str(data),
        "--origin",
        ORIGIN,
        "--owner",
        "polyphony",
        "--namespace",
        "polyphony",
    )
    server = subprocess.Popen(
        [str(POLYPHONY), "--json", "registry", "serve", "--data", str(data), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=owner.environment,
    )
    try:
        yield str(first_document(server)["url"]), str(made["log_key"]), str(made["token"])
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def first_document(server: subprocess.Popen[str]) -> dict[str, object]:
    """The JSON document that a server prints once it listens."""
    text = ""
    for line in server.stdout or ():
        text += line
        try:
            document: dict[str, object] = json.loads(text)
            return document
        except ValueError:
            continue
    raise DemoFailedError(f"the registry did not start: {server.stderr.read() if server.stderr else ''}")


def as_repository(package: Path, folder: Path) -> Path:
    """A package of this tree as the git repository its author would have."""
    target = folder / package.name
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__", "melody.local.yaml"))
    git = [
        "git",
        "-C",
        str(target),
        "-c",
        "user.name=Polyphony",
        "-c",
        "user.email=kit@demo.example",
        "-c",
        "commit.gpgsign=false",
    ]
    subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "First version"], check=True)
    return target


def publish_all(owner: Person, folder: Path) -> None:
    """Sign and publish the kit, then the melodies."""
    for number, package in enumerate([*EXTENSIONS, *MELODIES]):
        enrol = ["--enrol"] if number == 0 else []
        done = owner.polyphony("publish", str(as_repository(package, folder)), "--owner", "polyphony", *enrol)
        detail(
            f"{done['name']} {done['version']}  tree {str(done['tree'])[:12]}…  logged as #{done['log_index']}"
        )


def fetch_project(user: Person) -> Path:
    """Download the project in a sandbox that reaches the package index alone."""
    melody = user.folder / "demo-project"
    melody.mkdir()
    shutil.copy(ROOT / "tools/demo/melody.yaml", melody)
    found = user.polyphony("run", str(melody), "--accept-permissions", consent(user, melody), talk=True)
    outputs = found["outputs"]
    assert isinstance(outputs, dict)
    project = user.folder / "project"
    user.polyphony("artifacts", "get", outputs["source"]["digest"], "-o", str(project))
    detail(f"{outputs['file']}, unpacked and not built; its SHA-256 is the one that the demo's melody names")
    return project


def consent(user: Person, melody: Path) -> str:
    """The permissions digest of the demo's own melody, which the person at the demo accepts."""
    done = subprocess.run(
        [str(POLYPHONY), "--json", "run", str(melody)],
        cwd=user.folder,
        env=user.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return str(json.loads(done.stdout)["error"]["details"]["digest"])
    except (ValueError, KeyError):
        raise DemoFailedError(
            f"expected a question about permissions, got:\n{done.stdout}{done.stderr}"
        ) from None


def review(user: Person, project: Path, report: Path, further: list[str]) -> dict[str, object]:
    """Run full-stack-review and bring the report here."""
    words = ["--input", f"path={project}", "--input", "subject=humanize 4.9.0", *further]
    done = user.polyphony("run", "full-stack-review", *words, talk=True)
    outputs = done["outputs"]
    assert isinstance(outputs, dict)
    report.mkdir(exist_ok=True)
    for name, file in (("report", "report.html"), ("markdown", "report.md")):
        (report / file).unlink(missing_ok=True)
        user.polyphony("artifacts", "get", outputs[name]["digest"], "-o", str(report / file))
    return done


def demo(folder: Path, report: Path, further: list[str]) -> None:
    """All steps, in order."""
    owner, user = Person(folder / "publisher"), Person(folder / "user")
    say("A registry on loopback: packages in git, a signed log of every version")
    with served_registry(folder / "registry", owner) as (url, log_key, token):
        detail(url)
        # Minimum age is what a client waits before it trusts a new version; these are seconds old.
        add = ["registry", "add", url, "--log-key", log_key, "--namespace", "polyphony", "--minimum-age", "0"]
        say("The publisher signs and publishes the kit and the melodies")
        owner.polyphony("key", "new", "release")
        owner.polyphony(*add)
        owner.polyphony("login", url, "--token-stdin", stdin=token)
        publish_all(owner, folder)
        say("Somebody else, with nothing but the log's key, installs full-stack-review")
        user.polyphony(*add)
        install(user)
        say("A project from the package index, fetched in a sandbox that reaches the index alone")
        project = fetch_project(user)
        say("full-stack-review: lint, fetch wheels, build and test offline, report; each node in its sandbox")
        done = review(user, project, report, further)
        journal = user.polyphony("journal", str(done["run"]), "--verify")
        detail(
            f"the journal of {done['run']} is whole: {journal['events']} events, head {str(journal['head'])[:12]}…"
        )
    outputs = done["outputs"]
    assert isinstance(outputs, dict)
    say(f"{outputs['summary']}.")
    print(f"\nreport: {report / 'report.html'}")


def install(user: Person) -> None:
    """Install the melody with all it needs, and show what was verified."""
    installed = user.polyphony("install", "full-stack-review", "--global")["installed"]
    assert isinstance(installed, list)
    detail(f"{len(installed)} packages verified, each by these steps, and locked:")
    steps = user.polyphony("verify", "full-stack-review")["steps"]
    assert isinstance(steps, list)
    for step in steps:
        detail(f"✓ {step['step']}: {step['detail']}")


def main() -> int:
    """Parse the arguments, run, clean up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, default=ROOT / "demo-report")
    parser.add_argument("--keep", action="store_true", help="keep registry and homes, and say where")
    parser.add_argument("further", nargs="*", help="further words for the run, such as --input model=NAME")
    arguments, unknown = parser.parse_known_args()
    folder = Path(tempfile.mkdtemp(prefix="polyphony-demo-"))
    try:
        demo(folder, arguments.report.resolve(), [*arguments.further, *unknown])
    except DemoFailedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if arguments.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"done in {time.monotonic() - STARTED:.0f} s; nothing else is left, no process and no state")
    return 0


if __name__ == "__main__":
    sys.exit(main())
