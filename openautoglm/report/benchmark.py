"""What ``scripts/benchmark.py`` prints: latencies of programs, and where a model's cost lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from openautoglm.bench.benchmark import CostReport, LatencyReport
from openautoglm.bench.cost import BlockCost, ProgramCost
from openautoglm.bench.result import LatencyResult
from openautoglm.bench.takeover import ReachPoint, Takeover
from openautoglm.report import numbers

MIXING = "QKᵀ and AV"


def latency_table(report: LatencyReport) -> Table:
    """A line for each method of each program."""
    table = _table("program", "method", "picture", "KB", "ms", "quartiles")
    for row in report.programs:
        picture = numbers.TIMES.join(str(side) for side in row.input_shape[2:])
        table.add_row(row.program, row.method, picture, f"{row.size_kb:,.0f}", *_time(row.latency_ms))
    return table


def cost_tables(report: CostReport) -> Iterator[tuple[str, Table]]:
    """A heading and a table for each method, then for attention over growing maps."""
    for program in report.programs:
        yield _heading(program), _block_table(program)
    if report.takeover is not None:
        yield takeover_sentence(report.takeover), _takeover_table(report.takeover)


def takeover_sentence(takeover: Takeover) -> str:
    """From where on QKᵀ is what costs, by count and by the clock."""
    limit = takeover.seen_to_take_over
    smallest = {point.reach: point.num_tokens for point in reversed(takeover.points)}
    clock = [f"{name} {_since(tokens, smallest.get(name))}" for name, tokens in takeover.measured_num_tokens.items()]
    return (
        f"{MIXING} have more multiply-adds than the projections where a token sees more than 2d = {limit} tokens. "
        f"By the clock they take over: {', '.join(clock)}."
    )


def _since(num_tokens: float | None, smallest: int | None) -> str:
    if num_tokens is None:
        return "never"
    return "at every size" if num_tokens == smallest else f"from {numbers.count(round(num_tokens))} tokens on"


def _heading(program: ProgramCost) -> str:
    whole = program.whole
    return (
        f"{program.method}: {_shape(whole.shape_in)}, {numbers.magnitude(whole.num_params)} parameters, "
        f"{numbers.magnitude(whole.macs)} multiply-adds, {numbers.milliseconds(whole.latency_ms.median)}"
    )


def _block_table(program: ProgramCost) -> Table:
    table = _table("block", "given", "KB", "INT8 KB", "M MACs", MIXING, "ms", "quartiles", "time %")
    total_ms = sum(block.latency_ms.median for block in program.blocks)
    for block in program.blocks:
        table.add_row(*_cells(block), f"{100 * block.latency_ms.median / total_ms:.0f}")
    table.add_section()
    table.add_row(*_cells(program.whole, "all"), "", style="bold")
    return table


def _cells(block: BlockCost, name: str | None = None) -> list[str]:
    return [
        name or block.name,
        _shape(block.shape_in),
        _kilobytes(block.float_kb),
        _kilobytes(block.int8_kb),
        _millions(block.macs),
        _millions(block.mixing_macs) if block.mixing_macs else "",
        *_time(block.latency_ms),
    ]


def _takeover_table(takeover: Takeover) -> Table:
    names = list(dict.fromkeys(point.reach for point in takeover.points))
    headings = [heading for name in names for heading in (f"{name} M", f"{name} ms")]
    table = _table("map", "tokens", "projections M", "projections ms", *headings)
    found = {(point.reach, point.side): point for point in takeover.points}
    for side in dict.fromkeys(point.side for point in takeover.points):
        first = next(point for point in takeover.points if point.side == side)
        cells = [_pair(found.get((name, side))) for name in names]
        table.add_row(
            f"{side}{numbers.TIMES}{side}",
            numbers.count(first.num_tokens),
            _millions(first.projection_macs),
            numbers.milliseconds(first.projection_ms.median, unit=False),
            *(cell for pair in cells for cell in pair),
        )
    return table


def _pair(point: ReachPoint | None) -> tuple[str, str]:
    if point is None:
        return numbers.MISSING, numbers.MISSING
    return _millions(point.mixing_macs), numbers.milliseconds(point.mixing_ms.median, unit=False)


def _table(first: str, *headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first, overflow="fold")
    for heading in headings:
        table.add_column(heading.replace("-", "-\n").replace(" ", "\n", 1), justify="right", no_wrap=True)
    return table


def _time(latency: LatencyResult) -> tuple[str, str]:
    return numbers.milliseconds(latency.median, unit=False), numbers.quartiles(latency)


def _shape(shape: Sequence[int]) -> str:
    return numbers.TIMES.join(str(size) for size in shape)


def _kilobytes(size_kb: float) -> str:
    return f"{size_kb:,.0f}" if size_kb >= 100 else f"{size_kb:.1f}"


def _millions(macs: int) -> str:
    return f"{macs / 1e6:,.2f}" if macs < 1e8 else f"{macs / 1e6:,.0f}"
