"""The way of whole frames in a tiny size: scenes, glance and look, one INT8 program, a recogniser."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from openautoglm import AutoModel, Recognizer
from openautoglm.bench.result import read_results
from openautoglm.data.synthetic.scenes import SyntheticScenes
from openautoglm.runtime.methods import open_methods
from openautoglm.zoo import store

pytest.importorskip("executorch")
WORDS = (
    "recipe=spot_int8",
    "init=null",
    "model=openautoglm-test",
    "model.arguments.glance_size=96",
    "+model.arguments.image_size=64",
    "data.longest_px=160",
    "data.num_train=40",
    "data.num_dev=13",
    "data.num_test=13",
    "data.num_workers=1",
    "optim.batch_size=10",
    "stages.spot.epochs=2",
    "stages.quantize.epochs=1",
    "stages.quantize.keep_look=true",
    "stages.verify.rounds=2",
    "trainer.accelerator=cpu",
)
CROPS = (
    "stages.verify.cost=true",
    "data@frames.crops=synthetic",
    "frames.crops.image_size=64",
    "frames.crops.num_train=60",
    "frames.crops.num_dev=39",
    "frames.crops.num_test=26",
    "frames.crops.num_workers=1",
)
RUNTIMES = ("executorch", "litert", "onnx")


@pytest.fixture(scope="module")
def spot_run(place):
    from openautoglm.cli.train import main

    assert main([*WORDS, *CROPS]) == 0
    (run,) = (place / "runs/spot_int8").iterdir()
    return run


@pytest.fixture
def frame(place):
    source = SyntheticScenes(longest_px=160, num_train=40, num_dev=13, num_test=13, num_workers=1)
    return np.array(source.load_frames("test").frame(0).image)


def test_every_row_has_the_figures_of_frames(spot_run):
    results = read_results(spot_run)
    assert [stage.name for stage in results.stages] == ["spot", "quantize", "export", "verify", "report"]
    files = [f"{kind}.{suffix}" for suffix in ("pte", "tflite", "onnx") for kind in ("model", "float")]
    assert [row.name for row in results.models] == ["student", "student QAT", *files]
    for row in results.models:
        assert 0 <= row.top1 <= 1
        assert 0 <= row.hand_ap50 <= 1
        assert 0 <= row.top1_gold_box <= 1
    for name in ("model.pte", "model.tflite", "model.onnx"):
        row = results.model(name)
        assert row.census["is_int8"], row.census["float_heavy"]
        assert row.census["num_partitions"] <= 3 * 2
        assert row.agreement >= 0.6
        assert row.top1_minus_eager == pytest.approx(row.top1 - results.model("student QAT").top1)
    assert "hand AP50" not in (spot_run / "report.html").read_text() or results.model("model.pte").hand_ap50 is not None


def columns(run, stage):
    return set((run / stage / "log/metrics.csv").read_text().splitlines()[0].split(","))


def test_the_float_net_names_crops_while_it_is_quantised(spot_run):
    """There is no other teacher."""
    assert "train_kd" not in columns(spot_run, "spot")
    assert "train_kd" in columns(spot_run, "quantize")


def test_what_int8_costs_the_look_is_measured_on_the_crops(spot_run):
    cost = read_results(spot_run).int8_cost
    assert cost.extra["splits"] == {"test": 26, "dev": 39}
    assert cost.num_samples == 65
    assert set(cost.extra["test_top1"]) == {"float", "int8"}
    assert cost.ci95[0] <= cost.difference <= cost.ci95[1]
    manifest = json.loads((spot_run / "artifact/manifest.json").read_text())
    assert manifest["int8_cost"]["difference"] == cost.difference


def test_the_report_shows_what_is_mixed_up(spot_run):
    results = read_results(spot_run)
    matrix = np.array(results.confusion.matrix)
    assert matrix.shape == (len(results.data.classes),) * 2
    assert np.trace(matrix) / matrix.sum() == pytest.approx(results.model("model.pte").top1)
    wrong = int(matrix.sum() - np.trace(matrix))
    assert len(results.mistakes) == min(wrong, 24)
    for mistake in results.mistakes:
        assert mistake.truth != mistake.predicted
        assert (spot_run / mistake.image).exists()
    assert "Which gestures are mixed up" in (spot_run / "report.html").read_text()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_artifact_recognises_frames_in_each_runtime(spot_run, frame, runtime):
    recognizer = Recognizer.from_pretrained(spot_run, runtime=runtime)
    hands = recognizer.recognize(frame)
    height, width = frame.shape[:2]
    for hand in hands:
        x0, y0, x1, y1 = hand.box_px
        assert 0 <= x0 <= x1 <= width
        assert 0 <= y0 <= y1 <= height
        assert 0 <= hand.score <= 1
        assert hand.label in recognizer.classes
    named = recognizer.name_box(frame, (10.0, 10.0, 60.0, 70.0))
    assert named.box_px == (10.0, 10.0, 60.0, 70.0)
    assert named.label in recognizer.classes


def test_programs_hold_both_methods(spot_run):
    programs = json.loads((spot_run / "artifact/manifest.json").read_text())["programs"]
    described, count = programs["programs/model.pte"]["methods"], len(read_results(spot_run).data.classes)
    onnx = {method: programs[f"programs/model.{method}.onnx"]["methods"][method] for method in ("look", "glance")}
    for methods in (described, programs["programs/model.tflite"]["methods"], onnx):
        returned = {name: [(out["name"], out["shape"]) for out in one["outputs"]] for name, one in methods.items()}
        maps = [("attention", [1, 1, 12, 12]), ("box", [1, 4, 12, 12]), ("logits", [1, count, 12, 12])]
        assert returned == {"look": [("logits", [1, count])], "glance": maps}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_each_method_computes_what_the_graph_does(spot_run, runtime):
    import torch

    engines, net = open_methods(store.find(spot_run), runtime, 1), AutoModel.from_pretrained(spot_run)
    torch.manual_seed(0)
    coarse = torch.rand(1, 3, 7, 7)
    small, large = (torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear") for size in (64, 96))
    maps = net.glance(large)
    expected = {"attention": maps.attention.sigmoid(), "box": maps.box, "logits": maps.logits}
    for image, method, values in ((small, "look", {"logits": net(small)}), (large, "glance", expected)):
        found = engines[method].run_named(image.numpy())
        assert found.keys() == values.keys()
        for name, value in values.items():
            spread = max(1e-6, float(value.max() - value.min()))
            assert np.abs(found[name].reshape(value.shape) - value.numpy()).max() < 0.05 * spread + 0.02, name


def test_thresholds_are_chosen_on_dev_and_shipped(spot_run):
    config = json.loads((spot_run / "artifact/config.json").read_text())
    manifest = json.loads((spot_run / "artifact/manifest.json").read_text())
    assert config["task"] == "spot"
    assert manifest["thresholds"]["thresholds"] == config["thresholds"]
    assert manifest["thresholds"]["chosen_on"] == "dev"
    assert config["thresholds"]["show"] == manifest["thresholds"]["shown"]["score"]
    assert manifest["thresholds"]["shown_on_test"]["score"] == config["thresholds"]["show"]
    assert Recognizer.from_pretrained(spot_run, runtime="litert").thresholds.hand == config["thresholds"]["hand"]


@pytest.mark.parametrize("runtime", ["litert", "eager"])
def test_evaluate_measures_what_verify_did(spot_run, tmp_path, capsys, runtime):
    from openautoglm.cli.evaluate import main

    data = [word for word in WORDS if word.startswith("data.")]
    target = tmp_path / "figures.json"
    assert main([f"artifact={spot_run}", f"runtime={runtime}", "data=scenes", *data, f"json={target}"]) == 0
    figures = json.loads(target.read_text())
    expected = read_results(spot_run).model("model.tflite" if runtime == "litert" else "student QAT")
    assert figures["num_samples"] == 13
    assert figures["shown_from"] == Recognizer.from_pretrained(spot_run).thresholds.show
    assert 0 <= figures["shown_recall"] <= 1
    assert 0 <= figures["shown_precision"] <= 1
    assert figures["latency_ms"] > 0
    for name in ("top1", "hand_ap50", "map50", "top1_gold_box"):
        assert figures[name] == pytest.approx(getattr(expected, name), abs=1e-6)


def test_a_run_becomes_a_release(spot_run, tmp_path, frame):
    import torch

    from openautoglm.zoo.listing import describe
    from openautoglm.zoo.release import release

    released = release(spot_run, "openautoglm-tiny", sources=["scenes"], root=tmp_path)
    info = describe(released)
    assert (info.name, info.task, info.licence) == ("openautoglm-tiny", "spot", "Apache-2.0")
    assert released.weights.stat().st_size < 0.75 * (spot_run / "spot/model.safetensors").stat().st_size
    card = (released.folder / "README.md").read_text()
    assert "rendered by openautoglm" in card
    assert "hand AP50" in card
    image = torch.rand(1, 3, 64, 64)
    float_model = AutoModel.from_pretrained(spot_run / "spot")
    assert torch.equal(AutoModel.from_pretrained(released.folder)(image), float_model(image))
    again, first = (
        Recognizer.from_pretrained(folder, runtime="litert").recognize(frame) for folder in (released.folder, spot_run)
    )
    assert again == first
    with pytest.raises(ValueError, match="unknown sources moon; known are hagrid"):
        release(spot_run, "x", sources=["moon"], root=tmp_path)


def test_a_run_that_only_quantised_is_released_with_the_net_it_began_with(spot_run, tmp_path):
    from openautoglm.zoo.release import release

    shutil.copytree(spot_run / "artifact", tmp_path / "run/artifact")
    with pytest.raises(ValueError, match=r"holds no float student: .* name it by --weights"):
        release(tmp_path / "run", "x", sources=["scenes"], root=tmp_path)
    with pytest.raises(ValueError, match="is quantised, expected the float net"):
        release(tmp_path / "run", "x", sources=["scenes"], weights=spot_run / "quantize", root=tmp_path)
    with pytest.raises(ValueError, match="is another net than"):
        release(tmp_path / "run", "x", sources=["scenes"], weights="openautoglm-nano", root=tmp_path)
    whole, begun = (
        release(run, name, sources=["scenes"], weights=weights, root=tmp_path)
        for run, name, weights in ((spot_run, "a", None), (tmp_path / "run", "b", spot_run / "spot"))
    )
    assert whole.weights.read_bytes() == begun.weights.read_bytes()


def test_a_run_on_frames_trains_no_teacher(place, capsys):
    from openautoglm.cli.train import main

    assert main([*(word for word in WORDS if "rounds" not in word), "stage=[teach,spot,quantize]"]) == 2
    assert "give one that names crops by teacher.artifact=" in capsys.readouterr().err


@pytest.mark.slow
def test_a_spotter_teaches_the_glance_of_another(spot_run, tmp_path, monkeypatch):
    from openautoglm.cli.train import main

    monkeypatch.chdir(tmp_path)
    words = [word for word in WORDS if "rounds" not in word and "spot.epochs" not in word]
    words += [f"stages.spot.glance_teacher={spot_run / 'spot'}", "stages.spot.epochs=1"]
    assert main([*words, "stages.quantize.keep_glance=true", "stage=[spot,quantize]"]) == 0
    (run,) = (tmp_path / "runs/spot_int8").iterdir()
    for stage in ("spot", "quantize"):
        taught = {"train_taught_attention", "train_taught_box", "train_taught_cell"}
        assert taught < columns(run, stage), stage


@pytest.mark.parametrize(
    ("teacher", "said"),
    [("openautoglm-nano-crops", "is for classify, of call, dislike"), ("artifact", "is quantised, for spot, of")],
)
def test_only_a_float_spotter_of_the_same_gestures_teaches_a_glance(spot_run, place, capsys, teacher, said):
    from openautoglm.cli.train import main

    named = spot_run / "quantize" if teacher == "artifact" else teacher
    words = [word for word in WORDS if "rounds" not in word]
    assert main([*words, "stage=[spot,quantize]", f"stages.spot.glance_teacher={named}"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert said in error
    assert "it has to be a float net for whole frames" in error


def test_the_artifact_loads_with_both_methods(spot_run):
    import torch

    model = AutoModel.from_pretrained(spot_run)
    assert model(torch.rand(1, 3, 64, 64)).shape[0] == 1
    assert model.glance(torch.rand(1, 3, 96, 96)).attention.shape == (1, 1, 12, 12)


def test_a_stage_for_crops_refuses_frames(place, capsys):
    from openautoglm.cli.train import main

    assert main([*WORDS[:-3], "stage=[alone]", "trainer.accelerator=cpu"]) == 2
    assert "this stage trains on crops of hands" in capsys.readouterr().err


def test_a_net_without_a_glance_is_refused_before_it_trains(place, capsys):
    from openautoglm.cli.train import main

    words = [word for word in WORDS if not word.startswith("model.arguments")]
    assert main([*words, "model.arguments.glance_size=null"]) == 2
    assert "needs model.arguments.glance_size, such as 192" in capsys.readouterr().err
