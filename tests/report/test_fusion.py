"""The table of fusion."""

from __future__ import annotations

import io

from rich.console import Console

from openautoglm.bench.fusion import FusionRow
from openautoglm.bench.operations import OperationCount
from openautoglm.bench.result import LatencyResult
from openautoglm.report.fusion import fusion_markdown, fusion_table


def row(runtime, *, is_fused, kind="float", ratio=None, size_kb=None) -> FusionRow:
    operations = OperationCount(
        num_operations=30, num_heavy=12, num_batch_norms=0 if is_fused else 11, num_activations=3,
        num_fused_activations=4, others={"Add": 3, "Convert": 1},
    )  # fmt: skip
    latency = LatencyResult(0.5, 0.4, 0.6, 50, 1)
    return FusionRow(
        runtime=runtime, kind=kind, is_fused=is_fused, operations=operations, size_kb=size_kb, latency_ms=latency,
        latency_ratio=ratio,
    )  # fmt: skip


def test_a_line_a_form():
    rows = [
        row("eager", is_fused=False, ratio=1.0),
        row("eager", is_fused=True, ratio=0.8),
        row("executorch", is_fused=False, ratio=1.0, size_kb=4500.4),
        row("onnx", is_fused=True, kind="int8", size_kb=1210.0),
    ]
    assert fusion_markdown(rows).splitlines() == [
        "| form | operations | conv, linear | Batch Norm | ReLU | fused ReLU | others | KB | ms | of unfused |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        "| PyTorch, as trained | 30 | 12 | 11 | 3 | 4 | 4 | – | 0.50 | 1.00× |",
        "| PyTorch, BatchNorm folded | 30 | 12 | 0 | 3 | 4 | 4 | – | 0.50 | 0.80× |",
        "| ExecuTorch float, unfused | 30 | 12 | 11 | 3 | 4 | 4 | 4,500 | 0.50 | 1.00× |",
        "| ONNX Runtime INT8 | 30 | 12 | 0 | 3 | 4 | 4 | 1,210 | 0.50 | – |",
    ]
    console = Console(width=80, file=io.StringIO())
    console.print(fusion_table(rows))
    printed = console.file.getvalue()
    assert "1,210 0.50" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_a_column_that_no_row_fills_is_left_out():
    assert "KB" not in fusion_markdown([row("eager", is_fused=False)])
