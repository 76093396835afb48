import json

import numpy as np
import pytest


@pytest.mark.slow
def test_more_people_help_and_unknown_gestures_score_lower(tmp_path):
    """The whole study in a tiny size, on rendered hands in folders."""
    pytest.importorskip("executorch")
    from PIL import Image

    from openautoglm.data import FolderGestures, SyntheticGestures
    from openautoglm.losses import KD
    from openautoglm.stages.finetune import Finetune
    from openautoglm.stages.quantize import Quantize
    from openautoglm.studies.few_shot import FewShotStudy
    from openautoglm.train import FitSettings

    gestures = ("fist", "palm", "peace", "rock")
    source = SyntheticGestures(
        classes=gestures, num_train=160, num_dev=4, num_test=4, num_workers=1, root=tmp_path / "c"
    )
    train = source.load("train")
    for label, name in enumerate(gestures):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for person, row in enumerate(np.flatnonzero(train.labels == label)):
            Image.fromarray(np.array(train.images[row])).save(tmp_path / "photos" / name / f"{4 * person + label}.png")
    study = FewShotStudy(
        data=FolderGestures(root=str(tmp_path / "photos"), dev_fraction=0.0, test_fraction=0.0),
        shots=[3, "all"],
        num_draws=1,
        num_baseline_draws=1,
        left_out=[["rock"]],
        finetune=Finetune(epochs=2, at_least=256),
        quantize=Quantize(losses={"kd": KD()}, epochs=1, at_least=128, batch_size=32),
        model="openautoglm-nano",
    )
    found = study(tmp_path / "runs", settings=FitSettings(trainer={"accelerator": "cpu"}))
    json.dumps(found)  # hours of work must not end in a fault
    few, many = found["shots"]
    assert few["num_train"] == [12]
    assert few["int8_top1_mean"] > few["baseline_top1_mean"]
    assert many["int8_top1_mean"] > 0.85
    assert found["unknown"][0]["auroc"] > 0.6
