"""``python -m openautoglm``: what it prints, writes and returns."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm import list_models
from openautoglm.__main__ import main
from openautoglm.runtime import video
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.zoo import store


@pytest.fixture(scope="session")
def colours():
    path = Path(__file__).parent / "runtime" / "colours.py"
    spec = importlib.util.spec_from_file_location("colours", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def model(colours, tmp_path_factory):
    """Folder of an artifact that finds coloured squares, for ONNX Runtime."""
    pytest.importorskip("onnxscript")
    from openautoglm.export.backend import quiet_export

    with quiet_export():
        return colours.build(tmp_path_factory.mktemp("zoo") / "colours-small", ("onnx",))


@pytest.fixture
def photos(colours, tmp_path):
    """A folder: two hands, none, a broken file, and things that are no pictures."""
    root = tmp_path / "my photos"
    (root / "more").mkdir(parents=True)
    (root / ".hidden").mkdir()
    two, _ = colours.paint(320, 240, {(5, 6): "red", (14, 12): "green"})
    Image.fromarray(two).save(root / "a two.png")
    Image.fromarray(two * 0).save(root / "more" / "none.PNG")
    (root / "broken.jpg").write_bytes(b"no picture")
    (root / "notes.txt").write_text("not read")
    Image.fromarray(two).save(root / ".hidden" / "c.png")
    return root


def recognize(*words, model):
    return main(["recognize", *map(str, words), "--model", str(model), "--runtime", "onnx"])


def test_folder_of_pictures(photos, model, tmp_path, capsys):
    assert recognize(photos, "--json", tmp_path / "hands.json", "--show-boxes", tmp_path / "drawn", model=model) == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    assert line.startswith("a two.png  ")
    assert "red 1.00 [48 24 128 104]" in line
    assert "green 1.00 [192 120 272 200]" in line
    assert line.endswith(" ms")
    assert "broken.jpg: not a picture" in err
    assert "2 frame(s), 1 with hands; 1 problem(s)" in err
    found = json.loads((tmp_path / "hands.json").read_text())
    assert [frame["name"] for frame in found["frames"]] == ["a two.png", "more/none.PNG"]
    first, second = found["frames"]
    assert {hand["label"]: hand["box_px"] for hand in first["hands"]} == {
        "red": [48, 24, 128, 104],
        "green": [192, 120, 272, 200],
    }
    assert (first["width_px"], first["height_px"], second["hands"]) == (320, 240, [])
    assert first["latency_ms"] > 0
    assert [problem["name"] for problem in found["problems"]] == ["broken.jpg"]
    assert (found["source"], found["model"], found["num_looks"]) == ("my photos", "colours-small", 2)
    assert str(tmp_path) not in json.dumps(found)
    drawn = np.asarray(Image.open(tmp_path / "drawn" / "a two.png"))
    assert drawn.shape == (240, 320, 3)
    assert drawn[60, 48].tolist() == [0, 114, 178]  # the left edge of the red square's box
    assert (tmp_path / "drawn" / "more" / "none.PNG").exists()


def test_only_hands_that_are_sure_enough_are_told(photos, model, tmp_path, capsys):
    config = json.loads((model / "config.json").read_text())
    config["thresholds"] = {**(config.get("thresholds") or {}), "show": 1.1}
    fussy = store.build(
        tmp_path / "fussy",
        lambda fresh: (
            shutil.copytree(model, fresh, dirs_exist_ok=True),
            store.write_json(fresh / "config.json", config),
        ),
        {key: value for key, value in json.loads((model / "manifest.json").read_text()).items() if key != "files"},
    ).folder
    out = tmp_path / "hands.json"
    for words, num_hands, least in (((), 0, 1.1), (("--min-score", "0"), 2, 0), (("--min-score", "1.2"), 0, 1.2)):
        assert recognize(photos, "--json", out, *words, model=fussy) == 0
        found = json.loads(out.read_text())
        assert sum(len(frame["hands"]) for frame in found["frames"]) == num_hands
        assert found["min_score"] == least
        assert capsys.readouterr().out.count("red") == num_hands / 2


def test_one_picture(photos, model, capsys):
    assert recognize(photos / "a two.png", model=model) == 0
    assert capsys.readouterr().out.startswith("a two.png  ")


def test_brackets_in_names_are_only_names(photos, model, capsys):
    (photos / "a two.png").rename(photos / "[red]x.png")
    assert recognize(photos / "[red]x.png", model=model) == 0
    assert capsys.readouterr().out.startswith("[red]x.png  ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "there is nothing at nowhere; give a picture, a folder, a video or camera:0"),
        (["empty"], "empty holds no pictures"),
        (["my photos/broken.jpg"], "no frame of my photos/broken.jpg could be read: not a picture"),
        (["my photos/notes.txt"], "my photos/notes.txt is neither a picture nor a video that can be read"),
        (["my photos", "--json", "no/such/hands.json"], "there is no folder no/such; make it first"),
        (["my photos", "--threads", "0"], "num_threads must be at least 1"),
        (["my photos", "--show-boxes", "my photos"], "is where the pictures come from; give another folder"),
        (["my photos", "--show-boxes", "my photos/drawn"], "is where the pictures come from"),
        (["my photos/a two.png", "--show-boxes", "my photos"], "is where the pictures come from"),
        (["my photos", "--model", "nobody"], "nobody is neither a folder nor a released name"),
        (["my photos", "--runtime", "litert"], "has no program for litert, only for onnx"),
        (["camera:/dev/no such camera"], "camera:/dev/no such camera cannot be opened"),
    ],
)
def test_mistakes_are_told_in_one_sentence(photos, model, monkeypatch, capsys, words, sentence):
    if "camera" in words[0] or "notes" in words[0]:
        pytest.importorskip("av")
    monkeypatch.chdir(photos.parent)
    Path("empty").mkdir()
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    assert main(["recognize", "--model", str(model), "--runtime", "onnx", *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before


def test_wrong_words_are_told_by_the_parser(capsys):
    for words in ([], ["recognise", "x"], ["recognize"], ["recognize", "x", "--model", "y", "--runtime", "eager"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert "executorch, litert, onnx" in capsys.readouterr().err.replace("'", "")


def write_clip(colours, path, num_frames=30):
    av = pytest.importorskip("av")
    frame, _ = colours.paint(320, 240, {(5, 6): "red"})
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=15)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 1
        for number in range(num_frames):
            noisy = frame.copy()
            noisy[-40:] = np.random.default_rng(number).integers(0, 60, (40, 320, 1), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, "rgb24")))
        container.mux(stream.encode(None))


def test_video_with_a_missing_tail(colours, model, tmp_path, capsys):
    path = tmp_path / "clip.mp4"
    write_clip(colours, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    assert recognize(path, "--json", tmp_path / "clip.json", "--show-boxes", tmp_path / "drawn", model=model) == 0
    out, err = capsys.readouterr()
    found = json.loads((tmp_path / "clip.json").read_text())
    assert 5 < len(found["frames"]) < 30
    assert all(frame["hands"][0]["label"] == "red" for frame in found["frames"])
    assert found["frames"][3]["time_s"] == pytest.approx(0.2, abs=1e-3)
    assert len(out.splitlines()) == len(found["frames"]) == len(list((tmp_path / "drawn").glob("clip-*.jpg")))
    warning, summary = err.splitlines()
    assert warning.startswith("clip.mp4: ")
    assert "of 2.0 s" in warning
    assert "1 problem(s)" in summary


@pytest.fixture
def interrupted(monkeypatch):
    """Ctrl-C while the third frame is recognised."""
    original = Recognizer.recognize

    def stop(self, frame):
        if self.stats.num_frames == 2:
            raise KeyboardInterrupt
        return original(self, frame)

    monkeypatch.setattr(Recognizer, "recognize", stop)


def test_ctrl_c_keeps_what_was_found(colours, photos, model, interrupted, tmp_path, capsys):
    frame, _ = colours.paint(320, 240, {(5, 6): "red"})
    for number in range(4):
        Image.fromarray(frame).save(photos / f"x{number}.png")
    assert recognize(photos, "--json", tmp_path / "hands.json", model=model) == 130
    assert len(json.loads((tmp_path / "hands.json").read_text())["frames"]) == 2
    assert "stopped after 2 frame(s)" in capsys.readouterr().err


def test_ctrl_c_is_how_a_camera_ends(model, interrupted, monkeypatch, tmp_path):
    pytest.importorskip("av")
    monkeypatch.setitem(video.CAMERAS, sys.platform, "lavfi")
    source = "camera:testsrc=size=64x48:rate=10"
    assert recognize(source, "--json", tmp_path / "hands.json", model=model) == 0
    found = json.loads((tmp_path / "hands.json").read_text())
    assert (found["source"], len(found["frames"])) == (source, 2)


def test_nothing_of_the_training_is_loaded(photos, model):
    code = """
