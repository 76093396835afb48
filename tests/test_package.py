"""The package as a whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import openautoglm

ROOT = Path(__file__).parents[1]
SIZES = ("small", "nano", "base")
PEERS = ("mediapipe hands + mlp", "hagrid dynamic_gestures")
STUDIES = ROOT / "recipes" / "results" / "studies"


def test_importing_loads_nothing_heavy():
    code = "import sys, openautoglm; print([m for m in ('torch', 'lightning', 'timm', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", openautoglm.__all__)
def test_public_names_are_there(name):
    assert getattr(openautoglm, name).__doc__


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'AutoModle'"):
        openautoglm.AutoModle  # noqa: B018


def test_readme_example_runs(tmp_path, monkeypatch):
    """The ten lines of README that use the Lightning modules without Hydra."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if "LitDistill" in block]
    small = code.replace(
        "SyntheticGestures()", "SyntheticGestures(num_train=40, num_dev=20, num_test=20, image_size=32)"
    )
    assert small != code
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "cache"))
    namespace: dict[str, object] = {}
    exec(compile(small, "README.md", "exec"), namespace)


def test_readme_lines_of_the_zoo_run(tmp_path, monkeypatch):
    """Load, quantise, save, recognise: the lines a notebook begins with."""
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("executorch")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if "Recognizer" in block]
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"frame": np.full((90, 120, 3), 128, np.uint8)}
    exec(compile(code, "README.md", "exec"), namespace)
    assert isinstance(namespace["hands"], list)
    assert (tmp_path / "openautoglm-int8" / "quantization.json").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "recipes" / "results").glob("*.json")), ids=lambda path: path.stem)
def test_readme_shows_the_committed_figures(path):
    from openautoglm.bench.result import read_results
    from openautoglm.report import numbers
    from openautoglm.report.tables import markdown_table

    results = read_results(path)
    table = markdown_table(results)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert table in readme, f"README should show this table of {path.name}:\n\n{table}"
    told = [numbers.percent(group.top1) for group in results.groups]
    if results.int8_cost is not None and results.int8_cost.ci95 is not None:
        told += [numbers.points(value) for value in (results.int8_cost.difference, *results.int8_cost.ci95)]
    assert [figure for figure in told if figure not in readme] == []


