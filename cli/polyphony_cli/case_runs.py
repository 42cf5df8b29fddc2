"""What ``test`` and ``publish`` share: the cases of the package at a path, run by the sandbox of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_cli.console import Console

if TYPE_CHECKING:
    from polyphony_runner.preparing import Check
    from polyphony_runner.runs.cases import CaseRunner


def case_runner(
    console: Console,
    path: Path,
    *,
    overrides: Sequence[str] = (),
    accept_permissions: str | None = None,
    frozen: bool = False,
) -> CaseRunner:
    """The runner of the cases of the package at ``path`` (its folder or its document)."""
    from polyphony_cli.run_verbs import ask_consent, fetch_missing, home_of, sandboxed
    from polyphony_runner.locked_packages import packages_for_path
    from polyphony_runner.runs.assemble import RunRequest
    from polyphony_runner.runs.cases import CaseRunner

    home = home_of(console)
    folder = (path if path.is_dir() else path.parent).absolute()
    request = RunRequest(
        melody=path,
        overrides=overrides,
        accept_permissions=accept_permissions,
        ask=ask_consent(console),
        frozen=frozen,
        fetch=fetch_missing(console, frozen=frozen),
    )
    return CaseRunner(request, folder, home, sandboxed(home), packages_for_path(home, folder))


def with_cases(console: Console, check: Check) -> Check:
    """A check before publishing that also runs the cases of the package, once nothing else is in the way."""
    from polyphony_runner.package_files import PackageFiles
    from polyphony_runner.runs.errors import RunConsentError
    from polyphony_schemas.problems import Problem

    def checked(files: PackageFiles, manifest: str) -> list[Problem]:
        problems = list(check(files, manifest))
        has_cases = any(name.startswith("tests/") for name in files.entries)
        if not has_cases or any(problem.severity == "error" for problem in problems):
            return problems
        runner = case_runner(console, files.root, frozen=True)
        try:
            red = [result for result in runner.run_all() if not result.ok]
        except RunConsentError as error:
            hint = f"polyphony test {files.root} --accept-permissions {error.details['digest']}"
            return [
                *problems,
                _problem("", "the cases in tests/ could not run: nobody agreed to the permissions", hint),
            ]
        return problems + [
            _problem(
                result.file,
                f"the case {result.name!r} is not as expected",
                f"polyphony test {files.root} says what differs",
            )
            for result in red
        ]

    def _problem(file: str, message: str, hint: str) -> Problem:
        return Problem("PLY2758", "error", file, 1, 1, "", message, hint)

    return checked
