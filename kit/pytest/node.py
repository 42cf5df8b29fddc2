"""Run pytest on a copy of the project, with the environment that was built for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

KEEP = 12_000  # characters of the log that become an output
NO_TESTS, USAGE = 5, 4


def text_of(case, tag):
    """Message and text of the first child called ``tag``, or None when there is none."""
    found = case.find(tag)
    return None if found is None else "\n".join(filter(None, [found.get("message"), found.text]))[:4000]


def outcome_of(case):
    """``(outcome, message)`` of one test case."""
    for tag, outcome in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
        text = text_of(case, tag)
        if text is not None:
            return outcome, text
    return "passed", ""


def report_of(xml):
    """A JUnit file as ``urn:polyphony:junit``."""
    cases = []
    for case in ElementTree.fromstring(xml).iter("testcase"):  # noqa: S314  expat of today refuses entity bombs
        outcome, message = outcome_of(case)
        entry = {
            "name": case.get("name", ""),
            "suite": case.get("classname", ""),
            "outcome": outcome,
            "seconds": float(case.get("time", 0)),
        }
        if message:
            entry["message"] = message
        if case.get("file"):
            entry["file"] = case.get("file")
        cases.append(entry)
    count = {name: sum(case["outcome"] == name for case in cases) for name in ("failed", "error", "skipped")}
    return {
        "tests": len(cases),
        "failures": count["failed"],
        "errors": count["error"],
        "skipped": count["skipped"],
        "seconds": round(sum(case["seconds"] for case in cases), 3),
        "cases": cases,
    }


def main(inputs, parameters, task, context):
    """Return the results. Failing tests are results, not failures of this node."""
    root, junit = Path(inputs["path"]), Path("/out/junit")
    junit.mkdir(parents=True, exist_ok=True) if junit.is_dir() else junit.parent.mkdir(
        parents=True, exist_ok=True
    )
    xml = junit / "junit.xml" if junit.is_dir() else junit
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--color=no",
        f"--junitxml={xml}",
        *parameters["args"],
    ]
    if "keyword" in parameters:
        argv += ["-k", parameters["keyword"]]
    env = dict(os.environ)
    if "environment" in inputs:
        env["PYTHONPATH"] = inputs["environment"]
        env["PATH"] = f"{inputs['environment']}/bin:{env.get('PATH', '')}"
    done = subprocess.run(
        argv,
        cwd=root,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    for line in done.stdout.splitlines()[-60:]:
        context.log("info", line)
    if done.returncode == USAGE or (done.returncode < 0 and not xml.exists()):
        context.fail(
            "configuration", f"pytest ended with status {done.returncode}: {done.stdout.strip()[-2000:]}"
        )
    if not xml.exists():
        context.fail(
            "exit",
            f"pytest ended with status {done.returncode} and left no report: {done.stdout.strip()[-2000:]}",
        )
    report = report_of(xml.read_bytes())
    if done.returncode == NO_TESTS:
        context.log("warning", "no tests were found")
    context.progress(
        report["tests"],
        report["tests"],
        f"{report['tests']} tests, {report['failures'] + report['errors']} failed",
    )
    return {"report": report, "log": done.stdout[-KEEP:]}
