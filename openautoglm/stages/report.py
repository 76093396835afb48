"""Report: one page and one table of everything that was measured."""

from __future__ import annotations

from dataclasses import dataclass

from openautoglm.report.html import write_report
from openautoglm.report.tables import final_table
from openautoglm.stages.run import Outcome, Run, results_of


@dataclass(frozen=True, kw_only=True)
class Report:
    """Writes ``report.html`` and prints the table."""

    def __call__(self, run: Run) -> Outcome:
        """Leave ``report.html`` in the run's folder."""
        path = write_report(run.folder)
        run.console.print(final_table(results_of(run)))
        return Outcome(note=str(path))
