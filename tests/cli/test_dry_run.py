from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm.cli.train import main


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    for name, count in (("left [x]", 12), ("拳", 9)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for row in range(count):
            pixels = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{row}.png")
    (tmp_path / "photos" / "拳" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "photos"


def test_says_what_is_there_and_trains_nothing(photos, capsys):
    # whether a spotter sees hands in noise is not the question
    words = ["recipe=finetune_int8", f"data.root={photos}", "data.dry_run=true", "data.find_hands=never"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "left [x]" in said
    assert "拳/broken.jpg" in said
    assert "nothing is held out for dev and test" in said
    assert "not mirrored: sides matter to 'left [x]'" in " ".join(said.split())
    assert any(line.split() == ["all", "21"] for line in said.splitlines())
    assert Image.open("dry_run.png").height > 150
    assert not Path("runs").exists()


def test_splits_are_counted(photos, capsys):
    assert main(["recipe=distill_int8", "data=folder", f"data.root={photos}", "data.dry_run=true"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["class", "train", "dev", "test"] in lines
    assert ["拳", "6", "1", "2"] in lines


def test_a_false_dry_run_is_none(photos, capsys):
    assert main(["recipe=finetune_int8", f"data.root={photos / 'none'}", "data.dry_run=true"]) == 2
    assert "there is no folder" in capsys.readouterr().err
