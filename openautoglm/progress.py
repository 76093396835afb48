"""The one progress bar: what, how far, how long still; silent where nobody watches."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


def progress_bar(*columns: ProgressColumn, console: Console | None = None) -> Progress:
    """A bar that vanishes when it is done; in a log file it does not appear.

    Args:
        *columns: further columns at the end.
        console: where to draw; standard error by default.
    """
    console = console or Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
