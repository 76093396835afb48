"""Report: one page and one table of everything that was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from openautoglm.bench.result import update_results
from openautoglm.report.html import write_report
from openautoglm.report.tables import final_table
from openautoglm.stages.run import Outcome, Run, results_of


@dataclass(frozen=True, kw_only=True)
class Report:
    """Writes ``report.html`` and prints the table."""

    def __call__(self, run: Run) -> Outcome:
        """Leave ``report.html`` in the run's folder."""
        # nothing comes after it: the page shows a run that is complete
        update_results(run.folder, lambda results: replace(results, status="complete"))
        path = write_report(run.folder)
        run.console.print(final_table(results_of(run)))
        here = Path.cwd()  # a run that went on has its whole path
        return Outcome(note=str(path.relative_to(here) if path.is_relative_to(here) else path))
