"""Report: one page and one table of everything that was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        return Outcome(note=str(path))
