"""Luigi: a chain of tasks, each with a target file, local scheduler, one worker."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import luigi
from work import fib, timed


class Step(luigi.Task):
    """Step ``i`` of a chain whose targets lie in ``folder``."""

    folder = luigi.Parameter()
    n = luigi.IntParameter()
    i = luigi.IntParameter()

    def requires(self) -> list[Step]:
        """The step before."""
        return [Step(self.folder, self.n, self.i - 1)] if self.i else []

    def output(self) -> luigi.LocalTarget:
        """A file that says: done."""
        return luigi.LocalTarget(str(Path(self.folder) / f"t{self.i}"))

    def run(self) -> None:
        """The work."""
        result = fib(self.n)
        with self.output().open("w") as target:
            target.write(str(result))


def flow(tasks: int, n: int) -> None:
    """Run the chain in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        luigi.build([Step(folder, n, tasks - 1)], local_scheduler=True, workers=1, log_level="ERROR")


if __name__ == "__main__":
    timed(flow, int(sys.argv[1]), int(sys.argv[2]))
