"""The whole way in a tiny size: teacher, student, INT8, three files, artifact, report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

from openautoglm import AutoModel
from openautoglm.bench.result import read_results
from openautoglm.cli.evaluate import main as evaluate
from openautoglm.cli.train import main as train
from openautoglm.stages.report import Report
from openautoglm.zoo import store

FILES = {"executorch": "model.pte", "litert": "model.tflite", "onnx": "model.onnx"}


@pytest.fixture
def results(tiny_run):
    return read_results(tiny_run)


def test_every_stage_and_row_is_there(results):
    assert results.status == "complete"
    assert [stage.name for stage in results.stages] == [
        "teach", "alone", "distill", "quantize", "export", "verify", "report",
    ]  # fmt: skip
    rows = ["teacher", "student alone", "student distilled", "student QAT"]
    files = [f"{kind}.{suffix}" for suffix in ("pte", "tflite", "onnx") for kind in ("model", "float")]
    assert [row.name for row in results.models] == rows + files
    assert {name: len(curve) for name, curve in results.curves.items()} == {
        "teach": 1, "alone": 2, "distill": 2, "quantize": 2,
    }  # fmt: skip


def test_groups_are_told_apart(results, tiny_run):
    """The figure of a group is that of its rows of the confusion matrix."""
    (group,) = results.groups
    names = results.per_class.classes
    rows = [names.index(label) for label in ("fist", "ok")]
    matrix = np.array(results.confusion.matrix)
    assert (group.name, group.classes, group.num_samples) == ("round", ("fist", "ok"), matrix[rows].sum())
    assert group.top1 == pytest.approx(matrix[rows, rows].sum() / matrix[rows].sum())
    assert "pictures of the 2 round classes" in (tiny_run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("runtime", FILES)
def test_files_run_in_int8_and_agree_with_eager(results, runtime):
    row = results.model(FILES[runtime])
    assert row.kind == "int8"
    assert row.runtime == runtime
    assert row.census["is_int8"]
    assert row.census["float_heavy"] == []
    assert row.agreement >= 0.9
    assert row.latency_ms.rounds == 3
    assert 0 < row.size_ratio < 1


def test_only_the_artifact_holds_a_file_called_model_pte(tiny_run):
    found = [path.relative_to(tiny_run).as_posix() for path in tiny_run.rglob("model.pte")]
    assert found == ["artifact/programs/model.pte"]


def test_loading_is_bit_for_bit(tiny_run):
    one, two = AutoModel.from_pretrained(tiny_run), AutoModel.from_pretrained(tiny_run / "quantize")
    image = torch.rand(5, 3, 64, 64)
    assert torch.equal(one(image), two(image))
    assert torch.equal(one(image)[:1], one(image[:1]))


def test_no_float_copy_of_the_weights_travels(tiny_run):
    from safetensors.torch import load_file

    tensors = load_file(tiny_run / "artifact" / "model.safetensors")
    heavy = {name: tensor for name, tensor in tensors.items() if tensor.ndim > 1}
    assert heavy
    assert all(tensor.dtype == torch.int8 for tensor in heavy.values())


@pytest.mark.parametrize("runtime", [*FILES, "eager"])
def test_evaluate_repeats_the_figure(beside, tiny_run, results, runtime, tiny_words, tmp_path):
    target = tmp_path / "figures.json"
    sizes = [word for word in tiny_words if word.startswith("data.")]
    assert evaluate([f"artifact={tiny_run}", f"runtime={runtime}", *sizes, f"json={target}"]) == 0
    figures = json.loads(target.read_text())
    row = results.model(FILES.get(runtime, "student QAT"))
    assert figures["top1"] == pytest.approx(row.top1)
    assert figures["num_samples"] == 39
    assert figures["latency_ms"] > 0


def test_report_is_one_page_with_the_pictures(tiny_run):
    page = (tiny_run / "report.html").read_text()
    assert "student distilled" in page
    assert "data:image/png;base64," in page
    assert "http-equiv" in page


def test_card_names_data_and_figures(tiny_run):
    card = (tiny_run / "artifact" / "README.md").read_text()
    assert "`synthetic`" in card
    assert "model.tflite" in card
    assert "the judged ones chose nothing. Milliseconds: medians on " in card


def test_a_report_is_named_from_where_one_stands(beside, tiny_run):
    """A run that went on knows its folder from the root of the disk; results shall not."""
    assert tiny_run.is_absolute()
    told = Report()(SimpleNamespace(folder=tiny_run, console=Console(quiet=True))).note
    assert told == f"runs/distill_int8/{tiny_run.name}/report.html"


def test_resume_of_a_finished_run_repeats_nothing(beside, tiny_run, capsys):
    before = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*.safetensors")}
    assert train([f"resume={tiny_run}"]) == 0
    assert capsys.readouterr().out.count("done before") == 7
    assert {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*.safetensors")} == before


def test_resume_with_another_command_names_the_key(beside, tiny_run, capsys):
    assert train([f"resume={tiny_run}", "stages.distill.epochs=5"]) == 2
    assert "stages.distill.epochs" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "programs/model.pte"])
def test_corrupt_file_is_refused_in_one_sentence(beside, tiny_run, tmp_path, capsys, name):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_run / "artifact", broken)
    content = bytearray((broken / name).read_bytes())
    content[len(content) // 2] ^= 1
    (broken / name).write_bytes(content)
    assert evaluate([f"artifact={broken}", "runtime=executorch"]) == 2
    error = capsys.readouterr().err
    assert "corrupt" in error
    assert "Traceback" not in error


def test_other_classes_are_refused(beside, tiny_run, tmp_path, capsys):
    from PIL import Image

    for name in ("wave", "clap"):
        (tmp_path / "photos" / "test" / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng([number, *name.encode()]).integers(0, 255, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / "test" / name / f"{number}.png")
    root = tmp_path / "photos"
    assert evaluate([f"artifact={tiny_run}", "data=folder", f"data.root={root}", "runtime=onnx"]) == 2
    error = capsys.readouterr().err
    assert "clap" in error
    assert "wave" in error


def test_a_float_file_is_not_called_int8(beside, tiny_run, tmp_path):
    from types import SimpleNamespace

    from openautoglm.stages.verify import Verify

    shutil.copytree(tiny_run, tmp_path / "run")
    shutil.copyfile(tmp_path / "run/export/float.onnx", tmp_path / "run/export/int8.onnx")
    shutil.rmtree(tmp_path / "run/artifact")
    fake = SimpleNamespace(
        folder=tmp_path / "run",
        frames=None,
        source=SimpleNamespace(class_names=lambda: ()),
        stage_folder=lambda stage: tmp_path / "run" / stage,
        find_stage=lambda stage: store.find(tmp_path / "run" / stage),
    )
    with pytest.raises(ValueError, match=r"int8\.onnx is not INT8.*Conv"):
        Verify()(fake)
    assert not (tmp_path / "run/artifact").exists()


def test_the_teacher_is_reused_for_the_same_data_and_settings(beside, tiny_run, tiny_words, capsys):
    words = [*tiny_words, "stage=[teach]", "seed=0"]
    kept = [word for word in words if not word.startswith(("stages.distill", "stages.quantize", "stages.verify"))]
    assert train(kept) == 0
    assert "reused" in capsys.readouterr().out
    first, second = sorted((beside / "runs/distill_int8").iterdir(), key=lambda path: path != tiny_run)[:2]
    assert store.sha256(first / "teach/model.safetensors") == store.sha256(second / "teach/model.safetensors")


def test_artifact_speaks_of_no_folder_of_this_machine(tiny_run):
    for path in (tiny_run / "artifact" / "manifest.json", tiny_run / "results.json", tiny_run / "artifact/README.md"):
        assert str(Path.home()) not in path.read_text()
        assert str(tiny_run.parents[2]) not in path.read_text()