import runpy, sys
try:
    runpy.run_module("openautoglm", run_name="__main__", alter_sys=True)
except SystemExit as ended:
    print(ended.code, sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "lightning", "timm", "cv2"}))
"""
    words = ["recognize", str(photos), "--model", str(model), "--runtime", "onnx"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_list_says_that_there_is_none(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(store, "RELEASED", tmp_path)
    assert list_models() == []
    assert main(["list"]) == 0
    assert "no model is released" in capsys.readouterr().out


@pytest.fixture
def released(model, monkeypatch):
    """The zoo holds the artifact, with the figures of a run in its manifest."""
    manifest = json.loads((model / "manifest.json").read_text())
    figures = [
        {"name": "student", "runtime": "eager", "kind": "int8", "top1": 0.9},
        {"name": "model.onnx", "runtime": "onnx", "kind": "int8", "top1": 0.875, "size_kb": 12.3,
         "latency_ms": {"median": 0.456}},
    ]  # fmt: skip
    facts = {"figures": figures, "data": {"name": "squares"}, "licence": "Apache-2.0", "command": "paint them"}
    facts["device"] = {"cpu": "Abacus 3", "int8": "beads"}
    store.write_json(model / "manifest.json", manifest | facts)
    monkeypatch.setattr(store, "RELEASED", model.parent)
    yield model.name
    store.write_json(model / "manifest.json", manifest)


def test_list_and_recognize_by_name(released, photos, capsys):
    (known,) = list_models()
    assert (known.name, known.task, known.classes, known.image_size) == (
        "colours-small", "spot", ("green", "no_gesture", "red"), 32,
    )  # fmt: skip
    assert (known.size_kb, known.top1, known.latency_ms, known.runtimes) == (12.3, 0.875, 0.456, ("onnx",))
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("colours-small", "spot", "12", "87.5", "0.46", "squares", "Apache-2.0"))
    assert f"ms on Abacus 3, INT8 by beads: {released}" in out
    assert recognize(photos, model=released) == 0


def test_info(released, capsys):
    assert main(["info", released]) == 0
    out = capsys.readouterr().out
    for text in (
        "3: green, no_gesture, red",
        "paint them",
        "model.glance.onnx",
        "attention",
        "87.50",
        "0.46",
        "Apache-2.0",
    ):
        assert text in out
    assert "3 files, all as their checksums say" in out


def test_info_names_weights(capsys):
    assert main(["info", "openautoglm-small"]) == 0
    assert capsys.readouterr().out.count("  weights: programs/model.") == 3


def test_info_of_a_damaged_artifact(colours, tmp_path, capsys):
    folder = store.build(
        tmp_path / "a", lambda fresh: store.write_json(fresh / "config.json", {"classes": ["x"], "image_size": 8}), {}
    ).folder
    assert main(["info", str(folder)]) == 0
    (folder / "config.json").write_text("{}")
    assert main(["info", str(folder)]) == 2
    assert "config.json is corrupt" in capsys.readouterr().err