def test_readme_shows_the_figures_of_nano():
    from openautoglm.bench.result import from_plain

    found = from_plain(json.loads((ROOT / "recipes/results/studies/hagrid_int8_nano.json").read_text(encoding="utf-8")))
    model = found.model("model.pte")
    told = f"names {100 * model.top1:.1f} % right in {model.size_kb:.0f} KB and {model.latency_ms.median:.2f} ms"
    assert told in (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_shows_what_was_compared_on_whole_frames():
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    rows = _compared("peers_frames_avx2")
    small, nano, base, landmarker, hagrid = (_figures(rows[name]) for name in (*SIZES, *PEERS))
    assert f"{small.replace(',', ' named right, hand AP50', 1)}; in the same run" in told
    assert f"landmarker and an MLP {landmarker}, HaGRID's detector and classifier {hagrid}, `openautoglm-nano`" in told
    assert f"(0.7 MB) {nano}, `openautoglm-base` (2.8 MB) {base} (AVX2, no VNNI, `…/peers_frames_avx2.json`)" in told
    rows = _compared("peers_frames_nano")
    assert f"With VNNI nano took {rows['nano']['ms']:.1f} ms, the landmarker {rows[PEERS[0]]['ms']:.1f}" in told
    rows = _compared("peers_frames")
    assert f"small, before its last QAT, {rows['small']['ms']:.1f} beside {rows[PEERS[0]]['ms']:.1f}" in told
    looks = json.loads((ROOT / "recipes/results/studies/gold_crops.json").read_text(encoding="utf-8"))["rows"]
    small, nano, base = (100 * looks[f"openautoglm-{size}"]["top1"] for size in SIZES)
    assert f"They name {small:.1f}, {nano:.1f} and {base:.1f} % of the crops above right" in told
    from openautoglm.bench.result import from_plain

    rendered = json.loads((ROOT / "recipes/results/studies/spot_int8.json").read_text(encoding="utf-8"))
    found = from_plain(rendered).model("model.pte")
    assert f"Rendered frames, `recipe=spot_int8`: {100 * found.top1:.1f} %, {found.hand_ap50:.2f}." in told


def test_readme_shows_what_is_shown_and_searched():
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    rows = json.loads((ROOT / "recipes/results/studies/whole_frames.json").read_text(encoding="utf-8"))["rows"]
    found = [rows[f"openautoglm-{size}"] for size in SIZES]
    means = sorted(row["mean_latency_ms"] / row["latency_ms"] for row in found)
    assert f"the mean is {means[0]:.1f} to {means[-1]:.1f} times the median" in told
    precision, recall = (
        ["{:.0f}".format(100 * row[f"shown_{name}"]) for row in found] for name in ("precision", "recall")
    )
    assert f"{precision[0]}, {precision[1]} and {precision[2]} % are hands" in told
    assert f"{recall[0]}, {recall[1]} and {recall[2]} % of all" in told


def test_the_guide_to_phones_shows_what_int8_saves_on_avx2():
    told = " ".join((ROOT / "docs/phone.md").read_text(encoding="utf-8").split())
    rows = json.loads((STUDIES / "spotters_latency_avx2.json").read_text(encoding="utf-8"))["rows"]
    said = []
    for file in ("pte", "tflite", "onnx"):
        int8, floating = (
            [rows[f"openautoglm-{size}/{kind}.{file}"]["median"] for size in SIZES] for kind in ("model", "float")
        )
        ratios = [one / other for one, other in zip(int8, floating, strict=True)]
        said.append(f"{min(ratios):.2f} to {max(ratios):.2f}")
    assert f"take {said[0]} times as long as in float in ExecuTorch" in told
    assert f"{said[1]} in LiteRT and {said[2]} in ONNX Runtime" in told


def _compared(study):
    """Rows of a run of compare.py, our own by size."""
    rows = json.loads((STUDIES / f"{study}.json").read_text(encoding="utf-8"))["rows"]
    return {key.removeprefix("openautoglm-").removesuffix(" [executorch]"): row for key, row in rows.items()}


def _figures(row):
    return f"{100 * row['top1']:.1f} %, {row['hand_ap50']:.2f}, {row['ms']:.1f} ms"


def test_readme_shows_the_study_of_the_synthetic_task():
    found = json.loads((ROOT / "recipes/results/studies/synthetic.json").read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for share in (
        found["logistic_regression_top1"],
        found["photo_classifier"]["top1"],
        found["shuffled_labels_top1"],
        found["chance"],
    ):
        assert f"{100 * share:.1f} %" in readme


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_recipe_headers_name_results_that_exist(path):
    (line,) = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# Expected:")]
    named = re.findall(r"recipes/results/(?:studies/)?\w+\.json", line)
    assert all((ROOT / name).exists() for name in named)
    assert named or "not measured" in line


def test_readme_is_short_and_its_files_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert target.startswith("https://") or (ROOT / target).exists(), target


@pytest.mark.parametrize("path", sorted((ROOT / "openautoglm").rglob("*.py")), ids=lambda path: path.name)
def test_files_stay_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= (500 if path.parent.name == "models" else 300)


def guide_tables():
    """Name of a measurement to the table that the guide to compression shows of it."""
    from openautoglm.bench.compression import CompressionRow
    from openautoglm.bench.fusion import FusionRow
    from openautoglm.report.compression import compression_markdown
    from openautoglm.report.fusion import fusion_markdown

    return {
        "compression": ("rows", CompressionRow, compression_markdown),
        "fusion": ("forms", FusionRow, fusion_markdown),
    }


@pytest.mark.parametrize("name", ["compression", "fusion"])
def test_guide_shows_what_was_measured(name):
    from openautoglm.bench.plain import build

    key, kind, write = guide_tables()[name]
    found = json.loads((STUDIES / f"{name}.json").read_text(encoding="utf-8"))
    table = write([build(kind, row) for row in found[key]])
    guide = (ROOT / "docs" / "compression.md").read_text(encoding="utf-8")
    assert table in guide, f"docs/compression.md should show this table:\n\n{table}"


def test_guide_shows_the_study_of_distillation():
    from openautoglm.bench.methods import MethodGain, MethodSummary
    from openautoglm.report.methods import gains_markdown, methods_markdown

    found = {
        name: json.loads((ROOT / f"recipes/results/studies/distillation_{name}.json").read_text(encoding="utf-8"))
        for name in ("synthetic", "hagrid_crops", "sign_digits")
    }
    gains = {name: MethodGain(**figures["test"]) for name, figures in found.items()}
    summaries = [MethodSummary(**method) for method in found["synthetic"]["methods"]]
    guide = (ROOT / "docs" / "distillation.md").read_text(encoding="utf-8")
    for table in (methods_markdown(summaries, gains["synthetic"]).partition("\n\n")[0], gains_markdown(gains)):
        assert table in guide, f"docs/distillation.md should show this table:\n\n{table}"


def test_guide_shows_the_front():
    from openautoglm.bench.front import FrontRow, Match
    from openautoglm.bench.plain import build
    from openautoglm.report.pareto import front_markdown

    found = json.loads((STUDIES / "pareto.json").read_text(encoding="utf-8"))
    rows, matches = ([build(kind, row) for row in found[key]] for kind, key in ((FrontRow, "rows"), (Match, "matches")))
    table = front_markdown(rows, matches)
    assert table in (ROOT / "docs" / "front.md").read_text(encoding="utf-8"), f"docs/front.md should show:\n\n{table}"
