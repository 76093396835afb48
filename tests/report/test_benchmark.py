"""What the benchmark prints and draws, from figures read back from JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from PIL import Image
from rich.console import Console

from openautoglm.bench.benchmark import CostReport
from openautoglm.bench.cost import BlockCost, ProgramCost
from openautoglm.bench.plain import build
from openautoglm.bench.result import DeviceResult, LatencyResult, to_plain
from openautoglm.bench.takeover import ReachPoint, Takeover
from openautoglm.report.benchmark import cost_tables, takeover_sentence
from openautoglm.report.cost_picture import draw_cost


def block(name: str, macs: int, mixing_macs: int = 0, median_ms: float = 0.2) -> BlockCost:
    latency = LatencyResult(median_ms, 0.9 * median_ms, 1.5 * median_ms, 5, 1)
    return BlockCost(name, "ConvNorm", (144, 6, 6), (144, 6, 6), 1_070_000, 4280.0, 63.25, macs, mixing_macs, latency)


def point(reach: str, side: int, mixing_ms: float) -> ReachPoint:
    times = (LatencyResult(0.5, 0.4, 0.6), LatencyResult(mixing_ms, 0.9 * mixing_ms, 1.1 * mixing_ms))
    return ReachPoint(reach, side, side**2, 36, 2_160_000, 270_000 * side, *times)


@pytest.fixture
def report() -> CostReport:
    blocks = (block("stem", 1_990_000, median_ms=0.6), block("stages.2.10.attention", 2_430_000, 270_000))
    points = (point("full", 6, 0.1), point("full", 12, 2.0), point("local", 6, 0.1))
    takeover = Takeover(144, 4, 16, 288, {"full": 58.3, "local": None, "block-sparse": None}, points)
    return CostReport(
        model="openautoglm-small",
        arguments={"num_classes": 19},
        programs=(ProgramCost("look", block("", 4_420_000, 270_000, 0.9), blocks),),
        takeover=takeover,
        rounds=5,
        measured=True,
        versions={"torch": "2.14.1"},
        device=DeviceResult(num_threads=1),
    )


def printed(report: CostReport) -> str:
    console = Console(width=80, file=io.StringIO())
    for heading, table in cost_tables(report):
        console.print(heading)
        console.print(table)
    return console.file.getvalue()


def test_survives_json(report):
    plain = json.loads(json.dumps(to_plain(report)))
    assert build(CostReport, plain) == report


def test_tables_fit_a_terminal_and_tell_the_figures(report):
    text = printed(report)
    lines = text.splitlines()
    (attention,) = [line.split() for line in lines if line.startswith("stages.2.10.attention")]
    assert attention == [
        "stages.2.10.attention", "144×6×6", "4,280", "63.2", "2.43", "0.27", "0.20", "0.18–0.30", "25"
    ]  # fmt: skip
    (larger,) = [line.split() for line in lines if line.startswith("12×12")]
    assert larger == ["12×12", "144", "2.16", "0.50", "3.24", "2.00", "–", "–"]
    assert lines[0].startswith("look: 144×6×6")


def test_sentence_says_from_where_on(report):
    text = takeover_sentence(report.takeover)
    assert "more than 2d = 288 tokens" in text
    assert text.endswith("full from 58 tokens on, local never, block-sparse never.")
    always = replace(report.takeover, measured_num_tokens={"full": 36.0})
    assert takeover_sentence(always).endswith("full at every size.")


@pytest.mark.parametrize("with_attention", [True, False])
def test_picture(report, tmp_path, with_attention):
    if not with_attention:
        report = replace(report, takeover=None)
    draw_cost(report, tmp_path / "cost.png")
    picture = Image.open(tmp_path / "cost.png").convert("RGB")
    assert picture.width == 1536
    colours = {colour for _, colour in picture.getcolors(1 << 24)}
    assert {(0, 114, 178), (255, 255, 255), (92, 102, 112)} <= colours  # the page's blue, card and muted ink
