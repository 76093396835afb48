"""Latency of an artifact's programs, found by its manifest alone."""

from __future__ import annotations

import json
import shutil

import pytest

from openautoglm.bench import programs
from openautoglm.bench.benchmark import LatencyReport, report_latency
from openautoglm.bench.plain import build
from openautoglm.bench.programs import measure_programs
from openautoglm.bench.result import to_plain
from openautoglm.export.backend import available, get_backend
from openautoglm.zoo import store


@pytest.fixture
def artifact(tiny, tmp_path):
    backends = [get_backend(name) for name in available()]

    def write(folder):
        (folder / "programs").mkdir()
        (folder / "config.json").write_text("{}")
        for backend in backends:
            shutil.copyfile(tiny.folder / f"model.{backend.suffix}", folder / f"programs/model.{backend.suffix}")

    described = {
        f"programs/model.{backend.suffix}": {
            "runtime": backend.name,
            "methods": backend.describe(tiny.folder / f"model.{backend.suffix}"),
        }
        for backend in backends
    }
    return store.build(tmp_path / "artifact", write, {"name": "tiny", "programs": described})


def test_every_runtime_is_timed_on_its_own_picture(artifact):
    rows = measure_programs(artifact, runtimes=available(), rounds=2)
    assert {row.runtime: row.program for row in rows} == {
        name: f"model.{get_backend(name).suffix}" for name in available()
    }
    for row in rows:
        assert (row.method, row.input_shape) == ("look", (1, 3, 64, 64))
        assert row.size_kb == (artifact.folder / "programs" / row.program).stat().st_size / 1e3
        assert 0 < row.latency_ms.q1 <= row.latency_ms.median <= row.latency_ms.q3
        assert (row.latency_ms.rounds, row.latency_ms.num_threads) == (2, 1)
    (alone,) = measure_programs(artifact, runtimes=["executorch"], rounds=1)
    assert alone.program == "model.pte"


def test_all_are_measured_in_turn(artifact, monkeypatch):
    asked = []

    def measure(runners, **settings):
        asked.append((list(runners), settings))
        return original(runners, **settings)

    original = programs.measure
    monkeypatch.setattr(programs, "measure", measure)
    measure_programs(artifact, runtimes=available(), rounds=1)
    ((names, settings),) = asked
    assert names == [f"programs/model.{get_backend(name).suffix} look" for name in available()]
    assert settings == {"rounds": 1, "num_threads": 1}


def test_report_says_where_it_comes_from(artifact):
    report = report_latency(str(artifact.folder), runtimes=["executorch"], rounds=1, num_threads=1)
    assert (report.artifact, report.measured, report.rounds, report.device.num_threads) == ("tiny", True, 1, 1)
    assert report.versions["torch"].startswith("2.")
    assert build(LatencyReport, json.loads(json.dumps(to_plain(report)))) == report


def test_mistakes(artifact, tmp_path):
    with pytest.raises(ValueError, match="no runtime is called 'tflite'; choose from executorch, litert, onnx"):
        measure_programs(artifact, runtimes=["tflite"])
    bare = store.build(tmp_path / "bare", lambda folder: (folder / "config.json").write_text("{}"), {"name": "bare"})
    with pytest.raises(ValueError, match=r"has no program for executorch, litert, onnx: export it first"):
        measure_programs(bare)
