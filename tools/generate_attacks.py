"""Run the attack programs at every level of this machine and write docs/security/sandbox.md from what came of them.

``generate_attacks.py [LEVEL…] [--all]`` runs, at those levels, the programs that changed since they ran, or all. The
results are kept in tests/attacks/results.json, beside a digest of each program. ``--check`` runs nothing: it says
whether the page is current, and a program that changed since it ran has no result.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from generated_files import ROOT, write_or_check

sys.path.insert(0, str(ROOT / "tests"))

from polyphony_runner.sandbox.spec import Level
from support.attack_levels import ORDER, attack, attacked_levels
from support.attack_programs import PROGRAMS, Attack, attacks

PAGE = ROOT / "docs" / "security" / "sandbox.md"
RESULTS = PROGRAMS.parent / "results.json"
LEVELS = ORDER
Results = dict[str, dict[str, dict[str, str]]]  # level → program → digest, came, by

HEAD = """# What hostile programs come to in the sandbox

{count} programs that try to get out, each at every level. Made from a run of them by `tools/generate_attacks.py`;
`make test` runs the same programs and compares. Each is one file in `tests/attacks/programs`, whose first lines say
what it tries and what must happen.

A program's own word counts only against it. The runner's side is looked at from outside: canaries in a home, a store, a
folder of keys and another run; services on loopback, UDP, socket files and an abstract name; a process of the host;
processes that are left; what was left in the work folder, taken as a runner takes results; everything that a journal,
a screen or the next call would get.

**stopped**: it ran, and this is what refused it (the error of the kernel, of the proxy or of the runner).
**refused**: the level cannot give what the program needs, so it never started. **open**: it got what it wanted.
**-**: not on that machine.

At level `landlock` whether a file outside is there, its size and its times can be asked, because Landlock has no right
for that: names are no secret there. Nothing else is open.

At level `full` a program can read in the environment of bubblewrap, its first process, which runner started it (a
process id and a start time), and nothing else of the host.
"""


def document(results: Results) -> str:
    """The whole page."""
    found = attacks()
    lines = [HEAD.format(count=len(found))]
    group = ""
    for one in found:
        above = one.name.split("/")[0]
        if above != group:
            group = above
            lines += [f"\n## {group.capitalize()}\n", f"| program | tries | must | {' | '.join(LEVELS)} |"]
            lines += ["|---" * (3 + len(LEVELS)) + "|"]
        lines.append(row(one, results))
    return "\n".join([*lines, ""])


def row(one: Attack, results: Results) -> str:
    """One program; results of other bytes than those of now count for nothing."""
    cells = []
    for level in LEVELS:
        came = results.get(level, {}).get(one.name, {})
        current = came.get("digest") == one.digest
        cells.append(f"{came['came']}: {came['by']}" if current else "not run")
    link = f"../../tests/attacks/programs/{one.path.relative_to(PROGRAMS)}"
    return f"| [{one.path.stem}]({link}) | {one.tries} | {one.heads['must']} | {' | '.join(cells)} |"


def run(levels: list[Level]) -> Results:
    """What came of every program at these levels, with the digest of what ran."""
    results = kept()
    digests = {one.name: one.digest for one in attacks()}
    for level in levels:
        before = {} if "--all" in sys.argv else results.get(level, {})
        current = {name: said for name, said in before.items() if said["digest"] == digests.get(name)}
        changed = sorted(digests.keys() - current.keys())
        came = attack(level, changed) if changed else {}
        fresh = {name: {"digest": digests[name], **said} for name, said in came.items()}
        results[level] = dict(sorted({**current, **fresh}.items()))
    return results


def kept() -> Results:
    """The results of the last run."""
    found: Results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    return found


if __name__ == "__main__":
    asked = [level for level in LEVELS if level in sys.argv[1:]]
    results = kept() if "--check" in sys.argv else run(asked or attacked_levels())
    files: dict[Path, str] = {PAGE: document(results), RESULTS: json.dumps(results, indent=1) + "\n"}
    sys.exit(write_or_check(files))
